//! Outgoing webhooks: every event arrives signed and in order, and nobody waits for an endpoint that fails.

mod endpoint;
mod faults;
mod trouble;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use delivery::sinks::{Letter, Letters, Options, Running, Secrets, Settings, Sink, Sinks};
use delivery::{Tail, To};
use domain::Position;
use evidence::{KeyEncryptionKey, Vault};
use serde_json::{Value, json};
use test_support::{foreign, wait_until};

use self::endpoint::{Endpoint, Taken};
use crate::led_shop::{DEADLINE, LedShop};
use crate::sink_ground::operator;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A shop whose events go to webhooks.
/// Where the first event stands that is sent, behind the note that the sink was made.
const FIRST: i64 = 1;

struct Hooked {
    running: Running,
    sinks: Sinks,
    tail: Tail,
    shop: LedShop,
}

fn secrets(of: &[(&str, &str)]) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in of {
        secrets.set(name, (*value).into());
    }
    secrets
}

fn settings(target: Value, retry_s: &[u32]) -> Settings {
    let document = json!({"kind": "webhook", "target": target, "types": "order.*", "all_kinds": true, "retry_s": retry_s});
    Settings::parse(&document, &Secrets::default()).unwrap()
}

fn to(url: &str) -> Value {
    json!({"url": url, "allow_private": true, "timeout_s": 2})
}

impl Hooked {
    async fn create() -> Self {
        let shop = LedShop::create().await;
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        let sinks = Sinks::new(shop.database.clone(), vault);
        let tail = Tail::start(shop.database.clone(), shop.appender.clone());
        Self { running: run(&sinks, &tail), sinks, tail, shop }
    }

    /// A sink from the start of the log.
    async fn sink(&self, name: &str, settings: Settings) {
        self.sink_with(name, settings, &[("signing_key", KEY)]).await;
    }

    async fn sink_with(&self, name: &str, settings: Settings, of: &[(&str, &str)]) {
        let made =
            self.sinks.create(&operator(), &self.shop.shop, name, (&settings, &secrets(of)), To::Start).await;
        assert!(made.unwrap());
    }

    /// Appends an event about an order.
    async fn append(&self, order: usize) -> Position {
        self.shop.append("order.cancelled", json!({"order": order.to_string()})).await
    }

    /// Appends to each of the first orders in turn.
    async fn append_many(&self, count: usize, orders: usize) {
        for n in 0..count {
            self.append(n % orders).await;
        }
    }

    async fn get(&self, name: &str) -> Sink {
        self.sinks.get(&self.shop.shop, name).await.unwrap().unwrap()
    }

    async fn letters(&self, name: &str) -> Vec<Letter> {
        self.sinks.letters(&self.shop.shop, name, &Letters::default(), 100).await.unwrap()
    }

    /// Waits until the sink is as it should be.
    async fn until(&self, name: &str, what: &str, is: impl Fn(&Sink) -> bool) -> Sink {
        let mut last = None;
        let came = wait_until(DEADLINE, async || {
            let sink = self.get(name).await;
            let holds = is(&sink);
            last = Some(sink);
            holds
        })
        .await;
        assert!(came, "{what}: {last:#?}");
        last.unwrap()
    }

    /// Waits until all is delivered.
    async fn done(&self, name: &str) -> Sink {
        let is_done = |sink: &Sink| sink.lag_events == 0 && sink.waiting == 0 && sink.error.is_none();
        self.until(name, "all is delivered", is_done).await
    }
}

fn run(sinks: &Sinks, tail: &Tail) -> Running {
    let often = Duration::from_millis(50);
    let options = Options { supervise: often, heartbeat: often, ..Options::default() };
    Running::start(sinks.clone(), tail.clone(), options)
}

/// Waits until so many were delivered.
async fn arrived(endpoint: &Endpoint, count: usize) -> Vec<Taken> {
    let came = wait_until(DEADLINE, async || endpoint.delivered().len() >= count).await;
    assert!(came, "{} of {count} arrived", endpoint.delivered().len());
    endpoint.delivered()
}

