//! Tests of fetching certificates, against a server of our own.

use std::time::Duration;

use super::at;
use super::authority::{BODY, Ca, NOW, URL, headers, verifier};
use super::server::{HOST, Server, answer};
use crate::{CertificateUrl, Certificates, Environment, Refused, Sources};

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn fifty_callbacks_at_once_fetch_their_certificate_once() {
    let ca = Ca::root("Root");
    let server = Server::start(HOST, Some(answer("200 OK", ca.good_leaf().as_bytes())));
    let verifier = verifier(ca.anchors(), server.certificates(PATIENT));
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let verifier = verifier.clone();
        tasks.push(tokio::spawn(async move { verifier.verify(&headers(BODY), BODY, at(NOW)).await }));
    }
    for task in tasks {
        let authentic = task.await.unwrap().unwrap();
        assert_eq!(authentic.certificate.url(), URL);
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_server_that_answers_anything_else_makes_the_callback_wait_and_is_asked_once() {
    let ca = Ca::root("Root");
    let pem = ca.good_leaf();
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {URL}2\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let too_large = format!("{pem}{}", "\n".repeat(65 * 1024 - pem.len()));
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let endless = [chunked, format!("{:x}\r\n{}\r\n", 70_000, "\n".repeat(70_000)).into_bytes()].concat();
    let cases = [
        redirect,
        answer("200 OK", too_large.as_bytes()),
        endless,
        answer("200 OK", b"<html>maintenance</html>"),
        answer("200 OK", b""),
        answer("404 Not Found", pem.as_bytes()),
        answer("500 Internal Server Error", pem.as_bytes()),
        answer("203 Non-Authoritative Information", pem.as_bytes()),
        b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nshort".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
    ];
    for reply in cases {
        let shown = String::from_utf8_lossy(&reply[..40.min(reply.len())]).into_owned();
        let server = Server::start(HOST, Some(reply));
        let verifier = verifier(ca.anchors(), server.certificates(PATIENT));
        for _ in 0..3 {
            let refused = verifier.verify(&headers(BODY), BODY, at(NOW)).await.unwrap_err();
            assert!(matches!(refused, Refused::Unavailable(_)), "{shown}: {refused}");
        }
        assert_eq!(server.requests(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_or_down_or_not_paypals_is_unavailable() {
    let ca = Ca::root("Root");
    let good = || Some(answer("200 OK", ca.good_leaf().as_bytes()));
    let slow = Server::start(HOST, None).certificates(Duration::from_millis(300));
    let impostor = Server::start("evil.example", good()).certificates(PATIENT);
    let closed = {
        let mut server = Server::start(HOST, good());
        server.address.set_port(1);
        server.certificates(PATIENT)
    };
    for certificates in [slow, impostor, closed] {
        let verifier = verifier(ca.anchors(), certificates);
        let refused = verifier.verify(&headers(BODY), BODY, at(NOW)).await.unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_a_header_that_is_wrong() {
    let ca = Ca::root("Root");
    let server = Server::start(HOST, Some(answer("200 OK", ca.good_leaf().as_bytes())));
    let verifier = verifier(ca.anchors(), server.certificates(PATIENT));
    let mut wrong = [headers(BODY), headers(BODY), headers(BODY)];
    wrong[0].algorithm = "SHA1withRSA".to_owned();
    wrong[1].signature = "%".to_owned();
    wrong[2].certificate_url = format!("https://{HOST}:444/v1/notifications/certs/CERT-1");
    for headers in wrong {
        assert!(verifier.verify(&headers, BODY, at(NOW)).await.is_err());
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_stored_certificate_is_taken_before_any_call() {
    let ca = Ca::root("Root");
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let directory = std::env::temp_dir().join(format!("counterfoil-certs-{}", u64::from_ne_bytes(random)));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("CERT-0a1b-2c3d.pem"), ca.good_leaf()).unwrap();
    let sources = Sources { directory: Some(directory.clone()), ..Sources::default() };
    let certificates = Certificates::new(sources).unwrap();
    let url = CertificateUrl::parse(URL, Environment::Sandbox).unwrap();
    assert_eq!(certificates.get(&url).await.unwrap().url(), URL);
    let other = CertificateUrl::parse(&format!("{URL}0"), Environment::Sandbox).unwrap();
    assert!(certificates.get(&other).await.is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}
