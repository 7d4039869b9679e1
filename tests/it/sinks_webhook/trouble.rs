//! Endpoints that answer, and say no.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery::Selection;
use delivery::sinks::{Secrets, Settings, State};
use domain::Position;
use serde_json::json;
use test_support::wait_until;

use super::endpoint::{Answer, Endpoint};
use super::{FIRST, Hooked, arrived, assert_complete, by_key, settings, to};
use crate::led_shop::DEADLINE;
use crate::sink_ground::operator;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_waits_by_itself_and_is_delivered_in_order_when_it_heals() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    endpoint.answer(|taken| Answer::Status(if taken.key == "order:3" { 500 } else { 200 }));
    hooked.sink("hook", settings(to(&endpoint.url()), &[1; 50])).await;
    hooked.append_many(50, 5).await;
    let sink =
        hooked.until("hook", "the others go on", |sink| sink.lag_events == 0 && sink.waiting == 10).await;
    assert_eq!((sink.dead, &sink.error), (0, &None));
    let letters = hooked.letters("hook").await;
    assert!(
        letters.iter().all(|letter| letter.key == "order:3" && letter.state == "waiting"),
        "{letters:#?}"
    );
    assert!(letters[0].error.contains("500 Internal Server Error: the endpoint's own words <html>"));
    assert_complete(&arrived(&endpoint, 40).await, 40);

    endpoint.answer(|_| Answer::Status(200));
    hooked.done("hook").await;
    assert_complete(&endpoint.delivered(), 50);
    let first = by_key(&endpoint.requests())["order:3"][0];
    let attempts = hooked.sinks.attempts(&hooked.shop.shop, "hook", Position(first), 50).await.unwrap();
    let came = endpoint.requests().iter().filter(|taken| taken.sequence == first).count();
    assert!(came >= 2 && attempts.len() == came, "{attempts:#?}");
    assert_eq!(attempts[0].status, Some(200), "the last first");
    assert!(attempts[1..].iter().all(|attempt| attempt.status == Some(500) && attempt.error.is_some()));
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_its_schedule_an_event_is_a_dead_letter_until_it_is_redriven() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    endpoint.answer(|taken| Answer::Status(if taken.sequence == FIRST { 422 } else { 200 }));
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    hooked.append_many(6, 2).await;
    hooked
        .until("hook", "it is dead, and its key goes on", |sink| {
            sink.dead == 1 && sink.waiting == 0 && sink.lag_events == 0
        })
        .await;
    let letters = hooked.letters("hook").await;
    assert_eq!((letters.len(), letters[0].attempts, letters[0].state.as_str()), (1, 2, "dead"));
    assert_eq!(by_key(&endpoint.delivered())["order:0"], [FIRST + 2, FIRST + 4]);

    let (shop, all) = (&hooked.shop.shop, Selection::of_kinds(true));
    assert_eq!(hooked.sinks.count_dead(shop, "hook", &all).await.unwrap(), 1);
    assert_eq!(hooked.get("hook").await.dead, 1, "it was only counted");
    endpoint.answer(|_| Answer::Status(200));
    assert_eq!(hooked.sinks.redrive(&operator(), shop, "hook", &all).await.unwrap(), 1);
    let sink = hooked.done("hook").await;
    assert_eq!(sink.dead, 0);
    assert_eq!(by_key(&endpoint.delivered())["order:0"], [FIRST + 2, FIRST + 4, FIRST]);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_disables_its_sink_with_the_reason() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    endpoint.answer(|taken| Answer::Status(if taken.sequence < FIRST + 3 { 200 } else { 410 }));
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    hooked.append_many(3, 1).await;
    hooked.done("hook").await;
    hooked.append(1).await;
    let sink = hooked.until("hook", "it is disabled", |sink| sink.state == State::Disabled).await;
    assert!(sink.reason.as_ref().is_some_and(|reason| reason.contains("410 Gone")), "{sink:?}");
    // An operator who has mended it lets it go on: nothing is lost.
    endpoint.answer(|_| Answer::Status(200));
    assert!(hooked.sinks.resume(&operator(), &hooked.shop.shop, "hook").await.unwrap());
    hooked.done("hook").await;
    assert_complete(&endpoint.delivered(), 4);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let (hooked, endpoint, other) =
        (Hooked::create().await, Endpoint::start().await, Endpoint::start().await);
    let location = other.url();
    endpoint.answer(move |_| Answer::With(302, "location", location.clone()));
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    hooked.append(1).await;
    hooked.until("hook", "it is refused", |sink| sink.dead == 1).await;
    let letters = hooked.letters("hook").await;
    assert!(letters[0].error.contains("302 Found: redirects are not followed"), "{letters:?}");
    assert!(other.requests().is_empty());
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_time_gets_it_and_nothing_is_set_aside() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    endpoint.answer(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::With(429, "retry-after", "2".to_owned()),
        _ => Answer::Status(200),
    });
    let target = json!({"url": endpoint.url(), "allow_private": true, "in_flight": 1});
    hooked.sink("hook", settings(target, &[1])).await;
    hooked.append_many(4, 4).await;
    let sink = hooked.until("hook", "it is said", |sink| sink.error.is_some()).await;
    assert!(sink.error.as_ref().is_some_and(|error| error.contains("429 Too Many Requests")), "{sink:?}");
    hooked.done("hook").await;
    assert_complete(&endpoint.delivered(), 4);
    let first = endpoint.requests()[0].sequence;
    let attempts = hooked.sinks.attempts(&hooked.shop.shop, "hook", Position(first), 10).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(), [Some(200), Some(429)]);
    let waited = attempts[0].at - attempts[1].at;
    assert!(waited.num_milliseconds() >= 2000, "{waited}");
    assert_eq!(hooked.get("hook").await.dead, 0);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_everything_is_left_alone_and_fills_no_table() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    endpoint.answer(|_| Answer::Status(500));
    hooked.sink("hook", settings(to(&endpoint.url()), &[1; 50])).await;
    hooked.append_many(60, 60).await;
    let sink = hooked.until("hook", "it is said", |sink| sink.error.is_some()).await;
    assert!(sink.error.as_ref().is_some_and(|error| error.starts_with("nothing is taken: 500")), "{sink:?}");
    let tried = endpoint.requests().len();
    assert!(wait_until(DEADLINE, async || endpoint.requests().len() >= tried + 120).await);
    assert!(hooked.get("hook").await.waiting < 10);
    endpoint.answer(|_| Answer::Status(200));
    hooked.done("hook").await;
    assert_complete(&endpoint.delivered(), 60);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_without_a_key_says_how_one_is_made_and_a_bad_target_is_refused_at_once() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    hooked.sink_with("hook", settings(to(&endpoint.url()), &[1]), &[]).await;
    let sink = hooked.until("hook", "it is said", |sink| sink.error.is_some()).await;
    assert!(sink.error.as_ref().is_some_and(|error| error.contains("openssl rand -base64 32")), "{sink:?}");
    let private = json!({"kind": "webhook", "target": {"url": "https://127.0.0.1/"}});
    let error = Settings::parse(&private, &Secrets::default()).unwrap_err().to_string();
    assert!(error.contains("loopback") && error.contains("allow_private"), "{error}");
    hooked.running.stop().await;
}
