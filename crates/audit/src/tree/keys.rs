//! The keys that sign the logs of a service.
//!
//! A file holds them as `PRIVATE KEY` in PEM, one below the other: the first is the one that counts, older ones sign below it
//! for those who know nothing else yet.

use std::fmt;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tlog::{Signer, Verifier};

use super::Error;

/// So many sign: verifiers read at least 16 signatures, and witnesses have theirs there too.
const MOST: usize = 8;

/// The keys of a file, the first of which is the one that counts.
pub struct LogKeys(Vec<Key>);

struct Key {
    /// PKCS#8, DER.
    private: SecretSlice<u8>,
    public: [u8; 32],
}

impl LogKeys {
    /// One new key.
    ///
    /// # Errors
    /// [`Error::Key`] when the system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(vec![Key::generate()?]))
    }

    /// Reads PEM, as OpenSSL writes it (`openssl genpkey -algorithm ed25519`).
    ///
    /// # Errors
    /// [`Error::Key`] when there is no key, too many, or one of another kind.
    pub fn parse(pem: &[u8]) -> Result<Self, Error> {
        let odd = |why: &str| Error::Key(format!("{why}: make a file with `counterfoil keys log create`"));
        let blocks = PrivatePkcs8KeyDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let blocks = blocks.map_err(|_| odd("it is not PEM"))?;
        let keys = blocks.iter().map(|block| Key::from_pkcs8(block.secret_pkcs8_der()));
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        match keys.len() {
            0 => Err(odd("there is no PRIVATE KEY")),
            1..=MOST => Ok(Self(keys)),
            _ => {
                Err(Error::Key(format!("there are more than {MOST}: remove the last, which are the oldest")))
            }
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Key`] when it cannot be read, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let mut pem = std::fs::read(path)
            .map_err(|error| Error::Key(format!("{} cannot be read: {error}", path.display())))?;
        let keys = Self::parse(&pem).map_err(|error| match error {
            Error::Key(why) => Error::Key(format!("{}: {why}", path.display())),
            error => error,
        });
        pem.zeroize();
        keys
    }

    /// With a new key before the others.
    ///
    /// # Errors
    /// [`Error::Key`] when there are as many as there may be, or the system has no randomness.
    pub fn rotated(self) -> Result<Self, Error> {
        if self.0.len() >= MOST {
            return Err(Error::Key(format!("there are {MOST} keys: remove the last, which is the oldest")));
        }
        let mut keys = vec![Key::generate()?];
        keys.extend(self.0);
        Ok(Self(keys))
    }

    /// What a file should hold.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        let mut pem = String::new();
        for key in &self.0 {
            let mut text = STANDARD.encode(key.private.expose_secret());
            pem.push_str("-----BEGIN PRIVATE KEY-----\n");
            pem.push_str(&text);
            pem.push_str("\n-----END PRIVATE KEY-----\n");
            text.zeroize();
        }
        pem.into()
    }

    /// What signs checkpoints of a log of this name, in order.
    ///
    /// # Errors
    /// [`Error::Format`] if no log has such a name.
    pub fn signers(&self, name: &str) -> Result<Vec<Signer>, Error> {
        let signer = |key: &Key| Ok(Signer::from_pkcs8(name, key.private.expose_secret())?);
        self.0.iter().map(signer).collect()
    }

    /// What checks them.
    ///
    /// # Errors
    /// As [`LogKeys::signers`].
    pub fn verifiers(&self, name: &str) -> Result<Vec<Verifier>, Error> {
        self.0.iter().map(|key| Ok(Verifier::of_log(name, key.public)?)).collect()
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, key: &Verifier) -> bool {
        self.place_of(key.public_key()).is_some()
    }

    /// Which of them it is; 0 is the one that counts.
    pub(crate) fn place_of(&self, public_key: &[u8; 32]) -> Option<usize> {
        self.0.iter().position(|key| key.public == *public_key)
    }
}

/// Only how many they are.
impl fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKeys({})", self.0.len())
    }
}

impl Key {
    fn generate() -> Result<Self, Error> {
        let pair =
            Ed25519KeyPair::generate().map_err(|_| Error::Key("the system has no randomness".to_owned()))?;
        Self::of(&pair)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map_err(|_| Error::Key("one is not an Ed25519 key".to_owned()))?;
        Self::of(&pair)
    }

    /// Version 1, without the public key: OpenSSL 3.0 reads no other.
    fn of(pair: &Ed25519KeyPair) -> Result<Self, Error> {
        let odd = |_| Error::Key("one cannot be written as PKCS#8".to_owned());
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(odd)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| Error::Key("one has no public key".to_owned()))?;
        Ok(Self { private: der.as_ref().to_vec().into(), public })
    }
}
