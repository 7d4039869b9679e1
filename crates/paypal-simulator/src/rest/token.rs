//! Tokens, by client credentials (RFC 6749, section 4.4).

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::refusal::Refusal;
use crate::Endpoint;
use crate::site::Site;

const SCOPES: [&str; 3] = [
    "https://uri.paypal.com/services/applications/webhooks",
    "https://uri.paypal.com/services/applications/verify-webhook-signature",
    "https://uri.paypal.com/services/payments/payment/authcapture",
];

#[derive(Deserialize)]
struct Grant {
    grant_type: String,
}

pub(super) async fn give(request: HttpRequest, body: Bytes, site: Data<Site>) -> Answer {
    if let Some(instead) = site.meet(Endpoint::Token).await? {
        return Ok(instead);
    }
    if !knows(&site, &request) {
        let description = "Client Authentication failed";
        return Err(Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description));
    }
    // A form is written as a query is.
    let form = Query::<Grant>::from_query(std::str::from_utf8(&body).unwrap_or_default());
    if form.ok().is_none_or(|form| form.grant_type != "client_credentials") {
        let description = "Only client_credentials are given tokens";
        return Err(Refusal::oauth(StatusCode::BAD_REQUEST, "unsupported_grant_type", description));
    }
    let now = site.now();
    let token = {
        let mut ids = site.ids();
        format!("A21AA{}{}{}", ids.payment(), ids.payment(), ids.payment())
    };
    let seconds = site.faults.token_seconds();
    site.books().add_token(token.clone(), now.plus_seconds(seconds).unwrap_or(now), now);
    Ok(HttpResponse::Ok().json(json!({
        "scope": SCOPES.join(" "),
        "access_token": token,
        "token_type": "Bearer",
        "app_id": "APP-SIMULATED",
        "expires_in": seconds,
        "nonce": format!("{now}{}", site.debug_id()),
    })))
}

fn knows(site: &Site, request: &HttpRequest) -> bool {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = header.and_then(|value| STANDARD.decode(value.strip_prefix("Basic ")?).ok());
    let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else { return false };
    site.books().knows_client(id, secret)
}
