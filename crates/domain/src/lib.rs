//! What happened and what follows from it.
//!
//! A [`Fact`] came from outside and changes nothing by itself. [`State::decide`] answers it with [`Outcome`]s, and
//! every change of state is the fold of outcomes ([`State::evolve`]). Everything here is pure: all that is read is in the
//! log, so that replaying a log gives the same decisions and the same rows, bit for bit.
//!
//! Never: input or output, a clock, SQL, HTTP, or PayPal's wire format.

mod callbacks;
mod commands;
mod decide;
mod evolve;
mod fact;
mod fulfilment;
mod ids;
mod imports;
mod key;
mod money;
mod names;
mod outcome;
mod placement;
mod reason;
mod rows;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod time;

pub use callbacks::*;
pub use commands::*;
pub use decide::Undecided;
pub use fact::*;
pub use fulfilment::{Fulfilment, Verdict};
pub use ids::*;
pub use imports::*;
pub use key::Key;
pub use money::{Currency, MINOR_MAX, Minor, Money, MoneyError};
pub use outcome::*;
pub use placement::*;
pub use reason::Reason;
pub use rows::*;
pub use settings::{Returns, Settings, Threshold, Tracks};
pub use state::{
    Changed, Context, Group, Mark, Member, Missing, RULES_LATEST, ReceivedFact, Shop, State, Table,
};
pub use time::Timestamp;
