//! What a log submits to a witness (`add-checkpoint` of <https://c2sp.org/tlog-witness>).

use std::fmt;

use crate::error::Error;
use crate::hash::Hash;
use crate::note::{MAX_NOTE_BYTES, Note};
use crate::text::{decimal, hash_lines, write_hashes};

/// The most hashes that a proof may have here.
const MAX_HASHES: usize = 63;

/// A new checkpoint, and the proof that it goes on from the one that the witness cosigned last. As text it is the body of the
/// request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The size of the checkpoint that the witness cosigned last; 0 if it knows of none.
    pub old_size: u64,
    /// The consistency proof from there; empty from 0.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by the log.
    pub checkpoint: Note,
}

impl Submission {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`Error::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("a submission to a witness", why);
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(malformed("it has at most 1000000 bytes"));
        }
        let body = std::str::from_utf8(bytes).map_err(|_| malformed("it is UTF-8"))?;
        let parts = body.split_once("\n\n");
        let (head, checkpoint) =
            parts.ok_or_else(|| malformed("an empty line stands before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or_else(|| malformed("its first line is old and a size"))?;
        let proof = hash_lines(lines, MAX_HASHES);
        let proof = proof
            .ok_or_else(|| malformed("up to 63 hashes of 32 bytes in base64 follow, each on its line"))?;
        Ok(Self { old_size, proof, checkpoint: Note::parse(checkpoint.as_bytes())? })
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        write_hashes(f, &self.proof)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
