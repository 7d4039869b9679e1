//! Finds at PayPal what never came from there, and asks it about captures that a signature alone is not enough for.
//!
//! - [`Reconciling`] is the job: for each shop whose account is known, under a lease of its own, it lists PayPal's webhook
//!   events since its cursor and appends those that the log lacks; asks about captures above the confirmation amount; and
//!   looks up unpaid orders.
//! - [`Reconciler`] looks one order up at once.
//!
//! All of it enters the log through the same intake as what PayPal delivers, and what is known adds nothing: the job may
//! stop anywhere, run twice, or run in two processes. Nothing waits for it: while PayPal cannot be asked, callbacks are
//! taken as ever, and captures above the confirmation amount wait.
//!
//! Never: decide, or move money.

mod account;
mod awaiting;
mod error;
mod events;
mod lookup;
mod patience;
mod standing;
mod store;
mod supervisor;
mod worker;

pub use account::{Account, Accounts};
pub use error::Error;
pub use lookup::{Brought, CaptureSync, OrderSync, PaypalOrderSync};
pub use standing::{Standing, standings};
pub use supervisor::{Options, Reconciler, Reconciling};

/// Whose checkpoint the lease is.
pub const CONSUMER: &str = "reconciliation";
