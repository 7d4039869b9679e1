//! Delivery as a shop sees it.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use domain::Money;
use reqwest::Method;

use super::api::{AUTHORITY, Api};
use super::{WEBHOOK_ID, at, parse, verifier};
use crate::{Delivered, Delivery, EventKind, Ids, RETRIES_AFTER_S, Story, Webhook};

/// Headers and body of a request.
type Taken = (Vec<(String, String)>, Vec<u8>);
type Rule = Box<dyn Fn(usize) -> u16 + Send>;

struct Inner {
    taken: Mutex<Vec<Taken>>,
    rule: Mutex<Rule>,
}

/// A shop that keeps what it is sent and answers the n-th request by a rule.
struct Shop {
    url: String,
    inner: Arc<Inner>,
}

impl Shop {
    fn start(rule: impl Fn(usize) -> u16 + Send + 'static) -> Self {
        let inner = Arc::new(Inner { taken: Mutex::default(), rule: Mutex::new(Box::new(rule)) });
        let data = web::Data::from(Arc::clone(&inner));
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(take)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
        let url = format!("http://{}/webhooks/paypal/main", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { url, inner }
    }

    fn transmissions(&self) -> Vec<Taken> {
        self.inner.taken.lock().unwrap().clone()
    }

    fn transmission_ids(&self) -> Vec<String> {
        self.transmissions().iter().map(|(headers, _)| parse(headers).id).collect()
    }
}

async fn take(request: HttpRequest, body: web::Bytes, inner: web::Data<Inner>) -> HttpResponse {
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mut taken = inner.taken.lock().unwrap();
    let status = (inner.rule.lock().unwrap())(taken.len());
    taken.push((headers, body.to_vec()));
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}

/// A PayPal at which so many captures have happened, one a minute, and a shop that listens to it.
async fn with_captures(
    number: u64,
    rule: impl Fn(usize) -> u16 + Send + 'static,
) -> (Api, Shop, Vec<String>) {
    let (api, shop) = (Api::start().await, Shop::start(rule));
    api.paypal.subscribe(Webhook::new(WEBHOOK_ID, shop.url.as_str())).unwrap();
    let mut ids = Vec::new();
    for number in 0..number {
        let amount = Money::parse("48.50", "EUR").unwrap();
        let time = at().plus_seconds(i64::try_from(number).unwrap() * 60).unwrap();
        let story = Story::new(&mut Ids::seeded(number), &format!("S-{number}"), amount, time);
        ids.push(api.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    }
    (api, shop, ids)
}

fn transmission_ids(delivered: &Delivered) -> Vec<String> {
    delivered.attempts.iter().map(|attempt| attempt.transmission_id.clone()).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn everything_arrives_once_in_order_and_is_authentic() {
    let (api, shop, ids) = with_captures(5, |_| 200).await;
    let delivered = api.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!(delivered.taken, ids);
    assert_eq!((delivered.lost.len(), delivered.given_up.len(), api.paypal.waiting()), (0, 0, 0));
    assert_eq!(transmission_ids(&delivered), shop.transmission_ids());
    let verifier = verifier(&AUTHORITY);
    for ((headers, body), attempt) in shop.transmissions().iter().zip(&delivered.attempts) {
        let headers = parse(headers);
        verifier.verify(&headers, body, at()).await.unwrap();
        assert_eq!(headers.time, attempt.at.as_datetime().to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    }
    assert_eq!(api.paypal.deliver(&Delivery::seeded(1)).await.attempts.len(), 0, "nothing waits any more");
}

#[tokio::test]
async fn a_shop_that_is_down_is_tried_25_times_more_in_three_days_and_then_given_up() {
    let (api, shop, ids) = with_captures(1, |_| 503).await;
    let delivered = api.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!(delivered.given_up, ids);
    let times: Vec<_> = delivered.attempts.iter().map(|attempt| attempt.at).collect();
    let expected = std::iter::once(0).chain(RETRIES_AFTER_S).map(|after| at().plus_seconds(after).unwrap());
    assert_eq!(times, expected.collect::<Vec<_>>());
    assert_eq!(times.len(), 26);
    let mut transmissions = sorted(shop.transmission_ids());
    transmissions.dedup();
    assert_eq!(transmissions.len(), 26, "each has an id of its own");
}

#[tokio::test]
async fn whatever_is_no_success_is_sent_again_until_it_is_one() {
    let statuses = [302, 404, 500, 429];
    let (api, shop, ids) = with_captures(1, move |n| statuses.get(n).copied().unwrap_or(204)).await;
    let delivered = api.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!((delivered.taken, shop.transmissions().len()), (ids, 5));
    let got: Vec<_> = delivered.attempts.into_iter().map(|attempt| attempt.status.unwrap()).collect();
    assert_eq!(got, [302, 404, 500, 429, 204]);
}

#[tokio::test]
async fn a_shop_that_cannot_be_reached_is_tried_again() {
    let (api, shop, ids) = with_captures(1, |_| 200).await;
    api.paypal.subscribe(Webhook::new(WEBHOOK_ID, "http://127.0.0.1:1/nobody")).unwrap();
    let delivery = Delivery { retries_after_s: vec![1, 2], ..Delivery::seeded(1) };
    let delivered = api.paypal.deliver(&delivery).await;
    assert_eq!(delivered.given_up, ids);
    assert_eq!(delivered.attempts.iter().filter(|attempt| attempt.status.is_err()).count(), 3);
    assert_eq!(shop.transmissions().len(), 0);
}

#[tokio::test]
async fn a_seed_decides_what_is_lost_doubled_and_late_and_brings_the_same_again() {
    let delivery =
        Delivery { loses: 100, duplicates: 300, reorders_s: 3600, at_once: 1, ..Delivery::seeded(11) };
    let mut runs = Vec::new();
    for seed in [11, 11, 12] {
        let (api, shop, ids) = with_captures(60, |n| if n % 7 == 3 { 503 } else { 200 }).await;
        let delivered = api.paypal.deliver(&Delivery { seed, ..delivery.clone() }).await;
        let known = sorted([delivered.taken.clone(), delivered.lost.clone()].concat());
        assert_eq!(known, sorted(ids.clone()), "each was taken or lost");
        assert!((1..20).contains(&delivered.lost.len()), "{}", delivered.lost.len());
        assert_ne!(
            delivered.taken,
            ids.iter().filter(|id| delivered.taken.contains(id)).cloned().collect::<Vec<_>>()
        );
        assert!(delivered.attempts.iter().all(|attempt| !delivered.lost.contains(&attempt.event_id)));
        let twice = |id: &&String| {
            let taken =
                delivered.attempts.iter().filter(|attempt| attempt.event_id == **id && attempt.is_taken());
            taken.count() == 2
        };
        assert!((5..40).contains(&delivered.taken.iter().filter(twice).count()));
        assert_eq!(sorted(transmission_ids(&delivered)), sorted(shop.transmission_ids()));
        let order = delivered.attempts.iter().map(|attempt| (attempt.event_id.clone(), attempt.at));
        runs.push((order.collect::<Vec<_>>(), delivered.lost));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn many_at_once_lose_nothing_either() {
    let (api, shop, ids) = with_captures(100, |n| if n % 3 == 0 { 503 } else { 200 }).await;
    let delivery = Delivery { duplicates: 1000, reorders_s: 600, at_once: 16, ..Delivery::seeded(3) };
    let delivered = api.paypal.deliver(&delivery).await;
    assert_eq!(sorted(delivered.taken.clone()), sorted(ids));
    assert_eq!(sorted(transmission_ids(&delivered)), sorted(shop.transmission_ids()));
    assert!(shop.transmissions().len() >= 200);
}

#[tokio::test]
async fn what_was_lost_is_sent_when_it_is_asked_for_and_what_is_on_its_way_is_not_sent_again() {
    let (api, shop, ids) = with_captures(1, |_| 200).await;
    let resend = format!("/v1/notifications/webhooks-events/{}/resend", ids[0]);
    let ask = async |body: &'static str| {
        api.request(Method::POST, &resend).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("").await, api.paypal.waiting()), (202, 1));
    let delivered = api.paypal.deliver(&Delivery { loses: 1000, ..Delivery::seeded(1) }).await;
    assert_eq!((delivered.lost, shop.transmissions().len()), (ids.clone(), 0));
    assert_eq!((ask("{\"webhook_ids\":[\"OTHER\"]}").await, api.paypal.waiting()), (202, 0));
    assert_eq!((ask("[").await, api.paypal.waiting()), (400, 0));
    assert_eq!((ask("{\"webhook_ids\":[\"8PT597110X687430L\"]}").await, api.paypal.waiting()), (202, 1));
    assert_eq!(api.paypal.deliver(&Delivery::seeded(1)).await.taken, ids);
}

#[tokio::test]
async fn what_happens_meanwhile_is_delivered_too_also_while_a_retry_is_far_away() {
    // The first is refused until the last has come.
    let (api, shop, _) = with_captures(1, |n| if n < 2 { 503 } else { 200 }).await;
    let paypal = Arc::new(api.paypal);
    let delivery = Delivery { retries_after_s: vec![1, 1_000_000], speed: Some(1000), ..Delivery::seeded(1) };
    let delivering = tokio::spawn({
        let paypal = Arc::clone(&paypal);
        async move {
            paypal.something_waits().await;
            paypal.deliver(&delivery).await
        }
    });
    while shop.transmissions().len() < 2 {
        tokio::task::yield_now().await;
    }
    let event = paypal.happened(&super::story(), EventKind::CaptureCompleted).unwrap();
    while paypal.waiting() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.transmissions()[2].1, *event.body);
    assert!(!delivering.is_finished(), "the other waits for its retry");
    paypal.unsubscribe(WEBHOOK_ID);
    assert_eq!(paypal.waiting(), 0);
    delivering.abort();
}

#[tokio::test]
async fn a_webhook_gets_what_it_subscribed_to() {
    let (api, shop, _) = with_captures(0, |_| 200).await;
    let of_orders = Shop::start(|_| 200);
    let mut webhook = Webhook::new("W2", of_orders.url.as_str());
    webhook.event_types = vec!["CHECKOUT.ORDER.APPROVED".to_owned()];
    api.paypal.subscribe(webhook).unwrap();
    for kind in [EventKind::OrderApproved, EventKind::CaptureCompleted] {
        api.paypal.happened(&super::story(), kind).unwrap();
    }
    api.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!((shop.transmissions().len(), of_orders.transmissions().len()), (2, 1));
    api.paypal.happened(&super::story(), EventKind::CaptureCompleted).unwrap();
    api.paypal.unsubscribe(WEBHOOK_ID);
    assert_eq!(api.paypal.waiting(), 0);
}
