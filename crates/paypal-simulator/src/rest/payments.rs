//! Captures, sales and orders as they stand now.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::Answer;
use super::refusal::Refusal;
use crate::Endpoint;
use crate::site::Site;

fn answer(site: &Site, found: Option<Value>) -> Answer {
    let found = found.ok_or_else(|| Refusal::not_found(site.debug_id()))?;
    Ok(HttpResponse::Ok().json(found))
}

pub(super) async fn capture(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Capture, &request).await? {
        return Ok(instead);
    }
    let found = site.books().captures.get(id.as_str()).cloned();
    answer(&site, found)
}

pub(super) async fn sale(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Sale, &request).await? {
        return Ok(instead);
    }
    let found = site.books().sales.get(id.as_str()).cloned();
    answer(&site, found)
}

pub(super) async fn order(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Order, &request).await? {
        return Ok(instead);
    }
    let found = site.books().orders.get(id.as_str()).cloned();
    answer(&site, found)
}
