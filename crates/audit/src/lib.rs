//! The auditor: makes everything again from the log alone, and says where it is not as it was.
//!
//! [`Source`] is a log to audit, [`Replay`] decides it anew, [`Fold`] only folds what was decided, [`verify()`] compares
//! all there is with each other. [`tree`] grows the Merkle tree that others keep what they saw by, [`settlement`] compares
//! PayPal's own reports with the log, and [`erasure`] makes a person's evidence unreadable.
//!
//! Never: write anything but the tree's tables and notes, and destroy evidence in any other way than through `evidence`.

mod as_of;
mod beside;
pub mod bundle;
mod digest;
pub mod erasure;
mod error;
pub mod export;
mod finding;
mod progress;
mod rebuild;
mod replay;
pub mod settlement;
mod source;
#[cfg(test)]
mod story;
pub mod tree;
mod verify;
mod what_if;

pub use as_of::{Model, Subject, as_of};
pub use bundle::Bundle;
pub use digest::{DIGESTED, Digest, Digests, fold_digests, line, record_digests};
pub use error::Error;
pub use finding::{Finding, Findings};
pub use progress::Progress;
pub use rebuild::{Rebuildable, Rebuilt, rebuild, undo};
pub use replay::{End, Fold, Mismatch, Replay, Replayed, Run, replay, run};
pub use source::{Point, Snapshot, Source, Take, read_into};
pub use verify::{EvidenceCounts, TreeCounts, Verification, Verifier, verify};
pub use what_if::{Assumptions, OrderDifference, Standing, WhatIf, what_if};
