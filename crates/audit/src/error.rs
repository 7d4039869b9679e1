//! What keeps an audit from coming to an end; what it finds is no error.

use std::io;
use std::path::Path;

use domain::{BuyerId, Position, RULES_LATEST};

/// Why an audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The read models cannot be read.
    #[error(transparent)]
    ReadModels(#[from] read_models::Error),
    /// Evidence cannot be read.
    #[error(transparent)]
    Evidence(#[from] evidence::Error),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(Box<crate::tree::Error>),
    /// A settlement report that cannot be read.
    #[error(transparent)]
    Report(#[from] crate::settlement::Malformed),
    /// A settlement report of another account.
    #[error(transparent)]
    Account(#[from] crate::settlement::OtherAccount),
    /// Evidence that a legal hold keeps from being destroyed.
    #[error("the legal hold {case} on the buyer {buyer} keeps this evidence: lift it first")]
    Held {
        /// Whose.
        buyer: BuyerId,
        /// Why.
        case: String,
    },
    /// A legal hold that is not there.
    #[error("no legal hold {case} is on the buyer {buyer}")]
    NoHold {
        /// Whose.
        buyer: BuyerId,
        /// Why.
        case: String,
    },
    /// A point of the log that is not there.
    #[error("{0} is not in the log, which ends at {1}")]
    OutOfRange(String, Position),
    /// Rules that this version does not know.
    #[error("rules {0} are not known to this version, which knows up to {RULES_LATEST}")]
    UnknownRules(u32),
    /// A file or folder cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// A task of the audit panicked.
    #[error("the audit failed: {0}")]
    Failed(String),
}

impl Error {
    /// For closures of [`database::Database::run_tx`]: what the transaction has to know, or this error handed through,
    /// which [`Error::from`] gives back.
    pub(crate) fn abort(self) -> database::Error {
        match self {
            Self::Log(error) => error.abort(),
            Self::ReadModels(read_models::Error::Database(error))
            | Self::Evidence(evidence::Error::Database(error)) => error,
            other => database::Error::abort(other),
        }
    }

    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self::File { path: path.display().to_string(), why: error.to_string() }
    }
}

impl From<crate::tree::Error> for Error {
    fn from(error: crate::tree::Error) -> Self {
        Self::Tree(Box::new(error))
    }
}

impl From<tlog::Error> for Error {
    fn from(error: tlog::Error) -> Self {
        crate::tree::Error::from(error).into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        match error {
            database::Error::Aborted(reason) => match reason.downcast::<Self>() {
                Ok(own) => *own,
                Err(reason) => Self::Log(database::Error::Aborted(reason).into()),
            },
            error => Self::Log(error.into()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Log(error.into())
    }
}
