//! Broken and slow HTTP: refused or cut off, while everybody else is served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http_api::Limits;
use test_support::wait_until;

use crate::led_shop::DEADLINE;
use crate::served::Served;

fn short() -> Limits {
    Limits {
        // The server's clock for heads ticks twice a second.
        head_deadline: Duration::from_secs(2),
        body_deadline: Duration::from_millis(400),
        ..Limits::default()
    }
}

/// Sends the parts and reads until the server closes.
pub(super) fn raw(served: &Served, parts: &[&str]) -> (String, Duration) {
    tokio::task::block_in_place(|| send_raw(served, parts))
}

fn send_raw(served: &Served, parts: &[&str]) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for part in parts {
        stream.write_all(part.as_bytes()).unwrap();
    }
    let mut answer = String::new();
    // The end of the stream is what is waited for: the server closes.
    let _ = stream.read_to_string(&mut answer);
    (answer, started.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_sender_is_cut_off() {
    let served = Served::start(short()).await;
    let before = served.events().await;
    let head = "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n";
    for (what, parts) in [
        ("a slow head", vec![head]),
        ("a slow body", vec![head, "\r\n", "{\"id\""]),
        (
            "a slow chunked body behind an answer",
            vec!["POST /v1/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n"],
        ),
        (
            "a slow chunked body",
            vec![
                "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
            ],
        ),
    ] {
        let (answer, took) = raw(&served, &parts);
        let status = if what.ends_with("answer") { "401" } else { "408" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(took < Duration::from_secs(8), "{what} took {took:?}");
    }
    assert_eq!(served.events().await, before);
    assert_eq!(served.counted(&served.metrics().await, "timeout"), 2);
    served.stop().await;
}

/// It asks again and again, and takes nothing of the answers; what it has not taken does not stay for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_off() {
    let served = Served::start(Limits { read_stall: Duration::from_millis(500), ..short() }).await;
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let ours = stream.local_addr().unwrap().port();
    let is_served = || connections_to(served.address.port()).contains(&ours);
    assert!(is_served());
    let ask = b"GET /asyncapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(64);
    // Until nobody takes more of it.
    tokio::task::block_in_place(|| while stream.write(&ask).is_ok() {});
    assert!(wait_until(DEADLINE, async || !is_served()).await, "it is served for ever");
    assert!(served.metrics().await.contains("counterfoil"), "others are served");
    served.stop().await;
}

/// The ports of those who are connected to one.
fn connections_to(port: u16) -> Vec<u16> {
    const ESTABLISHED: &str = "01";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port_of = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let connection = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        (port_of(local) == Some(port) && state == ESTABLISHED).then(|| port_of(remote))?
    };
    table.lines().filter_map(connection).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused() {
    let served = Served::start(short()).await;
    for (what, request, status) in [
        ("two lengths", "POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), "400"),
        (
            "a length and chunks",
            "POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "400",
        ),
        ("a header without end", format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(200_000)), "431"),
        ("a compressed body", "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx".to_owned(), "415"),
    ] {
        let (answer, _) = raw(&served, &[&request]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:.200}");
    }
    served.stop().await;
}
