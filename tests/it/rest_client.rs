//! The client of PayPal's REST API, against a simulated PayPal.

use std::time::Duration;

use chrono::TimeDelta;
use database::{Clock as _, SystemClock};
use domain::{Money, Timestamp};
use futures_util::future::join_all;
use paypal::rest::{Client, Credentials, InvalidOptions, Options, RestError, Window};
use paypal::{Environment, TransmissionHeaders};
use paypal_simulator::{Authority, Endpoint, EventKind, Fault, Ids, PayPal, Story, Webhook, sign};

fn now() -> Timestamp {
    Timestamp::new(SystemClock.now())
}

fn paypal() -> PayPal {
    PayPal::start(Authority::in_memory().unwrap(), 3, now).unwrap()
}

fn client_with(paypal: &PayPal, secret: &str) -> Client {
    let credentials = Credentials { client_id: paypal.client().id.clone(), secret: secret.into() };
    let options =
        Options { base_url: Some(paypal.url().to_owned()), timeout: Duration::from_secs(5), roots: None };
    Client::new(Environment::Dev, credentials, &options).unwrap()
}

fn client(paypal: &PayPal) -> Client {
    use secrecy::ExposeSecret as _;
    client_with(paypal, paypal.client().secret.expose_secret())
}

fn story(order: &str) -> Story {
    Story::new(&mut Ids::seeded(5), order, Money::parse("48.50", "EUR").unwrap(), now())
}

fn lately() -> Window {
    let now = SystemClock.now();
    Window { from: now - TimeDelta::hours(1), to: now + TimeDelta::hours(1) }
}

