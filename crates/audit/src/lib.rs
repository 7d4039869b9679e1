//! The auditor: makes everything again from the log alone, and says where it is not as it was.
//!
//! [`Source`] is a log to audit, [`Replay`] decides it anew, [`Fold`] only folds what was decided, [`verify()`] compares
//! all there is with each other. [`tree`] grows the Merkle tree that others keep what they saw by.
//!
//! Never: write anything but the tree's tables and notes, and destroy evidence in any other way than through `evidence`.

mod error;
mod progress;
mod replay;
mod source;
pub mod tree;
mod verify;

pub use error::Error;
pub use progress::Progress;
pub use replay::{End, Fold, Mismatch, Replay, Replayed, replay};
pub use source::{Point, Snapshot, Source, Take, read_into};
pub use verify::{Verification, verify};
