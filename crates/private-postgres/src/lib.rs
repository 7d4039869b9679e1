//! Finds, starts and stops a PostgreSQL of our own, for development and for tests.
//!
//! A private cluster listens on a unix socket in a directory that only its user may enter, and on nothing else. It is
//! as durable as a real one (fsync and checksums on), so that what is measured or broken here means something.
//! It ends with the process that started it, however that process ends.
//!
//! Never: touch a cluster that something else started, or ask a question on a terminal.

mod binaries;
mod cluster;
mod control_file;
mod error;
mod install;
mod keeper;
mod privileges;

pub use binaries::{Binaries, MINIMUM_MAJOR};
pub use cluster::{Cluster, Options};
pub use error::Error;
pub use install::{install, install_major};
