//! The key-encryption key.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;
use secrecy::SecretString;

use crate::Error;

const LENGTH: usize = 32;

/// The key under which every other key is wrapped: 32 bytes from a file or a secret, never in the database.
#[derive(Clone)]
pub struct KeyEncryptionKey {
    id: String,
    root: Prk,
}

impl KeyEncryptionKey {
    /// Takes 32 bytes as they are, or as 64 hexadecimal digits with white space around them.
    ///
    /// # Errors
    /// [`Error::Key`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() == LENGTH {
            return Ok(Self::of(bytes));
        }
        let mut raw = [0; LENGTH];
        hex::decode_to_slice(bytes.trim_ascii(), &mut raw).map_err(|_| {
            Error::Key("a key-encryption key is 32 bytes, or 64 hexadecimal digits".to_owned())
        })?;
        let key = Self::of(&raw);
        raw.fill(0);
        Ok(key)
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`Error::Key`] when the file cannot be read, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path)
            .map_err(|error| Error::Key(format!("{} cannot be read: {error}", path.display())))?;
        Self::parse(&bytes).map_err(|error| Error::Key(format!("{}: {error}", path.display())))
    }

    /// A new one, as the hexadecimal digits that a file should hold.
    ///
    /// # Errors
    /// [`Error::Sealing`] when the system has no randomness.
    pub fn generate() -> Result<SecretString, Error> {
        let mut raw = [0; LENGTH];
        rand::fill(&mut raw).map_err(|_| Error::Sealing("no randomness"))?;
        let text = SecretString::from(hex::encode(raw));
        raw.fill(0);
        Ok(text)
    }

    /// The first 8 hexadecimal digits of the key's SHA-256: names it, and says nothing about it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn of(raw: &[u8]) -> Self {
        let id = hex::encode(&digest(&SHA256, raw).as_ref()[..4]);
        Self { id, root: Salt::new(HKDF_SHA256, b"counterfoil key-encryption key").extract(raw) }
    }

    /// A shop's own key for one purpose: what is wrapped for one shop or purpose opens for no other.
    pub(crate) fn derive(&self, purpose: &'static str, shop: &str) -> Result<[u8; LENGTH], Error> {
        let mut key = [0; LENGTH];
        self.root
            .expand(&[purpose.as_bytes(), b"\0", shop.as_bytes()], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| Error::Sealing("no key could be derived"))?;
        Ok(key)
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEncryptionKey").field("id", &self.id).finish_non_exhaustive()
    }
}
