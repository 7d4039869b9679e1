//! Takes the facts of each shop in position order, has them decided, and writes what follows in one transaction.
//!
//! One relay leads a shop at a time. The lease says who; the fence, the first statement of every transaction, makes sure
//! of it: a relay that has lost its lease changes nothing. The checkpoint moves in the same transaction as the outcomes
//! and the read models, so that each fact is decided once, whatever breaks.
//!
//! Never: name a read model. What is loaded and stored is the [`Projection`]'s.

mod batch;
mod error;
mod facts;
mod health;
mod leader;
mod lease;
mod projection;
mod supervisor;
mod transaction;

pub use error::Error;
pub use facts::{received, received_entry};
pub use health::{Health, health};
pub use projection::{Projection, Timer};
pub use supervisor::{Options, Relay, RelayHandle};
