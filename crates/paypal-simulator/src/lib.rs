//! A PayPal to develop against: an authority, a signer, bodies, and delivery; and [`PayPal`], which remembers what happened,
//! answers its REST API on loopback, and delivers with retries, duplicates, reordering and losses.
//!
//! What it signs is authentic only to a service that was given its root, and only in the `dev` environment.
//!
//! Never: a key that is trusted anywhere else; a body that was copied from somebody's real payment.

mod authority;
mod books;
mod deliver;
mod delivery;
mod faults;
mod forge;
mod ids;
mod rest;
mod sign;
mod site;
mod story;
#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityError};
pub use books::{Client, Event, NotTaken, Webhook};
pub use deliver::{DeliverError, Options, Sent, Transmission, deliver, deliver_all};
pub use delivery::{Attempt, Delivered, Delivery, RETRIES_AFTER_S};
pub use faults::{Endpoint, Fault, Faults};
pub use forge::{NothingToForge, forge_amount};
pub use ids::Ids;
pub use sign::{sign, signed, tamper};
pub use site::{PayPal, StartError};
pub use story::{EventKind, InvalidOverride, Payer, Story, override_value};
