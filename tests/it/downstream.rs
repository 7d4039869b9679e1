//! What consumers have in the end, whatever is killed or stopped on the way: real brokers, and the consumer that is shipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use access::{ApiKeys, Role};
use delivery::To;
use delivery::sinks::{Secrets, Settings, Sink, Sinks};
use domain::Position;
use event_log::{Filter, Kind};
use serde_json::{Value, json};
#[cfg(feature = "kafka")]
use test_support::brokers::Kafka;
use test_support::brokers::{Nats, RabbitMq};
use test_support::{TestDatabase, foreign, wait_until};

use crate::binary::{self, TempDir};
use crate::ground::Ground;
use crate::load::Load;
use crate::program::{Serving, free_addresses};
use crate::sink_ground::operator;

const DEADLINE: Duration = Duration::from_secs(120);
/// Longer than a lease.
const FROZEN: Duration = Duration::from_secs(4);
const ANSWERS_BETWEEN_FAULTS: usize = 60;

/// The shipped consumer, as a process that can be killed.
struct Consumer {
    name: &'static str,
    python: PathBuf,
    source: Vec<String>,
    into: PathBuf,
    child: Child,
}

impl Consumer {
    fn start(python: &Path, folder: &Path, name: &'static str, source: &[&str]) -> Self {
        let into = folder.join(name);
        let source: Vec<String> = source.iter().map(|word| (*word).to_owned()).collect();
        let child = Self::spawn(python, &source, &into);
        Self { name, python: python.to_owned(), source, into, child }
    }

    fn spawn(python: &Path, source: &[String], into: &Path) -> Child {
        let errors = File::options().create(true).append(true).open(into.with_extension("err")).unwrap();
        Command::new(python)
            .arg(binary::root().join("crates/counterfoil/examples/consumer/consumer.py"))
            .args(["--consumer", "downstream", "--into"])
            .arg(into)
            .args(source)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap()
    }

