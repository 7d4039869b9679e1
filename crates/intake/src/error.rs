//! What can go wrong on the way into the log, by what the caller can do about it.

use std::time::Duration;

use database::Error as DatabaseError;
use domain::Position;
use event_log::Fork;

/// Why a callback was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// No shop of that name: 404.
    #[error("there is no such shop")]
    UnknownShop,
    /// The headers are not those of a callback: 400.
    #[error("not a callback of PayPal's: {0}")]
    Malformed(String),
    /// The signature does not hold: 401.
    #[error("not authentic: {0}")]
    NotAuthentic(String),
    /// The transmission came before with other bytes: 400, and an alarm.
    #[error("this transmission came before with other bytes")]
    ConflictingTransmission,
    /// The certificate that it names cannot be had: 503, PayPal sends it again.
    #[error("the certificate cannot be had")]
    NoCertificate(#[source] paypal::Refused),
    /// A key or the database cannot be had: 503, PayPal sends it again.
    #[error("{what} cannot be had")]
    Unavailable {
        /// What is missing.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log has forked, and takes nothing until an operator has looked: 503.
    #[error(transparent)]
    Forked(Fork),
    /// The queue is full: 503, PayPal sends it again.
    #[error("too much is waiting already")]
    Busy {
        /// How long to stay away.
        after: Duration,
    },
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Its entry would be too large: 422.
    #[error("the command is too large for an entry: {bytes} bytes")]
    TooLarge {
        /// What the entry would have.
        bytes: usize,
    },
    /// The log cannot hold what it says: 422.
    #[error("the command cannot be written: {0}")]
    Invalid(String),
    /// The same id with other content: 409.
    #[error("the id belongs to another command")]
    Conflict {
        /// Where that one stands.
        position: Position,
    },
    /// There is nothing of the kind at that position: 404.
    #[error("{0}")]
    NotFound(String),
    /// The database cannot be had: 503.
    #[error("{what} cannot be had")]
    Unavailable {
        /// What is missing.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log has forked, and takes nothing until an operator has looked: 503.
    #[error(transparent)]
    Forked(Fork),
    /// The queue is full: 503.
    #[error("too much is waiting already")]
    Busy {
        /// How long to stay away.
        after: Duration,
    },
    /// A bug, or evidence that cannot be opened.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a shop could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The name has not the shape of a shop's.
    #[error("a shop's name has 1 to 32 characters of A-Z a-z 0-9 _ . : -")]
    InvalidName,
    /// The webhook id has not the shape of PayPal's.
    #[error(
        "a webhook id has 1 to 64 letters, digits, - or _; WEBHOOK_ID only in a shop of the environment dev"
    )]
    InvalidWebhookId,
    /// There is one of that name.
    #[error("there is a shop of that name already")]
    Exists,
    /// There is none of that name.
    #[error("there is no such shop")]
    Unknown,
    /// Its row cannot be understood, or its key cannot be unwrapped.
    #[error("the shop's row cannot be used: {0}")]
    Unusable(String),
    /// The database says no.
    #[error("the database cannot be used")]
    Database(#[from] DatabaseError),
    /// Who has done it cannot be noted, so it was not done.
    #[error(transparent)]
    Log(#[from] event_log::Error),
}
