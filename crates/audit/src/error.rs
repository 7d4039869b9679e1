//! What keeps an audit from coming to an end; what it finds is no error.

use domain::Position;

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
    /// A settlement report that cannot be read.
    #[error(transparent)]
    Report(#[from] crate::settlement::Malformed),
    /// A settlement report of another account.
    #[error(transparent)]
    Account(#[from] crate::settlement::OtherAccount),
    /// A point of the log that is not there.
    #[error("{0} is not in the log, which ends at {1}")]
    OutOfRange(String, Position),
    /// A task of the audit panicked.
    #[error("the audit failed: {0}")]
    Failed(String),
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Log(error.into())
    }
}
