//! After a restore: brings back what the database has lost and the published log has kept.
//!
//! [`Published`] is a log as it was published, as files; [`missing`] says what of it a database lacks, once all of it was
//! found to be in order; [`reimport`] brings that back, byte for byte, and folds the outcomes among it into the read models.
//!
//! Never: write what is not proven by a signed checkpoint.

mod error;
mod published;
mod reimport;

pub use error::Error;
pub use published::Published;
pub use reimport::{Missing, Reimported, missing, reimport};
