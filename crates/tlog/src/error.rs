//! What can be wrong.

use crate::tile::Tile;

/// Why something is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A text or bytes that do not have the form that they must have.
    #[error("not {what}: {why}")]
    Malformed {
        /// What it should have been, with its article.
        what: &'static str,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// An entry that the length before it cannot express.
    #[error("an entry of {0} bytes does not fit into a bundle, which takes at most 65535")]
    EntryTooLong(usize),
    /// Nobody has the tile.
    #[error("{0} is missing")]
    MissingTile(Tile),
    /// The bytes are not those of such a tile.
    #[error("{0} is cut short or no whole number of hashes")]
    BrokenTile(Tile),
    /// A position or an older size that the tree does not have.
    #[error("a tree of size {size} has no {wanted}")]
    OutOfRange {
        /// The position, or the older size.
        wanted: u64,
        /// How many leaves the tree has.
        size: u64,
    },
    /// The number of hashes is not that of the size, or they lead to another root.
    #[error("the proof does not lead to the root")]
    NotProven,
    /// A kind of key that this crate does not have, by its number in the registry of `signed-note`.
    #[error("keys of type {0} are not supported, only 1 (Ed25519) and 4 (Ed25519 cosignatures)")]
    UnsupportedKey(u8),
    /// The signature of a known key, by its name.
    #[error("the signature of {0} does not hold")]
    BadSignature(String),
    /// There are only signatures of others.
    #[error("it is not signed by a known key for its origin")]
    NotSigned,
    /// Fewer witnesses than the policy asks for.
    #[error("not enough witnesses of the policy have cosigned")]
    NoQuorum,
    /// A line of a policy file.
    #[error("line {line} of the policy: {why}")]
    Policy {
        /// From 1.
        line: usize,
        /// The rule that it breaks.
        why: String,
    },
}

impl Error {
    pub(crate) fn malformed(what: &'static str, why: &'static str) -> Self {
        Self::Malformed { what, why }
    }
}
