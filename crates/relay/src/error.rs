//! What can go wrong in a batch, by what the relay does about it.

use domain::Position;

/// Why a batch was not written. Nothing of it was, but for an unknown COMMIT.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database: class 22 and 23 halve the batch, everything else is tried again later.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// A timer's fact could not be appended: it is due again next time.
    #[error(transparent)]
    Append(#[from] event_log::AppendError),
    /// Another relay leads the shop, or the checkpoint is elsewhere: the lease is given up.
    #[error("the lease is lost")]
    LeaseLost,
    /// Deciding a fact panicked: it is parked.
    #[error("deciding the fact at {0} panicked: {1}")]
    Panicked(Position, String),
    /// A stored row is not one of this version's.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(String),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// Whether it may lie in a fact of the batch, so that a smaller one can find out which.
    pub(crate) fn is_of_a_fact(&self) -> bool {
        use database::Error::{Data, Integrity};
        let database = match self {
            Self::Database(error) | Self::Log(event_log::Error::Database(error)) => error,
            _ => return false,
        };
        matches!(database, Data { .. } | Integrity { .. })
    }
}
