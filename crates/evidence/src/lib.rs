//! Seals, opens and destroys evidence: what a fact rests on.
//!
//! Each piece of evidence is compressed and sealed under a random key of its own, and that key is wrapped under a key of
//! its shop, which is derived from the key-encryption key. The key-encryption key is never in the database. So destroying
//! one wrapped key erases one person, and whoever has only the database reads nothing.
//!
//! Never: know what a callback means.

mod callback;
mod compression;
mod error;
mod hash_key;
mod key;
mod rows;
#[cfg(test)]
mod tests;
mod vault;

pub use callback::{CallbackEvidence, VerifiedBy};
pub use error::Error;
pub use hash_key::HashKey;
pub use key::KeyEncryptionKey;
pub use rows::{Row, certificate, destroy, list_keys, load};
pub use vault::{DataKey, Sealed, Vault};
