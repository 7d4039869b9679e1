//! The way to PostgreSQL: the pool, transactions, errors as types, the clock, the migrations, and the text of all SQL.
//!
//! Every session has its time limits set when it is opened, so that a stopped process cannot hold a lock for long, and
//! a transaction runs in a task of its own, so that a caller who goes away cannot cancel a commit.
//!
//! Never: know a word of the domain.

mod address;
mod check;
mod citus;
mod clock;
mod config;
mod error;
mod meters;
mod migrate;
mod notifications;
mod pool;
pub mod sql;
mod statement;
mod tls;
mod transaction;

pub use check::Room;
pub use citus::{Distributed, citus_version, distribute};
pub use clock::{Clock, SettableClock, SystemClock};
pub use config::Config;
pub use error::{Class, Error, classify};
pub use meters::Meters;
pub use migrate::{MigrationReport, MigrationStatus, migrate, migration_status};
pub use notifications::{Notification, Notifications};
pub use pool::{Client, Database, Parameters, READ_COMMITTED};
pub use sql::Query;
pub use statement::Statement;

/// A future without a name, as the closures of [`Database::run_tx`] return.
pub type BoxFuture<'t, T> = futures_util::future::BoxFuture<'t, T>;
