//! A shop that already sells moves in: its file of opening balances and orders is read, checked whole and appended as facts;
//! and while it is in shadow, what was decided is compared with its own statuses.
//!
//! Files may be larger than memory: they are read in pieces, and what must be seen together is sorted into buckets on disk.
//!
//! Never: decide, or write anything but facts through the log's own door.

mod append;
mod buckets;
mod check;
mod error;
mod lines;
mod problems;
pub mod shadow;
mod totals;

pub use append::{Brought, append};
pub use check::{Checked, check};
pub use error::Error;
pub use problems::{PROBLEMS_MAX, Problem, Problems};
pub use totals::{OrderTotal, Totals};
