//! Why nothing could be brought back. Nothing was written.

use std::path::PathBuf;

use domain::Position;

/// Why nothing could be brought back. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the published log.
    #[error("{} cannot be read: {why}", file.display())]
    File {
        /// Which one.
        file: PathBuf,
        /// Why not.
        why: std::io::Error,
    },
    /// The checkpoint is none, or nobody known has signed it.
    #[error("the checkpoint in {} cannot be believed: {why}", file.display())]
    Checkpoint {
        /// Its file.
        file: PathBuf,
        /// Why not.
        why: tlog::Error,
    },
    /// The files are not what the checkpoint says.
    #[error("the published log is damaged: {0}")]
    Damaged(String),
    /// The log in the database is not the beginning of the published one, nor the other way round.
    #[error(
        "the histories part at {0}: another event stands there than was published, so nothing can be brought back behind \
         it; begin a new epoch with --new-epoch"
    )]
    OtherHistory(Position),
    /// What was decided cannot be folded by this version.
    #[error("{position}: {what}; a later version of the program may have written it")]
    Unfoldable {
        /// The fact.
        position: Position,
        /// What is wrong.
        what: String,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The read models.
    #[error(transparent)]
    ReadModels(#[from] read_models::Error),
}

impl Error {
    /// For closures of `run_tx`: see [`event_log::Error::abort`].
    pub(crate) fn abort(self) -> database::Error {
        match self {
            Self::Log(error) => error.abort(),
            other => database::Error::abort(other),
        }
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
