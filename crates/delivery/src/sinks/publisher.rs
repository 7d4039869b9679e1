//! What a sink's transport does: publish, and say what became of each message.

use std::sync::Arc;
use std::time::Duration;

use database::{BoxFuture, Database};
use domain::ShopId;
use tokio::time::timeout;

use super::settings::{Secrets, Settings, Target};
use super::{kafka, nats, rabbitmq, webhook};
use crate::Message;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The sink has it for good.
    Confirmed,
    /// Nothing was tried, or it must be tried again, because of another one.
    Held,
    /// The sink takes nothing at the moment, or it is not known whether it took this one.
    Unavailable(String),
    /// The sink takes nothing at the moment, and says for how long it wants to be left alone.
    Busy {
        /// Why.
        why: String,
        /// How long.
        wait: Duration,
    },
    /// This one was not taken; it may be later.
    Refused {
        /// Why.
        why: String,
        /// How long the sink asks to be left alone with it.
        retry_after: Option<Duration>,
    },
    /// This one can never be taken.
    Undeliverable(String),
    /// The sink wants nothing any more.
    Gone(String),
}

impl Delivery {
    /// Its name, as it is counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Held => "held",
            Self::Unavailable(_) | Self::Busy { .. } => "unavailable",
            Self::Refused { .. } => "refused",
            Self::Undeliverable(_) => "undeliverable",
            Self::Gone(_) => "gone",
        }
    }
}

/// One open way to a sink. Dropped, it is closed; what was under way may have been taken.
pub trait Publisher: Send {
    /// Publishes messages, those of one key in their order, and says of each what became of it. It answers within a time of
    /// its own; dropping the future leaves it open what was taken.
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>>;
}

/// What a publisher is opened with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Whose events.
    pub shop: ShopId,
    /// The sink's name.
    pub sink: String,
    /// Where attempts are kept.
    pub database: Database,
}

/// A way to a sink that takes longer to open is none.
const OPENING: Duration = Duration::from_secs(10);

/// As [`open`], within a time.
pub(crate) async fn open_in_time(
    settings: &Settings,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    let opened = timeout(OPENING, open(settings, secrets, context)).await;
    opened.unwrap_or_else(|_| Err(format!("it did not answer within {} s", OPENING.as_secs())))
}

/// Opens the way to a sink, and sees that it can be used. The error says what is wrong and what to do about it.
async fn open(
    settings: &Settings,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    match &settings.target {
        Target::Webhook(target) => webhook::open(target, secrets, context).await,
        Target::Kafka(target) => kafka::open(target, secrets, context).await,
        Target::Rabbitmq(target) => rabbitmq::open(target, secrets, context).await,
        Target::Nats(target) => nats::open(target, secrets, context).await,
    }
}
