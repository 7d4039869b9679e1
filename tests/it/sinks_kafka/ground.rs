//! A shop with a sink that sends to a real Kafka, and a plain client that reads there.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use delivery::sinks::{Letters, Options, Running, Secrets, Settings, Sink, Sinks};
use delivery::{Tail, To};
use evidence::{KeyEncryptionKey, Vault};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use test_support::wait_until;

use crate::led_shop::LedShop;
use crate::sink_ground::operator;

pub(super) const SINK: &str = "lake";
pub(super) const TOPICS: [&str; 5] = [
    "outbox.event.order",
    "outbox.event.payment",
    "outbox.event.stock",
    "outbox.event.coupon",
    "outbox.event.points",
];
/// Where facts go that came by a command.
pub(super) const COMMANDS: &str = "outbox.event.command";
const DEADLINE: Duration = Duration::from_secs(120);

/// Keeps everything that is ever complained of.
const TOLD: &str = "
    CREATE TABLE public.told (error text);
    CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN IF NEW.error IS NOT NULL THEN INSERT INTO public.told VALUES (NEW.error); END IF; RETURN NEW; END $$;
    CREATE TRIGGER told AFTER UPDATE OF error ON counterfoil.sinks FOR EACH ROW EXECUTE FUNCTION public.tell();
";

/// A record as a plain client sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) key: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) payload: String,
}

impl Record {
    pub(super) fn id(&self) -> &str {
        &self.headers["id"]
    }

    pub(super) fn position(&self) -> i64 {
        self.headers["ce_sequence"].parse().unwrap()
    }
}

/// A row of the outbox.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) id: String,
    pub(super) topic: String,
    pub(super) key: String,
    pub(super) payload: String,
}

pub(super) struct Lake {
    pub(super) sinks: Sinks,
    pub(super) led: LedShop,
}

impl Lake {
    pub(super) async fn create() -> Self {
        let led = LedShop::create().await;
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        Self { sinks: Sinks::new(led.database.clone(), vault), led }
    }

    /// Makes the sink, from the start of the log.
    pub(super) async fn sink(&self, settings: &Value, password: Option<&str>) {
        let (settings, secrets) = settings_of(settings, password);
        let created =
            self.sinks.create(&operator(), &self.led.shop, SINK, (&settings, &secrets), To::Start).await;
        assert!(created.unwrap());
    }

    pub(super) fn run(&self) -> Running {
        let tail = Tail::start(self.led.database.clone(), self.led.appender.clone());
        Running::start(self.sinks.clone(), tail, Options::default())
    }

    pub(super) async fn health(&self) -> Sink {
        self.sinks.get(&self.led.shop, SINK).await.unwrap().unwrap()
    }

    /// Until the sink complains so; the whole complaint.
    pub(super) async fn complains(&self, of: &str) -> String {
        let mut said = String::new();
        let complained = wait_until(DEADLINE, async || {
            said = self.health().await.error.unwrap_or_default();
            said.contains(of)
        })
        .await;
        assert!(complained, "{of:?} was not said but {said:?}");
        said
    }

    /// Until the sink is at the head of the log.
    pub(super) async fn delivered(&self) {
        let mut sink = self.health().await;
        let delivered = wait_until(DEADLINE, async || {
            sink = self.health().await;
            sink.lag_events == 0
        })
        .await;
        assert!(delivered, "{sink:#?}");
    }

    /// Until it complains of nothing any more: it says so after what it has recorded.
    pub(super) async fn is_well(&self) {
        let mut error = None;
        let well = wait_until(DEADLINE, async || {
            error = self.health().await.error;
            error.is_none()
        });
        assert!(well.await, "{error:?}");
    }

    /// What was set aside, with why.
    pub(super) async fn letters(&self) -> Vec<(String, i64, String)> {
        let letters = self.sinks.letters(&self.led.shop, SINK, &Letters::default(), 100).await.unwrap();
        let of = |letter: delivery::sinks::Letter| (letter.state, letter.position.position.0, letter.error);
        letters.into_iter().map(of).collect()
    }

    /// From now on, what the sink complains of is kept.
    pub(super) async fn keep_told(&self) {
        self.led.run(TOLD).await;
    }

