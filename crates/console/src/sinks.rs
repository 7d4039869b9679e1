//! What goes downstream: each sink and consumer with its health and its cause, and what an operator may do to it.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use delivery::To;
use domain::{ShopId, Timestamp};
use http_api::at;

use crate::act::{self, Form};
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::layout::Layout;
use crate::rows::{Chip, Stamp, many};
use crate::visit::Visit;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/sinks").get(list).done())
        .service(at("/sinks/{name}/pause").post(pause).done())
        .service(at("/sinks/{name}/resume").post(resume).done())
        .service(at("/sinks/{name}/reset").post(reset).done())
        .service(at("/consumers/{name}/reset").post(reset_consumer).done());
}

struct Row {
    name: String,
    path: String,
    kind: String,
    state: Chip,
    is_paused: bool,
    cause: String,
    cursor: String,
    behind: String,
    seconds: String,
    waiting: i64,
    dead: i64,
    since: Option<Stamp>,
    moved: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "sinks.html")]
struct Delivery {
    l: Layout,
    sinks: Vec<Row>,
    consumers: Vec<Row>,
}

async fn list(visit: Visit) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    let shop = visit.shop()?;
    let (sinks, consumers) = (visit.api.delivery.sinks.clone(), visit.api.delivery.consumers.clone());
    let (sinks, consumers) = visit
        .run(
            async move { Ok::<_, delivery::Error>((sinks.list(&shop).await?, consumers.list(&shop).await?)) },
        )
        .await?;
    let page = Delivery {
        l: Layout::new(&visit, "/console/sinks", w.sinks()),
        sinks: sinks.iter().map(|sink| of_sink(w, sink)).collect(),
        consumers: consumers.iter().map(|consumer| of_consumer(w, consumer)).collect(),
    };
    visit.page(&page)
}

fn of_sink(w: Words, sink: &delivery::sinks::Sink) -> Row {
    let named = crate::rows::name_of(&sink.state);
    let is_failing = named == "running" && sink.failing_since.is_some();
    let settings = serde_json::to_value(&sink.settings).unwrap_or_default();
    Row {
        path: format!("/console/sinks/{}", act::in_path(&sink.name)),
        name: sink.name.clone(),
        kind: settings.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
        state: Chip::of(w, if is_failing { "failing" } else { &named }),
        is_paused: named != "running",
        cause: sink.reason.clone().or_else(|| sink.error.clone()).unwrap_or_default(),
        cursor: sink.cursor.to_string(),
        behind: many(sink.lag_events),
        seconds: fill(w.seconds(), &[&many(sink.lag_seconds)]),
        waiting: sink.waiting,
        dead: sink.dead,
        since: sink.failing_since.map(|at| Stamp(Timestamp::new(at))),
        moved: None,
    }
}

fn of_consumer(w: Words, consumer: &delivery::Consumer) -> Row {
    let state = if consumer.lost_at.is_some() { "lost" } else { "running" };
    Row {
        path: format!("/console/consumers/{}", act::in_path(&consumer.name)),
        name: consumer.name.clone(),
        kind: String::new(),
        state: Chip::of(w, state),
        is_paused: false,
        cause: String::new(),
        cursor: consumer.cursor.to_string(),
        behind: many(consumer.lag_events),
        seconds: fill(w.seconds(), &[&many(consumer.lag_seconds)]),
        waiting: 0,
        dead: 0,
        since: consumer.lost_at.map(|at| Stamp(Timestamp::new(at))),
        moved: Some(Stamp(Timestamp::new(consumer.moved_at))),
    }
}

/// Done, or there is none of this name.
fn told(visit: &Visit, was_there: bool, what: &str, name: &str) -> Result<HttpResponse, Fault> {
    if !was_there {
        return Err(Fault::NotFound);
    }
    let me = visit.me()?;
    tracing::info!(shop = %me.shop, name, by = me.key_id, what, "the delivery was changed from the console");
    Ok(act::said("/console/sinks", what, 0))
}

/// The form, who sends it, of which shop.
async fn asked(
    visit: &Visit,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Form, event_log::Operator, ShopId), Fault> {
    let form = act::form(visit, request, payload).await?;
    let operator = act::operator(visit, &form.reason)?;
    Ok((form, operator, visit.shop()?))
}

async fn pause(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (form, operator, shop) = asked(&visit, &request, payload).await?;
    let shown: String = form.reason.chars().filter(|c| !c.is_control()).take(200).collect();
    let shown = format!("paused by {}: {shown}", visit.me()?.key_id);
    let (sinks, name) = (visit.api.delivery.sinks.clone(), path.into_inner());
    let told_name = name.clone();
    let done = visit.run(async move { sinks.pause(&operator, &shop, &name, Some(&shown)).await }).await?;
    told(&visit, done, "paused", &told_name)
}

async fn resume(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (_, operator, shop) = asked(&visit, &request, payload).await?;
    let (sinks, name) = (visit.api.delivery.sinks.clone(), path.into_inner());
    let told_name = name.clone();
    let done = visit.run(async move { sinks.resume(&operator, &shop, &name).await }).await?;
    told(&visit, done, "resumed", &told_name)
}

/// Where to, and that it is meant.
fn to(visit: &Visit, form: &Form) -> Result<To, Fault> {
    let w = visit.words();
    if form.fields.get("confirm") != Some("yes") {
        return Err(Fault::Refused(w.reset_lead().to_owned()));
    }
    let text = form.fields.get("to").unwrap_or_default();
    text.parse().map_err(|why| Fault::Refused(format!("{}: {why}", w.reset_to())))
}

async fn reset(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (form, operator, shop) = asked(&visit, &request, payload).await?;
    let to = to(&visit, &form)?;
    let (sinks, name) = (visit.api.delivery.sinks.clone(), path.into_inner());
    let told_name = name.clone();
    let done = visit.run(async move { sinks.reset(&operator, &shop, &name, to).await }).await?;
    told(&visit, done, "reset", &told_name)
}

async fn reset_consumer(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (form, operator, shop) = asked(&visit, &request, payload).await?;
    let to = to(&visit, &form)?;
    let (consumers, name) = (visit.api.delivery.consumers.clone(), path.into_inner());
    let told_name = name.clone();
    let done = visit.run(async move { consumers.reset(&operator, &shop, &name, to).await }).await?;
    told(&visit, done.is_some(), "reset", &told_name)
}
