//! Takes the facts of each shop in position order, has them decided, and writes what follows in one transaction.
//!
//! One relay leads a shop at a time. The lease says who; the fence, the first statement of every transaction, makes sure
//! of it: a relay that has lost its lease changes nothing. The checkpoint moves in the same transaction as the outcomes
//! and the read models, so that each fact is decided once, whatever breaks.
//!
//! Any number of processes may run one on the same database. When a leader goes, however it goes, the next one leads
//! within 5 s: a lease that ran out is taken, and the session of a leader that was stopped in the midst of a transaction
//! is ended, since it holds the checkpoint's row and the shop with it. Only one that waits for its client is: a statement
//! that the server is at work on is bounded by its time-out.
//!
//! How it gets on is judged by heart-beat and progress ([`Standing`]), never by lag alone. All of it, leases, timers and
//! ages, goes by the database's clock: the hosts' clocks may differ by as much as they like.
//!
//! Never: name a read model. What is loaded and stored is the [`Projection`]'s.

mod backoff;
mod batch;
mod error;
mod facts;
mod fair_share;
mod ground;
mod health;
mod leader;
mod lease;
mod led;
mod meters;
mod pace;
mod projection;
mod rounds;
mod standing;
mod supervisor;
mod transaction;
mod unsettled;

pub use backoff::{backoff, backoff_by};
pub use error::Error;
pub use facts::{received, received_entry};
pub use ground::{Ahead, Decided, Ground, LoggedFact, Reader};
pub use health::{Health, Heartbeat, checkpoint, health, heartbeats};
pub use leader::Leader;
pub use lease::Lease;
pub use meters::Meters;
pub use projection::{Projection, Timer};
pub use rounds::{Leading, Leads, Rounds};
pub use standing::{Standing, all_are_stuck};
pub use supervisor::{Options, Relay, RelayHandle};
pub use unsettled::{Unsettled, unsettled};
