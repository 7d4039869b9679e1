//! Signs a body as PayPal does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use domain::Timestamp;

use crate::Authority;

/// 100-nanosecond steps between the start of the Gregorian calendar and 1970.
const GREGORIAN_TO_UNIX: u64 = 0x01B2_1DD2_1381_4000;
const STEPS_PER_SECOND: u64 = 10_000_000;

/// A time-based UUID whose time is the transmission's, to the second.
fn transmission_id(authority: &Authority, at: Timestamp) -> String {
    let number = authority.next_transmission();
    let seconds = u64::try_from(at.as_datetime().timestamp()).unwrap_or(0);
    let steps = GREGORIAN_TO_UNIX + seconds * STEPS_PER_SECOND + number % STEPS_PER_SECOND;
    let turn = u16::try_from((number / STEPS_PER_SECOND) & 0x3fff).unwrap_or(0);
    uuid::Builder::from_gregorian_timestamp(steps, turn, &authority.node).into_uuid().to_string()
}

/// The headers of a new transmission of this body at this instant.
#[must_use]
pub fn sign(authority: &Authority, webhook_id: &str, body: &[u8], at: Timestamp) -> Vec<(String, String)> {
    let id = transmission_id(authority, at);
    let time = at.as_datetime().to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = paypal::signed_string(&id, &time, webhook_id, paypal::crc32(body));
    let signature = STANDARD.encode(authority.sign_text(&text));
    [
        ("paypal-transmission-id", id),
        ("paypal-transmission-time", time),
        ("paypal-transmission-sig", signature),
        ("paypal-cert-url", authority.certificate_url()),
        ("paypal-auth-algo", "SHA256withRSA".to_owned()),
        ("paypal-auth-version", "v2".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("user-agent", "PayPal/simulated".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A body with the headers of a new transmission, ready to be delivered.
#[must_use]
pub fn signed(
    authority: &Authority,
    webhook_id: &str,
    body: Vec<u8>,
    at: Timestamp,
) -> (Vec<(String, String)>, Vec<u8>) {
    (sign(authority, webhook_id, &body, at), body)
}

/// Changes the body after it was signed, in a way that leaves it JSON: an attacker would raise an amount.
pub fn tamper(body: &mut Vec<u8>) {
    if let Some(digit) = body.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
        *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
    } else {
        body.push(b' ');
    }
}
