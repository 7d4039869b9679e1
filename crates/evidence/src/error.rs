//! What can go wrong with evidence.

/// Sorted by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key-encryption key cannot be used; the text says what it has to look like.
    #[error("{0}")]
    Key(String),
    /// Sealed under another key-encryption key, for another shop, or changed: it cannot be opened here.
    #[error(
        "this cannot be opened with this key: it was sealed under another, for another shop, or was changed"
    )]
    Locked,
    /// Opened, but it is no evidence of a form that this version knows.
    #[error("the evidence has an unknown form: {0}")]
    Form(&'static str),
    /// The cryptographic library or the compressor gave up.
    #[error("sealing failed: {0}")]
    Sealing(&'static str),
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
}
