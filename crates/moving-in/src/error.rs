//! What keeps a shop from moving in, beside what is wrong in its file.

use std::io;
use std::path::Path;

use domain::Position;
use event_log::AppendError;

/// Why a file was not read to its end, or not brought in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file, or the space for sorting it, cannot be read or written.
    #[error("{what}: {source}")]
    File {
        /// Which file.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] event_log::Error),
    /// The read models.
    #[error(transparent)]
    Rows(#[from] relay::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The file is not the one that was checked.
    #[error("the file is not as it was when it was checked: run it again, and leave the file alone")]
    Changed,
    /// Somebody else has imported something else meanwhile.
    #[error("line {line} says something else than position {position} of the log: check the file again")]
    Conflict {
        /// Where in the file.
        line: u64,
        /// Where in the log.
        position: Position,
    },
    /// The log takes nothing now. What is in it stays: run it again, and it goes on.
    #[error("line {line} was not appended: {source}")]
    Append {
        /// Where in the file.
        line: u64,
        /// Why.
        #[source]
        source: AppendError,
    },
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = path.display().to_string();
        move |source| Self::File { what, source }
    }

    pub(crate) fn sorting(source: io::Error) -> Self {
        Self::File { what: "the folder for temporary files".to_owned(), source }
    }
}
