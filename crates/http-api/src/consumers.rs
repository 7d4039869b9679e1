//! `/v1/consumers`: readers of the feed whose cursor is kept here.

use access::{Identity, Role};
use actix_web::{HttpRequest, HttpResponse, web};
use delivery::{Consumer, Cursor, Moved, To};
use event_log::Operator;
use intake::command::REASON_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::app::{Api, Shared};
use crate::downstream::Why;
use crate::feed::FEED_READERS;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::{downstream, request};

/// Who may move a consumer.
pub(crate) const MOVERS: &[Role] = &[Role::Feed, Role::Operator];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/consumers").get(list).done())
        .service(at("/v1/consumers/{name}").get(get).put(put).delete(delete).done())
        .service(at("/v1/consumers/{name}/reset").post(reset).done())
        .service(at("/v1/consumers/{name}/lose").post(lose).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, FEED_READERS).await?;
    let consumers = api.delivery.consumers.clone();
    let listed = api.run(async move { consumers.list(&shop).await }).await?;
    let listed = listed.map_err(|error| downstream::problem(&error))?;
    Ok(HttpResponse::Ok().json(json!({ "data": listed })))
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, FEED_READERS).await?;
    let (consumers, name) = (api.delivery.consumers.clone(), path.into_inner());
    let found = api.run(async move { consumers.get(&shop, &name).await }).await?;
    found_or(found.map_err(|error| downstream::problem(&error))?)
}

/// Where a consumer is to stand.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Put {
    /// Where it is to stand: a cursor; of a new one also start, end, or a time.
    cursor: String,
    /// Where it stands, as this instance thinks; none for a new one.
    was: Option<String>,
}

async fn put(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, MOVERS).await?;
    let name = downstream::name(&path)?.to_owned();
    let Put { cursor, was } = downstream::json(&api, &request, payload).await?;
    let consumers = api.delivery.consumers.clone();
    let Some(was) = was else {
        let to = to(&cursor)?;
        let made = api.run(async move { consumers.create(&shop, &name, to).await }).await?;
        let (is_new, consumer) = made.map_err(|error| downstream::problem(&error))?;
        return match consumer {
            Some(consumer) if is_new => Ok(HttpResponse::Created().json(consumer)),
            Some(consumer) => Err(elsewhere("It is there already: say in `was` where it stands.", &consumer)),
            None => Err(unknown()),
        };
    };
    let (to, was) = (exact("cursor", &cursor)?, exact("was", &was)?);
    let moved = api.run(async move { consumers.commit(&shop, &name, was, to).await }).await?;
    match moved.map_err(|error| downstream::problem(&error))? {
        Moved::There(consumer) => Ok(HttpResponse::Ok().json(consumer)),
        Moved::Elsewhere(consumer) => {
            Err(elsewhere("It stands elsewhere: another instance has moved it.", &consumer))
        }
        Moved::Unknown => Err(unknown()),
    }
}

async fn delete(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, MOVERS).await?;
    let Why { reason } = downstream::json(&api, &request, payload).await?;
    let operator = reader_or_operator(&api, &identity, reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let told = shop.clone();
    let (consumers, name) = (api.delivery.consumers.clone(), path.as_str().to_owned());
    let gone = api.run(async move { consumers.delete(&operator, &shop, &name).await }).await?;
    if gone.map_err(|error| downstream::problem(&error))? {
        tracing::info!(shop = %told, consumer = path.as_str(), by = key_id, "a consumer was removed");
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(unknown())
    }
}

/// Where something is to begin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// start, end, a cursor, or a time.
    pub(crate) to: String,
    /// Why: sealed, for the log.
    #[schemars(length(max = REASON_MAX))]
    pub(crate) reason: Option<String>,
}

async fn reset(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, MOVERS).await?;
    let Reset { to, reason } = downstream::json(&api, &request, payload).await?;
    let operator = reader_or_operator(&api, &identity, reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let told = shop.clone();
    let (consumers, name, to) = (api.delivery.consumers.clone(), path.as_str().to_owned(), self::to(&to)?);
    let moved = api.run(async move { consumers.reset(&operator, &shop, &name, to).await }).await?;
    let answer = found_or(moved.map_err(|error| downstream::problem(&error))?)?;
    tracing::info!(shop = %told, consumer = path.as_str(), by = key_id, "a consumer was reset");
    Ok(answer)
}

/// A reader moves its own cursor as it likes, and the log has nothing of it: it may do so with every page.
fn reader_or_operator(api: &Api, identity: &Identity, reason: Option<&str>) -> Result<Operator, Problem> {
    let operator = downstream::operator(api, identity, reason)?;
    Ok(if identity.has(Role::Operator) { operator } else { operator.unnoted() })
}

async fn lose(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, &[Role::Operator]).await?;
    let Why { reason } = downstream::json(&api, &request, payload).await?;
    let operator = downstream::operator(&api, &identity, reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let told = shop.clone();
    let (consumers, name) = (api.delivery.consumers.clone(), path.as_str().to_owned());
    let lost = api.run(async move { consumers.lose(&operator, &shop, &name).await }).await?;
    let answer = found_or(lost.map_err(|error| downstream::problem(&error))?)?;
    tracing::info!(shop = %told, consumer = path.as_str(), by = key_id, "a consumer was declared lost");
    Ok(answer)
}

pub(crate) fn to(text: &str) -> Result<To, Problem> {
    text.parse().map_err(|why| Problem::new(Code::InvalidCommand, format!("Where to: {why}.")))
}

fn exact(what: &str, text: &str) -> Result<Cursor, Problem> {
    text.parse().map_err(|why| Problem::new(Code::InvalidCommand, format!("{what}: {why}.")))
}

fn found_or(consumer: Option<Consumer>) -> Result<HttpResponse, Problem> {
    consumer.map(|consumer| HttpResponse::Ok().json(consumer)).ok_or_else(unknown)
}

fn elsewhere(detail: &str, consumer: &Consumer) -> Problem {
    Problem::new(Code::CursorMoved, detail).with("cursor", consumer.cursor.to_string())
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "No consumer has this name.")
}