/// The positions of each key, in the order in which each was first delivered.
fn by_key(delivered: &[Taken]) -> BTreeMap<String, Vec<i64>> {
    let mut keys: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for taken in delivered {
        let positions = keys.entry(taken.key.clone()).or_default();
        if !positions.contains(&taken.sequence) {
            positions.push(taken.sequence);
        }
    }
    keys
}

/// Each position once or more, and those of each key in order.
fn assert_complete(delivered: &[Taken], count: usize) {
    let keys = by_key(delivered);
    assert!(keys.values().all(|positions| positions.is_sorted()), "{keys:?}");
    assert_eq!(keys.values().map(Vec::len).sum::<usize>(), count, "{keys:?}");
}

fn signature(key: &str, taken: &Taken) -> String {
    let bytes = STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!("{}.{}.{}", taken.id, taken.timestamp, taken.body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_once_and_signed_and_those_of_a_key_in_order() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    hooked.append_many(200, 10).await;
    hooked.done("hook").await;
    let delivered = endpoint.requests();
    assert_eq!(delivered.len(), 200);
    assert_complete(&delivered, 200);
    for taken in &delivered {
        assert_eq!(taken.signature, signature(KEY, taken));
        assert_eq!(taken.content_type, "application/cloudevents+json");
        assert!(taken.user_agent.starts_with("Counterfoil/"), "{}", taken.user_agent);
        let event: Value = serde_json::from_str(&taken.body).unwrap();
        assert_eq!(event["id"], taken.id);
        assert_eq!((&event["epoch"], &event["type"]), (&json!(0), &json!("order.cancelled")));
        let attempts = hooked.sinks.attempts(&hooked.shop.shop, "hook", Position(taken.sequence), 10).await;
        let attempts = attempts.unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].status, &attempts[0].error), (Some(204), &None));
        assert_eq!(attempts[0].at.timestamp(), taken.timestamp);
    }
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_in_shadow_is_never_sent_and_what_comes_behind_it_is() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let document = json!({"kind": "webhook", "target": to(&endpoint.url()), "retry_s": [1]});
    hooked.sink("hook", Settings::parse(&document, &Secrets::default()).unwrap()).await;
    let relay = hooked.shop.lead();
    let shadow = |on: bool| json!({"shop": hooked.shop.shop, "settings": {"shadow": on}});
    let placed = |order: &str| json!({"order": order, "currency": "EUR", "total_minor": 0, "lines": []});
    hooked.shop.append("rules.activated", json!({"shop": hooked.shop.shop, "version": 4})).await;
    hooked.shop.append("order.placed", placed("1")).await;
    hooked.shop.append("shop.configured", shadow(true)).await;
    hooked.shop.append("order.placed", placed("2")).await;
    hooked.shop.settle(&relay, "order.cancelled", json!({"order": "1"})).await;
    hooked.done("hook").await;
    let before = endpoint.delivered().len();
    assert!(before > 0 && endpoint.delivered().iter().all(|taken| taken.key == "order:1"), "none in shadow");
    hooked.shop.append("shop.configured", shadow(false)).await;
    hooked.shop.settle(&relay, "order.cancelled", json!({"order": "2"})).await;
    hooked.done("hook").await;
    let delivered = endpoint.delivered();
    let behind: Vec<&str> = delivered[before..].iter().map(|taken| taken.key.as_str()).collect();
    assert_eq!(behind, ["order:2"], "nothing that was passed over is sent later");
    relay.stop().await;
    hooked.running.stop().await;
}

