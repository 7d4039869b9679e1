//! Orders, payments, stock, coupons, points and what is parked: fold(outcomes), as tables.
//!
//! [`ReadModels`] is the relay's projection. [`query`] reads the tables for the faces of the service, [`replay`](mod@replay)
//! makes the rows and the decisions again from the log alone, [`compare_live`] and [`check`] say where the tables differ
//! from them or from the rules.
//!
//! Never: write outside the relay's transaction.

mod check;
mod compare;
mod convert;
mod load;
mod projection;
pub mod query;
pub mod replay;
mod rows;
mod store;
#[cfg(test)]
mod tests;

pub use check::{Verification, Violation, check, verify};
pub use compare::{Difference, compare_live};
pub use projection::{CONSUMER, ReadModels, Redrives};
pub use replay::{Mismatch, Replay};
pub use store::Changes;

pub use relay::Error;
