//! Sinks: where events are sent to, each with a checkpoint, a lease and a fence of its own.
//!
//! A sink reads ahead within bounds, publishes with at most one message of a key under way where the broker keeps no order,
//! and moves its checkpoint over what is confirmed from the front. What is refused by itself is set aside with all that
//! comes behind it of the same key, and tried again by a schedule, until it is a dead letter; everything else goes on. The
//! same becomes of what is lost again and again while others get through. Where nothing gets through, the sink waits.

mod ahead;
mod course;
mod hops;
mod kafka;
mod meters;
mod nats;
mod operate;
mod pipeline;
mod publisher;
mod rabbitmq;
mod settings;
mod shadow;
mod stop;
mod store;
mod supervisor;
mod suspects;
mod undelivered;
mod verdict;
mod webhook;
mod window;
mod worker;

pub use course::{Course, Round};
pub use meters::Meters;
pub use pipeline::in_key_order;
pub use publisher::{Context, Delivery, Publisher};
pub use settings::{
    InvalidSettings, KafkaTarget, NatsTarget, RabbitmqTarget, Secrets, Settings, Target, WebhookTarget,
};
pub use store::{Attempt, Letter, Letters, Sink, Sinks, State};
pub use supervisor::{Options, Running};
pub use undelivered::{Rows, Undelivered, Waiting};
pub use verdict::Verdict;
