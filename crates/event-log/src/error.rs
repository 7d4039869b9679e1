//! What can go wrong with the log, by what the caller can do.

use std::time::Duration;

use domain::Position;

use crate::{EntryError, Fork};

/// Why a fact was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too many wait already: 503 with Retry-After.
    #[error("too many appends are waiting")]
    Busy {
        /// How long to stay away, so that not all come again together.
        after: Duration,
    },
    /// The database cannot be had, or it is not known whether it committed: try again with the same id.
    #[error("the log cannot be written now: {0}")]
    Unavailable(String),
    /// The log is not the one that is remembered: nothing is appended until an operator has looked.
    #[error(transparent)]
    Forked(#[from] Fork),
    /// No shop has this id.
    #[error("there is no such shop")]
    UnknownShop,
    /// The entry would be longer than an entry may be.
    #[error("the entry would have {bytes} bytes, {} are allowed", crate::ENTRY_MAX_BYTES)]
    TooLarge {
        /// How long it would be.
        bytes: usize,
    },
    /// It cannot be an entry, now or ever.
    #[error("{0}")]
    Invalid(String),
}

impl From<EntryError> for AppendError {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TooLarge { bytes } => Self::TooLarge { bytes },
            other => Self::Invalid(other.to_string()),
        }
    }
}

/// Why the log could not be read, or outcomes not be appended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Database(database::Error),
    /// The log is not the one that is remembered: nothing is appended until an operator has looked.
    #[error(transparent)]
    Forked(#[from] Fork),
    /// No shop has this id.
    #[error("there is no such shop")]
    UnknownShop,
    /// A note that cannot be an entry.
    #[error("a note of the log cannot be written: {0}")]
    Note(String),
    /// An outcome that cannot be an entry: its fact cannot be decided by this version.
    #[error("an outcome of the fact at {cause} cannot be written: {why}")]
    Outcome {
        /// Its fact.
        cause: Position,
        /// Why.
        why: EntryError,
    },
    /// A stored entry that is none: the log is damaged, or written by a later version.
    #[error("the entry at {position} cannot be read: {why}")]
    Entry {
        /// Where it stands.
        position: Position,
        /// What is wrong; never its values.
        why: String,
    },
}

impl Error {
    /// For closures of [`database::Database::run_tx`]: what the transaction has to know, or this error handed through,
    /// which [`Error::from`] gives back.
    #[must_use]
    pub fn abort(self) -> database::Error {
        match self {
            Self::Database(error) => error,
            other => database::Error::abort(other),
        }
    }
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        match error {
            database::Error::Aborted(reason) => match reason.downcast::<Self>() {
                Ok(own) => *own,
                Err(reason) => Self::Database(database::Error::Aborted(reason)),
            },
            error => Self::Database(error),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
