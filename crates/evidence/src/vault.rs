//! Sealing and opening.
//!
//! Sealed bytes: one byte of version, a nonce of 12, the ciphertext, a tag of 16. The plain text of the cipher is a salt
//! of 32 bytes and the zstd-compressed evidence; the additional data is the shop's id. Version 1 is compressed without a
//! dictionary, version 2 with `dictionary.txt` (`zstd -D`), which therefore can never change.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rand;

use crate::compression::{compress, decompress};
use crate::{Error, KeyEncryptionKey};

const KEY: usize = 32;
const SALT: usize = 32;
const TAG: usize = 16;
const FOR_EVIDENCE: &str = "evidence";
const FOR_SECRETS: &str = "secret";

/// Seals and opens under one key-encryption key.
#[derive(Clone)]
pub struct Vault {
    key: Arc<KeyEncryptionKey>,
}

/// The key of one piece of evidence. It is never printed but on purpose, by [`DataKey::expose`].
pub struct DataKey([u8; KEY]);

impl DataKey {
    /// Reads what [`DataKey::expose`] wrote.
    ///
    /// # Errors
    /// [`Error::Form`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut key = [0; KEY];
        hex::decode_to_slice(text, &mut key).map_err(|_| Error::Form("a key has 64 hexadecimal digits"))?;
        Ok(Self(key))
    }

    /// The key, hexadecimal.
    #[must_use]
    pub fn expose(&self) -> String {
        hex::encode(self.0)
    }

    /// Opens the evidence that was sealed under it for this shop: the salt of its commitment, and what it holds.
    ///
    /// # Errors
    /// [`Error::Locked`] with another key, for another shop, or when something was changed.
    pub fn open(&self, shop: &str, sealed: &[u8]) -> Result<([u8; SALT], Vec<u8>), Error> {
        let (&version, rest) = sealed.split_first().ok_or(Error::Locked)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(Error::Locked)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Locked)?;
        let mut inner = ciphertext.to_vec();
        let opened = gcm(&self.0)?
            .open_in_place(nonce, Aad::from(shop.as_bytes()), &mut inner)
            .map_err(|_| Error::Locked)?;
        let (salt, compressed) = opened.split_at_checked(SALT).ok_or(Error::Form("its length"))?;
        Ok((sha256(salt), decompress(version, compressed)?))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").finish_non_exhaustive()
    }
}

/// Sealed evidence, and what its fact says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed bytes.
    pub bytes: Vec<u8>,
    /// Their key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Which key-encryption key wrapped it.
    pub kek_id: String,
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
    /// SHA-256 of a salt, kept inside, and the plain bytes: proves them to whoever is shown both, and nobody else.
    pub commitment: [u8; 32],
}

impl Vault {
    /// A vault under this key.
    #[must_use]
    pub fn new(key: KeyEncryptionKey) -> Self {
        Self { key: Arc::new(key) }
    }

    /// Which key-encryption key it uses.
    #[must_use]
    pub fn kek_id(&self) -> &str {
        self.key.id()
    }

    /// Compresses and seals under a new key, for this shop.
    ///
    /// # Errors
    /// [`Error::Sealing`] when the cryptographic library gives up.
    pub fn seal(&self, shop: &str, plain: &[u8]) -> Result<Sealed, Error> {
        let mut random = [0; KEY + SALT];
        rand::fill(&mut random).map_err(|_| Error::Sealing("no randomness"))?;
        let (data_key, salt) = random.split_at(KEY);
        let mut commitment = Context::new(&SHA256);
        commitment.update(salt);
        commitment.update(plain);

        let mut inner = Vec::with_capacity(SALT + plain.len() / 2 + TAG);
        inner.extend_from_slice(salt);
        let version = compress(plain, &mut inner)?;
        let key = gcm(data_key)?;
        let nonce = key
            .seal_in_place_append_tag(Aad::from(shop.as_bytes()), &mut inner)
            .map_err(|_| Error::Sealing("AES-256-GCM"))?;
        let mut bytes = Vec::with_capacity(1 + NONCE_LEN + inner.len());
        bytes.push(version);
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&inner);

        let wrapped_key = self.wrap_for(FOR_EVIDENCE, shop, data_key)?;
        random.fill(0);
        Ok(Sealed {
            sha256: sha256(digest(&SHA256, &bytes).as_ref()),
            commitment: sha256(commitment.finish().as_ref()),
            bytes,
            wrapped_key,
            kek_id: self.key.id().to_owned(),
        })
    }

    /// Opens what was sealed for this shop.
    ///
    /// # Errors
    /// [`Error::Locked`] with another key, for another shop, or when something was changed.
    pub fn open(&self, shop: &str, sealed: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, Error> {
        let (_, plain) = self.open_with_salt(shop, sealed, wrapped)?;
        Ok(plain)
    }

    /// Opens it, and gives the salt of its commitment too: with both, anybody can check the commitment in the entry.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_with_salt(
        &self,
        shop: &str,
        sealed: &[u8],
        wrapped: &[u8],
    ) -> Result<([u8; 32], Vec<u8>), Error> {
        self.release(shop, wrapped)?.open(shop, sealed)
    }

    /// The key of one piece of evidence, for whoever may read that piece and has no key-encryption key.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn release(&self, shop: &str, wrapped: &[u8]) -> Result<DataKey, Error> {
        let secret = self.unwrap_for(FOR_EVIDENCE, shop, wrapped)?;
        secret.as_slice().try_into().map(DataKey).map_err(|_| Error::Locked)
    }

    /// Wraps a short random secret of the shop, such as its hash key.
    ///
    /// # Errors
    /// [`Error::Sealing`] when the cryptographic library gives up.
    pub fn wrap(&self, shop: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        self.wrap_for(FOR_SECRETS, shop, secret)
    }

    /// Unwraps what [`Vault::wrap`] wrapped for this shop.
    ///
    /// # Errors
    /// [`Error::Locked`] with another key, for another shop, or when it was changed.
    pub fn unwrap(&self, shop: &str, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
        self.unwrap_for(FOR_SECRETS, shop, wrapped)
    }

    /// AES key wrap (RFC 5649) needs no nonce, so no number of wrapped keys wears the key out, as it would with GCM.
    fn wrap_for(&self, purpose: &'static str, shop: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let mut wrapped = vec![0; secret.len() + 16];
        let length = self
            .kek(purpose, shop)?
            .wrap_with_padding(secret, &mut wrapped)
            .map_err(|_| Error::Sealing("AES key wrap"))?
            .len();
        wrapped.truncate(length);
        Ok(wrapped)
    }

    fn unwrap_for(&self, purpose: &'static str, shop: &str, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
        let mut secret = vec![0; wrapped.len()];
        let length = self
            .kek(purpose, shop)?
            .unwrap_with_padding(wrapped, &mut secret)
            .map_err(|_| Error::Locked)?
            .len();
        secret.truncate(length);
        Ok(secret)
    }

    fn kek(&self, purpose: &'static str, shop: &str) -> Result<AesKek, Error> {
        AesKek::new(&AES_256, &self.key.derive(purpose, shop)?).map_err(|_| Error::Sealing("AES key wrap"))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key", &self.key).finish()
    }
}

fn gcm(key: &[u8]) -> Result<RandomizedNonceKey, Error> {
    RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| Error::Locked)
}

/// For slices that have 32 bytes.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(bytes);
    out
}
