//! A shop's whole life in a second: leaders, doors, crashes and a clock, over a database in memory, in an order that a seed
//! decides.
//!
//! What is decided here is decided by the service's own code: the rules and the fold (`domain`), the leader with its
//! pipeline, its batches, what it blames, parks and halves, and how it finds its way after an error ([`relay::Leader`]), what
//! a repeated fact is, positions, times and entries ([`event_log::MemoryLog`]), and the replay that all of it is compared
//! with ([`audit::replay`]).
//!
//! What is modelled, for it lives in SQL or in the driver: locks, transactions and UNIQUE; a lease that is taken and renewed;
//! the fence; which timers are due; how rows are loaded. Not here: the queue of the door and the halving of its batches,
//! sinks' transports, reading the outbox, everything in front of the door. Tests over a real PostgreSQL have these.

mod chance;
mod checks;
mod door;
mod ground;
mod history;
mod rows;
mod run;
mod world;

pub use run::{History, Told};
