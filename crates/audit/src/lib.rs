//! The auditor: makes everything again from the log alone, and says where it is not as it was.
//!
//! [`Source`] is a log to audit, [`Replay`] decides it anew, [`Fold`] only folds what was decided, [`verify()`] compares
//! all there is with each other.
//!
//! Never: write anything but the tree's tables and notes, and destroy evidence in any other way than through `evidence`.

mod error;
mod finding;
mod progress;
mod replay;
mod source;
mod verify;

pub use error::Error;
pub use finding::{Finding, Findings};
pub use progress::Progress;
pub use replay::{End, Fold, Mismatch, Replay, Replayed, replay};
pub use source::{Point, Snapshot, Source, Take, read_into};
pub use verify::{EvidenceCounts, Verification, Verifier, verify};