#[tokio::test]
async fn a_hundred_callers_share_one_token() {
    let paypal = paypal();
    let client = client(&paypal);
    let answers = join_all((0..100).map(|_| client.events(lately()))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(paypal.faults().requests(Endpoint::Token), 1);
    paypal.end_tokens();
    let answers = join_all((0..100).map(|_| client.events(lately()))).await;
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|answer| answer.is_err()));
    assert_eq!(paypal.faults().requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_token_is_given_up_before_its_end() {
    let paypal = paypal();
    let client = client(&paypal);
    paypal.faults().tokens_last(30);
    for asked in 1..=3 {
        client.events(lately()).await.unwrap();
        assert_eq!(paypal.faults().requests(Endpoint::Token), asked);
    }
}

#[tokio::test]
async fn events_come_page_by_page_byte_for_byte() {
    let paypal = paypal();
    let client = client(&paypal);
    let mut bodies = Vec::new();
    for n in 0..250 {
        // Written as no serialiser here would.
        let body = format!(
            "{{ \"create_time\":\"{}\",\"id\" : \"WH-{n}\", \"event_type\":\"X\", \"e\":{{}}, \"n\": 1.0, \"u\":\"\\u20ac\"}}",
            SystemClock.now().to_rfc3339()
        );
        bodies.push(body.clone().into_bytes());
        paypal.happened_as(body.into_bytes()).unwrap();
    }
    let mut page = client.events(lately()).await.unwrap();
    let (mut events, mut pages) = (Vec::new(), 1);
    loop {
        events.append(&mut page.events);
        let Some(next) = page.next else { break };
        page = client.next_events(&next).await.unwrap();
        pages += 1;
    }
    assert_eq!(pages, 3);
    let mut listed: Vec<Vec<u8>> = events.iter().map(|event| event.raw.clone()).collect();
    listed.sort();
    bodies.sort();
    assert!(listed == bodies, "the bytes are as they were");
    assert!(events.iter().all(|event| event.id.is_some() && event.created.is_some()));
}

#[tokio::test]
async fn a_capture_an_order_and_a_webhook_are_read_or_are_not_there() {
    let paypal = paypal();
    let client = client(&paypal);
    let story = story("A-1");
    paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let capture = client.capture(&story.capture).await.unwrap().unwrap();
    assert_eq!((capture.status.as_str(), capture.custom_id.as_deref()), ("COMPLETED", Some("A-1")));
    assert_eq!(capture.amount, Some(story.amount));
    assert_eq!(capture.paypal_order.as_deref(), Some(story.paypal_order.as_str()));
    let order = client.order(&story.paypal_order).await.unwrap().unwrap();
    assert_eq!(order.captures, [(story.capture.parse().unwrap(), "COMPLETED".to_owned())]);
    assert_eq!(client.capture("0000000000000000Z").await, Ok(None));
    assert_eq!(client.order("0000000000000000Z").await, Ok(None));
    assert!(client.capture("../../v1/oauth2/token").await.is_err());
    assert_eq!(client.events_of(&story.capture, lately()).await.unwrap().events.len(), 1);
    let mut webhook = Webhook::new("1JE4291016473214C", "https://shop.example/webhooks/paypal/s");
    webhook.event_types = vec!["PAYMENT.CAPTURE.COMPLETED".to_owned()];
    paypal.subscribe(webhook.clone()).unwrap();
    let read = client.webhook("1JE4291016473214C").await.unwrap().unwrap();
    assert_eq!((read.url, read.event_types), (webhook.url, webhook.event_types));
}

#[tokio::test]
async fn trouble_is_told_by_what_can_be_done_about_it() {
    let paypal = paypal();
    let wrong = client_with(&paypal, "wrong").events(lately()).await.unwrap_err();
    assert!(matches!(wrong, RestError::Refused { status: 401, .. }), "{wrong}");
    assert!(!wrong.is_passing());
    let client = client(&paypal);
    let meets = async |fault| {
        paypal.faults().set_for(Endpoint::Events, 1, fault);
        client.events(lately()).await.unwrap_err()
    };
    let throttled = meets(Fault::TooManyRequests { retry_after_s: 7 }).await;
    assert_eq!(throttled, RestError::Throttled { retry_after: Some(Duration::from_secs(7)) });
    for fault in [Fault::InternalError, Fault::Unavailable, Fault::CutShort] {
        let error = meets(fault).await;
        assert!(matches!(error, RestError::Unavailable { .. }) && error.is_passing(), "{fault:?}: {error}");
    }
    for fault in [Fault::Garbled, Fault::NotFound] {
        let error = meets(fault).await;
        assert!(matches!(error, RestError::Odd(_)), "{fault:?}: {error}");
    }
    paypal.faults().set_for(Endpoint::Events, 1, Fault::TokenEnded);
    assert!(client.events(lately()).await.is_ok(), "a new token is tried once");
    paypal.faults().set(Endpoint::Events, Fault::TokenEnded);
    let error = client.events(lately()).await.unwrap_err();
    assert!(matches!(error, RestError::Refused { status: 401, .. }), "{error}");
}

#[tokio::test]
async fn paypal_verifies_a_body_byte_for_byte() {
    let authority = std::sync::Arc::new(Authority::in_memory().unwrap());
    let paypal = PayPal::start(std::sync::Arc::clone(&authority), 3, now).unwrap();
    paypal.subscribe(Webhook::new("1JE4291016473214C", "https://shop.example/")).unwrap();
    let client = client(&paypal);
    let body = br#"{ "id":"WH-1", "breakdown":{}, "list" : [], "n": 1.0, "u":"\u20ac", "raw":"x" }"#;
    let headers = sign(&authority, "1JE4291016473214C", body, now());
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = TransmissionHeaders::parse(headers).unwrap();
    assert_eq!(client.verify(&headers, "1JE4291016473214C", body).await, Ok(true));
    let other = br#"{"id":"WH-1","breakdown":{},"list":[],"n":1.0,"u":"\u20ac","raw":"x"}"#;
    assert_eq!(client.verify(&headers, "1JE4291016473214C", other).await, Ok(false));
    let before = paypal.faults().requests(Endpoint::VerifySignature);
    let closing = br#"{"id":1},"webhook_id":"OTHER","x":{}"#;
    assert!(client.verify(&headers, "1JE4291016473214C", closing).await.is_err());
    assert_eq!(paypal.faults().requests(Endpoint::VerifySignature), before, "it is not even asked");
}

#[tokio::test]
async fn credentials_go_nowhere_in_the_clear() {
    let credentials = Credentials { client_id: "id".into(), secret: "secret".into() };
    assert!(!format!("{credentials:?}").contains("\"secret\""));
    for url in [
        "http://api-m.paypal.com",
        "http://127.0.0.1.example.com",
        "https://user@api-m.paypal.com",
        "https://api-m.paypal.com/path",
        "ftp://127.0.0.1",
        "nothing",
    ] {
        let options = Options { base_url: Some(url.to_owned()), ..Options::default() };
        let refused = Client::new(Environment::Live, credentials.clone(), &options).unwrap_err();
        assert_eq!(refused, InvalidOptions::BaseUrl, "{url}");
    }
    let refused = Client::new(Environment::Dev, credentials.clone(), &Options::default()).unwrap_err();
    assert_eq!(refused, InvalidOptions::NoBaseUrl);
    let live = Client::new(Environment::Live, credentials, &Options::default()).unwrap();
    assert_eq!(live.base_url(), "https://api-m.paypal.com/");
}
