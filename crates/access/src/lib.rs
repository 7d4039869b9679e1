//! Who may use the API of a shop, and as what.
//!
//! A key is bound to one shop, has a named holder and roles. Its secret has 256 random bits, so a plain SHA-256 of it is
//! enough to store: there is nothing to guess, and checking one is cheap.
//!
//! Never: know routes.

mod key_text;
mod keys;
mod limits;
mod peer;
mod roles;
mod shares;
#[cfg(test)]
mod tests;

pub use key_text::KeyText;
pub use keys::{ApiKeys, Denied, Error, Identity, KeyRow};
pub use limits::{Exhausted, Rate, RateLimit};
pub use peer::{Block, TrustedProxies};
pub use roles::{Role, RoleSet, UnknownRole};
pub use shares::{Share, Shares};
