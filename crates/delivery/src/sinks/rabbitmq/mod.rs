//! RabbitMQ: a message counts when the broker has confirmed it and did not return it.
//!
//! The broker confirms many at once, and lapin gives a message that was returned to whichever confirmation comes next. Which
//! were returned is known, by their ids, when nothing is under way any more. So messages go in waves.

mod connection;
mod exchange;
mod waves;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use database::BoxFuture;
use domain::ShopId;
use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
use self::waves::in_waves;
use super::publisher::{Context, Delivery, Publisher};
use super::settings::{RabbitmqTarget, Secrets};
use crate::{Message, TRACEPARENT, contract};

/// Messages under way at a time, each of another key.
const UNDER_WAY: usize = 500;
/// A message that is not confirmed by then may or may not be in the queues.
const CONFIRMING: Duration = Duration::from_secs(5);
/// After this long nothing more of a batch is begun, so that it ends.
const BEGINNING: Duration = Duration::from_secs(4);
const PERSISTENT: u8 = 2;

pub(crate) async fn open(
    target: &RabbitmqTarget,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    let connection = connection::open(target, secrets, context).await?;
    exchange::check(&connection, &target.exchange).await?;
    let channel = confirming_channel(&connection).await;
    let channel = channel.map_err(|error| format!("no channel to publish on: {error}"))?;
    Ok(Box::new(RabbitMq {
        channel,
        exchange: target.exchange.clone(),
        shop: context.shop.clone(),
        connection,
    }))
}

async fn confirming_channel(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

struct RabbitMq {
    channel: Channel,
    exchange: String,
    shop: ShopId,
    connection: Connection,
}

impl Publisher for RabbitMq {
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>> {
        let (this, begun) = (&*self, Instant::now());
        Box::pin(in_waves(
            batch,
            UNDER_WAY,
            move || begun.elapsed() < BEGINNING,
            move |messages| this.wave(messages),
        ))
    }
}

impl RabbitMq {
    /// Publishes messages of different keys, and waits for all of them.
    async fn wave(&self, messages: Vec<Arc<Message>>) -> Vec<Delivery> {
        let deadline = Instant::now() + CONFIRMING;
        let confirmations = join_all(messages.iter().map(|message| self.send(message, deadline))).await;
        let is_whole = !confirmations.iter().any(|sent| matches!(sent, Err(Delivery::Unavailable(_))));
        let (mut returned, mut acknowledged) = (HashSet::new(), Vec::with_capacity(messages.len()));
        for sent in confirmations {
            acknowledged.push(sent.map(|confirmation| {
                let is_ack = confirmation.is_ack();
                returned.extend(confirmation.take_message().and_then(|m| m.properties.message_id().clone()));
                is_ack
            }));
        }
        let delivery = |(message, acknowledged): (&Arc<Message>, Result<bool, Delivery>)| match acknowledged {
            Err(delivery) => delivery,
            Ok(_) if returned.contains(message.id.to_string().as_str()) => self.unroutable(message),
            Ok(false) => Delivery::Unavailable("a queue did not take it (basic.nack)".to_owned()),
            Ok(true) if is_whole => Delivery::Confirmed,
            Ok(true) => Delivery::Unavailable("it is not known what the broker returned".to_owned()),
        };
        messages.iter().zip(acknowledged).map(delivery).collect()
    }

    async fn send(&self, message: &Message, deadline: Instant) -> Result<Confirmation, Delivery> {
        let Some(Outbound { routing_key, properties }) = Outbound::of(message, &self.shop) else {
            let why = "its type or id is longer than AMQP carries, 255 bytes";
            return Err(Delivery::Undeliverable(why.to_owned()));
        };
        let confirmed = async {
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let (exchange, payload) = (self.exchange.as_str().into(), message.payload.as_bytes());
            self.channel.basic_publish(exchange, routing_key, options, payload, properties).await?.await
        };
        match timeout_at(deadline, confirmed).await {
            Ok(Ok(confirmation)) => Ok(confirmation),
            Ok(Err(error)) => Err(Delivery::Unavailable(format!("the connection is lost: {error}"))),
            Err(_) => Err(Delivery::Unavailable(self.connection.silence(CONFIRMING))),
        }
    }

    fn unroutable(&self, message: &Message) -> Delivery {
        let command =
            exchange::admin(self.connection.vhost(), &format!("declare binding source={}", self.exchange));
        let why = format!(
            "no queue is bound for {} (312 NO_ROUTE): {command} destination=QUEUE routing_key='{}.#'",
            routing_key(message),
            message.aggregate_type,
        );
        Delivery::Refused { why, retry_after: None }
    }
}

fn routing_key(message: &Message) -> String {
    let event = contract::event_of(&message.aggregate_type, &message.type_name);
    format!("{}.{event}", message.aggregate_type)
}

/// A message as AMQP carries it: CloudEvents in binary mode, with the separator that JMS can read.
struct Outbound {
    routing_key: ShortString,
    properties: BasicProperties,
}

impl Outbound {
    /// None: a name is too long.
    fn of(message: &Message, shop: &ShopId) -> Option<Self> {
        let short = |text: String| ShortString::try_new(text).ok();
        let mut headers = FieldTable::default();
        let mut content_type = String::new();
        for (name, value) in message.attributes(shop) {
            if name == "datacontenttype" {
                // The binding has a property for it.
                content_type = value;
            } else {
                headers.insert(short(format!("cloudEvents_{name}"))?, LongString::from(value).into());
            }
        }
        if let Some(trace) = message.traceparent() {
            headers.insert(short(TRACEPARENT.to_owned())?, LongString::from(trace).into());
        }
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(short(message.id.to_string())?)
            .with_type(short(message.type_name.clone())?)
            .with_timestamp(u64::try_from(message.at.as_datetime().timestamp()).unwrap_or(0))
            .with_content_type(short(content_type)?)
            .with_app_id(short("counterfoil".to_owned())?)
            .with_headers(headers);
        Some(Self { routing_key: short(routing_key(message))?, properties })
    }
}
