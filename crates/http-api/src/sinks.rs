//! `/v1/sinks`: where events are sent to, how each gets on, and what could not be delivered.

use std::collections::BTreeMap;

use access::{Identity, Role};
use actix_web::{HttpRequest, HttpResponse, web};
use delivery::sinks::{InvalidSettings, Letters, Secrets, Settings, Sinks};
use delivery::{Cursor, Selection, To};
use domain::{Key, ShopId};
use event_log::Operator;
use intake::command::REASON_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::{Api, Shared};
use crate::consumers::{Reset, to};
use crate::downstream::{self, Why};
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::request::{self, Query, invalid};

/// Who may change a sink.
pub(crate) const CHANGERS: &[Role] = &[Role::Operator];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/sinks").get(list).post(create).done())
        .service(at("/v1/sinks/{name}").get(get).put(update).delete(delete).done())
        .service(at("/v1/sinks/{name}/pause").post(pause).done())
        .service(at("/v1/sinks/{name}/resume").post(resume).done())
        .service(at("/v1/sinks/{name}/reset").post(reset).done())
        .service(at("/v1/sinks/{name}/check").post(check).done())
        .service(at("/v1/sinks/{name}/redrive").post(redrive).done())
        .service(at("/v1/sinks/{name}/undelivered").get(undelivered).done())
        .service(at("/v1/sinks/{name}/attempts").get(attempts).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, request::READERS).await?;
    let sinks = api.delivery.sinks.clone();
    let listed = api.run(async move { sinks.list(&shop).await }).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": listed.map_err(|error| downstream::problem(&error))? })))
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, request::READERS).await?;
    show(&api, shop, path.into_inner(), HttpResponse::Ok).await
}

/// The sink as it is now.
async fn show(
    api: &Api,
    shop: ShopId,
    name: String,
    status: impl FnOnce() -> actix_web::HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let sinks = api.delivery.sinks.clone();
    let found = api.run(async move { sinks.get(&shop, &name).await }).await?;
    match found.map_err(|error| downstream::problem(&error))? {
        Some(sink) => Ok(status().json(sink)),
        None => Err(unknown()),
    }
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "No sink has this name.")
}

/// A new sink, as `described` reads it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct Made {
    /// What it is called.
    name: String,
    /// Where it begins: start, end, a cursor, or a time; else at the end.
    from: Option<String>,
    #[serde(flatten)]
    changed: Changed,
}

/// The same of one that is there.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct Changed {
    /// Its secrets, by name; those that are there stay when they are left out.
    secrets: Option<BTreeMap<String, String>>,
    /// Why: sealed, for the log.
    #[schemars(length(max = REASON_MAX))]
    reason: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

/// What a sink is made of: `settings` are all that is neither of the others.
struct Described {
    name: Option<String>,
    from: Option<String>,
    reason: Option<String>,
    secrets: Option<Secrets>,
    settings: Value,
}

async fn described(api: &Shared, request: &HttpRequest, payload: web::Payload) -> Result<Described, Problem> {
    let mut document: Map<String, Value> = downstream::json(api, request, payload).await?;
    let mut text = |name: &str| match document.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::new(Code::InvalidCommand, format!("{name} is a text."))),
    };
    let (name, from, reason) = (text("name")?, text("from")?, text("reason")?);
    let secrets = match document.remove("secrets") {
        None | Some(Value::Null) => None,
        Some(secrets) => Some(Secrets::parse(secrets.to_string().as_bytes()).map_err(not_valid)?),
    };
    Ok(Described { name, from, reason, secrets, settings: Value::Object(document) })
}

fn not_valid(error: InvalidSettings) -> Problem {
    Problem::new(Code::InvalidCommand, format!("{error}."))
}

async fn create(api: Shared, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, CHANGERS).await?;
    let described = described(&api, &request, payload).await?;
    let operator = downstream::operator(&api, &identity, described.reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let name = described.name.ok_or_else(|| Problem::new(Code::InvalidCommand, "name: a sink needs one."))?;
    let name = downstream::name(&name)?.to_owned();
    let secrets = described.secrets.unwrap_or_default();
    let settings = Settings::parse(&described.settings, &secrets).map_err(not_valid)?;
    // From now on: a sink that is made does not flood whoever is behind it with the past, unless it is asked to.
    let from = described.from.as_deref().map(to).transpose()?.unwrap_or(To::End);
    let sinks = api.delivery.sinks.clone();
    let made = {
        let (shop, name) = (shop.clone(), name.clone());
        api.run(async move { sinks.create(&operator, &shop, &name, (&settings, &secrets), from).await })
            .await?
    };
    if !made.map_err(|error| downstream::problem(&error))? {
        return Err(Problem::new(Code::NameTaken, "A sink of this name is there: PUT changes it."));
    }
    tracing::info!(%shop, sink = name, by = key_id, "a sink was made");
    show(&api, shop, name, HttpResponse::Created).await
}

