//! What tests share: throw-away databases on a private PostgreSQL, real brokers, a real witness, clients in other languages,
//! and waiting for a condition.
//!
//! Each process has one cluster, started when the first test asks for a database and ended by the kernel when the process
//! ends. Each test has a database of its own, copied from one that was migrated once.
//!
//! Never: be a dependency of anything but tests. It panics where a test would.

#![expect(clippy::unwrap_used, reason = "it runs in tests only, and fails as they do")]

pub mod brokers;
mod build_dir;
mod citus;
pub mod foreign;
mod missing;
mod omniwitness;
mod process;
mod server;
mod test_database;
mod wait;
mod witness;

pub use missing::skip;
pub use omniwitness::Omniwitness;
pub use server::{Server, binaries};
pub use test_database::{Backup, TestDatabase};
pub use wait::wait_until;
pub use witness::{AnyWitness, TestWitness};
