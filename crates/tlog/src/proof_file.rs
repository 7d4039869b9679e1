//! Proofs to keep in a file and check anywhere (<https://c2sp.org/tlog-proof>, version 1).

use std::fmt;

use crate::error::Error;
use crate::hash::Hash;
use crate::note::{MAX_NOTE_BYTES, Note};
use crate::policy::{Opened, Policy};
use crate::proof::verify_inclusion;
use crate::text::{base64, decimal, from_base64, hash_lines, write_hashes};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The path in a tree of as many leaves as a size can say.
const MAX_HASHES: usize = 64;

/// That an entry is in a log, with all that it takes to check it but the entry, and whom to trust. As text it is the content of
/// a `.tlog-proof` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Whatever helps to make the entry. Nobody vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The entry's position.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The checkpoint of the tree, with the signatures of log and witnesses.
    pub checkpoint: Note,
}

impl ProofFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("a tlog-proof", why);
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(malformed("it has at most 1000000 bytes"));
        }
        let file = std::str::from_utf8(bytes).map_err(|_| malformed("it is UTF-8"))?;
        let parts = file.split_once("\n\n");
        let (head, checkpoint) =
            parts.ok_or_else(|| malformed("an empty line stands before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("its first line is c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => {
                let extra = line.strip_prefix("extra ").and_then(from_base64);
                Some(extra.ok_or_else(|| malformed("what follows extra is base64"))?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| malformed("a line with index and a number follows"))?;
        let hashes = hash_lines(lines, MAX_HASHES);
        let hashes = hashes
            .ok_or_else(|| malformed("up to 64 hashes of 32 bytes in base64 follow, each on its line"))?;
        Ok(Self { extra, index, hashes, checkpoint: Note::parse(checkpoint.as_bytes())? })
    }

    /// Checks that the entry with this leaf hash is in a log of the policy, and that enough witnesses saw the log so.
    ///
    /// # Errors
    /// As [`Policy::open`] and [`verify_inclusion`].
    pub fn verify<'p>(&self, leaf: &Hash, policy: &'p Policy) -> Result<Opened<'p>, Error> {
        let opened = policy.open(&self.checkpoint)?;
        let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
        verify_inclusion(leaf, self.index, size, &self.hashes, root)?;
        Ok(opened)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
