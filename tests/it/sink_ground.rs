//! What tests of sinks stand on: a shop whose relay decides, sinks that run, and what a sink must have got in the end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use delivery::sinks::{Options, Running, Secrets, Settings, Sink, Sinks};
use delivery::{Bounds, Message, Selection, Tail, To};
use domain::Position;
use event_log::Operator;
use evidence::{KeyEncryptionKey, Vault};
use futures_util::future::join_all;
use relay::RelayHandle;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::led_shop::{LedShop, applied};

/// Longer than any broker takes to come back.
const DEADLINE: Duration = Duration::from_secs(90);
/// The sink that is tested.
pub(crate) const NAME: &str = "broker";

/// Who changes sinks in tests.
pub(crate) fn operator() -> Operator {
    Operator::named("test")
}

pub(crate) struct SinkGround {
    pub(crate) sinks: Sinks,
    running: Running,
    relay: RelayHandle,
    // Dropped last: it takes the sessions of the others with it.
    pub(crate) shop: LedShop,
}

/// A message as a consumer of the broker has it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
}

impl SinkGround {
    pub(crate) async fn create() -> Self {
        let shop = LedShop::create().await;
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        let sinks = Sinks::new(shop.database.clone(), vault);
        let tail = Tail::start(shop.database.clone(), shop.appender.clone());
        let options = Options { supervise: Duration::from_millis(50), ..Options::default() };
        let running = Running::start(sinks.clone(), tail, options);
        Self { relay: shop.lead(), sinks, running, shop }
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.relay.stop().await;
    }

    /// Makes the sink, which begins with the first event. What is refused by itself is tried once more after a second.
    pub(crate) async fn begin(&self, kind: &str, target: Value, secrets: Value) {
        let (settings, secrets) = parsed(kind, target, secrets);
        assert!(
            self.sinks
                .create(&operator(), &self.shop.shop, NAME, (&settings, &secrets), To::Start)
                .await
                .unwrap()
        );
    }

    pub(crate) async fn change(&self, kind: &str, target: Value, secrets: Value) {
        let (settings, secrets) = parsed(kind, target, secrets);
        assert!(self.sinks.update(&operator(), &self.shop.shop, NAME, (&settings, &secrets)).await.unwrap());
    }

    /// Receives goods, so many times for each of so many SKUs in turn, and waits until all is decided: an event each.
    pub(crate) async fn receive(&self, times: usize, skus: usize) {
        let facts = (0..times * skus).map(|n| {
            let data = json!({"sku": format!("S.{}", n % skus), "qty": n + 1});
            self.shop.append("stock.received", data)
        });
        let positions = join_all(facts).await;
        applied(&self.relay, &self.shop.shop, positions.into_iter().max().unwrap()).await;
    }

    pub(crate) async fn settle(&self, type_name: &str, data: Value) -> Position {
        self.shop.settle(&self.relay, type_name, data).await
    }

    pub(crate) async fn sink(&self) -> Sink {
        self.sinks.get(&self.shop.shop, NAME).await.unwrap().unwrap()
    }

    pub(crate) async fn pause(&self) {
        assert!(self.sinks.pause(&operator(), &self.shop.shop, NAME, None).await.unwrap());
    }

    pub(crate) async fn resume(&self) {
        assert!(self.sinks.resume(&operator(), &self.shop.shop, NAME).await.unwrap());
    }

    pub(crate) async fn reset_to_start(&self) {
        assert!(self.sinks.reset(&operator(), &self.shop.shop, NAME, To::Start).await.unwrap());
    }

    pub(crate) async fn redrive(&self) -> i64 {
        self.sinks.redrive(&operator(), &self.shop.shop, NAME, &Selection::default()).await.unwrap()
    }

    /// Waits until the sink is as it should be.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Sink) -> bool) -> Sink {
        let waited = wait_until(DEADLINE, async || is_so(&self.sink().await)).await;
        let sink = self.sink().await;
        assert!(waited, "not {what} in time: {sink:#?}");
        sink
    }

    /// Waits until its health says this.
    pub(crate) async fn until_it_says(&self, said: &str) -> Sink {
        let says = |sink: &Sink| sink.error.as_ref().is_some_and(|error| error.contains(said));
        self.until(said, says).await
    }

    /// Waits until everything is delivered, and the sink is well.
    pub(crate) async fn until_all_is_delivered(&self) {
        let is_done = |sink: &Sink| {
            let (lag, left) = (sink.lag_events, sink.waiting + sink.dead);
            lag == 0 && left == 0 && sink.error.is_none()
        };
        self.until("delivered", is_done).await;
    }

    /// What the sink is to get: every outcome, as the outbox has it.
    pub(crate) async fn expected(&self) -> Vec<Message> {
        let client = self.shop.client().await;
        let bounds = Bounds::read(&client, &self.shop.shop).await.unwrap();
        let (mut messages, mut seen) = (Vec::new(), Position(-1));
        loop {
            let selection = Selection::default();
            let page =
                delivery::read(&client, &self.shop.shop, &bounds, seen, 2_000, &selection).await.unwrap();
            messages.extend(page.messages);
            seen = page.seen;
            if page.is_end {
                return messages;
            }
        }
    }

    /// The same of what a client in another language has read, a line of JSON for each.
    pub(crate) async fn assert_got_all_of(&self, lines: &str) {
        let (expected, mut got) = (self.expected().await, Vec::new());
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let message = expected.iter().find(|message| message.id.to_string() == text("id")).unwrap();
            assert_eq!(text("type"), message.type_name);
            assert_eq!(text("source"), format!("/shops/{}", self.shop.shop));
            assert_eq!(text("sequence"), message.sequence());
            got.push(Got { id: text("id"), key: text("key"), payload: text("payload").into_bytes() });
        }
        assert_same(&expected, &got);
    }

    /// All is there, with its ids and bytes, each key in its order; what is there twice is so to the byte.
    pub(crate) async fn assert_got_all(&self, got: &[Got]) {
        assert_same(&self.expected().await, got);
    }
}

fn parsed(kind: &str, target: Value, secrets: Value) -> (Settings, Secrets) {
    let secrets = Secrets::parse(secrets.to_string().as_bytes()).unwrap();
    let document = json!({"kind": kind, "target": target, "retry_s": [1]});
    (Settings::parse(&document, &secrets).unwrap(), secrets)
}

fn assert_same(expected: &[Message], got: &[Got]) {
    let of_id: HashMap<String, &Message> =
        expected.iter().map(|message| (message.id.to_string(), message)).collect();
    let (mut seen, mut of_key) = (HashSet::new(), HashMap::<&str, Vec<Position>>::new());
    for message in got {
        let outbox = of_id.get(&message.id).unwrap_or_else(|| panic!("nobody sent {message:?}"));
        assert_eq!(message.key, outbox.key);
        assert_eq!(String::from_utf8_lossy(&message.payload), outbox.payload, "{}", message.id);
        if seen.insert(&message.id) {
            of_key.entry(&outbox.key).or_default().push(outbox.position);
        }
    }
    for (key, positions) in &of_key {
        assert!(positions.is_sorted(), "{key}: {positions:?}");
    }
    assert_eq!(seen.len(), expected.len(), "events are missing");
}
