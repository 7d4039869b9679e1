//! A person is erased by destroying the keys of the evidence of all their orders: bodies become unreadable, while every
//! entry, hash and proof stays as it is, and the money facts remain.
//!
//! What belongs to a buyer is found in the log alone ([`trace`](Trace)). The read models would be quicker, but show only
//! what was decided, and of an order that was revised only the last buyer; and whoever may edit a table could keep a body
//! readable by it.
//!
//! A plan is made of one snapshot, and carried out in one transaction: keys, and the notes that say which. What comes while
//! that happens is not in it, and is found by the next run. A legal hold is looked for again under the shop's lock, which
//! placing one takes too: either the hold is there first and nothing is destroyed, or the erasure is.

mod again;
mod carry_out;
mod erased;
mod holds;
mod plan;
#[cfg(test)]
mod tests;
mod trace;
mod unnamed;

pub use again::{Again, erase_again};
pub use carry_out::{Erasure, erase};
pub use erased::{ErasedPositions, erased_positions};
pub use holds::{Hold, lift_hold, list_holds, place_hold};
pub use plan::{Plan, plan};
pub use trace::Trace;