async fn update(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, CHANGERS).await?;
    let described = described(&api, &request, payload).await?;
    let operator = downstream::operator(&api, &identity, described.reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let name = path.into_inner();
    if described.from.is_some() || described.name.is_some_and(|given| given != name) {
        return Err(Problem::new(Code::InvalidCommand, "name and from stay; reset moves a sink."));
    }
    let sinks = api.delivery.sinks.clone();
    let updated = {
        let (shop, name) = (shop.clone(), name.clone());
        let (settings, secrets) = (described.settings, described.secrets);
        api.run(async move { sinks.change(&operator, &shop, &name, &settings, secrets).await }).await?
    };
    match updated.map_err(|error| downstream::problem(&error))? {
        None => Err(unknown()),
        Some(Err(invalid)) => Err(not_valid(invalid)),
        Some(Ok(())) => {
            tracing::info!(%shop, sink = name, by = key_id, "a sink was changed");
            show(&api, shop, name, HttpResponse::Ok).await
        }
    }
}

async fn delete(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (Identity { shop, key_id, .. }, operator, _) = who_and_why(&api, &request, payload).await?;
    let told = shop.clone();
    let (sinks, name) = (api.delivery.sinks.clone(), path.into_inner());
    let (gone, name) = api.run(async move { (sinks.delete(&operator, &shop, &name).await, name) }).await?;
    if gone.map_err(|error| downstream::problem(&error))? {
        tracing::info!(shop = %told, sink = name, by = key_id, "a sink was removed");
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(unknown())
    }
}

async fn pause(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (identity, operator, reason) = who_and_why(&api, &request, payload).await?;
    let reason: String = reason.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    let shown = format!("paused by {}{}{reason}", identity.key_id, if reason.is_empty() { "" } else { ": " });
    let act = async move |sinks: Sinks, shop: ShopId, name: String| {
        sinks.pause(&operator, &shop, &name, Some(&shown)).await
    };
    acted(&api, identity, path.into_inner(), "a sink was paused", act).await
}

async fn resume(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (identity, operator, _) = who_and_why(&api, &request, payload).await?;
    let act =
        async move |sinks: Sinks, shop: ShopId, name: String| sinks.resume(&operator, &shop, &name).await;
    acted(&api, identity, path.into_inner(), "a sink was resumed", act).await
}

/// Does something to a sink, and shows it as it is then.
async fn acted<F>(
    api: &Api,
    Identity { shop, key_id, .. }: Identity,
    name: String,
    done: &str,
    act: impl FnOnce(Sinks, ShopId, String) -> F,
) -> Result<HttpResponse, Problem>
where
    F: Future<Output = Result<bool, delivery::Error>> + Send + 'static,
{
    let act = act(api.delivery.sinks.clone(), shop.clone(), name.clone());
    if !api.run(act).await?.map_err(|error| downstream::problem(&error))? {
        return Err(unknown());
    }
    tracing::info!(%shop, sink = name, by = key_id, "{done}");
    show(api, shop, name, HttpResponse::Ok).await
}

/// Who may change a sink and asks for it, and why.
async fn who_and_why(
    api: &Shared,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Identity, Operator, Option<String>), Problem> {
    let identity = request::authorize(api, request, CHANGERS).await?;
    let Why { reason } = downstream::json(api, request, payload).await?;
    let operator = downstream::operator(api, &identity, reason.as_deref())?;
    Ok((identity, operator, reason))
}

async fn reset(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, CHANGERS).await?;
    let Reset { to, reason } = downstream::json(&api, &request, payload).await?;
    let operator = downstream::operator(&api, &identity, reason.as_deref())?;
    let to = self::to(&to)?;
    let act =
        async move |sinks: Sinks, shop: ShopId, name: String| sinks.reset(&operator, &shop, &name, to).await;
    acted(&api, identity, path.into_inner(), "a sink was reset", act).await
}

