//! The events that happened: a list by pages, one of them, one of them again.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::DateTime;
use domain::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::refusal::{Detail, Refusal};
use super::{Answer, Link, link};
use crate::books::Wanted;
use crate::site::Site;
use crate::{Endpoint, Event};

const PAGE: usize = 10;
const PAGE_MAX: usize = 300;
/// PayPal's pages say that events of the last 30 days can be had. That older times are refused is a guess.
const KEPT_S: i64 = 30 * 24 * 60 * 60;

/// All of it as text, so that what is wrong is said in PayPal's shape.
#[derive(Deserialize, Default)]
struct Asked {
    page_size: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    transaction_id: Option<String>,
    event_type: Option<String>,
    /// Only of links that were given out: the event behind which to go on. PayPal documents nothing of these, so a client
    /// has to follow them as they are.
    index_id: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    events: Vec<&'a RawValue>,
    count: usize,
    links: Vec<Link>,
}

pub(super) async fn list(request: HttpRequest, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Events, &request).await? {
        return Ok(instead);
    }
    let bad = |field: &str, description: &str| {
        let detail = Detail { field, location: "query", issue: "INVALID_PARAMETER", description };
        Refusal::invalid(site.debug_id(), &detail)
    };
    let asked = Query::<Asked>::from_query(request.query_string())
        .map_err(|_| bad("query", "A parameter is there more than once, or is not text."))?
        .into_inner();
    let size = asked.page_size.as_deref().map_or(Ok(PAGE), str::parse).unwrap_or(0);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(bad("page_size", "A number from 1 to 300 is expected."));
    }
    let time = |name, text: &Option<String>| {
        let parsed = text.as_deref().map(DateTime::parse_from_rfc3339).transpose();
        let parsed = parsed.map_err(|_| bad(name, "A time as in RFC 3339 is expected."))?;
        Ok::<_, Refusal>(parsed.map(|at| Timestamp::new(at.to_utc())))
    };
    let (from, until) = (time("start_time", &asked.start_time)?, time("end_time", &asked.end_time)?);
    let oldest = site.now().plus_seconds(-KEPT_S).unwrap_or_else(|| site.now());
    if from.is_some_and(|from| from < oldest) {
        return Err(bad("start_time", "Events of the last 30 days can be had."));
    }
    let from = from.unwrap_or(oldest);
    if until.is_some_and(|until| until < from) {
        return Err(bad("end_time", "It is before start_time."));
    }
    let listed = site.faults.listed_after_s().and_then(|after| site.now().plus_seconds(-after));
    let wanted = Wanted {
        from,
        until: until.into_iter().chain(listed).min(),
        event_type: asked.event_type.as_deref(),
        resource_id: asked.transaction_id.as_deref(),
        behind: asked.index_id.as_deref(),
    };
    // One more than is shown says whether there is a next page.
    let found = site.books().list(&wanted, size + 1);
    let mut found = found.ok_or_else(|| bad("index_id", "It is of no link that was given out."))?;
    let has_more = found.len() > size;
    found.truncate(size);
    let own = format!("{}{}", site.url, request.uri());
    let mut links = vec![link(own, "self")];
    if let Some(last) = found.last().filter(|_| has_more) {
        links.extend(next(&site, &asked, last).map(|href| link(href, "next")));
    }
    let events = found.iter().filter_map(raw).collect::<Vec<_>>();
    Ok(HttpResponse::Ok().json(List { count: events.len(), events, links }))
}

/// The link to what stands behind `last`, with all that was asked.
fn next(site: &Site, asked: &Asked, last: &Event) -> Option<String> {
    let mut url = Url::parse(&site.url).ok()?.join("/v1/notifications/webhooks-events").ok()?;
    let parts = [
        ("page_size", &asked.page_size),
        ("start_time", &asked.start_time),
        ("end_time", &asked.end_time),
        ("transaction_id", &asked.transaction_id),
        ("event_type", &asked.event_type),
        ("move_to", &Some("next".to_owned())),
        ("index_id", &Some(last.id.clone())),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    url.query_pairs_mut().extend_pairs(parts);
    Some(url.into())
}

/// The bytes as they are sent; an event was taken only where they are JSON.
fn raw(event: &Event) -> Option<&RawValue> {
    serde_json::from_slice(&event.body).ok()
}

pub(super) async fn show(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Event, &request).await? {
        return Ok(instead);
    }
    Ok(answer(StatusCode::OK, &find(&site, &id)?))
}

fn find(site: &Site, id: &str) -> Result<Event, Refusal> {
    let event = site.books().event(id).cloned();
    event.ok_or_else(|| Refusal::not_found(site.debug_id()))
}

fn answer(status: StatusCode, event: &Event) -> HttpResponse {
    HttpResponse::build(status).content_type("application/json").body(event.body.to_vec())
}

#[derive(Deserialize)]
struct Resend {
    webhook_ids: Option<Vec<String>>,
}

pub(super) async fn resend(request: HttpRequest, id: Path<String>, body: Bytes, site: Data<Site>) -> Answer {
    if let Some(instead) = site.admit(Endpoint::Resend, &request).await? {
        return Ok(instead);
    }
    let event = find(&site, &id)?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let to: Resend = serde_json::from_slice(text).map_err(|_| {
        let description = "An object with webhook_ids, a list of texts, is expected.";
        let detail =
            Detail { field: "/webhook_ids", location: "body", issue: "INVALID_PARAMETER", description };
        Refusal::invalid(site.debug_id(), &detail)
    })?;
    site.resend(&event, to.webhook_ids);
    Ok(answer(StatusCode::ACCEPTED, &event))
}
