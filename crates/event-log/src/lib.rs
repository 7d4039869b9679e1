//! The one append, and reading by position.
//!
//! What is appended at the same moment shares one transaction: lock the shop's row, look up what is known, number what is
//! new, insert events, outbox and evidence rows, commit. Two round trips a batch. An answer is given only after COMMIT.
//! Nothing is appended to a log that is not the one that is remembered: every append goes by a [`Guard`].
//!
//! Never: change an event.

mod act;
mod append;
mod batcher;
mod canonical;
mod entry;
mod error;
mod event;
mod fact;
mod fork;
mod guard;
mod keeping;
mod memory;
mod meters;
mod note;
mod notify;
mod outcomes;
mod read;
mod reimport;
mod rows;
mod settle;
mod state_file;
#[cfg(test)]
mod tests;
mod turns;
mod write;

pub use act::{Act, Operator};
pub use append::{Appender, Options};
pub use canonical::{EntryError, canonical, canonical_data, is_written_as, leaf_hash};
pub use entry::{ENTRY_MAX_BYTES, fact_id, outcome_id};
pub use error::{AppendError, Error};
pub use event::{EntryEvidence, Event, Kind, UnknownOutcome};
pub use fact::{Appended, Certificate, Conflict, Dedupe, NewFact, SealedEvidence, Transmission};
pub use fork::{Forked, fork};
pub use guard::{Fork, Guard, Memory, Point, compare_point};
pub use keeping::{Keeping, KeepingError};
pub use memory::{MemoryLog, MemoryRows, Violated};
pub use meters::Meters;
pub use note::{NewNote, NoteType, NotedAt, append_note, find_note, record_note};
pub use notify::{channel, listen};
pub use outcomes::{NewOutcome, OutcomeAppend, Placed, append_outcomes};
pub use read::{
    Filter, KnownCommand, Said, delays, find_by_paypal_id, find_commands, head, leaves, outcomes_of,
    positions_at, read, read_all, read_at, read_before, read_money,
};
pub use reimport::insert_reimported;
pub use state_file::{StateFileError, StateFiles};
