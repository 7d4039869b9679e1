//! What wants to be appended at the door, and the answer.

use std::sync::Arc;

use domain::{Fact, FactData, Key, Position, ShopId, Source};
use serde_json::Value;
use trace_context::TraceParent;
use uuid::Uuid;

use crate::canonical::{EntryError, canonical};
use crate::entry::{Fields, Untimed, fact_id};
use crate::{AppendError, EntryEvidence};

/// SHA-256 or HMAC-SHA256.
pub(crate) type Digest = [u8; 32];

/// Longer texts than these come from nobody who means well, and would not fit into an index.
const KEY_MAX: usize = 256;
const BY_MAX: usize = 128;

/// A fact that wants to be appended.
#[derive(Clone, Debug)]
pub struct NewFact {
    /// What happened.
    pub fact: Fact,
    /// Who it comes from: `paypal`, `timer`, an API key's id.
    pub by: String,
    /// What decides that it is appended once.
    pub dedupe: Dedupe,
    /// What it rests on, sealed.
    pub evidence: Option<Arc<SealedEvidence>>,
    /// The certificate that signed it.
    pub certificate: Option<Arc<Certificate>>,
}

/// What decides that a fact is appended once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dedupe {
    /// For callbacks.
    Callback {
        /// PayPal's event id, or `body:<mac>` without a usable one.
        event_key: String,
        /// HMAC-SHA256 of the raw body under the shop's hash key.
        body_mac: [u8; 32],
        /// The signed delivery; none for a copy from the API, whose bytes are never compared.
        transmission: Option<Transmission>,
    },
    /// For every other fact: unique for its shop and type.
    Command {
        /// The shop's id of the command, or what a timer derives.
        id: String,
        /// SHA-256 of its content: the same id with other content is a conflict.
        content_sha256: [u8; 32],
    },
}

/// A signed delivery.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmission {
    /// PayPal's id of it.
    pub id: String,
    /// Its five headers, names and exact values.
    pub headers: Vec<(String, String)>,
}

impl Transmission {
    /// The headers as compact JSON.
    pub(crate) fn headers_json(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        Value::Object(headers.collect()).to_string()
    }
}

/// Header values are never printed.
impl std::fmt::Debug for Transmission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transmission").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Sealed evidence, as `evidence` makes it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedEvidence {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// Their key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Which key-encryption key wrapped it.
    pub kek_id: String,
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
    /// SHA-256 of a salt and the plain bytes.
    pub commitment: [u8; 32],
}

impl std::fmt::Debug for SealedEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedEvidence").field("sha256", &hex::encode(self.sha256)).finish_non_exhaustive()
    }
}

/// A certificate that signed a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of `der`.
    pub sha256: [u8; 32],
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Where it was fetched from.
    pub url: String,
}

/// What became of a fact, after COMMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log.
    New {
        /// Where.
        position: Position,
        /// Its id.
        id: Uuid,
    },
    /// It was there already, or this is a repetition of it; no event was added.
    Known {
        /// Where.
        position: Position,
    },
    /// A known callback came with other bytes: it is in the log as `callback.revised`, and decides nothing.
    Revised {
        /// Where the revision is.
        position: Position,
        /// Where the callback is that it revises.
        of: Position,
    },
    /// Refused: the same id stands for something else. No event was added.
    Conflict {
        /// Where that is.
        position: Position,
        /// The kind of id.
        what: Conflict,
    },
}

impl Appended {
    /// Where it, or what it repeats or contradicts, stands.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::New { position, .. }
            | Self::Known { position }
            | Self::Revised { position, .. }
            | Self::Conflict { position, .. } => *position,
        }
    }
}

/// The kind of id that stands for something else already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A known transmission came with other bytes.
    Transmission,
    /// A known command came with other content.
    Command,
}

/// A fact with everything done that needs no lock.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) shop: ShopId,
    pub(crate) id: Uuid,
    pub(crate) type_name: &'static str,
    pub(crate) key: Key,
    pub(crate) aggregate_type: &'static str,
    pub(crate) by: String,
    pub(crate) entry: Untimed,
    pub(crate) dedupe: Dedupe,
    pub(crate) evidence: Option<Arc<SealedEvidence>>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceParent>,
}

impl Prepared {
    pub(crate) fn new(shop: &ShopId, new: NewFact) -> Result<Self, AppendError> {
        let NewFact { fact, by, dedupe, evidence, certificate } = new;
        limit("by", &by, BY_MAX)?;
        let type_name = fact.type_name();
        let source = match fact.source() {
            Source::Callback => "callback",
            Source::Command => "command",
            Source::Timer => "timer",
        };
        let (event_key, dedup_key) = match &dedupe {
            Dedupe::Callback { event_key, transmission, .. } => {
                limit("event key", event_key, KEY_MAX)?;
                if let Some(transmission) = transmission {
                    limit("transmission id", &transmission.id, KEY_MAX)?;
                }
                (event_key.as_str(), event_key.clone())
            }
            Dedupe::Command { id, .. } => {
                limit("id", id, KEY_MAX)?;
                ("", format!("{type_name}:{id}"))
            }
        };
        if matches!(dedupe, Dedupe::Callback { .. }) != (fact.source() == Source::Callback) {
            return Err(AppendError::Invalid(format!("{type_name} is deduplicated in another way")));
        }
        let id = fact_id(shop.as_str(), source, &dedup_key);
        let key = fact.key(event_key);
        let entry = entry_of(&fact, id, &key, &by, evidence.as_deref())?;
        Ok(Self {
            shop: shop.clone(),
            id,
            type_name,
            key,
            aggregate_type: fact.source().aggregate(),
            by,
            entry,
            dedupe,
            evidence,
            certificate,
            trace: None,
        })
    }

    /// About how many bytes it takes to send.
    pub(crate) fn bytes(&self) -> usize {
        let evidence = self.evidence.as_ref().map_or(0, |evidence| evidence.bytes.len());
        self.entry.len() * 2 + evidence + 512
    }
}

/// A fact's entry but its time.
pub(crate) fn entry_of(
    fact: &Fact,
    id: Uuid,
    key: &Key,
    by: &str,
    evidence: Option<&SealedEvidence>,
) -> Result<Untimed, EntryError> {
    Untimed::new(&Fields {
        id,
        type_name: fact.type_name(),
        key,
        by: Some(by),
        cause: None,
        n: None,
        answers: None,
        evidence: evidence.map(EntryEvidence::from),
        data: &canonical(&FactData(fact))?,
    })
}

fn limit(what: &'static str, text: &str, most: usize) -> Result<(), EntryError> {
    if (1..=most).contains(&text.len()) { Ok(()) } else { Err(EntryError::Text(what, most)) }
}
