//! The text of a key: `cf_<shop>_<key id>_<secret>`. The prefix lets scanners of leaked secrets know it; the shop in it
//! lets it be looked up by the shop's primary key.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use domain::ShopId;
use secrecy::{ExposeSecret as _, SecretString};

const PREFIX: &str = "cf_";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
/// No key is longer: a longer text is not even hashed.
pub(crate) const TEXT_MAX: usize = 3 + 32 + 1 + 2 * ID_BYTES + 1 + 2 * SECRET_BYTES;

/// A new key, to be shown once. Never printed by accident.
#[derive(Clone, Debug)]
pub struct KeyText(SecretString);

impl KeyText {
    /// The text, to hand to its holder.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The parts of a key.
pub(crate) struct Parts<'a> {
    pub(crate) shop: ShopId,
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
}

/// A new key: its text, its id, and the SHA-256 of its secret. None when the system has no randomness.
pub(crate) fn generate(shop: &ShopId) -> Option<(KeyText, String, [u8; 32])> {
    let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
    rand::fill(&mut id).and_then(|()| rand::fill(&mut secret)).ok()?;
    let (id, secret) = (hex::encode(id), hex::encode(secret));
    let text = KeyText(format!("{PREFIX}{shop}_{id}_{secret}").into());
    Some((text, id, sha256(secret.as_bytes())))
}

/// Takes a key apart. From behind, for a shop's id may have underscores too.
pub(crate) fn parse(text: &str) -> Option<Parts<'_>> {
    let rest = text.strip_prefix(PREFIX)?;
    let (rest, secret) = rest.rsplit_once('_')?;
    let (shop, key_id) = rest.rsplit_once('_')?;
    let is_hex =
        |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex(key_id, ID_BYTES) || !is_hex(secret, SECRET_BYTES) {
        return None;
    }
    Some(Parts { shop: ShopId::parse(shop).ok()?, key_id, secret })
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
