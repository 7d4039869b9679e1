//! Checkpoints: what a log says of its tree at one size (<https://c2sp.org/tlog-checkpoint>).

use std::fmt;

use crate::error::Error;
use crate::hash::Hash;
use crate::key::Signer;
use crate::note::Note;
use crate::text::{base64, decimal, hash_from_base64};

/// The tree of a log at one size. As text it is what the log signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// Of a log's tree.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a log cannot have this origin.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Result<Self, Error> {
        let origin = origin.into();
        if origin.is_empty() || origin.contains(|c: char| c < ' ') {
            return Err(Error::malformed(
                "a checkpoint",
                "its origin is not empty and has no control characters",
            ));
        }
        Ok(Self { origin, size, root })
    }

    /// Reads the text of a note. Further lines, which no log should have, are allowed and ignored.
    ///
    /// # Errors
    /// [`Error::Malformed`]
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("a checkpoint", why);
        let lines = text.strip_suffix('\n').ok_or_else(|| malformed("each line ends with a newline"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed("it has lines for origin, size and root"));
        };
        if lines.any(str::is_empty) {
            return Err(malformed("it has no empty line"));
        }
        let size = decimal(size).ok_or_else(|| malformed("its size is a number"))?;
        let root = hash_from_base64(root).ok_or_else(|| malformed("its root is 32 bytes in base64"))?;
        Self::new(origin, size, root)
    }

    /// Which log it is.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The note that a log publishes: signed by its key, and while the key is changed by two.
    ///
    /// Only sizes that are stored for good may be signed, and no size with two roots.
    ///
    /// # Errors
    /// [`Error::Malformed`] without a signer.
    pub fn sign(&self, signers: &[&Signer]) -> Result<Note, Error> {
        Note::sign(self.to_string(), signers)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, base64(&self.root))
    }
}