/// Facts say nothing of it, and notes neither: they are passed over by where they stand.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_in_shadow_is_not_sent_to_who_wants_every_kind() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let document =
        json!({"kind": "webhook", "target": to(&endpoint.url()), "all_kinds": true, "retry_s": [1]});
    hooked.sink("hook", Settings::parse(&document, &Secrets::default()).unwrap()).await;
    let relay = hooked.shop.lead();
    let shadow = |on: bool| json!({"shop": hooked.shop.shop, "settings": {"shadow": on}});
    let placed = |order: &str| json!({"order": order, "currency": "EUR", "total_minor": 0, "lines": []});
    // By the rules of before it is refused, and changes nothing.
    hooked.shop.settle(&relay, "shop.configured", shadow(true)).await;
    hooked.shop.settle(&relay, "order.placed", placed("1")).await;
    let rules = json!({"shop": hooked.shop.shop, "version": 4});
    hooked.shop.settle(&relay, "rules.activated", rules).await;
    let entered = hooked.shop.settle(&relay, "shop.configured", shadow(true)).await;
    hooked.shop.settle(&relay, "order.placed", placed("2")).await;
    hooked.shop.append("order.cancelled", json!({"order": "1"})).await;
    let left = hooked.shop.settle(&relay, "shop.configured", shadow(false)).await;
    let behind = hooked.shop.settle(&relay, "order.cancelled", json!({"order": "2"})).await;
    hooked.done("hook").await;

    // The outcome of what began it, which was decided before, and everything on either side.
    let (entered, left, behind) = (entered.0, left.0, behind.0);
    let expected: Vec<i64> = (0..=entered + 1).chain([behind, behind + 1]).collect();
    let mut sent: Vec<i64> = endpoint.delivered().iter().map(|taken| taken.sequence).collect();
    sent.sort_unstable();
    assert_eq!(sent, expected, "in shadow from {entered} to {left}");
    relay.stop().await;
    hooked.running.stop().await;
}

