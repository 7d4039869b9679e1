//! A host of PayPal's that answers badly, or not at all (F36): the callback is to come again, and nobody else is called.

use std::collections::HashMap;
use std::time::Duration;

use http_api::Limits;

use super::certificates::Signers;
use super::ground::{Case, Transmission, assert_refused};
use super::paypal_host::{Canary, HOST, PaypalHost, Reply};
use crate::served::{SHOP, Served};

/// Long enough for an answer, and short enough to wait for one that does not come.
const TIMEOUT: Duration = Duration::from_secs(3);
const PATIENT: Duration = Duration::from_secs(30);
const TEN_MB: usize = 10_000_000;

/// Answers that are no certificate.
fn replies(canary: &Canary, good: &str) -> Vec<(&'static str, Reply)> {
    let redirect = |status: &str, to: String| Reply::with(status, &format!("location: {to}\r\n"), good);
    let away = format!("https://{}/v1/notifications/certs/CERT-good", canary.v4);
    let plain = away.replace("https", "http");
    let back = super::ground::url_of("CERT-good");
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let chunk = [b"10000\r\n".to_vec(), vec![b'\n'; 0x10000], b"\r\n".to_vec()].concat();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("301", redirect("301 Moved Permanently", away.clone())),
        ("302", redirect("302 Found", away.clone())),
        ("302 without TLS", redirect("302 Found", plain)),
        ("302 to a name of the canary's", redirect("302 Found", "https://evil.example/".to_owned())),
        ("302 to itself", redirect("302 Found", back)),
        ("302 to a path", redirect("302 Found", "/v1/notifications/certs/CERT-good".to_owned())),
        ("303", redirect("303 See Other", away.clone())),
        ("307", redirect("307 Temporary Redirect", away.clone())),
        ("308", redirect("308 Permanent Redirect", away.clone())),
        ("a page that leads away", Reply::with("200 OK", &format!("refresh: 0; url={away}\r\n"), "<html>")),
        ("203", Reply::new("203 Non-Authoritative Information", good)),
        ("204", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("206", Reply::new("206 Partial Content", good)),
        ("304", Reply::Bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec())),
        ("401", Reply::new("401 Unauthorized", good)),
        ("404", Reply::new("404 Not Found", good)),
        ("429", Reply::new("429 Too Many Requests", good)),
        ("500", Reply::new("500 Internal Server Error", good)),
        ("503", Reply::new("503 Service Unavailable", "")),
        ("nothing", Reply::new("200 OK", "")),
        ("a page", Reply::new("200 OK", "<html>maintenance</html>")),
        ("JSON", Reply::new("200 OK", "{\"name\":\"RESOURCE_NOT_FOUND\"}")),
        ("the certificate in UTF-16", Reply::new("200 OK", utf16)),
        ("half of the certificate", Reply::new("200 OK", &good[..good.len() / 2])),
        ("a certificate of 10 MB", Reply::new("200 OK", good.to_owned() + &"\n".repeat(TEN_MB))),
        ("a certificate of 64 KiB and a byte", Reply::new("200 OK", padded(good, 64 * 1024 + 1))),
        ("chunks without end", Reply::Endless(head("transfer-encoding: chunked\r\n"), chunk)),
        ("a body without end", Reply::Endless(head(""), vec![b'\n'; 0x10000])),
        (
            "headers without end",
            Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-header: y\r\n".repeat(1_000)),
        ),
        ("a promise of 10 GB", Reply::Silence(head("content-length: 10000000000\r\n"))),
        ("less than was promised", Reply::Bytes([head("content-length: 9000\r\n"), good.into()].concat())),
        ("no HTTP", Reply::Bytes(b"nonsense\r\n\r\n".to_vec())),
        ("the end at once", Reply::Bytes(Vec::new())),
        ("silence", Reply::Silence(Vec::new())),
        (
            "silence behind the certificate",
            Reply::Silence([head("content-length: 9000\r\n"), good.into()].concat()),
        ),
    ]
}

