//! RabbitMQ: a message counts when the broker has confirmed it and did not return it.
//!
//! lapin gives a message that the broker returned to whichever confirmation of the channel comes next, and the broker
//! confirms many at once. So each channel has one message under way, and there are many channels.

mod connection;
mod exchange;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database::BoxFuture;
use domain::ShopId;
use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::Instant;

use self::connection::Connection;
use super::pipeline::in_key_order;
use super::publisher::{Context, Delivery, Publisher};
use super::settings::{RabbitmqTarget, Secrets};
use crate::{Message, contract};

/// Channels at most, each with one message under way. RabbitMQ gives a connection 2047 unless it is told otherwise.
const CHANNELS: u16 = 128;
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
    let channels = CHANNELS.min(connection.channels_max());
    let channels = try_join_all((0..channels).map(|_| confirming_channel(&connection)))
        .await
        .map_err(|error| format!("no channel to publish on: {error}"))?;
    Ok(Box::new(RabbitMq {
        free: Mutex::new(channels),
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
    /// Those with nothing under way.
    free: Mutex<Vec<Channel>>,
    exchange: String,
    shop: ShopId,
    connection: Connection,
}

impl Publisher for RabbitMq {
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>> {
        let (this, begun) = (&*self, Instant::now());
        let channels = this.free().len();
        Box::pin(in_key_order(batch, channels, move |message| async move {
            if begun.elapsed() > BEGINNING { Delivery::Held } else { this.send(&message).await }
        }))
    }
}

impl RabbitMq {
    fn free(&self) -> MutexGuard<'_, Vec<Channel>> {
        // A panic elsewhere leaves the list whole: each change of it is one step.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, message: &Message) -> Delivery {
        let Some(outbound) = Outbound::of(message, &self.shop) else {
            return Delivery::Undeliverable(
                "its type or id is longer than AMQP carries, 255 bytes".to_owned(),
            );
        };
        // More are not under way than there are channels.
        let Some(channel) = self.free().pop() else { return Delivery::Held };
        let confirmed = async {
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let Outbound { routing_key, properties } = outbound;
            let exchange = self.exchange.as_str().into();
            let payload = message.payload.as_bytes();
            channel.basic_publish(exchange, routing_key, options, payload, properties).await?.await
        };
        let confirmation = tokio::time::timeout(CONFIRMING, confirmed).await;
        let Ok(confirmation) = confirmation else {
            return Delivery::Unavailable(self.connection.silence(CONFIRMING));
        };
        // One that failed, or is silent, is not used again.
        match confirmation {
            Ok(confirmation) => {
                self.free().push(channel);
                self.delivery(message, confirmation)
            }
            Err(error) => Delivery::Unavailable(format!("the connection is lost: {error}")),
        }
    }

    fn delivery(&self, message: &Message, confirmation: Confirmation) -> Delivery {
        match confirmation {
            Confirmation::Ack(None) => Delivery::Confirmed,
            Confirmation::Ack(Some(returned)) => {
                let key = routing_key(message);
                let why = format!(
                    "{} {}: no queue is bound for {key}: {} destination=QUEUE routing_key='{}.#'",
                    returned.reply_code,
                    returned.reply_text,
                    exchange::admin(
                        self.connection.vhost(),
                        &format!("declare binding source={}", self.exchange)
                    ),
                    message.aggregate_type,
                );
                Delivery::Refused { why, retry_after: None }
            }
            Confirmation::Nack(_) => Delivery::Unavailable("a queue did not take it (basic.nack)".to_owned()),
            Confirmation::NotRequested => Delivery::Unavailable("the channel confirms nothing".to_owned()),
        }
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
