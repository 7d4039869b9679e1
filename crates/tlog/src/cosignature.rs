//! Cosignatures of witnesses: what they say of a checkpoint, and when (<https://c2sp.org/tlog-cosignature>, version 1).

use std::fmt;

use crate::error::Error;
use crate::key::{Signer, Verifier};
use crate::note::{Note, Signature};

/// A private key that cosigns. It stands for a witness, in tests and for auditors who run their own.
pub struct Cosigner {
    verifier: Verifier,
    key: Signer,
}

impl Cosigner {
    /// From the seed of an Ed25519 key that signs nothing else.
    ///
    /// # Errors
    /// [`Error::Malformed`] if keys cannot have this name.
    pub fn from_seed(name: impl Into<String>, seed: &[u8; 32]) -> Result<Self, Error> {
        let key = Signer::from_seed(name, seed)?;
        let verifier = Verifier::of_witness(key.verifier().name(), *key.verifier().public_key())?;
        Ok(Self { verifier, key })
    }

    /// The key that checks what this one cosigned.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Says that the checkpoint in this note is the largest one seen at that time (seconds since 1970), and goes on from all
    /// before. The caller has made sure of it.
    pub fn cosign(&self, note: &Note, time_s: u64) -> Signature {
        let signature = self.key.sign_bytes(&message(time_s, note.text()));
        Signature::by(&self.verifier, [time_s.to_be_bytes().as_slice(), &signature].concat())
    }
}

/// Only whose key it is.
impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.verifier.name())
    }
}

fn message(time_s: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

/// When the witness cosigned; `None` if it did not.
pub(crate) fn verify(witness: &Verifier, text: &str, signature: &[u8]) -> Option<u64> {
    let (time, signature) = signature.split_first_chunk()?;
    let time_s = u64::from_be_bytes(*time);
    // Times end with 63 bits; none at all says nothing of the tree's being the largest.
    let in_range = (1..=i64::MAX as u64).contains(&time_s);
    (in_range && witness.verifies(&message(time_s, text), signature)).then_some(time_s)
}
