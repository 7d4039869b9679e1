//! Verification by PayPal itself ("postback"): a second opinion, or one where no certificate can be had.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::call::parse;
use super::{Client, RestError};
use crate::TransmissionHeaders;

#[derive(Serialize)]
struct Signed<'a> {
    auth_algo: &'a str,
    cert_url: &'a str,
    transmission_id: &'a str,
    transmission_sig: &'a str,
    transmission_time: &'a str,
    webhook_id: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    verification_status: String,
}

impl Client {
    /// Whether PayPal says that it sent exactly these bytes to the webhook. The body must be JSON.
    ///
    /// # Errors
    /// [`RestError`]; a body that is no JSON, or has white space around it, is refused without asking.
    pub async fn verify(
        &self,
        headers: &TransmissionHeaders,
        webhook_id: &str,
        body: &[u8],
    ) -> Result<bool, RestError> {
        let request = spliced(headers, webhook_id, body)
            .ok_or_else(|| RestError::Refused { status: 400, name: Some("not_json".to_owned()) })?;
        let answer =
            self.call(Method::POST, "/v1/notifications/verify-webhook-signature", Some(&request)).await?;
        let answer: Answer = parse(&answer.ok_or_else(|| RestError::odd("404 for a verification"))?)?;
        match answer.verification_status.as_str() {
            "SUCCESS" => Ok(true),
            "FAILURE" => Ok(false),
            _ => Err(RestError::odd("a verification status that is not documented")),
        }
    }
}

/// The raw body stands last, byte for byte: PayPal takes the checksum of what it finds there, so that a body which was
/// parsed and written again fails. It must be one whole JSON value: else it could close the object and name another
/// webhook. White space around the value is no part of it to a parser: what has some cannot be asked about.
pub(crate) fn spliced(headers: &TransmissionHeaders, webhook_id: &str, body: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).ok()?;
    if body.trim_ascii().len() != body.len() {
        return None;
    }
    let signed = Signed {
        auth_algo: &headers.algorithm,
        cert_url: &headers.certificate_url,
        transmission_id: &headers.id,
        transmission_sig: &headers.signature,
        transmission_time: &headers.time,
        webhook_id,
    };
    let mut request = serde_json::to_vec(&signed).ok()?;
    // The closing brace comes back behind the body.
    request.pop();
    request.extend_from_slice(b",\"webhook_event\":");
    request.extend_from_slice(body);
    request.push(b'}');
    Some(request)
}