/// Opens the way to the sink, from this instance, and says what is wrong.
async fn check(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, CHANGERS).await?;
    let (sinks, name) = (api.delivery.sinks.clone(), path.into_inner());
    let checked = api.run(async move { sinks.check(&shop, &name).await }).await?;
    match checked.map_err(|error| downstream::problem(&error))? {
        None => Err(unknown()),
        Some(Ok(())) => Ok(HttpResponse::Ok().json(json!({ "ok": true }))),
        Some(Err(why)) => Ok(HttpResponse::Ok().json(json!({ "ok": false, "error": why }))),
    }
}

/// Which dead letters are sent again; all when nothing is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redrive {
    /// Only of these types: names and patterns, with commas between them.
    #[serde(default)]
    types: String,
    /// Only about this: order:1042.
    key: Option<String>,
    /// Only count them.
    #[serde(default)]
    dry_run: bool,
    /// Why: sealed, for the log.
    #[schemars(length(max = REASON_MAX))]
    reason: Option<String>,
}

async fn redrive(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, CHANGERS).await?;
    let Redrive { types, key, dry_run, reason } = downstream::json(&api, &request, payload).await?;
    let which = selection(&types, key.as_deref())?;
    let operator = downstream::operator(&api, &identity, reason.as_deref())?;
    let Identity { shop, key_id, .. } = identity;
    let told = shop.clone();
    let (sinks, name) = (api.delivery.sinks.clone(), path.as_str().to_owned());
    let redriven = api.run(async move {
        if dry_run {
            sinks.count_dead(&shop, &name, &which).await
        } else {
            sinks.redrive(&operator, &shop, &name, &which).await
        }
    });
    let redriven = redriven.await?;
    let redriven = redriven.map_err(|error| downstream::problem(&error))?;
    if !dry_run {
        tracing::info!(shop = %told, sink = path.as_str(), redriven, by = key_id, "a sink's dead letters were redriven");
    }
    Ok(HttpResponse::Ok().json(json!({ "redriven": redriven, "dry_run": dry_run })))
}

fn selection(types: &str, key: Option<&str>) -> Result<Selection, Problem> {
    let mut selection =
        Selection::default().of_types(types).map_err(|error| invalid(&format!("{error}.")))?;
    if let Some(text) = key {
        let key = Key::parse(text);
        selection.key = Some(key.ok_or_else(|| invalid("key must be <kind>:<name>, as order:1042."))?);
    }
    Ok(selection)
}

async fn undelivered(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, request::READERS).await?;
    let query = Query::of(&request, &["state", "types", "key", "after", "limit"])?;
    let state = query.text("state").map(str::to_owned);
    if state.as_deref().is_some_and(|state| !["waiting", "dead"].contains(&state)) {
        return Err(invalid("The parameter state must be waiting or dead."));
    }
    let after: Option<Cursor> = query.parsed("after")?;
    let which = Letters {
        state,
        selection: selection(query.text("types").unwrap_or_default(), query.text("key"))?,
        after: after.map(|cursor| cursor.position),
    };
    let (limit, sinks, name) = (query.limit()?, api.delivery.sinks.clone(), path.into_inner());
    let letters = api.run(async move { sinks.letters(&shop, &name, &which, limit).await }).await?;
    let letters = letters.map_err(|error| downstream::problem(&error))?;
    let is_full = letters.len() as i64 == limit;
    let next_cursor = letters.last().map(|letter| letter.position.to_string());
    Ok(HttpResponse::Ok().json(json!({ "data": letters, "next_cursor": next_cursor, "has_more": is_full })))
}

async fn attempts(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let Identity { shop, .. } = request::authorize(&api, &request, request::READERS).await?;
    let query = Query::of(&request, &["position", "limit"])?;
    let position = query.parsed::<Cursor>("position")?;
    let position = position.ok_or_else(|| invalid("The parameter position says which event, as 0-1042."))?;
    let (limit, sinks, name) = (query.limit()?, api.delivery.sinks.clone(), path.into_inner());
    let attempts =
        api.run(async move { sinks.attempts(&shop, &name, position.position, limit).await }).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": attempts.map_err(|error| downstream::problem(&error))? })))
}
