//! Tests of the simulator: what it makes is what the verifier believes and the translation understands.

mod api;
mod delivery;
mod forge;
mod openapi;
mod rest;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use chrono::DateTime;
use domain::{Fact, Money, Timestamp};
use paypal::{Certificates, Environment, Sources, TransmissionHeaders, Verifier, translate};

use crate::{Authority, EventKind, Ids, Options, Story, deliver_all, override_value, sign, signed, tamper};

const WEBHOOK_ID: &str = "8PT597110X687430L";

fn at() -> Timestamp {
    Timestamp::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap())
}

fn story() -> Story {
    let amount = Money::parse("48.50", "EUR").unwrap();
    Story::new(&mut Ids::seeded(7), "S-1042", amount, at())
}

fn verifier(authority: &Authority) -> Verifier {
    let pem = authority.leaf_pem().as_bytes().to_vec();
    let given = HashMap::from([(authority.certificate_id().to_owned(), pem)]);
    let certificates = Certificates::new(Sources { given, ..Sources::default() }).unwrap();
    let anchors = Arc::new(authority.anchors().unwrap());
    Verifier::new(Environment::Dev, vec![WEBHOOK_ID.to_owned()], anchors, certificates).unwrap()
}

fn parse(headers: &[(String, String)]) -> TransmissionHeaders {
    TransmissionHeaders::parse(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))).unwrap()
}

#[tokio::test]
async fn what_it_signs_is_authentic_until_it_is_tampered_with() {
    let authority = Authority::in_memory().unwrap();
    let verifier = verifier(&authority);
    let mut body = serde_json::to_vec(&story().body(EventKind::CaptureCompleted, "WH-1")).unwrap();
    let headers = parse(&sign(&authority, WEBHOOK_ID, &body, at()));
    let authentic = verifier.verify(&headers, &body, at()).await.unwrap();
    assert_eq!(authentic.webhook_id, WEBHOOK_ID);
    let again = parse(&sign(&authority, WEBHOOK_ID, &body, at()));
    assert_ne!(again.id, headers.id, "every transmission has its own id");
    tamper(&mut body);
    assert!(verifier.verify(&headers, &body, at()).await.is_err());
}

#[test]
fn a_directory_keeps_the_authority_in_private_files() {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let directory = std::env::temp_dir().join(format!("counterfoil-ca-{}", u64::from_ne_bytes(random)));
    let first = Authority::load_or_create(&directory).unwrap();
    let second = Authority::load_or_create(&directory).unwrap();
    assert_eq!(first.certificate_id(), second.certificate_id());
    assert_eq!(first.root_pem(), second.root_pem());
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 3);
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn every_body_is_understood_as_what_it_tells() {
    let story = story();
    let mut told = Vec::new();
    for kind in EventKind::ALL {
        let body = serde_json::to_vec(&story.body(*kind, "WH-1")).unwrap();
        assert!((1000..4000).contains(&body.len()), "{}: {} bytes", kind.name(), body.len());
        let translation = translate(&body, &|_| "odd".to_owned());
        assert_eq!(translation.paypal_type.as_deref(), Some(kind.name()));
        assert_eq!(EventKind::from_name(kind.name()), Some(*kind));
        assert_eq!(paypal::translate::summary(&translation)["order"], "S-1042", "{}", kind.name());
        told.push(translation.fact.type_name());
    }
    let expected = [
        "payment.approved",
        "payment.captured",
        "payment.voided",
        "payment.authorized",
        "payment.voided",
        "payment.pending",
        "payment.captured",
        "payment.denied",
        "payment.refunded",
        "payment.reversed",
        "dispute.opened",
        "dispute.updated",
        "dispute.resolved",
        "payment.captured",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_capture_carries_what_the_story_says() {
    let story = story();
    let body = serde_json::to_vec(&story.body(EventKind::CaptureCompleted, "WH-1")).unwrap();
    let Fact::PaymentCaptured(capture) = translate(&body, &|_| String::new()).fact else { panic!() };
    assert_eq!(capture.amount_minor, 4850);
    assert_eq!(capture.fee_minor, Some(story.fee_minor));
    assert_eq!(capture.net_minor, Some(4850 - story.fee_minor));
    assert_eq!(capture.paypal_order.unwrap().as_str(), story.paypal_order);
    assert_eq!(capture.payee.unwrap().as_str(), story.payee);
    assert!(capture.is_final);
}

#[test]
fn overrides_keep_texts_and_set_numbers() {
    let mut body = story().body(EventKind::OrderApproved, "WH-1");
    override_value(&mut body, "resource.purchase_units.0.amount.value=9").unwrap();
    override_value(&mut body, "resource.purchase_units.0.rank=3").unwrap();
    override_value(&mut body, "event_version=a=b").unwrap();
    let unit = &body["resource"]["purchase_units"][0];
    assert_eq!(unit["amount"]["value"], "9");
    assert_eq!(unit["rank"], 3);
    assert_eq!(body["event_version"], "a=b");
    for wrong in ["resource", "resource.nothing.here=1", "resource.purchase_units.7=1", "id.x=1"] {
        assert!(override_value(&mut body, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn ids_follow_from_the_seed() {
    let (mut one, mut other) = (Ids::seeded(1), Ids::seeded(1));
    assert_eq!(one.event(), other.event());
    assert_eq!(one.payment().len(), 17);
    assert_ne!(Ids::seeded(2).payment(), Ids::seeded(3).payment());
}

/// Answers so many requests on loopback, and tells their transmission ids in the order in which they came.
fn receive(requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks/paypal/main", listener.local_addr().unwrap());
    let receiver = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for stream in listener.incoming().take(requests) {
            let (mut stream, mut request, mut buffer) = (stream.unwrap(), Vec::new(), [0; 4096]);
            while !request.ends_with(b"end") {
                let length = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            let text = String::from_utf8(request).unwrap();
            let id = text.lines().find_map(|line| line.strip_prefix("paypal-transmission-id: ")).unwrap();
            seen.push(id.to_owned());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
        seen
    });
    (url, receiver)
}

#[tokio::test]
async fn delivery_copies_and_mixes_transmissions_the_same_way_for_a_seed() {
    let authority = Authority::in_memory().unwrap();
    let transmissions: Vec<_> =
        (0..8).map(|n| signed(&authority, WEBHOOK_ID, format!("{n} end").into_bytes(), at())).collect();
    let options = Options { copies: 2, shuffle: Some(5), per_second: Some(1000), at_once: 1 };
    let mut orders = Vec::new();
    for _ in 0..2 {
        let (url, receiver) = receive(16);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = deliver_all(&client, &url, &transmissions, options).await;
        assert!(sent.iter().all(|sent| matches!(sent.status, Ok(200))));
        let order: Vec<_> = sent.iter().map(|sent| sent.index).collect();
        let ids: Vec<_> = order.iter().map(|index| transmissions[*index].0[0].1.clone()).collect();
        assert_eq!(receiver.join().unwrap(), ids);
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1]);
    let mut sorted = orders[0].clone();
    sorted.sort_unstable();
    assert_ne!(sorted, orders[0]);
    assert_eq!(sorted, (0..16).map(|n| n / 2).collect::<Vec<_>>());
}
