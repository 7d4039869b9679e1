//! Requests that two readers of HTTP could read differently, and requests beyond every limit (F37): refused, none of them
//! taken for two, and nothing read that need not be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use http_api::Limits;

use super::ground::{counters, tables};
use crate::served::Served;

const DOOR: &str = "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\n";
/// A request in the body of another: were it answered, somebody's next answer would be another's.
const INNER: &str = "GET /livez HTTP/1.1\r\nhost: inner\r\n\r\n";

/// What is sent, and the status of the only answer; `0`: none at all.
type Row = (&'static str, Vec<u8>, u16);

fn row(what: &'static str, request: impl Into<Vec<u8>>, status: u16) -> Row {
    (what, request.into(), status)
}

/// Another request stands behind each.
fn lengths() -> Vec<Row> {
    let door = |what, headers: &str, body: &str, status| {
        row(what, format!("{DOOR}{headers}\r\n{body}{INNER}"), status)
    };
    vec![
        door("two lengths", "content-length: 1\r\ncontent-length: 2\r\n", "a", 400),
        door("the same length twice", "content-length: 1\r\ncontent-length: 1\r\n", "a", 400),
        door("two lengths in one", "content-length: 1, 2\r\n", "a", 400),
        door("a length below zero", "content-length: -1\r\n", "", 400),
        door("a length with a sign", "content-length: +1\r\n", "a", 400),
        door("a length in hexadecimal", "content-length: 0x1\r\n", "a", 400),
        door("a length with a point", "content-length: 1.0\r\n", "a", 400),
        door("a length that is none", "content-length: \r\n", "", 400),
        door("a length in words", "content-length: one\r\n", "a", 400),
        door("a length of 2^64", "content-length: 18446744073709551616\r\n", "a", 400),
        door("a length and chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n", 400),
        door("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n", 400),
        door(
            "chunks twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            400,
        ),
        door(
            "chunks and none",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "0\r\n\r\n",
            400,
        ),
        door("chunks of chunks", "transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n", 400),
        door("an encoding behind chunks", "transfer-encoding: chunked, identity\r\n", "0\r\n\r\n", 400),
        door("an encoding that is like chunks", "transfer-encoding: xchunked\r\n", "0\r\n\r\n", 400),
        door("chunks with a tab", "transfer-encoding:\x0bchunked\r\n", "0\r\n\r\n", 400),
        door("a space before the colon", "transfer-encoding : chunked\r\n", "0\r\n\r\n", 400),
        door("a folded header", "transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n", 400),
        door("a chunk of no size", "transfer-encoding: chunked\r\n", "zz\r\n\r\n", 400),
        door("a chunk below zero", "transfer-encoding: chunked\r\n", "-1\r\n\r\n", 400),
        door("a chunk of 2^68", "transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n", 400),
        door(
            "a chunk that is longer than it says",
            "transfer-encoding: chunked\r\n",
            "1\r\nabc\r\n0\r\n\r\n",
            400,
        ),
    ]
}

fn heads() -> Vec<Row> {
    let many = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let get = |headers: &str| format!("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    vec![
        row("a NUL in a header", get("x-a: b\0c\r\n"), 400),
        row("a return in a header", get("x-a: b\rc\r\n"), 400),
        row("a header without colon", get("x-a\r\n"), 400),
        row("a header without name", get(": b\r\n"), 400),
        row("a space in a name", get("x a: b\r\n"), 400),
        row("a NUL in the path", "GET /li\0vez HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        row("no path", "GET HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        row("no version", "GET /livez\r\nhost: x\r\n\r\n", 400),
        row("a version that there is not", "GET /livez HTTP/1.9\r\nhost: x\r\n\r\n", 400),
        row("version 2 unasked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        row("TLS", vec![0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1, 3, 3, b'\r', b'\n', b'\r', b'\n'], 400),
        row("97 headers", get(&many(95)), 431),
        row("2,000 headers", get(&many(2_000)), 431),
        row("a header of 135 kB", get(&format!("x-a: {}\r\n", "y".repeat(135_000))), 431),
        row("a name of 135 kB", get(&format!("x-{}: y\r\n", "y".repeat(135_000))), 431),
        row("a path of 135 kB", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(135_000)), 431),
    ]
}

/// Of these nothing need be read but the head: what is promised is never sent.
fn bodies() -> Vec<Row> {
    let door = |what, headers: &str, status| row(what, format!("{DOOR}{headers}\r\n"), status);
    let chunked = |chunk: &str, count: usize| {
        format!("{DOOR}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(count))
    };
    let kib = format!("400\r\n{}\r\n", " ".repeat(1024));
    vec![
        door("256 KiB and a byte", "content-length: 262145\r\n", 413),
        door("10 GB", "content-length: 10000000000\r\n", 413),
        door("2^63 bytes", "content-length: 9223372036854775808\r\n", 413),
        row("chunks of 1 MB", chunked(&kib, 1024), 413),
        row(
            "a chunk of 1 MB",
            format!("{DOOR}transfer-encoding: chunked\r\n\r\n100000\r\n{}", " ".repeat(0x10_0000)),
            413,
        ),
        door("gzip", "content-encoding: gzip\r\ncontent-length: 5\r\nconnection: close\r\n", 415),
        door("brotli", "content-encoding: br\r\ncontent-length: 5\r\nconnection: close\r\n", 415),
        door("twice", "content-encoding: identity, gzip\r\ncontent-length: 5\r\nconnection: close\r\n", 415),
        door(
            "two encodings",
            "content-encoding: identity\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\nconnection: close\r\n",
            415,
        ),
    ]
}

/// Sends it, and reads until the server closes.
fn answer(served: &Served, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may have had enough before the end.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_taken_for_two_and_none_is_read_beyond_its_limit() {
    let limits = Limits {
        head_deadline: Duration::from_secs(2),
        body_deadline: Duration::from_secs(2),
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    served.settled().await;
    let (before, taken) = (tables(&served).await, counters(&served).await["new"]);
    for (what, request, status) in [lengths(), heads(), bodies()].concat() {
        let answer = tokio::task::block_in_place(|| answer(&served, &request));
        let answers: Vec<&str> =
            answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at..at + 12]).collect();
        assert_eq!(answers, [format!("HTTP/1.1 {status}")], "{what}: {answer:.600}");
        assert!(
            served.client.get(served.url("/livez")).send().await.unwrap().status().is_success(),
            "{what}"
        );
    }
    assert_eq!((tables(&served).await, counters(&served).await["new"]), (before, taken));
    served.stop().await;
}