fn padded(good: &str, length: usize) -> String {
    good.to_owned() + &"\n".repeat(length - good.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_had_makes_its_callback_wait_and_nobody_else_is_called() {
    let (canary, signers) = (Canary::start(), Signers::new());
    let good = signers.given["CERT-good"].clone();
    let mut served_by_name = HashMap::new();
    let mut cases = Vec::new();
    let body = br#"{"id": "WH-never", "event_type": "PAYMENT.CAPTURE.COMPLETED"}"#;
    for (number, (what, reply)) in replies(&canary, &good).into_iter().enumerate() {
        let name = format!("CERT-bad-{number}");
        cases.push(Case::new(what, Transmission::new(&name).of(body), 503, "certificate cannot be had"));
        served_by_name.insert(name, reply);
    }
    served_by_name.insert("CERT-good".to_owned(), Reply::new("200 OK", padded(&good, 64 * 1024)));
    let count = cases.len();
    let host = PaypalHost::start(HOST, served_by_name);
    let trusts = signers.trusts(Some(host.fetch(TIMEOUT, &canary)));
    let served = Served::start_trusting(Limits::default(), trusts).await;
    assert_refused(&served, cases).await;
    assert_eq!(canary.hits(), 0, "somebody else was called");
    assert_eq!(host.requests(), count, "each was asked for once");
    // One as large as it may be is had.
    let body = served.captured("1042", "10.00");
    assert_eq!(Transmission::new("CERT-good").of(&body).send(&served, SHOP).await.status, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_paypals_host_is_down_a_known_certificate_goes_on_and_others_wait() {
    let (canary, signers) = (Canary::start(), Signers::new());
    let reply = Reply::new("200 OK", &signers.given["CERT-good"]);
    let names = ["CERT-good", "CERT-new"];
    let host = PaypalHost::start(HOST, names.map(|name| (name.to_owned(), reply.clone())).into());
    let trusts = signers.trusts(Some(host.fetch(PATIENT, &canary)));
    let served = Served::start_trusting(Limits::default(), trusts).await;
    let callback =
        |certificate: &str, order: &str| Transmission::new(certificate).of(&served.captured(order, "10.00"));
    assert_eq!(callback("CERT-good", "1").send(&served, SHOP).await.status, 200);
    host.go_down();
    let waits = Case::new("a new one", callback("CERT-new", "2"), 503, "certificate cannot be had");
    assert_refused(&served, vec![waits]).await;
    assert_eq!(callback("CERT-good", "3").send(&served, SHOP).await.status, 200, "it is known");
    assert_eq!((canary.hits(), host.requests()), (0, 1));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_led_elsewhere_is_not_believed_and_told_nothing() {
    let (canary, signers) = (Canary::start(), Signers::new());
    let reply =
        || HashMap::from([("CERT-good".to_owned(), Reply::new("200 OK", &signers.given["CERT-good"]))]);
    let refused = |served: Served| async move {
        let callback = Transmission::new("CERT-good").of(&served.captured("1", "10.00"));
        let case = Case::new("it", callback, 503, "certificate cannot be had");
        assert_refused(&served, vec![case]).await;
        served.stop().await;
    };
    // A host of another name, whose authority is believed; and one of that name, whose authority is not.
    let other = PaypalHost::start("evil.example", reply());
    let trusts = signers.trusts(Some(other.fetch(PATIENT, &canary)));
    refused(Served::start_trusting(Limits::default(), trusts).await).await;
    let (impostor, genuine) = (PaypalHost::start(HOST, reply()), PaypalHost::start(HOST, reply()));
    let fetch =
        paypal::Fetch { roots: genuine.fetch(PATIENT, &canary).roots, ..impostor.fetch(PATIENT, &canary) };
    refused(Served::start_trusting(Limits::default(), signers.trusts(Some(fetch))).await).await;
    assert_eq!((other.requests(), impostor.requests(), canary.hits()), (0, 0, 0));
}