/// Whether it is in shadow is told once the change is decided: until then what is behind it waits, and none of it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_change_that_nobody_has_decided_facts_wait_and_are_sent_when_it_is_refused() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let document =
        json!({"kind": "webhook", "target": to(&endpoint.url()), "all_kinds": true, "retry_s": [1]});
    hooked.sink("hook", Settings::parse(&document, &Secrets::default()).unwrap()).await;
    let shadow = json!({"shop": hooked.shop.shop, "settings": {"shadow": true}});
    let change = hooked.shop.append("shop.configured", shadow).await.0;
    let behind = hooked.append(1).await.0;
    hooked.until("hook", "it stands at the change", |sink| sink.lag_events == behind - change).await;
    assert!(endpoint.delivered().iter().all(|taken| taken.sequence <= change));

    // By the rules of before it is refused.
    let relay = hooked.shop.lead();
    let last = hooked.shop.settle(&relay, "order.cancelled", json!({"order": "2"})).await.0;
    hooked.done("hook").await;
    let mut sent: Vec<i64> = endpoint.delivered().iter().map(|taken| taken.sequence).collect();
    sent.sort_unstable();
    assert!(sent.contains(&behind) && sent.contains(&last), "{sent:?}");
    let head = event_log::head(&hooked.shop.client().await, &hooked.shop.shop).await.unwrap().unwrap().0;
    assert_eq!(sent, (0..=head.0).collect::<Vec<_>>());
    relay.stop().await;
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_keys_are_exchanged_each_event_is_signed_by_both() {
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let settings = settings(to(&endpoint.url()), &[1]);
    hooked.sink("hook", settings.clone()).await;
    hooked.append(1).await;
    hooked.done("hook").await;
    let both = secrets(&[("signing_key", NEXT_KEY), ("previous_signing_key", KEY)]);
    assert!(hooked.sinks.update(&operator(), &hooked.shop.shop, "hook", (&settings, &both)).await.unwrap());
    // Whoever delivers looks at the sink's settings with each heart-beat.
    let mut count = 1;
    let is_both = wait_until(DEADLINE, async || {
        count += 1;
        hooked.append(2).await;
        arrived(&endpoint, count).await.iter().any(|taken| taken.signature.contains(' '))
    })
    .await;
    assert!(is_both, "no event has two signatures");
    let (first, last) = (&endpoint.delivered()[0], &endpoint.delivered()[count - 1]);
    assert_eq!(first.signature, signature(KEY, first));
    assert_eq!(last.signature, format!("{} {}", signature(NEXT_KEY, last), signature(KEY, last)));
    hooked.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_in_the_middle_goes_on_where_it_was_and_loses_nothing() {
    let (mut hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    let target = json!({"url": endpoint.url(), "allow_private": true, "in_flight": 3});
    hooked.sink("hook", settings(target, &[1])).await;
    hooked.append_many(300, 7).await;
    for stop_at in [20, 80, 150] {
        arrived(&endpoint, stop_at).await;
        hooked.running.stop().await;
        assert_eq!(hooked.get("hook").await.leader, None, "it is handed over");
        hooked.running = run(&hooked.sinks, &hooked.tail);
    }
    hooked.done("hook").await;
    let delivered = endpoint.delivered();
    assert_complete(&delivered, 300);
    let mut ids: BTreeMap<i64, &str> = BTreeMap::new();
    for taken in &delivered {
        assert_eq!(*ids.entry(taken.sequence).or_insert(&taken.id), taken.id, "the same id each time");
    }
    hooked.running.stop().await;
}

/// Verifies and parses requests as their users do.
const CONSUMER: &str = r#"
import json, sys
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

requests = json.load(sys.stdin)
for request in requests:
    headers, body = request["headers"], request["body"]
    Webhook(sys.argv[1]).verify(body, headers)
    try:
        Webhook(sys.argv[1]).verify(body + " ", headers)
        raise SystemExit("a changed body was believed")
    except Exception as error:
        assert "match" in str(error).lower(), error
    event = from_http_event(HTTPMessage(headers, body.encode()))
    assert event.get_id() == headers["webhook-id"]
    assert event.get_specversion() == "1.0" and event.get_type() == "order.cancelled"
    assert int(event.get_extension("sequence")) >= 0 and event.get_extension("epoch") == 0
    key = event.get_extension("partitionkey")
    assert event.get_subject() == "order:" + key and event.get_data()["order"] == key
print(len(requests))
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python: make test-all"]
async fn consumers_in_another_language_verify_and_read_what_is_sent() {
    let Some(python) = foreign::python(&["cloudevents", "standardwebhooks"]).await else { return };
    let (hooked, endpoint) = (Hooked::create().await, Endpoint::start().await);
    hooked.sink("hook", settings(to(&endpoint.url()), &[1])).await;
    hooked.append_many(20, 3).await;
    hooked.done("hook").await;
    let requests: Vec<Value> = endpoint
        .delivered()
        .into_iter()
        .map(|taken| {
            let headers = json!({"webhook-id": taken.id, "webhook-timestamp": taken.timestamp.to_string(),
                "webhook-signature": taken.signature, "content-type": taken.content_type});
            json!({"headers": headers, "body": taken.body})
        })
        .collect();
    let mut consumer = tokio::process::Command::new(python)
        .args(["-c", CONSUMER, KEY])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = consumer.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, &serde_json::to_vec(&requests).unwrap()).await.unwrap();
    drop(stdin);
    let output = consumer.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", crate::binary::said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "20");
    hooked.running.stop().await;
}

/// An operator who has mended it looks whether it is mended, and not whether something has happened since.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_was_mended_is_well_also_when_nothing_is_to_be_sent() {
    let hooked = Hooked::create().await;
    let settings = settings(to("http://127.0.0.1:9/hook"), &[1]);
    hooked.sink_with("hook", settings.clone(), &[]).await;
    let failing = hooked.until("hook", "it says what is missing", |sink| sink.error.is_some()).await;
    assert!(failing.error.unwrap().contains("signing_key") && failing.failing_since.is_some());
    let key = secrets(&[("signing_key", KEY)]);
    assert!(hooked.sinks.update(&operator(), &hooked.shop.shop, "hook", (&settings, &key)).await.unwrap());
    hooked.until("hook", "it is well", |sink| sink.error.is_none() && sink.failing_since.is_none()).await;
    hooked.running.stop().await;
}
