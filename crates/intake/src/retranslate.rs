//! Reads an old callback again, from its evidence, with the translation of today.

use domain::{Fact, Position, Retranslation, Source};
use event_log::{Dedupe, NewFact};
use evidence::CallbackEvidence;
use trace_context::TraceParent;

use crate::command::content_sha256;
use crate::door::unavailable;
use crate::{By, CommandError, Intake, ShopError};

/// What came of reading a callback again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retranslated {
    /// It says the same as before: nothing was appended.
    Same {
        /// The fact's type.
        type_name: String,
    },
    /// It says something else now: `callback.retranslated` stands in the log.
    Other {
        /// Where that fact stands.
        position: Position,
        /// It was there before.
        known: bool,
        /// What the callback was.
        was: String,
        /// What it is now.
        is: String,
    },
}

impl Intake {
    /// Opens the evidence of the callback at a position, translates it again, and appends `callback.retranslated` when
    /// the fact is another one now, of the trace of whoever asks.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] where no callback stands, or its evidence was destroyed.
    pub async fn retranslate(
        &self,
        by: &By,
        of: Position,
        trace: Option<TraceParent>,
    ) -> Result<Retranslated, CommandError> {
        let shop = self.shop(&by.shop).await.map_err(|e| match &*e {
            ShopError::Unknown => CommandError::NotFound("there is no such shop".into()),
            _ => unavailable(e),
        })?;
        let client = self.0.database.client().await.map_err(unavailable)?;
        let events = event_log::read_at(&client, &by.shop, &[of]).await.map_err(unavailable)?;
        let event =
            events.first().ok_or_else(|| CommandError::NotFound(format!("nothing stands at {of}")))?;
        let is_callback =
            |fact: &Fact| fact.source() == Source::Callback && !matches!(fact, Fact::CallbackRevised(_));
        // A type that this version does not know can still be a callback: its evidence tells.
        let was = event.fact().ok();
        if was.as_ref().is_some_and(|fact| !is_callback(fact)) {
            return Err(CommandError::NotFound(format!("no callback stands at {of}")));
        }
        let sealed = evidence::load(&client, by.shop.as_str(), of.0).await.map_err(unavailable)?;
        drop(client);
        let Some(evidence::Row { sealed, key: Some((_, wrapped)) }) = sealed else {
            return Err(CommandError::NotFound(format!("the evidence at {of} is gone")));
        };
        let internal = |e: evidence::Error| CommandError::Internal(e.to_string());
        let plain = self.0.vault.open(by.shop.as_str(), &sealed, &wrapped).map_err(internal)?;
        let callback = CallbackEvidence::decode(&plain).map_err(internal)?;
        let fact = paypal::translate(&callback.body, &|text: &str| shop.hash_key.pseudonym(text)).fact;
        if was.as_ref() == Some(&fact) {
            return Ok(Retranslated::Same { type_name: event.type_name.clone() });
        }
        self.append_retranslation(by, of, event.type_name.clone(), &fact, trace).await
    }

    async fn append_retranslation(
        &self,
        by: &By,
        of: Position,
        was: String,
        fact: &Fact,
        trace: Option<TraceParent>,
    ) -> Result<Retranslated, CommandError> {
        let json = |e: serde_json::Error| CommandError::Internal(e.to_string());
        let is = fact.type_name().to_owned();
        let inner = content_sha256(fact).map_err(json)?;
        let data = fact.to_data().map_err(json)?;
        let fact = Fact::CallbackRetranslated(Retranslation { of, type_name: is.clone(), data });
        // The id is the content: the same reading is appended once, a still newer one again.
        let id = format!("{of}/{}", hex::encode(&inner[..16]));
        let content_sha256 = content_sha256(&fact).map_err(json)?;
        let dedupe = Dedupe::Command { id, content_sha256 };
        let fact = NewFact { fact, by: by.key_id.clone(), dedupe, evidence: None, certificate: None };
        let accepted = self.append_command(&by.shop, fact, trace).await?;
        Ok(Retranslated::Other { position: accepted.position, known: accepted.known, was, is })
    }
}