    /// What it complained of since.
    pub(super) async fn told(&self) -> Vec<String> {
        let rows = self.led.test.superuser().await.query("SELECT error FROM public.told", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Facts, many at once: `of` says about which thing the n-th is.
    pub(super) async fn receive_stock(&self, facts: std::ops::Range<usize>, things: usize) {
        let appends = facts.map(|n| {
            let data = json!({"sku": format!("sku-{}", n % things), "qty": 1 + n as i64});
            async move { self.led.append("stock.received", data).await }
        });
        futures_util::future::join_all(appends).await;
    }

    /// What the sink is to send, in the order of the log.
    pub(super) async fn outbox(&self, topics: &[&str]) -> Vec<Row> {
        let sql = "SELECT position, id::text, 'outbox.event.' || aggregatetype, aggregateid, payload::text
                   FROM counterfoil.outbox ORDER BY position";
        let rows = self.led.test.superuser().await.query(sql, &[]).await.unwrap();
        let rows = rows.into_iter().map(|row| Row {
            position: row.get(0),
            id: row.get(1),
            topic: row.get(2),
            key: row.get(3),
            payload: row.get(4),
        });
        rows.filter(|row| topics.contains(&row.topic.as_str())).collect()
    }
}

fn settings_of(settings: &Value, password: Option<&str>) -> (Settings, Secrets) {
    let mut secrets = Secrets::default();
    if let Some(password) = password {
        secrets.set("password", password.to_owned().into());
    }
    (Settings::parse(settings, &secrets).unwrap(), secrets)
}

/// The sink's settings: outcomes only.
pub(super) fn outcomes(address: &str) -> Value {
    json!({"kind": "kafka", "target": {"brokers": address}})
}

/// The sink's settings: facts too, but no notes.
pub(super) fn everything(address: &str) -> Value {
    let types = "stock.*,coupon.*,points.*,order.*,payment.*";
    json!({"kind": "kafka", "target": {"brokers": address}, "types": types, "all_kinds": true})
}

pub(super) fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    config
}

/// Makes topics of three partitions that take records of so many bytes.
pub(super) async fn create_topics(config: &ClientConfig, topics: &[&str], most_bytes: &str) {
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topics: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, 3, TopicReplication::Fixed(1)).set("max.message.bytes", most_bytes))
        .collect();
    for made in admin.create_topics(&topics, &AdminOptions::new()).await.unwrap() {
        made.unwrap();
    }
}

/// What is committed in these topics, each partition in its order.
pub(super) async fn read(address: &str, topics: &[&str]) -> Vec<Record> {
    let mut config = client(address);
    config.set("group.id", "reader").set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assigned = TopicPartitionList::new();
        for topic in &topics {
            for partition in 0..3 {
                assigned.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&assigned).unwrap();
        let (mut records, mut left) = (Vec::new(), assigned.count());
        while left > 0 {
            match consumer.poll(DEADLINE).expect("a record or the end") {
                Ok(message) => records.push(record_of(&message)),
                Err(KafkaError::PartitionEOF(_)) => left -= 1,
                Err(error) => panic!("{error}"),
            }
        }
        records
    })
    .await
    .unwrap()
}

fn record_of(message: &impl Message) -> Record {
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let headers = message.headers().unwrap().iter();
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        key: text(message.key()),
        headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
        payload: text(message.payload()),
    }
}

/// Every row arrived with its id and bytes, each key in order; how many came again.
pub(super) fn assert_arrived(records: &[Record], rows: &[Row]) -> usize {
    let mut first: HashMap<&str, &Record> = HashMap::new();
    let mut of_key: HashMap<(&str, &str), Vec<i64>> = HashMap::new();
    for record in records {
        if let Some(known) = first.get(record.id()) {
            assert_eq!(*known, record, "the same id with other bytes");
            continue;
        }
        first.insert(record.id(), record);
        of_key.entry((&record.topic, &record.key)).or_default().push(record.position());
    }
    for row in rows {
        let record = first.get(row.id.as_str()).unwrap_or_else(|| panic!("{row:?} is missing"));
        assert_eq!(
            (record.position(), record.topic.as_str(), record.key.as_str(), record.payload.as_str()),
            (row.position, row.topic.as_str(), row.key.as_str(), row.payload.as_str())
        );
    }
    assert_eq!(first.len(), rows.len(), "nothing else arrived");
    assert!(of_key.values().all(|positions| positions.is_sorted()), "{of_key:?}");
    records.len() - first.len()
}

/// Where Java's clients put this key among three partitions.
pub(super) fn partition_of(key: &str) -> i32 {
    (murmur2(key.as_bytes()) & 0x7fff_ffff) as i32 % 3
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut chunks = data.chunks_exact(4);
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    for chunk in &mut chunks {
        let k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let rest = rest.iter().rev().fold(0, |rest, &byte| (rest << 8) | u32::from(byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[test]
fn murmur2_is_that_of_java() {
    // From the tests of Kafka's own clients.
    assert_eq!(murmur2(b"21") as i32, -973_932_308);
    assert_eq!(murmur2(b"foobar") as i32, -790_332_482);
}
