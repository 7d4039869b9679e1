//! Why a witness or an authority did not do what it was asked for.

/// Why a witness or an authority did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A URL that is neither https nor that of this host.
    #[error("{0} is no URL to send to: https://, or http:// on this host")]
    Url(String),
    /// It cannot be reached, or does not answer in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It answers, and not with what it was asked for.
    #[error("it answers {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The first line of what it says.
        text: String,
    },
    /// It has seen a history that does not go on as this one does.
    #[error("it has seen another history, of {seen} events: {text}")]
    OtherHistory {
        /// The size that it was told to go on from.
        seen: u64,
        /// The HTTP status and the first line of what it says.
        text: String,
    },
    /// It has seen more than is published: the log has forked, or the tree is catching up after a restore.
    #[error("it has seen {seen} events, and {published} are published")]
    Ahead {
        /// The size that it knows.
        seen: u64,
        /// The size of the checkpoint.
        published: u64,
    },
    /// What it answers is not what it should be.
    #[error("its answer cannot be believed: {0}")]
    Unbelievable(String),
    /// The tree lacks something, or what should be a note is none.
    #[error(transparent)]
    Tree(#[from] tlog::Error),
    /// The tree cannot be read or written.
    #[error(transparent)]
    Trees(#[from] audit::tree::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The lease.
    #[error(transparent)]
    Lease(#[from] relay::Error),
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
