//! Apache Kafka, by librdkafka.
//!
//! A batch is one transaction of a producer whose transactional id is `counterfoil.<shop>.<sink>`, with a number behind: two
//! take turns. A leader that was stopped and wakes finds itself fenced off by the one that came after it. Messages are enqueued in the order of the log and an
//! idempotent producer keeps it; nothing counts as delivered before the transaction is committed. Whether a commit got
//! through may stay unknown, then the batch is published again: a consumer that reads `read_committed` sees messages of
//! broken-off batches never, and those of such a commit twice, with the same id and the same bytes. It drops by `id`, or by
//! epoch and `sequence` of the key.
//!
//! What the record is: topic `<topic_prefix><aggregate type>`, key = aggregate id, headers = CloudEvents in binary mode
//! (`ce_*`, `content-type`) and `id`, as Debezium's outbox router has it; value = the data.

#[cfg(feature = "kafka")]
mod config;
#[cfg(feature = "kafka")]
mod connection;
#[cfg(feature = "kafka")]
mod events;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod record;

#[cfg(feature = "kafka")]
pub(crate) use producer::open;

#[cfg(not(feature = "kafka"))]
pub(crate) async fn open(
    _target: &super::settings::KafkaTarget,
    _secrets: &super::settings::Secrets,
    _context: &super::publisher::Context,
) -> Result<Box<dyn super::publisher::Publisher>, String> {
    Err("this program was built without Kafka: build it with --features kafka".to_owned())
}

#[cfg(all(test, not(feature = "kafka")))]
mod tests {
    use database::{Config, Database};
    use domain::ShopId;

    use crate::sinks::publisher::Context;

    #[tokio::test]
    async fn a_program_without_kafka_says_how_to_get_it() {
        let database = Database::lazy(Config::new("host=localhost".to_owned().into())).unwrap();
        let context = Context { shop: ShopId::parse("demo").unwrap(), sink: "lake".to_owned(), database };
        let target = serde_json::from_value(serde_json::json!({"brokers": "kafka:9092"})).unwrap();
        let error = super::open(&target, &Default::default(), &context).await.err().unwrap();
        assert!(error.contains("--features kafka"), "{error}");
    }
}
