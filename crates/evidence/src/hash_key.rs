//! The shop's hash key: a secret that is never rotated, for hashes that nobody can guess back without it.

use std::fmt;

use aws_lc_rs::hmac;

use crate::{Error, Vault};

/// HMAC-SHA256 under a shop's own key.
pub struct HashKey(hmac::Key);

impl HashKey {
    /// Unwraps a shop's key, as it is stored with the shop.
    ///
    /// # Errors
    /// As [`Vault::unwrap`].
    pub fn unwrap(vault: &Vault, shop: &str, wrapped: &[u8]) -> Result<Self, Error> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &vault.unwrap(shop, wrapped)?)))
    }

    /// For bodies.
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        mac
    }

    /// What stands for an id of another shape, which could hold personal data.
    #[must_use]
    pub fn pseudonym(&self, text: &str) -> String {
        // The prefix keeps these apart from the macs of bodies.
        let mut bytes = b"pseudonym\0".to_vec();
        bytes.extend_from_slice(text.as_bytes());
        hex::encode(&self.mac(&bytes)[..16])
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}
