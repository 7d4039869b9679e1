//! The evidence of a callback: everything that its authenticity rests on, byte for byte.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How a callback was found to be authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifiedBy {
    /// By its signature, here.
    Signature,
    /// By asking PayPal about it.
    Postback,
    /// It was fetched from PayPal's API.
    Api,
}

/// A callback as it was received.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackEvidence {
    /// The raw body.
    pub body: Vec<u8>,
    /// The headers that matter, with their exact values, in the order received.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the signing certificate, hexadecimal; empty without one.
    pub certificate_sha256: String,
    /// The webhook id that matched; empty without one.
    pub webhook_id: String,
    /// How it was verified.
    pub verified_by: VerifiedBy,
}

#[derive(Deserialize)]
struct Line {
    headers: Vec<(String, String)>,
    certificate_sha256: String,
    webhook_id: String,
    verified_by: VerifiedBy,
}

/// The same, borrowed.
#[derive(Serialize)]
struct LineOf<'a> {
    headers: &'a [(String, String)],
    certificate_sha256: &'a str,
    webhook_id: &'a str,
    verified_by: VerifiedBy,
}

impl CallbackEvidence {
    /// One line of JSON, a line feed, then the raw body: readable without any of our code.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let line = LineOf {
            headers: &self.headers,
            certificate_sha256: &self.certificate_sha256,
            webhook_id: &self.webhook_id,
            verified_by: self.verified_by,
        };
        let mut bytes = Vec::with_capacity(1024 + self.body.len());
        // Strings and a plain enum, into memory: it cannot fail.
        let _ = serde_json::to_writer(&mut bytes, &line);
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Error::Form`] for anything that `encode` does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let end = bytes.iter().position(|&b| b == b'\n').ok_or(Error::Form("it has no first line"))?;
        let line: Line = serde_json::from_slice(&bytes[..end]).map_err(|_| Error::Form("its first line"))?;
        Ok(Self {
            body: bytes[end + 1..].to_vec(),
            headers: line.headers,
            certificate_sha256: line.certificate_sha256,
            webhook_id: line.webhook_id,
            verified_by: line.verified_by,
        })
    }
}

/// Bodies and header values are personal data or secrets: they are never printed.
impl std::fmt::Debug for CallbackEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackEvidence")
            .field("body_bytes", &self.body.len())
            .field("certificate_sha256", &self.certificate_sha256)
            .field("verified_by", &self.verified_by)
            .finish_non_exhaustive()
    }
}
