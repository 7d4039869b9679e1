//! What can go wrong, by what it is trouble with.

use std::time::Duration;

use intake::{CallbackError, CommandError, ShopError};
use paypal::rest::RestError;

/// Why a step of the reconciliation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be had.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The lease was lost, or cannot be renewed.
    #[error(transparent)]
    Lease(#[from] relay::Error),
    /// PayPal has given no answer that can be used.
    #[error(transparent)]
    Paypal(#[from] RestError),
    /// What was found was not taken into the log.
    #[error("what PayPal has was not appended: {0}")]
    Callback(#[from] CallbackError),
    /// What was confirmed or refuted was not taken into the log.
    #[error("what PayPal said was not appended: {0}")]
    Command(#[from] CommandError),
    /// The shop cannot be read.
    #[error("the shop cannot be read: {0}")]
    Shop(std::sync::Arc<ShopError>),
    /// More events within a minute than are read in one run.
    #[error("PayPal lists more events of one minute than are read at a time")]
    TooMany,
    /// There is no such order.
    #[error("there is no such order")]
    UnknownOrder,
    /// No PayPal order is known of the order.
    #[error("the order's id at PayPal is not known")]
    NotAtPaypal,
    /// The shop has no account that PayPal could be asked by.
    #[error("no PayPal credentials are given for this shop")]
    NoAccount,
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// How long PayPal asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Paypal(error) => error.retry_after(),
            _ => None,
        }
    }
}
