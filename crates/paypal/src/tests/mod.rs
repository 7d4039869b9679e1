//! Tests. The authority, the certificates and the bodies are our own; `vectors` also takes what PayPal really signed,
//! where that is at hand.

mod authority;
mod certificate_urls;
mod explanation;
mod fetching;
mod server;
mod translation;
mod transmission_headers;
mod vectors;
mod verification;

use chrono::DateTime;
use domain::Timestamp;

/// The instant of an RFC 3339 text.
fn at(text: &str) -> Timestamp {
    Timestamp::new(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}
