//! Writing entries, and the ids of events.
//!
//! Everything in an entry but its time is known before the lock is taken, and `at` comes first in canonical order. So
//! the rest is made outside the lock, and under it only the time is put before it.

use std::fmt::Write as _;
use std::ops::Range;

use domain::{Key, Position, Timestamp};
use uuid::Uuid;

use crate::canonical::{EntryError, quoted};
use crate::{EntryEvidence, leaf_hash};

/// No entry is longer: an entry bundle of the Merkle log has two bytes for a length.
pub const ENTRY_MAX_BYTES: usize = 60_000;
/// `{"at":"2026-11-22T22:00:00.123456Z"`: what the time adds.
const HEAD_BYTES: usize = 7 + 27 + 1;
const VERSION: u32 = 1;
/// The namespace of all ids: UUIDv5 of the URL namespace and the project's name. It can never change.
const NAMESPACE: Uuid = Uuid::from_u128(0xf07b_374c_8fc5_5526_8d60_73ab_99f5_32ba);

/// A fact's id, from its shop, its source (`callback`, `command`, `timer`) and what deduplicates it.
#[must_use]
pub fn fact_id(shop: &str, source: &str, dedup_key: &str) -> Uuid {
    let shop = Uuid::new_v5(&NAMESPACE, shop.as_bytes());
    Uuid::new_v5(&shop, format!("{source}:{dedup_key}").as_bytes())
}

/// An outcome's id, from its cause's id and its number among that cause's outcomes.
#[must_use]
pub fn outcome_id(cause_id: &Uuid, n: u32) -> Uuid {
    Uuid::new_v5(cause_id, n.to_string().as_bytes())
}

/// The fields of an entry but its time.
pub(crate) struct Fields<'a> {
    pub(crate) id: Uuid,
    pub(crate) type_name: &'a str,
    pub(crate) key: &'a Key,
    pub(crate) by: Option<&'a str>,
    pub(crate) cause: Option<Position>,
    pub(crate) n: Option<u32>,
    pub(crate) answers: Option<Position>,
    pub(crate) evidence: Option<EntryEvidence>,
    /// Canonical.
    pub(crate) data: &'a str,
}

/// An entry that only lacks its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untimed {
    rest: String,
    data: Range<usize>,
}

impl Untimed {
    pub(crate) fn new(fields: &Fields<'_>) -> Result<Self, EntryError> {
        let mut rest = String::with_capacity(fields.data.len() + 400);
        // Writing to a string cannot fail. The order of the fields is RFC 8785's.
        if let Some(by) = fields.by {
            let _ = write!(rest, ",\"by\":{}", quoted(by));
        }
        if let Some(cause) = fields.cause {
            let _ = write!(rest, ",\"cause\":{cause}");
        }
        rest.push_str(",\"data\":");
        let start = rest.len();
        rest.push_str(fields.data);
        let data = start..rest.len();
        if let Some(evidence) = &fields.evidence {
            let (commitment, sha256) = (hex::encode(evidence.commitment), hex::encode(evidence.sha256));
            let _ = write!(rest, ",\"evidence\":{{\"commitment\":\"{commitment}\",\"sha256\":\"{sha256}\"}}");
        }
        if let Some(answers) = fields.answers {
            let _ = write!(rest, ",\"for\":{answers}");
        }
        let _ = write!(rest, ",\"id\":\"{}\",\"key\":{}", fields.id, quoted(&fields.key.to_string()));
        if let Some(n) = fields.n {
            let _ = write!(rest, ",\"n\":{n}");
        }
        let _ = write!(rest, ",\"type\":{},\"v\":{VERSION}}}", quoted(fields.type_name));
        let bytes = HEAD_BYTES + rest.len();
        if bytes > ENTRY_MAX_BYTES { Err(EntryError::TooLarge { bytes }) } else { Ok(Self { rest, data }) }
    }

    /// The entry's bytes, and its leaf hash.
    pub(crate) fn at(&self, at: Timestamp) -> (String, [u8; 32]) {
        let mut entry = String::with_capacity(HEAD_BYTES + self.rest.len());
        let _ = write!(entry, "{{\"at\":\"{at}\"");
        entry.push_str(&self.rest);
        let hash = leaf_hash(&entry);
        (entry, hash)
    }

    /// The data within.
    pub(crate) fn data(&self) -> &str {
        &self.rest[self.data.clone()]
    }

    /// About how many bytes it takes to send.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }
}
