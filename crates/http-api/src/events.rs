//! `/v1/events`: the log itself, in its order.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::{Key, Position, ShopId};
use event_log::{Event, Filter, Kind};
use intake::{By, Retranslated};
use serde_json::{Map, Value, json};

use access::Role;

use crate::app::{Api, Shared};
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::request::{self, Query, invalid};
use crate::{commands, trace};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/events").get(list).done())
        .service(at("/v1/events/{position}").get(get).done())
        .service(at("/v1/events/{position}/retranslate").post(retranslate).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, request::EVENT_READERS).await?;
    let query = Query::of(&request, &["after", "limit", "kind", "type", "key"])?;
    let epoch = commands::epoch(&api, &identity.shop).await?;
    let after = match query.text("after") {
        Some(text) => commands::position(&api, &identity.shop, text).await?,
        None => Position(-1),
    };
    let limit = query.limit()?;
    let filter = filter(&query)?;
    let (database, shop) = (api.database.clone(), identity.shop);
    let events = api
        .run(async move {
            let client = database.client().await.map_err(event_log::Error::from)?;
            event_log::read(&client, &shop, after, limit, &filter).await
        })
        .await?
        .map_err(|e| Problem::log(&e))?;
    let full = events.len() as i64 == limit;
    let next = events.last().map_or(after, |event| event.position);
    let data = events.iter().map(|event| document(event, epoch)).collect::<Result<Vec<Value>, _>>()?;
    // Always there: events that come later stand behind it.
    let next_cursor = (next.0 >= 0).then(|| format!("{epoch}-{next}"));
    Ok(HttpResponse::Ok().json(json!({ "data": data, "next_cursor": next_cursor, "has_more": full })))
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    let kinds = match query.text("kind") {
        None | Some("all") => Vec::new(),
        Some(text) => text
            .split(',')
            .map(|kind| match kind {
                "fact" => Ok(Kind::Fact),
                "outcome" => Ok(Kind::Outcome),
                "note" => Ok(Kind::Note),
                _ => Err(invalid("The parameter kind must be fact, outcome, note, or all.")),
            })
            .collect::<Result<_, _>>()?,
    };
    let types =
        query.text("type").map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let key = match query.text("key") {
        None => None,
        Some(text) => Some(
            Key::parse(text)
                .ok_or_else(|| invalid("The parameter key must be <kind>:<name>, as order:1042."))?,
        ),
    };
    Ok(Filter { kinds, types, key })
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, request::EVENT_READERS).await?;
    let epoch = commands::epoch(&api, &identity.shop).await?;
    let position = commands::position(&api, &identity.shop, &path).await?;
    let event = read_at(&api, &identity.shop, position).await?;
    let event = event.ok_or_else(|| Problem::new(Code::NotFound, "Nothing stands at this position yet."))?;
    let mut document = document(&event, epoch)?;
    if event.kind == Kind::Fact {
        let applied = commands::applied_position(&api, &identity.shop).await? >= position.0;
        document["applied"] = applied.into();
        if applied {
            let outcomes = outcomes_of(&api, &identity.shop, position).await?;
            document["outcomes"] = outcomes
                .iter()
                .map(|event| self::document(event, epoch))
                .collect::<Result<Vec<_>, _>>()?
                .into();
        }
    }
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "private, no-cache")).json(document))
}

async fn read_at(api: &Api, shop: &ShopId, position: Position) -> Result<Option<Event>, Problem> {
    let (database, shop) = (api.database.clone(), shop.clone());
    let events = api
        .run(async move {
            let client = database.client().await.map_err(event_log::Error::from)?;
            event_log::read_at(&client, &shop, &[position]).await
        })
        .await?
        .map_err(|e| Problem::log(&e))?;
    Ok(events.into_iter().next())
}

/// What came of a fact, once the relay has passed it.
pub(crate) async fn outcomes_of(api: &Api, shop: &ShopId, cause: Position) -> Result<Vec<Event>, Problem> {
    let (database, shop) = (api.database.clone(), shop.clone());
    api.run(async move {
        let client = database.client().await.map_err(event_log::Error::from)?;
        event_log::outcomes_of(&client, &shop, cause).await
    })
    .await?
    .map_err(|e| Problem::log(&e))
}

/// An event as clients read it: its entry, with where it stands.
fn document(event: &Event, epoch: i64) -> Result<Value, Problem> {
    let mut entry: Map<String, Value> =
        serde_json::from_str(&event.entry).map_err(|e| Problem::internal(&e))?;
    entry.insert("position".into(), format!("{epoch}-{}", event.position).into());
    entry.insert("kind".into(), event.kind.as_str().into());
    for name in ["cause", "for"] {
        if let Some(position) = entry.get(name).and_then(Value::as_i64) {
            entry.insert(name.into(), format!("{epoch}-{position}").into());
        }
    }
    Ok(Value::Object(entry))
}

async fn retranslate(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, &[Role::Operator]).await?;
    let epoch = commands::epoch(&api, &identity.shop).await?;
    let position = commands::position(&api, &identity.shop, &path).await?;
    let (intake, by) = (api.intake.clone(), By { shop: identity.shop, key_id: identity.key_id });
    let trace = trace::of(&request);
    let answer = api.run(async move { intake.retranslate(&by, position, trace).await }).await?;
    let answer = answer.map_err(commands::refused)?;
    Ok(match answer {
        Retranslated::Same { type_name } => {
            HttpResponse::Ok().json(json!({ "changed": false, "was": type_name, "is": type_name }))
        }
        Retranslated::Other { position, was, is, .. } => {
            let position = format!("{epoch}-{position}");
            HttpResponse::Accepted()
                .insert_header((header::LOCATION, format!("/v1/events/{position}")))
                .json(json!({ "changed": true, "position": position, "was": was, "is": is }))
        }
    })
}
