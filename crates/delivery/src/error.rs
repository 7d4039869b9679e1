//! What can go wrong.

use crate::CursorError;

/// Why something was not read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The relay's lease or checkpoint.
    #[error(transparent)]
    Relay(#[from] relay::Error),
    /// No shop has this id.
    #[error("there is no such shop")]
    UnknownShop,
    /// The cursor is of another log, or of what is not here.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A stored row is not one of this version's.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(String),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
