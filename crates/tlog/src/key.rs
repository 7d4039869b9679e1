//! Ed25519 keys that sign notes, and those that check them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::error::Error;
use crate::hash::sha256;
use crate::note::Signature;
use crate::text::{base64, from_base64};

/// What a key signs. It is part of the key's id, so that one kind is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// The text of a note, as logs sign.
    Ed25519 = 0x01,
    /// The text of a checkpoint and a time, as witnesses do.
    Cosignature = 0x04,
}

/// A name that a key may have: not empty, without spaces, plus signs and control characters.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

/// A public key with its name. As text it is a verifier key (`vkey`) of <https://c2sp.org/signed-note>.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key_type: KeyType,
    public_key: [u8; 32],
}

impl Verifier {
    /// Of a log, or of whoever else signs notes.
    ///
    /// # Errors
    /// [`Error::Malformed`] if keys cannot have this name.
    pub fn of_log(name: impl Into<String>, public_key: [u8; 32]) -> Result<Self, Error> {
        Self::new(name.into(), KeyType::Ed25519, public_key)
    }

    /// Of a witness.
    ///
    /// # Errors
    /// [`Error::Malformed`] if keys cannot have this name.
    pub fn of_witness(name: impl Into<String>, public_key: [u8; 32]) -> Result<Self, Error> {
        Self::new(name.into(), KeyType::Cosignature, public_key)
    }

    fn new(name: String, key_type: KeyType, public_key: [u8; 32]) -> Result<Self, Error> {
        if !is_key_name(&name) {
            return Err(Error::malformed(
                "the name of a key",
                "it is not empty and has no spaces and no plus sign",
            ));
        }
        Ok(Self { name, key_type, public_key })
    }

    /// Whose key it is; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Finds the key among those of its name. It identifies, and protects nothing.
    pub fn key_id(&self) -> u32 {
        let bytes = [self.name.as_bytes(), b"\n", &self.encoded()].concat();
        let [a, b, c, d, ..] = sha256(&bytes);
        u32::from_be_bytes([a, b, c, d])
    }

    /// The public key (RFC 8032).
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The public key as `PUBLIC KEY` in PEM (RFC 8410), for everything that is not a tool for logs.
    pub fn to_pem(&self) -> String {
        /// A SubjectPublicKeyInfo up to the key: sequence, algorithm 1.3.101.112, bit string.
        const BEFORE: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [BEFORE.as_slice(), &self.public_key].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
    }

    /// Whether the signature names this key.
    pub(crate) fn is_named_by(&self, signature: &Signature) -> bool {
        self.name == signature.name() && self.key_id() == signature.key_id()
    }

    /// Whether the key signed the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public_key).verify(message, signature).is_ok()
    }

    fn encoded(&self) -> Vec<u8> {
        [&[self.key_type as u8], self.public_key.as_slice()].concat()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.key_id(), base64(&self.encoded()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(vkey: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("a verifier key", why);
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("it has the form name+id+key"));
        };
        let key = from_base64(key).ok_or_else(|| malformed("its key is base64"))?;
        let key_type = match key.first() {
            Some(0x01) => KeyType::Ed25519,
            Some(0x04) => KeyType::Cosignature,
            Some(&other) => return Err(Error::UnsupportedKey(other)),
            None => return Err(malformed("its key has a type")),
        };
        let public_key = key[1..].try_into().map_err(|_| malformed("an Ed25519 key has 32 bytes"))?;
        let verifier = Self::new(name.to_owned(), key_type, public_key)?;
        if format!("{:08x}", verifier.key_id()) != id {
            return Err(malformed("its id is that of another name or key"));
        }
        Ok(verifier)
    }
}

/// A private key with its name, which signs notes: that of a log.
pub struct Signer {
    verifier: Verifier,
    key: Ed25519KeyPair,
}

impl Signer {
    /// From the seed of an Ed25519 key (RFC 8032). The caller wipes its own copy.
    ///
    /// # Errors
    /// [`Error::Malformed`] if keys cannot have this name.
    pub fn from_seed(name: impl Into<String>, seed: &[u8; 32]) -> Result<Self, Error> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NO_KEY)?;
        Self::new(name, key)
    }

    /// From PKCS#8 in DER (RFC 5958), as OpenSSL writes it.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is no Ed25519 key, or keys cannot have this name.
    pub fn from_pkcs8(name: impl Into<String>, der: &[u8]) -> Result<Self, Error> {
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| NO_KEY)?;
        Self::new(name, key)
    }

    fn new(name: impl Into<String>, key: Ed25519KeyPair) -> Result<Self, Error> {
        let public_key = key.public_key().as_ref().try_into().map_err(|_| NO_KEY)?;
        Ok(Self { verifier: Verifier::of_log(name, public_key)?, key })
    }

    /// The key that checks what this one signed.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs the text of a note. The same text has the same signature.
    pub(crate) fn sign(&self, text: &str) -> Signature {
        Signature::by(&self.verifier, self.sign_bytes(text.as_bytes()))
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).as_ref().to_vec()
    }
}

const NO_KEY: Error = Error::Malformed {
    what: "a private key",
    why: "it is an Ed25519 key, as a seed of 32 bytes or in PKCS#8",
};

/// Only whose key it is.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}+{:08x})", self.verifier.name, self.verifier.key_id())
    }
}
