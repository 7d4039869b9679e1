//! What can keep a tree from growing, from being read, and from being written as files.

use std::path::PathBuf;

use domain::{Position, ShopId};

/// Why something about a tree was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The log cannot be read or appended to.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The lease is another's, or cannot be had.
    #[error(transparent)]
    Lease(#[from] relay::Error),
    /// A note, a tile or an entry that is none.
    #[error(transparent)]
    Format(#[from] tlog::Error),
    /// An event that is not what was there before, or is not there.
    #[error(
        "the log is not as it was: position {position}: {why}; find out who changed it, with `counterfoil verify`"
    )]
    LogDiffers {
        /// Where.
        position: Position,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The stored tiles lead to another root than the stored one.
    #[error("the stored tree is not as it was at size {size}: {why}; find out who changed it")]
    TreeDiffers {
        /// The size of the tree.
        size: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file's keys are not the log's.
    #[error(
        "the log of {shop} is signed with {known}, which is not in the key file: give serve the right file"
    )]
    WrongKey {
        /// Whose log.
        shop: ShopId,
        /// The key that the log names.
        known: String,
    },
    /// The log goes by another origin.
    #[error(
        "the log of {shop} goes by the origin {known}, not {given}, for ever: set COUNTERFOIL_LOG_ORIGIN to what it was"
    )]
    OtherOrigin {
        /// Whose log.
        shop: ShopId,
        /// The origin that the log names.
        known: String,
        /// The one that is configured.
        given: String,
    },
    /// A file with keys that cannot be used.
    #[error("log keys: {0}")]
    Key(String),
    /// An origin that no log can have.
    #[error(
        "{0:?} is no origin: give a URL without its scheme and without a slash at the end, as shop.example/log"
    )]
    Origin(String),
    /// What was published is not what the directory has.
    #[error("{}: {why}; nothing was overwritten", file.display())]
    Published {
        /// The file, or the directory.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// A size or position that the published tree does not have.
    #[error("the published tree has {size} entries, and not {wanted}")]
    OutOfRange {
        /// The position or size.
        wanted: u64,
        /// How many entries it has.
        size: u64,
    },
    /// No checkpoint was published yet.
    #[error("nothing was published of this log yet: `counterfoil log status` says how far it is")]
    NotPublished,
    /// A task panicked.
    #[error("it failed: {0}")]
    Failed(String),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// Whether trying again is of no use until somebody has looked.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::LogDiffers { .. }
                | Self::TreeDiffers { .. }
                | Self::WrongKey { .. }
                | Self::OtherOrigin { .. }
                | Self::Key(_)
                | Self::Format(_)
                | Self::Published { .. }
        )
    }
}
