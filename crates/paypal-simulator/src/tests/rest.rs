//! The REST API as a client sees it.

use std::future::IntoFuture as _;
use std::time::Duration;

use chrono::SecondsFormat;
use domain::Money;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::api::{AUTHORITY, Api, Known, SECONDS_A_DAY, json, postback, refused};
use super::{WEBHOOK_ID, at, story};
use crate::{Endpoint, EventKind, Fault, Ids, NotTaken, Story, Webhook, forge_amount, sign};

const EVENTS: &str = "/v1/notifications/webhooks-events";

/// A story so many seconds after the others begin.
fn story_at(number: u64, seconds: i64) -> Story {
    let amount = Money::parse("48.50", "EUR").unwrap();
    let time = at().plus_seconds(seconds).unwrap();
    Story::new(&mut Ids::seeded(100 + number), &format!("S-{number}"), amount, time)
}

fn time(seconds: i64) -> String {
    at().plus_seconds(seconds).unwrap().as_datetime().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn ids(list: &Value) -> Vec<String> {
    list["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn next(list: &Value) -> Option<String> {
    let links = list["links"].as_array().unwrap();
    let next = links.iter().find(|link| link["rel"] == "next")?;
    Some(next["href"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_is_given_to_whom_it_knows_and_ends_in_its_time() {
    let mut api = Api::start().await;
    let given = json(api.token_request("client_credentials").send().await.unwrap()).await;
    assert_eq!((given["token_type"].as_str(), given["expires_in"].as_i64()), (Some("Bearer"), Some(32_400)));
    assert!(given["scope"].as_str().unwrap().contains("applications/webhooks"));
    let client = api.paypal.client();
    let secret = client.secret.expose_secret();
    let refused_for = [
        (api.token_request_of(&client.id, secret, "password"), 400, "unsupported_grant_type"),
        (api.token_request_of(&client.id, secret, ""), 400, "unsupported_grant_type"),
        (api.token_request_of("stranger", secret, "client_credentials"), 401, "invalid_client"),
        (api.token_request_of(&client.id, "guessed", "client_credentials"), 401, "invalid_client"),
        (api.request(Method::POST, "/v1/oauth2/token"), 401, "invalid_client"),
    ];
    for (request, status, error) in refused_for {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(json(answer).await["error"], error);
    }

    api.paypal.faults().tokens_last(60);
    api.log_in().await;
    api.pass(59);
    assert_eq!(api.get(EVENTS).await.status(), 200);
    api.pass(1);
    assert_eq!(refused(api.get(EVENTS).await, 401).await, "AUTHENTICATION_FAILURE");
    api.log_in().await;
    assert_eq!(api.get(EVENTS).await.status(), 200);
    api.paypal.end_tokens();
    assert_eq!(api.get(EVENTS).await.status(), 401);
}

#[tokio::test]
async fn what_happened_is_listed_by_pages_newest_first_and_byte_for_byte() {
    let api = Api::start().await;
    let mut sent = Vec::new();
    for number in 0..25 {
        // Three at the same instant each time.
        let story = story_at(number, i64::try_from(number / 3).unwrap());
        sent.push(api.paypal.happened(&story, EventKind::CaptureCompleted).unwrap());
    }
    let first = api.read(EVENTS).await;
    assert_eq!((ids(&first).len(), &first["count"]), (10, &json!(10)), "ten a page, unless asked for more");

    let (mut page, mut seen) = (Some(format!("{EVENTS}?page_size=4")), Vec::new());
    while let Some(path) = page {
        let list = api.read(&path).await;
        if seen.is_empty() {
            // What comes while one turns the pages moves none of them.
            api.paypal.happened(&story_at(99, 60), EventKind::CaptureCompleted).unwrap();
        }
        assert!(list["count"].as_u64().unwrap() <= 4);
        seen.extend(ids(&list));
        page = next(&list);
    }
    let newest_first: Vec<_> = sent.iter().rev().map(|event| event.id.clone()).collect();
    assert_eq!(seen, newest_first);

    let whole = api.get(&format!("{EVENTS}?page_size=300")).await.bytes().await.unwrap();
    let one = api.get(&format!("{EVENTS}/{}", sent[4].id)).await.bytes().await.unwrap();
    assert_eq!(*one, *sent[4].body);
    assert!(whole.windows(one.len()).any(|window| window == one));
}

#[tokio::test]
async fn events_are_asked_for_by_type_resource_and_time() {
    let api = Api::start().await;
    let mut events = Vec::new();
    for number in 0..4 {
        let story = story_at(number, i64::try_from(number).unwrap() * 100);
        events.push(api.paypal.happened(&story, EventKind::OrderApproved).unwrap().id);
        events.push(api.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    }
    let capture = story_at(1, 0).capture;
    let cases = [
        ("event_type=PAYMENT.CAPTURE.COMPLETED".to_owned(), vec![7, 5, 3, 1]),
        (format!("transaction_id={capture}"), vec![3]),
        (format!("start_time={}", time(200)), vec![7, 6, 5, 4]),
        (format!("end_time={}", time(100)), vec![3, 2, 1, 0]),
        (format!("start_time={}&end_time={}", time(100), time(200)), vec![5, 4, 3, 2]),
        (format!("start_time={}&event_type=CHECKOUT.ORDER.APPROVED", time(101)), vec![6, 4]),
        (format!("start_time={}&page_size=1", time(300)), vec![7, 6]),
        (format!("start_time={}", time(301)), vec![]),
    ];
    for (query, expected) in cases {
        let (mut page, mut seen) = (Some(format!("{EVENTS}?{query}")), Vec::new());
        while let Some(path) = page {
            let list = api.read(&path).await;
            seen.extend(ids(&list));
            page = next(&list);
        }
        assert_eq!(seen, expected.iter().map(|n: &usize| events[*n].clone()).collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn what_is_older_than_30_days_cannot_be_asked_for() {
    let mut api = Api::start().await;
    api.paypal.happened(&story_at(1, 0), EventKind::CaptureCompleted).unwrap();
    api.pass(30 * SECONDS_A_DAY);
    api.log_in().await;
    assert_eq!(ids(&api.read(&format!("{EVENTS}?start_time={}", time(0))).await).len(), 1);
    api.pass(1);
    assert_eq!(ids(&api.read(EVENTS).await).len(), 0);
    let answer = api.get(&format!("{EVENTS}?start_time={}", time(0))).await;
    assert_eq!(refused(answer, 400).await, "INVALID_REQUEST");
}

#[tokio::test]
async fn events_may_be_listed_later_than_they_were_created() {
    let api = Api::start().await;
    let happen =
        |seconds| api.paypal.happened(&story_at(1, seconds), EventKind::CaptureCompleted).unwrap().id;
    let events = [0, 50].map(happen);
    api.paypal.faults().listed_after(100);
    for (passed, listed) in [(99, 0), (1, 1), (49, 1), (1, 2)] {
        api.pass(passed);
        assert_eq!(ids(&api.read(EVENTS).await), events[..listed].iter().rev().cloned().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_so_in_paypals_shape() {
    let api = Api::start().await;
    let queries = [
        "page_size=0",
        "page_size=301",
        "page_size=ten",
        "start_time=yesterday",
        "end_time=2026-09-21T15%3A20%3A00",
        "index_id=WH-NONE",
        "page_size=1&page_size=2",
        &format!("start_time={}&end_time={}", time(2), time(1)),
    ];
    for query in queries {
        let answer = api.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!(refused(answer, 400).await, "INVALID_REQUEST", "{query}");
    }
    let unknown = [
        "/v1/notifications/webhooks-events/WH-NONE",
        "/v1/notifications/webhooks/NONE",
        "/v1/notifications/certs/CERT-none",
        "/v2/payments/captures/NONE",
        "/v1/payments/sale/NONE",
        "/v2/checkout/orders/NONE",
        "/v2/nothing",
    ];
    for path in unknown {
        assert_eq!(refused(api.get(path).await, 404).await, "RESOURCE_NOT_FOUND", "{path}");
    }
    let bodies = ["{", "[]", "{}", "{\"webhook_event\":{}}"];
    for body in bodies {
        let path = "/v1/notifications/verify-webhook-signature";
        let answer = api.request(Method::POST, path).body(body).send().await.unwrap();
        assert_eq!(refused(answer, 400).await, "INVALID_REQUEST", "{body}");
    }
}

#[tokio::test]
async fn captures_and_orders_stand_as_what_happened_last_left_them() {
    let api = Api::start().await;
    let mut story = story();
    let (capture, order) = (
        format!("/v2/payments/captures/{}", story.capture),
        format!("/v2/checkout/orders/{}", story.paypal_order),
    );
    api.paypal.happened(&story, EventKind::OrderApproved).unwrap();
    assert_eq!(api.read(&order).await["status"], "APPROVED");
    assert_eq!(api.get(&capture).await.status(), 404);

    api.paypal.happened(&story, EventKind::CapturePending).unwrap();
    assert_eq!(api.read(&capture).await["status"], "PENDING");
    api.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let read = api.read(&capture).await;
    assert_eq!((&read["status"], &read["amount"]["value"]), (&json!("COMPLETED"), &json!("48.50")));
    assert_eq!(read["supplementary_data"]["related_ids"]["order_id"], story.paypal_order);
    let read = api.read(&order).await;
    assert_eq!(read["status"], "COMPLETED");
    let captures = &read["purchase_units"][0]["payments"]["captures"];
    assert_eq!((captures.as_array().unwrap().len(), &captures[0]["id"]), (1, &json!(story.capture)));

    for (refund, minor, status) in
        [("R1", 1000, "PARTIALLY_REFUNDED"), ("R1", 1000, "PARTIALLY_REFUNDED"), ("R2", 3850, "REFUNDED")]
    {
        (story.refund, story.refund_minor) = (refund.to_owned(), minor);
        api.paypal.happened(&story, EventKind::CaptureRefunded).unwrap();
        assert_eq!(api.read(&capture).await["status"], status);
        assert_eq!(api.read(&order).await["purchase_units"][0]["payments"]["captures"][0]["status"], status);
    }
}

#[tokio::test]
async fn an_order_can_be_asked_for_of_which_no_event_was_told() {
    let api = Api::start().await;
    let story = story();
    api.paypal.happened_silently(&story, EventKind::CaptureCompleted).unwrap();
    let order = api.read(&format!("/v2/checkout/orders/{}", story.paypal_order)).await;
    assert_eq!(
        (&order["status"], &order["purchase_units"][0]["custom_id"]),
        (&json!("COMPLETED"), &json!("S-1042"))
    );
    assert_eq!(ids(&api.read(EVENTS).await).len(), 0);
    assert_eq!(api.paypal.waiting(), 0);
}

#[tokio::test]
async fn webhooks_and_the_certificate_are_shown() {
    let api = Api::start().await;
    let mut webhook = Webhook::new(WEBHOOK_ID, "https://shop.example.test/webhooks/paypal/main");
    api.paypal.subscribe(webhook.clone()).unwrap();
    webhook.event_types = vec!["PAYMENT.CAPTURE.COMPLETED".to_owned()];
    api.paypal.subscribe(webhook).unwrap();
    let shown = api.read(&format!("/v1/notifications/webhooks/{WEBHOOK_ID}")).await;
    assert_eq!(shown["event_types"], json!([{"name": "PAYMENT.CAPTURE.COMPLETED"}]));
    assert_eq!(shown["url"], "https://shop.example.test/webhooks/paypal/main");
    assert_eq!(api.read("/v1/notifications/webhooks").await["webhooks"], json!([shown]));
    for number in 1..10 {
        api.paypal.subscribe(Webhook::new(format!("W{number}"), "https://shop.example.test")).unwrap();
    }
    let refused = api.paypal.subscribe(Webhook::new("W10", "https://shop.example.test"));
    assert_eq!(refused, Err(NotTaken::Full("webhooks")));

    let path = format!("/v1/notifications/certs/{}", AUTHORITY.certificate_id());
    assert_eq!(api.get(&path).await.text().await.unwrap(), AUTHORITY.leaf_pem());
}

#[tokio::test]
async fn the_postback_believes_the_bytes_as_they_were_sent_and_no_others() {
    let api = Api::start().await;
    api.paypal.subscribe(Webhook::new(WEBHOOK_ID, "http://127.0.0.1:9")).unwrap();
    // Other spaces than a serializer writes: they count.
    let body =
        String::from_utf8(serde_json::to_vec(&story().body(EventKind::CaptureCompleted, "WH-1")).unwrap());
    let body = body.unwrap().replacen(':', " :  ", 3).into_bytes();
    let value: Value = serde_json::from_slice(&body).unwrap();
    let headers = sign(&AUTHORITY, WEBHOOK_ID, &body, at());
    let other = sign(&crate::Authority::in_memory().unwrap(), WEBHOOK_ID, &body, at());
    let forged = forge_amount(&body, "99999.00").unwrap();
    let cases = [
        (postback(WEBHOOK_ID, &headers, &body), "SUCCESS"),
        (postback(WEBHOOK_ID, &headers, &serde_json::to_vec(&value).unwrap()), "FAILURE"),
        (postback("8PT597110X687430M", &headers, &body), "FAILURE"),
        (postback(WEBHOOK_ID, &other, &body), "FAILURE"),
        (postback(WEBHOOK_ID, &headers, &body).replace("T1", "T2"), "FAILURE"),
        // That is how PayPal signs.
        (postback(WEBHOOK_ID, &headers, &forged), "SUCCESS"),
    ];
    let path = "/v1/notifications/verify-webhook-signature";
    for (index, (request, status)) in cases.iter().enumerate() {
        let answer = api.request(Method::POST, path).body(request.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(json(answer).await, json!({"verification_status": status}), "case {index}");
    }
    let whole: Value = serde_json::from_str(&cases[0].0).unwrap();
    assert_eq!(whole.as_object().unwrap().len(), 7);
    for name in whole.as_object().unwrap().keys() {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(name);
        let answer = api.request(Method::POST, path).body(less.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(json(answer).await["details"][0]["field"], format!("/{name}"));
    }
}

/// A PayPal that knows something of everything.
async fn knowing() -> (Api, Known) {
    let api = Api::start().await;
    api.paypal.subscribe(Webhook::new(WEBHOOK_ID, "http://127.0.0.1:9")).unwrap();
    let story = story();
    let event = api.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    api.paypal.happened(&story, EventKind::SaleCompleted).unwrap();
    let headers = sign(&AUTHORITY, WEBHOOK_ID, &event.body, at());
    let known = Known {
        event: event.id.clone(),
        webhook: WEBHOOK_ID.to_owned(),
        postback: postback(WEBHOOK_ID, &headers, &event.body),
        capture: story.capture,
        order: story.paypal_order,
    };
    (api, known)
}

#[tokio::test]
async fn every_endpoint_meets_the_fault_that_is_set_and_recovers() {
    let (api, known) = knowing().await;
    let faults = api.paypal.faults();
    for endpoint in Endpoint::ALL {
        let before = faults.requests(endpoint);
        let others: u64 = Endpoint::ALL.iter().map(|other| faults.requests(*other)).sum();
        let is_well = async || api.ask(endpoint, &known).send().await.unwrap().status().is_success();
        assert!(is_well().await, "{endpoint:?}");
        let cases = [
            (Fault::TooManyRequests { retry_after_s: 7 }, 429),
            (Fault::InternalError, 500),
            (Fault::Unavailable, 503),
            (Fault::NotFound, 404),
            (Fault::TokenEnded, 401),
        ];
        for (fault, status) in cases {
            faults.set_for(endpoint, 1, fault);
            let answer = api.ask(endpoint, &known).send().await.unwrap();
            let retry_after =
                answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(retry_after.as_deref(), (status == 429).then_some("7"));
            refused(answer, status).await;
            assert!(is_well().await, "{endpoint:?} after one {fault:?}");
        }
        faults.set(endpoint, Fault::Garbled);
        let answer = api.ask(endpoint, &known).send().await.unwrap();
        assert!(answer.json::<Value>().await.is_err());
        faults.set(endpoint, Fault::CutShort);
        let answer = api.ask(endpoint, &known).send().await.unwrap();
        assert!(answer.bytes().await.is_err(), "{endpoint:?}");
        faults.set_for(endpoint, 1, Fault::Slow(Duration::from_millis(1)));
        assert!(is_well().await);
        let all: u64 = Endpoint::ALL.iter().map(|other| faults.requests(*other)).sum();
        let own = faults.requests(endpoint) - before;
        assert_eq!((own, all - others), (14, 14), "only the endpoint that is asked counts");
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_answers_when_that_is_over() {
    let (api, known) = knowing().await;
    let faults = api.paypal.faults();
    faults.set_everywhere(Fault::Hangs);
    let hanging = tokio::spawn(api.ask(Endpoint::Capture, &known).send().into_future());
    while faults.requests(Endpoint::Capture) == 0 {
        tokio::task::yield_now().await;
    }
    faults.clear(Endpoint::Order);
    assert!(api.ask(Endpoint::Order, &known).send().await.unwrap().status().is_success());
    assert!(!hanging.is_finished());
    faults.clear_everywhere();
    assert!(hanging.await.unwrap().unwrap().status().is_success());
}

#[tokio::test]
async fn what_is_no_event_is_not_taken_and_the_same_one_is_taken_once() {
    let api = Api::start().await;
    let body = |id: &str| serde_json::to_vec(&story().body(EventKind::CaptureCompleted, id)).unwrap();
    api.paypal.happened_as(body("WH-1")).unwrap();
    api.paypal.happened_as(body("WH-1")).unwrap();
    let mut other = story();
    other.at = api.now().plus_seconds(9).unwrap();
    let other = serde_json::to_vec(&other.body(EventKind::CaptureCompleted, "WH-1")).unwrap();
    assert_eq!(api.paypal.happened_as(other).err(), Some(NotTaken::OtherEvent("WH-1".to_owned())));
    for wrong in
        ["", "{}", "[1]", "{\"id\":\"\",\"event_type\":\"A\",\"create_time\":\"2026-01-01T00:00:00Z\"}"]
    {
        assert_eq!(api.paypal.happened_as(wrong.into()).err(), Some(NotTaken::NoEvent), "{wrong}");
    }
    assert_eq!(ids(&api.read(EVENTS).await), ["WH-1"]);
}