    /// kill -9 in the midst of whatever it does, and another.
    fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.python, &self.source, &self.into);
    }

    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.into).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Exactly the outcomes of the log, once each, each key in order, with the payload that the outbox has.
    fn assert_has(&self, expected: &BTreeMap<String, (i64, Value)>) {
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for event in self.events() {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let (id, position) = (text("id"), text("sequence").parse::<i64>().unwrap());
            let (expected_at, data) =
                expected.get(&id).unwrap_or_else(|| panic!("{}: {id} is no event", self.name));
            assert_eq!((position, &event["data"]), (*expected_at, data), "{}: {id}", self.name);
            assert!(seen.insert(id.clone()), "{}: {id} was taken twice", self.name);
            let before = last.insert(text("subject"), position);
            assert!(before.is_none_or(|before| before < position), "{}: {id} came late", self.name);
        }
        assert_eq!(seen.len(), expected.len(), "{}", self.name);
    }

    /// What it said, but for what it dropped.
    fn errors(&self) -> String {
        let text = std::fs::read_to_string(self.into.with_extension("err")).unwrap_or_default();
        text.lines().filter(|line| !line.contains("\"dropped\"")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Brokers {
    nats: Nats,
    rabbit: RabbitMq,
    #[cfg(feature = "kafka")]
    kafka: Kafka,
}

impl Brokers {
    /// Those that are there, with what a sink needs of each.
    async fn start() -> Option<Self> {
        let brokers = Self {
            nats: Nats::start().await?,
            rabbit: RabbitMq::start().await?,
            #[cfg(feature = "kafka")]
            kafka: Kafka::start().await?,
        };
        let jetstream = async_nats::jetstream::new(async_nats::connect(brokers.nats.url()).await.unwrap());
        let subjects = vec!["outbox.>".to_owned()];
        let stream =
            async_nats::jetstream::stream::Config { name: "OUTBOX".into(), subjects, ..Default::default() };
        jetstream.create_stream(stream).await.unwrap();
        brokers.declare_queue().await;
        #[cfg(feature = "kafka")]
        for aggregate in ["order", "payment", "stock", "coupon", "points"] {
            brokers.kafka.create_topic(&format!("outbox.event.{aggregate}"), 3).await;
        }
        Some(brokers)
    }

    async fn declare_queue(&self) {
        use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
        use lapin::types::FieldTable;
        let url = self.rabbit.amqp_url();
        let connection =
            lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let none = FieldTable::default;
        let exchange = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel
            .exchange_declare("outbox".into(), lapin::ExchangeKind::Topic, exchange, none())
            .await
            .unwrap();
        let queue = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare("example".into(), queue, none()).await.unwrap();
        channel
            .queue_bind("example".into(), "outbox".into(), "#".into(), QueueBindOptions::default(), none())
            .await
            .unwrap();
    }

    /// A sink for each, by kind.
    fn sinks(&self) -> Vec<(&'static str, Value, Value)> {
        let amqp = self.rabbit.amqp_url().replace("guest:guest@", "guest@");
        vec![
            ("nats", json!({ "servers": self.nats.url() }), json!({})),
            ("rabbitmq", json!({ "url": amqp }), json!({ "password": "guest" })),
            #[cfg(feature = "kafka")]
            ("kafka", json!({ "brokers": self.kafka.address() }), json!({})),
        ]
    }
}

struct Field {
    instances: Vec<Serving>,
    sinks: Sinks,
    consumers: Vec<Consumer>,
    brokers: Brokers,
    _folder: TempDir,
    ground: Ground,
}

impl Field {
    async fn prepare() -> Option<(Self, Load)> {
        let packages = [
            "nats-py",
            "pika",
            #[cfg(feature = "kafka")]
            "confluent-kafka",
        ];
        let python = foreign::python(&packages).await?;
        let brokers = Brokers::start().await?;
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let addresses = free_addresses(2);
        let mut instances = Vec::new();
        for (n, address) in addresses.iter().enumerate() {
            instances.push(ground.serve_with(binary::path(), &format!("serve{n}"), *address).await);
        }
        ground.stock(addresses[0]).await;
        let sinks = Sinks::new(ground.test.database(), ground.vault.clone());
        for (kind, target, secrets) in brokers.sinks() {
            let secrets = Secrets::parse(secrets.to_string().as_bytes()).unwrap();
            let settings = Settings::parse(&json!({ "kind": kind, "target": target }), &secrets).unwrap();
            assert!(
                sinks
                    .create(&operator(), &ground.shop, kind, (&settings, &secrets), To::Start)
                    .await
                    .unwrap()
            );
        }
        let (key, _) = ApiKeys::new(ground.test.database_owner())
            .create(&ground.shop, "a test", Role::Feed.into())
            .await
            .unwrap();
        let folder = TempDir::new();
        let start = |name, source: &[&str]| Consumer::start(&python, folder.path(), name, source);
        // The second instance is never killed, only stopped for a while.
        let url = format!("http://{}", addresses[1]);
        let consumers = vec![
            start("feed", &["feed", &url, "--key", key.expose()]),
            start("nats", &["nats", &brokers.nats.url()]),
            start("amqp", &["amqp", &brokers.rabbit.amqp_url()]),
            #[cfg(feature = "kafka")]
            start("kafka", &["kafka", &brokers.kafka.address()]),
        ];
        let load = Load::start(&ground, &addresses);
        Some((Self { instances, sinks, consumers, brokers, _folder: folder, ground }, load))
    }

    async fn sink(&self, name: &str) -> Sink {
        self.sinks.get(&self.ground.shop, name).await.unwrap().unwrap()
    }

    /// Stops whoever delivers to this sink for longer than its lease, and wakes it when another delivers.
    async fn freeze_leader_of(&self, name: &str) {
        let mut leader = None;
        let led = wait_until(DEADLINE, async || {
            let holder = self.sink(name).await.leader.unwrap_or_default();
            leader = self.instances.iter().position(|one| holder.ends_with(&format!(":{}", one.pid())));
            leader.is_some()
        });
        assert!(led.await, "nobody delivers to {name}");
        let leader = &self.instances[leader.unwrap()];
        leader.freeze();
        let since = Instant::now();
        let stopped = format!(":{}", leader.pid());
        let taken = wait_until(DEADLINE, async || {
            self.sink(name).await.leader.is_some_and(|holder| !holder.ends_with(&stopped))
        });
        assert!(taken.await, "nobody takes {name} over");
        tokio::time::sleep(FROZEN.saturating_sub(since.elapsed())).await;
        leader.wake();
    }

    async fn expected(&self) -> BTreeMap<String, (i64, Value)> {
        let client = self.ground.test.database().client().await.unwrap();
        let filter = Filter { kinds: vec![Kind::Outcome], ..Filter::default() };
        let log =
            event_log::read(&client, &self.ground.shop, Position(-1), 1_000_000, &filter).await.unwrap();
        log.iter()
            .map(|event| {
                (event.id.to_string(), (event.position.0, serde_json::from_str(event.data()).unwrap()))
            })
            .collect()
    }
}

/// P8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs brokers and Python, and takes a minute: make test-all"]
async fn p8_consumers_of_every_broker_have_every_outcome_once_and_in_order_whatever_is_killed_or_stopped() {
    let Some((mut field, load)) = Field::prepare().await else { return };
    load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    field.brokers.nats.kill();
    field.consumers[0].kill_and_start();
    load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    field.brokers.nats.restart().await;
    field.freeze_leader_of("nats").await;
    load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    field.consumers[1].kill_and_start();
    field.brokers.rabbit.kill();
    load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    field.brokers.rabbit.restart().await;
    field.freeze_leader_of("rabbitmq").await;
    field.consumers[2].kill_and_start();
    #[cfg(feature = "kafka")]
    {
        load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
        field.brokers.kafka.kill();
        field.consumers[3].kill_and_start();
        load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
        field.brokers.kafka.restart().await;
        field.freeze_leader_of("kafka").await;
    }
    load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    field.consumers.iter_mut().for_each(Consumer::kill_and_start);

    let ledger = load.end().await;
    field.ground.assert_sound(&ledger).await;
    for (kind, ..) in field.brokers.sinks() {
        let delivered = wait_until(DEADLINE, async || {
            let sink = field.sink(kind).await;
            sink.lag_events == 0 && sink.waiting == 0 && sink.error.is_none()
        });
        assert!(delivered.await, "{kind}: {:#?}", field.sink(kind).await);
        assert_eq!(field.sink(kind).await.dead, 0, "{kind}");
    }
    let expected = field.expected().await;
    assert!(expected.len() > 300, "there was something to deliver: {}", expected.len());
    for consumer in &field.consumers {
        let has_all = wait_until(DEADLINE, async || consumer.events().len() >= expected.len());
        assert!(
            has_all.await,
            "{}: {} of {}\n{}",
            consumer.name,
            consumer.events().len(),
            expected.len(),
            consumer.errors()
        );
        consumer.assert_has(&expected);
    }
}
