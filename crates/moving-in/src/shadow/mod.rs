//! A shop in shadow: what was decided, beside the statuses that the shop's own systems have.

mod compare;
mod statuses;

pub use compare::{Difference, DifferenceKind, Differences, Options, Side, diff};
pub use statuses::{Status, Words};
