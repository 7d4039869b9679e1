//! What the log says was erased: evidence whose key is missing for a reason.

use std::collections::BTreeMap;

use domain::{BuyerId, Position};
use event_log::{Event, NoteType};
use serde::Deserialize;

use crate::{Error, Progress, Source, Take, read_into};

/// The facts whose evidence was erased. Takes a log, from a database or from anywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedPositions {
    notes: BTreeMap<Position, Position>,
}

/// Data of `subject.erased`.
#[derive(Deserialize)]
pub(super) struct ErasedData {
    pub(super) buyer: BuyerId,
    pub(super) positions: Vec<Position>,
}

/// What a note says was erased; none for other events, and for a note that says nothing of the kind.
pub(super) fn read(event: &Event) -> Option<ErasedData> {
    if event.type_name != NoteType::SubjectErased.name() {
        return None;
    }
    serde_json::from_str(event.data()).ok()
}

impl ErasedPositions {
    /// Whether the missing key of the evidence at this position is accounted for.
    #[must_use]
    pub fn accounts_for(&self, position: Position) -> bool {
        self.notes.contains_key(&position)
    }

    /// The note that accounts for it.
    #[must_use]
    pub fn note_of(&self, position: Position) -> Option<Position> {
        self.notes.get(&position).copied()
    }

    /// Every fact whose evidence was erased, in order.
    pub fn iter(&self) -> impl Iterator<Item = Position> {
        self.notes.keys().copied()
    }
}

impl Take for ErasedPositions {
    fn take(&mut self, event: Event) {
        self.note(&event);
    }
}

impl ErasedPositions {
    /// Takes what an event says was erased.
    pub fn note(&mut self, event: &Event) {
        let Some(erased) = read(event) else { return };
        for position in erased.positions {
            // Only what stands before the note can have been erased by it.
            if position < event.position {
                self.notes.entry(position).or_insert(event.position);
            }
        }
    }
}

/// What a log says was erased.
///
/// # Errors
/// The log cannot be read.
pub async fn erased_positions(source: &Source) -> Result<ErasedPositions, Error> {
    read_into(source, source.head(), ErasedPositions::default(), ("reading", &Progress::default())).await
}
