//! Subscriptions, and the certificate that signs for them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Answer, link};
use crate::site::Site;
use crate::{Endpoint, Webhook};

fn written(site: &Site, webhook: &Webhook) -> Value {
    let types: Vec<_> = webhook.event_types.iter().map(|name| json!({"name": name})).collect();
    let own = format!("{}/v1/notifications/webhooks/{}", site.url, webhook.id);
    json!({"id": webhook.id, "url": webhook.url, "event_types": types, "links": [link(own, "self")]})
}

pub(super) async fn list(request: HttpRequest, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Webhooks, &request).await? {
        return Ok(instead);
    }
    let webhooks: Vec<Webhook> = site.books().webhooks.values().cloned().collect();
    let webhooks: Vec<Value> = webhooks.iter().map(|webhook| written(&site, webhook)).collect();
    Ok(HttpResponse::Ok().json(json!({"webhooks": webhooks})))
}

pub(super) async fn show(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Webhook, &request).await? {
        return Ok(instead);
    }
    let webhook = site.books().webhooks.get(id.as_str()).cloned();
    let webhook = webhook.ok_or_else(|| Refusal::not_found(site.debug_id()))?;
    Ok(HttpResponse::Ok().json(written(&site, &webhook)))
}

/// Anyone may have it, without a token.
pub(super) async fn certificate(id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.meet(Endpoint::Certificate).await? {
        return Ok(instead);
    }
    if id.as_str() != site.authority.certificate_id() {
        return Err(Refusal::not_found(site.debug_id()));
    }
    Ok(HttpResponse::Ok().content_type("text/plain").body(site.authority.leaf_pem().to_owned()))
}
