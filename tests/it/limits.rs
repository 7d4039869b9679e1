//! Who may ask how often, how much and how long; and that no bound ever costs an authentic callback.

use std::time::Duration;

use ::access::{Rate, TrustedProxies};
use ::http_api::Limits;
use serde_json::json;
use test_support::wait_until;

use crate::served::{SHOP, Served, body_of};

/// Of a stream whose reader has gone the server hears by the second sign of life that it sends, each 10 s.
const DEADLINE: Duration = Duration::from_secs(60);

/// Three failures, and then none for a long while.
fn strict() -> Limits {
    Limits { failures: Rate::new(1, 3), ..Limits::default() }
}

/// A callback with each header in its form, and a signature that does not hold.
fn forged(served: &Served, n: usize) -> (Vec<(String, String)>, Vec<u8>) {
    let headers = served.sign(&served.captured(&format!("forged-{n}"), "10.00"));
    (headers, served.captured(&format!("forged-{n}"), "99.00"))
}

async fn forge(served: &Served, n: usize, from: Option<&str>) -> reqwest::Response {
    let (mut headers, body) = forged(served, n);
    headers.extend(from.map(|from| ("x-forwarded-for".to_owned(), from.to_owned())));
    served.callback(SHOP, &headers, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_sends_garbage_is_answered_429_and_its_authentic_callbacks_are_taken() {
    let served = Served::start(strict()).await;
    let before = served.events().await;
    let mut answers = Vec::new();
    for n in 0..6 {
        answers.push(forge(&served, n, None).await);
        // An authentic one between any two.
        let body = served.captured(&format!("authentic-{n}"), "10.00");
        let answer = served.callback(SHOP, &served.sign(&body), body).await;
        assert_eq!(answer.status().as_u16(), 200, "{n}");
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses[..3], [401; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let limited = answers.into_iter().find(|answer| answer.status().as_u16() == 429).unwrap();
    assert!(limited.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    let problem: serde_json::Value = serde_json::from_slice(&body_of(limited).await).unwrap();
    assert_eq!(problem["code"], "too_many_requests");

    // Also what is not even a callback, and what names a certificate that nobody has.
    let (mut headers, body) = forged(&served, 9);
    for (name, value) in &mut headers {
        if name.eq_ignore_ascii_case("paypal-cert-url") {
            *value = value.replace("CERT-", "CERT-another-");
        }
    }
    assert!(matches!(served.callback(SHOP, &[], body.clone()).await.status().as_u16(), 400 | 429));
    assert!(matches!(served.callback(SHOP, &headers, body).await.status().as_u16(), 429 | 503));
    let body = served.captured("authentic-last", "10.00");
    assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status().as_u16(), 200);
    assert!(served.events().await - before >= 7);
    assert!(served.metrics().await.contains("counterfoil_limited_total{whose=\"address\"}"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_says_for_whom_it_asks_only_where_it_is_named() {
    for (proxies, apart) in [(Vec::new(), false), (vec!["127.0.0.0/8"], true)] {
        let networks = proxies.into_iter().map(|text| TrustedProxies::parse_network(text).unwrap());
        let trusted_proxies = TrustedProxies::new(networks.collect());
        let served = Served::start(Limits { trusted_proxies, ..strict() }).await;
        let is_limited = wait_until(DEADLINE, async || {
            forge(&served, 1, Some("192.0.2.1")).await.status().as_u16() == 429
        });
        assert!(is_limited.await);
        let elsewhere = forge(&served, 2, Some("192.0.2.2")).await.status().as_u16();
        // Where they are one place, it may have got its one token of this second.
        assert!(elsewhere == 401 || !apart, "{elsewhere}");
        let tries = [3, 4, 5].map(|n| forge(&served, n, Some("192.0.2.3")));
        let mut limited = 0;
        for answer in tries {
            limited += usize::from(answer.await.status().as_u16() == 429);
        }
        assert_eq!(limited == 0, apart, "{limited} of 3");
        served.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_asks_too_often_is_told_when_to_come_again_and_holds_up_no_other() {
    let served = Served::start(Limits { key_rate: Rate::new(1, 3), ..Limits::default() }).await;
    let limited = wait_until(DEADLINE, async || {
        let answer = served.client.get(served.url("/v1/orders")).bearer_auth(&served.viewer_key).send().await;
        let answer = answer.unwrap();
        let is_limited = answer.status().as_u16() == 429;
        assert!(!is_limited || answer.headers().contains_key("retry-after"));
        is_limited
    });
    assert!(limited.await);
    assert_eq!(served.get("/v1/orders", &served.operator_key).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invented_keys_from_one_address_are_looked_up_no_more_and_a_known_one_goes_on() {
    let served = Served::start(strict()).await;
    assert_eq!(served.get("/v1/orders", &served.viewer_key).await.0, 200);
    let invented = |n: usize| format!("cf_demo_{n:012x}_{}", "0".repeat(64));
    let mut n = 0;
    let limited = wait_until(DEADLINE, async || {
        n += 1;
        served.get("/v1/orders", &invented(n)).await.0 == 429
    });
    assert!(limited.await);
    assert_eq!(served.get("/v1/orders", &served.viewer_key).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_no_more_streams_than_its_share_and_gets_it_back() {
    let served = Served::start(Limits { key_streams: 1, ..Limits::default() }).await;
    let open = async |key: &str| {
        let asked = served.client.get(served.url("/v1/feed")).bearer_auth(key);
        asked.header("accept", "text/event-stream").send().await.unwrap()
    };
    let one = open(&served.feed_key).await;
    assert_eq!(one.status().as_u16(), 200);
    assert_eq!(open(&served.feed_key).await.status().as_u16(), 429);
    assert_eq!(open(&served.viewer_key).await.status().as_u16(), 200, "another key has its own");
    drop(one);
    let again = wait_until(DEADLINE, async || open(&served.feed_key).await.status().as_u16() == 200);
    assert!(again.await, "its stream was ended");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_as_many_waiting_as_it_may_have_is_answered_at_once() {
    let served = Served::start(Limits { key_waits: 0, ..Limits::default() }).await;
    let command = json!({"id": "a", "qty": 1});
    assert_eq!(
        served.post("/v1/stock/tea/receive", &served.shop_key, &command).await.0,
        202,
        "it is in the log"
    );
    served.settled().await;
    let (status, _) = served.get("/v1/feed?after=end&timeout=30000", &served.feed_key).await;
    assert_eq!(status, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_longer_than_anybody_needs_is_refused() {
    let served = Served::start(Limits::default()).await;
    let (long, many) = ("x".repeat(9_000), "x".repeat(8_000));
    let path = served.url(&format!("/v1/orders?status={long}"));
    let answer = served.client.get(path).bearer_auth(&served.viewer_key).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 414);
    let mut request = served.client.get(served.url("/livez"));
    for n in 0..5 {
        request = request.header(format!("x-{n}"), &many);
    }
    assert_eq!(request.send().await.unwrap().status().as_u16(), 431);
    let mut request = served.client.get(served.url("/livez"));
    for n in 0..100 {
        request = request.header(format!("x-{n}"), "1");
    }
    assert!(request.send().await.is_ok_and(|answer| answer.status().is_client_error()));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_tells_browsers_to_keep_run_and_frame_nothing() {
    let served = Served::start(Limits::default()).await;
    let body = served.captured("1", "10.00");
    let long = served.url(&format!("/{}", "x".repeat(9_000)));
    let client = &served.client;
    for (what, request) in [
        ("health", client.get(served.url("/livez"))),
        ("a key that is missing", client.get(served.url("/v1/orders"))),
        ("private data", client.get(served.url("/v1/orders")).bearer_auth(&served.viewer_key)),
        ("no such path", client.get(served.url("/nothing"))),
        ("a method that is not known", client.delete(served.url("/v1/orders"))),
        ("a forgery", client.post(served.url("/webhooks/paypal/demo")).body(body)),
        ("a long path", client.get(long)),
    ] {
        let answer = request.send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
        let kept = headers["cache-control"].to_str().unwrap();
        assert_eq!(kept, if what == "private data" { "private, no-cache" } else { "no-store" }, "{what}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{what}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}");
        assert!(
            !headers.contains_key("server") && !headers.contains_key("access-control-allow-origin"),
            "{what}"
        );
        assert!(!headers.contains_key("strict-transport-security"), "not without TLS: {what}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_inside_tells_its_reason_to_the_log_alone() {
    let served = Served::start(Limits::default()).await;
    let broken = "ALTER TABLE counterfoil.orders RENAME TO orders_are_elsewhere";
    served.test_superuser().await.batch_execute(broken).await.unwrap();
    let answer =
        served.client.get(served.url("/v1/orders")).bearer_auth(&served.viewer_key).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 500);
    let text = String::from_utf8(body_of(answer).await).unwrap();
    for inside in ["orders_are", "relation", "counterfoil.orders", "SELECT", "42P01"] {
        assert!(!text.contains(inside), "{inside}: {text}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_sent_away_unverified_while_too_many_wait() {
    let first = Served::start(Limits::default()).await;
    let served =
        first.beside_with_queue(::event_log::Options { queue: 1, batch: 1, ..Default::default() }).await;
    let blocker = served.test_superuser().await;
    blocker.batch_execute("BEGIN; SELECT FROM counterfoil.shops FOR UPDATE").await.unwrap();
    let served = std::sync::Arc::new(served);
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..2 {
        let served = served.clone();
        waiting.spawn(async move {
            let body = served.captured(&format!("waiting-{n}"), "10.00");
            // One is on its way into the log, one waits for it; whoever comes too early for that is sent away, and comes again.
            loop {
                let answer = served.callback(SHOP, &served.sign(&body), body.clone()).await;
                if answer.status().as_u16() == 200 {
                    return;
                }
            }
        });
    }
    let is_full = wait_until(DEADLINE, async || forge(&served, 0, None).await.status().as_u16() == 503).await;
    assert!(is_full, "nobody is sent away");
    let answer = forge(&served, 0, None).await;
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    blocker.batch_execute("COMMIT").await.unwrap();
    while let Some(taken) = waiting.join_next().await {
        taken.unwrap();
    }
    assert_eq!(forge(&served, 0, None).await.status().as_u16(), 401, "there is room, so it is verified");
    std::sync::Arc::into_inner(served).unwrap().stop().await;
    first.stop().await;
}
