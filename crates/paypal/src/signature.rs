//! The signature: RSA over a text that names the transmission, the receiver, and the body by its CRC-32.
//!
//! A CRC is no hash. Whoever has one genuine transmission can make other bodies that its signature covers; that is how
//! PayPal signs, and no check here can see it. TLS, and the refusal of known transmissions with other bytes, do.

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Leaf;

/// The id that PayPal's public simulator signs for. Anyone may aim it at any URL.
pub const SIMULATOR_WEBHOOK_ID: &str = "WEBHOOK_ID";

/// The only algorithm that PayPal uses.
pub(crate) const ALGORITHM: &str = "SHA256withRSA";

/// CRC-32/ISO-HDLC of the raw body.
#[must_use]
pub fn crc32(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// The text that is signed.
#[must_use]
pub fn signed_string(id: &str, time: &str, webhook_id: &str, crc32: u32) -> String {
    format!("{id}|{time}|{webhook_id}|{crc32}")
}

/// The signature's bytes; `None` when the header is no base64.
pub(crate) fn decode(signature: &str) -> Option<Vec<u8>> {
    STANDARD.decode(signature).ok()
}

/// The leaf's key, or why none of its signatures could hold.
pub(crate) fn key(leaf: &Leaf) -> Result<&ParsedPublicKey, &'static str> {
    leaf.key.as_ref().ok_or("the certificate has no RSA key of 2048 to 8192 bits")
}

/// Whether the leaf's key made the signature over the text.
pub(crate) fn verify(leaf: &Leaf, message: &str, signature: &[u8]) -> Result<(), String> {
    key(leaf)?
        .verify_sig(message.as_bytes(), signature)
        .map_err(|_| "it is of another text or another key".to_owned())
}
