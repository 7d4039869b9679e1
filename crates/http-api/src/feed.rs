//! `/v1/feed`: every outcome, in order, for readers that ask (HTTP Feeds), wait, or listen (server-sent events).
//!
//! The specification is <https://www.http-feeds.org>: a batch of CloudEvents behind `lastEventId`, `[]` at the end, and a
//! `timeout` in milliseconds that an empty page is held back for.

use std::time::Duration;

use access::Role;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use delivery::{Bounds, Page, Selection, Since, write_batch};
use domain::{Key, ShopId};

use crate::app::Shared;
use crate::counters::FeedMode;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::request::{self, Query, invalid};
use crate::{downstream, stream};

/// Who may read the feed.
pub(crate) const FEED_READERS: &[Role] = &[Role::Feed, Role::Shop, Role::Operator, Role::Viewer];

pub(crate) const BATCH_JSON: &str = "application/cloudevents-batch+json";
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// Says from where to go on, also behind a page without events.
pub(crate) const CURSOR: &str = "counterfoil-cursor";
/// The longest that an empty page is held back.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(30);
pub(crate) const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

pub(crate) fn routes(cfg: &mut actix_web::web::ServiceConfig) {
    cfg.service(at("/v1/feed").get(get).done());
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) since: Since,
    pub(crate) selection: Selection,
    limit: usize,
    wait: Duration,
}

async fn get(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, FEED_READERS).await?;
    let asked = Asked::of(&request)?;
    if accepts(&request, EVENT_STREAM) {
        api.counters.feed(FeedMode::Stream);
        return stream::open(&api, &identity, asked).await;
    }
    let (feed, shop, stop) = (api.delivery.feed.clone(), identity.shop.clone(), api.stopping.clone());
    let Asked { since, selection, limit, wait } = asked.clone();
    api.counters.feed(if wait.is_zero() { FeedMode::Page } else { FeedMode::Wait });
    // Whoever has as many waiting as it may have is answered at once, with what there is.
    let waiting = if wait.is_zero() { None } else { api.admission.wait(&identity) };
    let wait = if waiting.is_some() { wait } else { Duration::ZERO };
    let read = async move {
        tokio::select! {
            read = feed.read(&shop, since, limit, &selection, wait) => read,
            // Whoever waits is answered with what there is.
            () = stop.cancelled() => feed.read(&shop, since, limit, &selection, Duration::ZERO).await,
        }
    };
    let (bounds, page) = api.run(read).await?.map_err(|error| downstream::problem(&error))?;
    Ok(answer(&request, &identity.shop, &asked, &bounds, &page))
}

fn answer(request: &HttpRequest, shop: &ShopId, asked: &Asked, bounds: &Bounds, page: &Page) -> HttpResponse {
    let cursor = bounds.at(page.seen).to_string();
    // A page that is full is the same for ever: what comes later stands behind it.
    let is_full = page.messages.len() == asked.limit && !matches!(asked.since, Since::Start | Since::End);
    let etag = etag(asked, bounds, page);
    let cache = if is_full { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    let is_known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim() == etag));
    let mut response =
        if is_known && !page.messages.is_empty() { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, etag))
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::VARY, "Accept, Authorization"))
        .insert_header((CURSOR, cursor.as_str()));
    if is_known && !page.messages.is_empty() {
        return response.finish();
    }
    response.content_type(BATCH_JSON).body(write_batch(&page.messages, shop))
}

/// Strong: the same selection from the first to the last of the same events has the same bytes.
fn etag(asked: &Asked, bounds: &Bounds, page: &Page) -> String {
    let first = page.messages.first().map_or(page.seen, |message| message.position);
    let selection = hex::encode(
        &aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, asked.selection.to_string().as_bytes())
            .as_ref()[..8],
    );
    format!("\"{}-{first}-{}-{}-{selection}\"", bounds.epoch, page.seen, page.messages.len())
}

fn accepts(request: &HttpRequest, media_type: &str) -> bool {
    let accept =
        request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept
        .split(',')
        .any(|part| part.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type))
}

impl Asked {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let known = ["lastEventId", "after", "timeout", "limit", "types", "key", "kind", "partition"];
        let query = Query::of(request, &known)?;
        let header = request.headers().get("last-event-id");
        let header = header
            .map(|value| value.to_str().map_err(|_| invalid("Last-Event-ID is no text.")))
            .transpose()?;
        let since = match (header, query.text("lastEventId"), query.text("after")) {
            (_, Some(_), Some(_)) => {
                return Err(invalid("lastEventId and after say the same: give one of them."));
            }
            // A stream that is opened again says so in the header, whatever stands in its URL.
            (Some(id), _, _) | (None, Some(id), None) => since(id)?,
            (None, None, Some("start")) => Since::Start,
            (None, None, Some("end")) => Since::End,
            (None, None, Some(cursor)) => {
                Since::Cursor(cursor.parse().map_err(|why| invalid(&format!("after: {why}.")))?)
            }
            (None, None, None) => Since::Start,
        };
        Ok(Self { since, selection: selection(&query)?, limit: limit(&query)?, wait: wait(request, &query)? })
    }
}

/// An id of an event, or a cursor.
fn since(text: &str) -> Result<Since, Problem> {
    if let Ok(cursor) = text.parse() {
        return Ok(Since::Cursor(cursor));
    }
    match text.parse() {
        Ok(id) => Ok(Since::Id(id)),
        Err(_) => Err(invalid("lastEventId is the id of an event, or a cursor as 0-1042.")),
    }
}

fn limit(query: &Query) -> Result<usize, Problem> {
    match query.parsed::<usize>("limit")? {
        None => Ok(LIMIT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(invalid(&format!("The parameter limit must be 1 to {LIMIT_MAX}."))),
    }
}

fn wait(request: &HttpRequest, query: &Query) -> Result<Duration, Problem> {
    match query.parsed::<u64>("timeout")?.map(Duration::from_millis) {
        None => Ok(request::wait(request.headers()).unwrap_or_default().min(TIMEOUT_MAX)),
        Some(wait) if wait <= TIMEOUT_MAX => Ok(wait),
        Some(_) => Err(invalid(&format!("timeout is at most {} milliseconds.", TIMEOUT_MAX.as_millis()))),
    }
}

fn selection(query: &Query) -> Result<Selection, Problem> {
    let all_kinds = match query.text("kind") {
        None | Some("outcome") => false,
        Some("all") => true,
        Some(_) => return Err(invalid("The parameter kind must be outcome or all.")),
    };
    let refuse = |error: delivery::InvalidSelection| invalid(&format!("{error}."));
    let mut selection =
        Selection::of_kinds(all_kinds).of_types(query.text("types").unwrap_or_default()).map_err(refuse)?;
    if let Some(key) = query.text("key") {
        let key = Key::parse(key);
        selection.key =
            Some(key.ok_or_else(|| invalid("The parameter key must be <kind>:<name>, as order:1042."))?);
    }
    if let Some(partition) = query.text("partition") {
        selection.partition = Some(partition.parse().map_err(refuse)?);
    }
    Ok(selection)
}

/// What a stream and a page refuse alike.
pub(crate) fn too_many_streams() -> Problem {
    Problem::new(Code::Unavailable, "Too many streams are open.")
}
