//! The brokers' own clients, with the safety that a sink has: every message is confirmed.

/// So many messages are under way at a time.
const UNDER_WAY: usize = 512;

pub(super) mod nats {
    use std::sync::Arc;

    use async_nats::jetstream::{self, stream::Config};
    use delivery::Message;
    use domain::ShopId;
    use futures_util::{StreamExt, TryStreamExt, stream};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::UNDER_WAY;
    use crate::bench::sinks::broker::age_ms;

    pub(crate) const STREAM: &str = "COUNTERFOIL_BENCH";
    pub(crate) const PREFIX: &str = "counterfoil-bench";

    async fn open(url: &str) -> anyhow::Result<jetstream::Context> {
        Ok(jetstream::new(async_nats::connect(url).await?))
    }

    pub(crate) async fn empty(url: &str) -> anyhow::Result<()> {
        let jetstream = open(url).await?;
        let _ = jetstream.delete_stream(STREAM).await;
        let subjects = vec![format!("{PREFIX}.>")];
        jetstream.create_stream(Config { name: STREAM.to_owned(), subjects, ..Config::default() }).await?;
        Ok(())
    }

    pub(crate) async fn flood(
        url: &str,
        (shop, messages): &(ShopId, Vec<Arc<Message>>),
    ) -> anyhow::Result<f64> {
        let jetstream = open(url).await?;
        let began = Instant::now();
        let sent = stream::iter(messages).map(|message| {
            let jetstream = jetstream.clone();
            async move {
                let mut headers = async_nats::HeaderMap::new();
                for (name, value) in message.attributes(shop) {
                    headers.insert(format!("ce-{name}"), value);
                }
                headers.insert("Nats-Msg-Id", message.id.to_string());
                let subject = format!("{PREFIX}.order.paid.{}", message.aggregate_id);
                jetstream
                    .publish_with_headers(subject, headers, message.payload.clone().into())
                    .await?
                    .await?;
                anyhow::Ok(())
            }
        });
        sent.buffer_unordered(UNDER_WAY).try_collect::<()>().await?;
        Ok(messages.len() as f64 / began.elapsed().as_secs_f64())
    }

    pub(crate) async fn subscribe(url: &str, count: usize) -> anyhow::Result<JoinHandle<Vec<f64>>> {
        let client = async_nats::connect(url).await?;
        let messages = client.subscribe(format!("{PREFIX}.>")).await?;
        client.flush().await?;
        Ok(tokio::spawn(async move {
            let age = |message: async_nats::Message| {
                let time = message
                    .headers
                    .as_ref()
                    .and_then(|headers| headers.get("ce-time").map(ToString::to_string));
                age_ms(&time.unwrap_or_default().replace("%3A", ":"))
            };
            let ages = messages.take(count).map(age).collect().await;
            drop(client);
            ages
        }))
    }
}

pub(super) mod rabbitmq {
    use std::sync::Arc;

    use delivery::Message;
    use domain::ShopId;
    use futures_util::{StreamExt, TryStreamExt, stream};
    use lapin::options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions,
    };
    use lapin::types::{AMQPValue, FieldTable};
    use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::UNDER_WAY;
    use crate::bench::sinks::broker::age_ms;

    pub(crate) const EXCHANGE: &str = "counterfoil-bench";
    const QUEUE: &str = "counterfoil-bench";

    /// The URL as a sink takes it, and the password.
    pub(crate) fn without_password(url: &str) -> (String, String) {
        let Ok(mut parsed) = reqwest::Url::parse(url) else { return (url.to_owned(), String::new()) };
        let password = parsed.password().unwrap_or("guest").to_owned();
        // Only a URL without a host refuses that.
        let _ = parsed.set_password(None);
        (parsed.to_string(), password)
    }

    async fn open(url: &str) -> anyhow::Result<(Connection, Channel)> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    pub(crate) async fn empty(url: &str) -> anyhow::Result<()> {
        let (_connection, channel) = open(url).await?;
        let none = FieldTable::default;
        let exchange = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, exchange, none()).await?;
        let queue = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(QUEUE.into(), queue, none()).await?;
        channel
            .queue_bind(QUEUE.into(), EXCHANGE.into(), "#".into(), QueueBindOptions::default(), none())
            .await?;
        channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default()).await?;
        Ok(())
    }

    pub(crate) async fn flood(
        url: &str,
        (shop, messages): &(ShopId, Vec<Arc<Message>>),
    ) -> anyhow::Result<f64> {
        let (_connection, channel) = open(url).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let began = Instant::now();
        let sent = stream::iter(messages).map(|message| {
            let channel = channel.clone();
            async move {
                let mut headers = FieldTable::default();
                for (name, value) in message.attributes(shop) {
                    headers.insert(format!("cloudEvents_{name}").into(), AMQPValue::LongString(value.into()));
                }
                let properties = BasicProperties::default()
                    .with_delivery_mode(2)
                    .with_message_id(message.id.to_string().into())
                    .with_headers(headers);
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let payload = message.payload.as_bytes();
                let routing_key = "order.paid".into();
                let confirm = channel
                    .basic_publish(EXCHANGE.into(), routing_key, options, payload, properties)
                    .await?
                    .await?;
                anyhow::ensure!(confirm.is_ack(), "not confirmed");
                Ok(())
            }
        });
        sent.buffer_unordered(UNDER_WAY).try_collect::<()>().await?;
        Ok(messages.len() as f64 / began.elapsed().as_secs_f64())
    }

    pub(crate) async fn subscribe(url: &str, count: usize) -> anyhow::Result<JoinHandle<Vec<f64>>> {
        let (connection, channel) = open(url).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer =
            channel.basic_consume(QUEUE.into(), "bench".into(), options, FieldTable::default()).await?;
        Ok(tokio::spawn(async move {
            let age = |delivery: Result<lapin::message::Delivery, lapin::Error>| {
                let delivery = delivery.ok();
                let headers = delivery.as_ref().and_then(|delivery| delivery.properties.headers().as_ref());
                let time =
                    headers.and_then(|headers| headers.inner().get("cloudEvents_time")).and_then(|time| {
                        if let AMQPValue::LongString(text) = time { Some(text.to_string()) } else { None }
                    });
                age_ms(&time.unwrap_or_default())
            };
            let ages = consumer.take(count).map(age).collect().await;
            drop((channel, connection));
            ages
        }))
    }
}
