//! A PayPal to develop against: an authority, a signer, bodies, and delivery.
//!
//! What it signs is authentic only to a service that was given its root, and only in the `dev` environment.
//!
//! Never: a key that is trusted anywhere else; a body that was copied from somebody's real payment.

mod authority;
mod deliver;
mod ids;
mod sign;
mod story;
#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityError};
pub use deliver::{DeliverError, Options, Sent, Transmission, deliver, deliver_all};
pub use ids::Ids;
pub use sign::{sign, signed, tamper};
pub use story::{EventKind, InvalidOverride, Payer, Story, override_value};
