//! Real brokers, one for whoever asks: on free ports of the loopback, in a folder that goes away with it.
//!
//! They run as whoever runs the tests, keep their ports and data over [`Kafka::kill`] and [`Kafka::restart`], and end
//! with the test process, however that ends.
//!
//! `start` gives None where the broker is not installed: it was said how to install it, and the test has to end.

mod kafka;
mod nats;
mod rabbitmq;

pub use crate::process::processes;
pub use kafka::Kafka;
pub use nats::Nats;
pub use rabbitmq::RabbitMq;

/// Whom a broker lets in, and nobody else.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    /// The user's name.
    pub user: &'static str,
    /// The password, of letters and digits.
    pub password: &'static str,
}

impl Login {
    /// As the part of a URL that stands before the host.
    fn in_url(login: Option<Self>) -> String {
        login.map_or_else(String::new, |Self { user, password }| format!("{user}:{password}@"))
    }
}
