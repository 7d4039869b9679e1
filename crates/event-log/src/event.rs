//! An event as it is read back: the entry is all there is of it; the columns beside it are copies.

use std::ops::Range;

use domain::{Fact, Key, Outcome, OutcomeType, Position, Timestamp, UnknownFact};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trace_context::TraceParent;
use uuid::Uuid;

use crate::{Error, SealedEvidence};

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It came from outside.
    Fact,
    /// It was decided from a fact.
    Outcome,
    /// The log about itself.
    Note,
}

impl Kind {
    /// As the column has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Outcome => "outcome",
            Self::Note => "note",
        }
    }
}

/// What an entry says of its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryEvidence {
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
    /// SHA-256 of a salt and the plain bytes.
    pub commitment: [u8; 32],
}

impl From<&SealedEvidence> for EntryEvidence {
    fn from(sealed: &SealedEvidence) -> Self {
        Self { sha256: sealed.sha256, commitment: sealed.commitment }
    }
}

/// Why an entry is no outcome that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownOutcome(pub String);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the shop's log.
    pub position: Position,
    /// Its id.
    pub id: Uuid,
    /// What kind of event it is.
    pub kind: Kind,
    /// What happened: `payment.captured`.
    pub type_name: String,
    /// What it is about.
    pub key: Key,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who it came from: `paypal`, `timer`, an API key's id. Outcomes have none.
    pub by: Option<String>,
    /// An outcome's fact.
    pub cause: Option<Position>,
    /// An outcome's number among its fact's.
    pub n: Option<u32>,
    /// The parked fact that an outcome of a redrive or a dismissal answers: the entry's `for`.
    pub answers: Option<Position>,
    /// The entry, byte for byte.
    pub entry: String,
    /// The trace that it belongs to, beside the entry: only where it was asked for, by [`crate::read_at`].
    pub trace: Option<TraceParent>,
    evidence: Option<EntryEvidence>,
    data: Range<usize>,
}

#[derive(Deserialize)]
struct Line<'a> {
    v: u32,
    id: Uuid,
    #[serde(rename = "type")]
    type_name: String,
    key: Key,
    at: Timestamp,
    by: Option<String>,
    cause: Option<Position>,
    n: Option<u32>,
    #[serde(rename = "for")]
    answers: Option<Position>,
    evidence: Option<EvidenceLine>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct EvidenceLine {
    sha256: String,
    commitment: String,
}

impl EvidenceLine {
    fn read(&self) -> Option<EntryEvidence> {
        let mut evidence = EntryEvidence { sha256: [0; 32], commitment: [0; 32] };
        hex::decode_to_slice(&self.sha256, &mut evidence.sha256).ok()?;
        hex::decode_to_slice(&self.commitment, &mut evidence.commitment).ok()?;
        Some(evidence)
    }
}

impl Event {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`Error::Entry`] when it is none, or one of a later version.
    pub fn decode(position: Position, entry: String) -> Result<Self, Error> {
        let damaged = |why: String| Error::Entry { position, why };
        let line: Line<'_> = serde_json::from_str(&entry)
            .map_err(|error| damaged(format!("{:?} at column {}", error.classify(), error.column())))?;
        if line.v != 1 {
            return Err(damaged(format!("its version is {}", line.v)));
        }
        let evidence = match line.evidence {
            Some(digests) => Some(digests.read().ok_or_else(|| damaged("its evidence".to_owned()))?),
            None => None,
        };
        // The data is a slice of the entry, so it need not be kept twice.
        let start = line.data.get().as_ptr() as usize - entry.as_ptr() as usize;
        let data = start..start + line.data.get().len();
        let kind = if line.cause.is_some() {
            Kind::Outcome
        } else if Fact::TYPES.iter().any(|(name, _)| *name == line.type_name) {
            Kind::Fact
        } else {
            Kind::Note
        };
        Ok(Self {
            position,
            id: line.id,
            kind,
            type_name: line.type_name,
            key: line.key,
            at: line.at,
            by: line.by,
            cause: line.cause,
            n: line.n,
            answers: line.answers,
            evidence,
            data,
            entry,
            trace: None,
        })
    }

    /// The entry's `data`, as it stands there.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.entry[self.data.clone()]
    }

    /// The `aggregatetype` of its outbox row.
    #[must_use]
    pub fn aggregate_type(&self) -> &'static str {
        let of_fact = || {
            let source = Fact::TYPES.iter().find(|(name, _)| *name == self.type_name);
            source.map(|(_, source)| source.aggregate())
        };
        let found = match self.kind {
            Kind::Outcome => OutcomeType::parse(&self.type_name).map(OutcomeType::aggregate),
            Kind::Fact => of_fact(),
            Kind::Note => None,
        };
        found.unwrap_or("log")
    }

    /// The fact that it is.
    ///
    /// # Errors
    /// None that this version knows: such a fact is parked.
    pub fn fact(&self) -> Result<Fact, UnknownFact> {
        Fact::from_data(&self.type_name, self.data())
    }

    /// The outcome that it is.
    ///
    /// # Errors
    /// None that this version knows.
    pub fn outcome(&self) -> Result<Outcome, UnknownOutcome> {
        let kind = OutcomeType::parse(&self.type_name)
            .ok_or_else(|| UnknownOutcome(format!("no outcome has the type {}", self.type_name)))?;
        let change = serde_json::from_str(self.data())
            .map_err(|error| UnknownOutcome(format!("{}: {error}", self.type_name)))?;
        Ok(Outcome { kind, key: self.key.clone(), answers: self.answers, change })
    }

    /// What the entry says of its evidence.
    #[must_use]
    pub fn evidence(&self) -> Option<EntryEvidence> {
        self.evidence
    }
}
