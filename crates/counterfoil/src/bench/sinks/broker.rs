//! The brokers that are measured, as the user names them.

use std::sync::Arc;

use anyhow::Context;
use database::{Clock, SystemClock};
use delivery::Message;
use domain::ShopId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::clients::{nats, rabbitmq};

/// A broker that runs already. Whatever is called `counterfoil-bench` or `bench` there is emptied.
#[derive(Clone, Debug)]
pub(crate) enum Broker {
    /// NATS with JetStream, by its URL.
    Nats(String),
    /// RabbitMQ, by its URL with the password.
    Rabbitmq(String),
    /// Apache Kafka, by its brokers.
    #[cfg(feature = "kafka")]
    Kafka(String),
}

impl Broker {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Nats(_) => "nats",
            Self::Rabbitmq(_) => "rabbitmq",
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => "kafka",
        }
    }

    /// A sink's settings and secrets.
    pub(crate) fn settings(&self) -> (Value, Value) {
        match self {
            Self::Nats(url) => {
                let target =
                    json!({ "servers": url, "stream": nats::STREAM, "subject_prefix": nats::PREFIX });
                (json!({ "kind": "nats", "target": target }), json!({}))
            }
            Self::Rabbitmq(url) => {
                let (url, password) = rabbitmq::without_password(url);
                let target = json!({ "url": url, "exchange": rabbitmq::EXCHANGE });
                (json!({ "kind": "rabbitmq", "target": target }), json!({ "password": password }))
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(brokers) => {
                let target = json!({ "brokers": brokers, "topic_prefix": super::kafka::PREFIX });
                (json!({ "kind": "kafka", "target": target }), json!({}))
            }
        }
    }

    /// Makes what a sink needs there, empty.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        match self {
            Self::Nats(url) => nats::empty(url).await,
            Self::Rabbitmq(url) => rabbitmq::empty(url).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(brokers) => super::kafka::empty(brokers).await,
        }
        .with_context(|| format!("{} cannot be used", self.name()))
    }

    /// Messages a second by the broker's own client, each confirmed.
    pub(crate) async fn flood(&self, messages: &(ShopId, Vec<Arc<Message>>)) -> anyhow::Result<f64> {
        self.empty().await?;
        match self {
            Self::Nats(url) => nats::flood(url, messages).await,
            Self::Rabbitmq(url) => rabbitmq::flood(url, messages).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(brokers) => super::kafka::flood(brokers, messages).await,
        }
    }

    /// Somebody who takes so many messages, and says how old each is, in milliseconds.
    pub(crate) async fn subscribe(&self, count: usize) -> anyhow::Result<JoinHandle<Vec<f64>>> {
        match self {
            Self::Nats(url) => nats::subscribe(url, count).await,
            Self::Rabbitmq(url) => rabbitmq::subscribe(url, count).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(brokers) => super::kafka::subscribe(brokers, count).await,
        }
    }
}

/// How long ago that was, by the clock of this host, which is the database's too.
pub(super) fn age_ms(time: &str) -> f64 {
    let then =
        chrono::DateTime::parse_from_rfc3339(time).map_or(chrono::DateTime::UNIX_EPOCH, |then| then.to_utc());
    (SystemClock.now() - then).num_microseconds().unwrap_or_default() as f64 / 1000.0
}
