//! Endpoints that do not answer, or not as one should.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use test_support::wait_until;
use tokio::net::TcpListener;

use super::endpoint::{Answer, Endpoint, Fault, Faulty, start_tls};
use super::{FIRST, Hooked, arrived, assert_complete, settings, to};
use crate::binary::TempDir;
use crate::led_shop::DEADLINE;

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_misbehave_say_so_in_their_health_and_slow_down_nobody_else() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let faults = [
        ("hangs", Fault::Hangs, "no answer came within 1 s"),
        ("streams", Fault::StreamsForEver { status: "500 Oops" }, "nothing is taken: 500"),
        ("closes", Fault::Closes, "no answer: "),
        ("garbage", Fault::Garbage, "no answer: "),
    ];
    let mut servers = Vec::new();
    for (name, fault, _) in faults {
        let server = Faulty::start(fault).await;
        let target = json!({"url": server.url, "allow_private": true, "timeout_s": 1});
        hooked.sink(name, settings(target, &[1; 50])).await;
        servers.push(server);
    }
    hooked.append_many(20, 20).await;
    for (name, _, why) in faults {
        let sink = hooked.until(name, why, |sink| sink.error.is_some()).await;
        let error = sink.error.unwrap();
        assert!(error.contains(why) && error.len() < 500, "{name}: {error}");
        assert!(sink.failing_since.is_some() && sink.dead == 0);
    }
    // Beside them, another sink delivers, and the shop takes events, as if they were not there.
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    arrived(&endpoint, 20).await;
    let begun = Instant::now();
    hooked.append_many(20, 20).await;
    arrived(&endpoint, 40).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_complete(&endpoint.delivered(), 40);
    hooked.running.stop().await;
    for server in servers {
        assert!(wait_until(DEADLINE, async || server.open.load(Ordering::SeqCst) == 0).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_counts_though_its_body_never_ends_and_the_connection_is_closed() {
    let hooked = Hooked::create().await;
    let server = Faulty::start(Fault::StreamsForEver { status: "200 OK" }).await;
    hooked.sink("hook", settings(to(&server.url), &[1])).await;
    hooked.append_many(10, 2).await;
    hooked.done("hook").await;
    assert!(wait_until(DEADLINE, async || server.open.load(Ordering::SeqCst) == 0).await);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_is_never_answered_holds_up_its_key_only_also_where_one_is_sent_at_a_time() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    endpoint.answer(|taken| if taken.sequence == FIRST { Answer::Never } else { Answer::Status(200) });
    let target = json!({"url": endpoint.url(), "allow_private": true, "timeout_s": 1, "in_flight": 1});
    hooked.sink("hook", settings(target, &[1, 1])).await;
    hooked.append(0).await;
    hooked.append(0).await;
    let mut others = 0;
    let aside = wait_until(DEADLINE, async || {
        others += 1;
        hooked.append(others).await;
        arrived(&endpoint, others).await;
        hooked.get("hook").await.waiting > 0
    })
    .await;
    assert!(aside, "{others} went past it");
    assert!(hooked.letters("hook").await[0].error.contains("no answer came within 1 s"));
    let sink = hooked.until("hook", "it is a dead letter", |sink| sink.dead == 1 && sink.waiting == 0).await;
    assert_eq!((sink.lag_events, &sink.error), (0, &None));
    assert!(endpoint.delivered().iter().any(|taken| taken.sequence == FIRST + 1), "its key goes on");
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_endpoint_is_down_nothing_is_set_aside_and_it_gets_everything_afterwards() {
    let hooked = Hooked::create().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    hooked.sink("hook", settings(to(&format!("http://{address}/")), &[1])).await;
    hooked.append_many(30, 10).await;
    let sink = hooked.until("hook", "it is said", |sink| sink.error.is_some()).await;
    assert!(sink.error.as_ref().is_some_and(|error| error.contains("Connection refused")), "{sink:?}");
    assert_eq!((sink.waiting, sink.dead), (0, 0));
    let endpoint = Endpoint::start_at(&address).await;
    hooked.done("hook").await;
    assert_complete(&endpoint.delivered(), 30);
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_inside_is_not_called_and_the_reason_names_rule_and_setting() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let inside = json!({"url": format!("https://localhost:{}/", endpoint.port())});
    hooked.sink("inside", settings(inside, &[1])).await;
    let nowhere = json!({"url": "https://counterfoil.invalid/secret-path"});
    hooked.sink("nowhere", settings(nowhere, &[1])).await;
    hooked.append(1).await;
    let sink = hooked.until("inside", "it is said", |sink| sink.error.is_some()).await;
    let error = sink.error.unwrap();
    assert!(error.starts_with("localhost is ") && error.contains("a loopback address"), "{error}");
    assert!(error.contains("allow_private"), "{error}");
    let sink = hooked.until("nowhere", "it is said", |sink| sink.error.is_some()).await;
    let error = sink.error.unwrap();
    assert!(error.contains("counterfoil.invalid cannot be resolved"), "{error}");
    assert!(!error.contains("secret-path"), "{error}");
    assert!(endpoint.requests().is_empty());
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_authority_of_ones_own_is_believed_only_where_it_is_named() {
    let (hooked, folder, (port, pem)) = (Hooked::create().await, TempDir::new(), start_tls());
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let url = format!("https://localhost:{port}/");
    let named = json!({"url": url, "allow_private": true, "ca_file": ca_file});
    hooked.sink("named", settings(named, &[1])).await;
    hooked.sink("unknown", settings(to(&url), &[1])).await;
    let missing = json!({"url": url, "allow_private": true, "ca_file": "/nowhere/ca.pem"});
    hooked.sink("missing", settings(missing, &[1])).await;
    hooked.append(1).await;
    hooked.done("named").await;
    let sink = hooked.until("unknown", "it is said", |sink| sink.error.is_some()).await;
    let error = sink.error.unwrap();
    assert!(error.starts_with("TLS") && error.contains("ca_file"), "{error}");
    let sink = hooked.until("missing", "it is said", |sink| sink.error.is_some()).await;
    assert!(sink.error.unwrap().starts_with("ca_file /nowhere/ca.pem: No such file"));
    hooked.running.stop().await;
}
