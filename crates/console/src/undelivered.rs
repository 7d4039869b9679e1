//! What a sink has not delivered: why, how often it was tried, and the way to try what is dead again.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use delivery::Selection;
use delivery::sinks::{Letter, Letters};
use domain::Timestamp;
use http_api::at;

use crate::act::{self, Fields};
use crate::events::key_of;
use crate::fault::Fault;
use crate::i18n::fill;
use crate::layout::Layout;
use crate::rows::{Chip, Stamp, many};
use crate::visit::Visit;

/// What a page shows; what is behind it comes up as the first are delivered.
const SHOWN: i64 = 200;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/sinks/{name}").get(list).done())
        .service(at("/sinks/{name}/redrive").post(redrive).done());
}

struct Row {
    position: i64,
    key: String,
    type_name: String,
    state: Chip,
    attempts: i32,
    next_at: Option<Stamp>,
    error: String,
    since: Stamp,
}

#[derive(Template)]
#[template(path = "undelivered.html")]
struct Undelivered {
    l: Layout,
    name: String,
    path: String,
    type_name: String,
    key: String,
    rows: Vec<Row>,
    dead: i64,
    count: String,
}

/// Which of them, as the address or a form says.
fn selection(visit: &Visit, fields: &Fields) -> Result<Selection, Fault> {
    let w = visit.words();
    let selection = Selection::default().of_types(&fields.text("type"));
    let mut selection = selection.map_err(|_| Fault::Refused(w.type_wrong().to_owned()))?;
    if let Some(text) = fields.get("key") {
        selection.key = Some(key_of(text).ok_or_else(|| Fault::Refused(w.key_wrong().to_owned()))?);
    }
    Ok(selection)
}

async fn list(visit: Visit, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let (w, shop, name) = (visit.words(), visit.shop()?, path.into_inner());
    let query = Fields::of_query(&request);
    let selection = selection(&visit, &query)?;
    let (sinks, of) = (visit.api.delivery.sinks.clone(), name.clone());
    let found = visit
        .run(async move {
            if sinks.get(&shop, &of).await?.is_none() {
                return Ok(None);
            }
            let dead = sinks.count_dead(&shop, &of, &selection).await?;
            let which = Letters { selection, ..Letters::default() };
            Ok::<_, delivery::Error>(Some((sinks.letters(&shop, &of, &which, SHOWN).await?, dead)))
        })
        .await?;
    let (letters, dead) = found.ok_or(Fault::NotFound)?;
    let row = |letter: &Letter| Row {
        position: letter.position.position.0,
        key: letter.key.clone(),
        type_name: letter.type_name.clone(),
        state: Chip::of(w, &letter.state),
        attempts: letter.attempts,
        next_at: letter.next_at.map(|at| Stamp(Timestamp::new(at))),
        error: letter.error.clone(),
        since: Stamp(Timestamp::new(letter.since)),
    };
    let page = Undelivered {
        l: Layout::new(&visit, "/console/sinks", &format!("{} {name}", w.sinks())),
        path: format!("/console/sinks/{}", act::in_path(&name)),
        name,
        type_name: query.text("type"),
        key: query.text("key"),
        rows: letters.iter().map(row).collect(),
        dead,
        count: fill(w.redrive_dead(), &[&many(dead)]),
    };
    visit.page(&page)
}

/// Tries all dead letters again that are selected: one act, with its note.
async fn redrive(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let form = act::form(&visit, &request, payload).await?;
    let selection = selection(&visit, &form.fields)?;
    let operator = act::operator(&visit, &form.reason)?;
    let (shop, name) = (visit.shop()?, path.into_inner());
    let to = format!("/console/sinks/{}", act::in_path(&name));
    let sinks = visit.api.delivery.sinks.clone();
    let count = visit.run(async move { sinks.redrive(&operator, &shop, &name, &selection).await }).await?;
    Ok(act::said(&to, "redriven-all", count))
}
