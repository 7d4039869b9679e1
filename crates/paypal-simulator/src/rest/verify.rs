//! Verification by postback: the same checks as everybody's, over the bytes of the event as they stand in the request.

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use paypal::{Environment, Refused, TransmissionHeaders, Verifier};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Answer;
use super::refusal::{Detail, Refusal};
use crate::Endpoint;
use crate::site::Site;

#[derive(Deserialize)]
struct Postback<'a> {
    auth_algo: Option<String>,
    cert_url: Option<String>,
    transmission_id: Option<String>,
    transmission_sig: Option<String>,
    transmission_time: Option<String>,
    webhook_id: Option<String>,
    /// Its bytes are what was signed: another order of keys, other spaces, and the signature does not hold.
    #[serde(borrow)]
    webhook_event: Option<&'a RawValue>,
}

pub(super) async fn verify(request: HttpRequest, body: Bytes, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::VerifySignature, &request).await? {
        return Ok(instead);
    }
    let bad = |field: &str, issue: &str, description: &str| {
        Refusal::invalid(site.debug_id(), &Detail { field, location: "body", issue, description })
    };
    let postback: Postback<'_> = serde_json::from_slice(&body)
        .map_err(|_| bad("/", "MALFORMED_REQUEST_JSON", "An object of seven fields is expected."))?;
    let missing = |field: &str| bad(&format!("/{field}"), "MISSING_REQUIRED_PARAMETER", "It is required.");
    let webhook_id = postback.webhook_id.as_ref().ok_or_else(|| missing("webhook_id"))?;
    let event = postback.webhook_event.ok_or_else(|| missing("webhook_event"))?;
    let headers = [
        ("transmission_id", &postback.transmission_id),
        ("transmission_time", &postback.transmission_time),
        ("transmission_sig", &postback.transmission_sig),
        ("cert_url", &postback.cert_url),
        ("auth_algo", &postback.auth_algo),
    ];
    let mut pairs = Vec::new();
    for (header, (field, value)) in TransmissionHeaders::NAMES.into_iter().zip(headers) {
        pairs.push((header, value.as_ref().ok_or_else(|| missing(field))?.as_bytes()));
    }
    let headers = TransmissionHeaders::parse(pairs.into_iter())
        .map_err(|error| bad("/", "INVALID_PARAMETER", &error.to_string()))?;
    let is_success = is_authentic(&site, &headers, webhook_id, event).await?;
    let status = if is_success { "SUCCESS" } else { "FAILURE" };
    Ok(HttpResponse::Ok().json(json!({"verification_status": status})))
}

async fn is_authentic(
    site: &Site,
    headers: &TransmissionHeaders,
    webhook_id: &str,
    event: &RawValue,
) -> Result<bool, Refusal> {
    // It says FAILURE for a webhook that is not there; what is signed for the public simulator's cannot be verified here.
    if !site.books().webhooks.contains_key(webhook_id) {
        return Ok(false);
    }
    let (anchors, certificates) = (site.anchors.clone(), site.certificates.clone());
    let verifier = Verifier::new(Environment::Dev, vec![webhook_id.to_owned()], anchors, certificates)
        .map_err(|_| Refusal::internal(site.debug_id()))?;
    match verifier.verify(headers, event.get().as_bytes(), site.now()).await {
        Ok(_) => Ok(true),
        // It knows its own certificate only: what another one signed is not PayPal's.
        Err(Refused::NotAuthentic { .. } | Refused::Unavailable(_)) => Ok(false),
    }
}
