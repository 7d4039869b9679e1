//! One checkpoint, submitted to one witness.

use domain::ShopId;
use tlog::{Checkpoint, Note, Signature, Submission, Witness};

use crate::{Answer, Error, Witnessed};

impl Witnessed {
    /// Submits what was published to a witness that is thought to have seen so much: its cosignature, and when it says that it
    /// made it.
    ///
    /// # Errors
    /// [`Error::OtherHistory`], [`Error::Ahead`]; what else it answers.
    pub(crate) async fn submit(
        &self,
        witness: &Witness,
        shop: &ShopId,
        note: &Note,
        checkpoint: &Checkpoint,
        mut old_size: u64,
    ) -> Result<(Signature, u64), Error> {
        let url = witness.url.as_deref().unwrap_or_default();
        // A second time with the size that the witness says.
        for _ in 0..2 {
            if old_size > checkpoint.size() {
                break;
            }
            let proof = self.tree().prove(shop, old_size, checkpoint.size()).await?;
            let submission = Submission { old_size, proof, checkpoint: note.clone() };
            match self.client().submit(url, &submission).await? {
                Answer::Cosigned(signatures) => return verified(witness, note, signatures),
                Answer::Size(size) => old_size = size,
            }
        }
        if old_size > checkpoint.size() {
            return Err(Error::Ahead { seen: old_size, published: checkpoint.size() });
        }
        Err(Error::Unbelievable(format!("it says again that its size is {old_size}")))
    }
}

/// Of the signatures that a witness answered, its own; only if it holds.
fn verified(witness: &Witness, note: &Note, signatures: Vec<Signature>) -> Result<(Signature, u64), Error> {
    for signature in signatures {
        if signature.name() != witness.verifier.name() || signature.key_id() != witness.verifier.key_id() {
            continue;
        }
        let mut alone = note.clone();
        alone.add(signature.clone())?;
        let time_s = alone.open(&[&witness.verifier])?.first().and_then(|verified| verified.time_s);
        if let Some(time_s) = time_s {
            return Ok((signature, time_s));
        }
    }
    Err(Error::Unbelievable("it has no cosignature by the witness's key".to_owned()))
}
