//! Kafka's own client, with the safety that the sink has: idempotent, acknowledged by all, a batch a transaction.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use delivery::Message;
use domain::ShopId;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Header, Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::broker::age_ms;

/// Of the topics; a run has its own, since a topic is not emptied at once.
pub(crate) const PREFIX: &str = "counterfoil-bench.";
const TOPIC: &str = "counterfoil-bench.order";
const PARTITIONS: i32 = 4;
const TRANSACTION: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// Makes the topics; what is in them already does no harm, for whoever reads begins at the end.
pub(crate) async fn empty(brokers: &str) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config(brokers).create()?;
    let names =
        ["order", "payment", "stock", "coupon", "points"].map(|aggregate| format!("{PREFIX}{aggregate}"));
    let topics: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
    for made in admin.create_topics(&topics, &AdminOptions::new()).await? {
        match made {
            Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => anyhow::bail!("{topic} cannot be made: {code}"),
        }
    }
    Ok(())
}

pub(crate) async fn flood(
    brokers: &str,
    (shop, messages): &(ShopId, Vec<Arc<Message>>),
) -> anyhow::Result<f64> {
    let producer: FutureProducer = config(brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("transactional.id", "counterfoil-bench-client")
        .create()?;
    let (shop, messages) = (shop.clone(), messages.clone());
    tokio::task::spawn_blocking(move || {
        producer.init_transactions(PATIENCE)?;
        let began = Instant::now();
        for batch in messages.chunks(TRANSACTION) {
            producer.begin_transaction()?;
            for message in batch {
                let mut headers = OwnedHeaders::new();
                for (name, value) in message.attributes(&shop) {
                    headers =
                        headers.insert(Header { key: &format!("ce_{name}"), value: Some(value.as_bytes()) });
                }
                let record = FutureRecord::to(TOPIC)
                    .key(message.aggregate_id.as_str())
                    .payload(message.payload.as_bytes())
                    .headers(headers);
                producer.send_result(record).map_err(|(error, _)| error)?;
            }
            producer.commit_transaction(PATIENCE)?;
        }
        Ok(messages.len() as f64 / began.elapsed().as_secs_f64())
    })
    .await?
}

pub(crate) async fn subscribe(brokers: &str, count: usize) -> anyhow::Result<JoinHandle<Vec<f64>>> {
    let group = format!("counterfoil-bench-{}", std::process::id());
    let consumer: StreamConsumer = config(brokers)
        .set("group.id", group)
        .set("auto.offset.reset", "latest")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "5")
        .create()?;
    consumer.subscribe(&[TOPIC])?;
    let deadline = Instant::now() + PATIENCE;
    // Without its partitions it would begin behind what is sent meanwhile.
    while consumer.assignment()?.count() == 0 {
        anyhow::ensure!(Instant::now() < deadline, "no partitions were assigned");
        let _ = tokio::time::timeout(Duration::from_millis(100), consumer.recv()).await;
    }
    Ok(tokio::spawn(async move {
        let mut ages = Vec::with_capacity(count);
        while ages.len() < count {
            let Ok(message) = consumer.recv().await.context("no message") else { continue };
            let headers = message.headers();
            let time = headers.and_then(|headers| headers.iter().find(|header| header.key == "ce_time"));
            let time = time.and_then(|header| std::str::from_utf8(header.value?).ok()).unwrap_or_default();
            ages.push(age_ms(time));
        }
        ages
    }))
}
