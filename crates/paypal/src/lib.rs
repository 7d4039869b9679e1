//! PayPal's wire format: transmission headers, signatures, certificates, the translation of callbacks to facts; and the
//! client of its REST API ([`rest`]).
//!
//! [`Verifier`] answers "did PayPal send exactly these bytes to us?", [`translate()`] answers "what do they mean?". The
//! second never fails: what cannot be understood is a fact as well.
//!
//! Never: the database; a decision; a certificate from a host that is not PayPal's.

mod certificate;
mod certificate_cache;
mod certificate_url;
mod der;
mod environment;
mod explain;
mod headers;
pub mod rest;
mod signature;
#[cfg(test)]
mod tests;
pub mod translate;
mod verify;

pub use certificate::{CertificateError, Leaf, TrustAnchors};
pub use certificate_cache::{Certificates, Fetch, Sources, Unavailable};
pub use certificate_url::{CertificateUrl, InvalidCertificateUrl};
pub use environment::{Environment, UnknownEnvironment};
pub use explain::{ExplainRequest, Report, Step, explain};
pub use headers::{HeaderError, HeaderProblem, TransmissionHeaders};
pub use signature::{SIMULATOR_WEBHOOK_ID, crc32, signed_string};
pub use translate::{Translation, translate};
pub use verify::{Authentic, Check, InvalidWebhookId, Refused, Verifier};
