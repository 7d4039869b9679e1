//! A shop's whole life in a second: leaders, doors, crashes and a clock, over a database in memory, in an order that a seed
//! decides.
//!
//! What is decided here is decided by the service's own code: the rules and the fold (`domain`); the leader with its
//! pipeline, its batches, what it blames, parks and halves, and how it finds its way after an error ([`relay::Leader`]); what
//! a repeated fact is, positions, times and entries ([`event_log::MemoryLog`]); what a sink publishes, sets aside, tries again
//! and passes, in the order of its keys ([`delivery::sinks::Course`], [`delivery::sinks::in_key_order`]); and the replay that
//! all of it is compared with ([`audit::replay`]).
//!
//! What is modelled, for it lives in SQL or in the driver: locks, transactions and UNIQUE; a lease that is taken and renewed;
//! the fence; which timers are due; how rows are loaded; pages of the outbox. What is not here: the queue of the door and the
//! halving of its batches, the turns of a sink's worker, its transports, notifications, and everything in front of the door.
//! Tests over a real PostgreSQL have these.

mod chance;
mod checks;
mod door;
mod ground;
mod history;
mod lease;
mod rows;
mod run;
mod sink;
mod world;

pub use run::{History, Told};
