//! What could not be decided: why, and the ways past it.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use domain::{Position, ShopId};
use futures_util::future::try_join_all;
use http_api::at;
use intake::CommandKind;
use read_models::query::dead_letters::{self, DeadLetter};
use serde_json::{Map, Value};

use crate::act::{self, Fields};
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::layout::Layout;
use crate::pages::{ROWS, with};
use crate::read::number;
use crate::rows::{Stamp, many, page_of};
use crate::visit::Visit;
use crate::{reasons, types};

/// So many are gone through for a filter, and so many groups are tried again at a time: what is left matches again.
const MOST: i64 = 1_000;
const GROUPS: usize = 100;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/parked").get(list).done())
        .service(at("/parked/redrive").get(ask_all).post(redrive_all).done())
        .service(at("/parked/{position}").get(show).done())
        .service(at("/parked/{position}/redrive").post(redrive).done())
        .service(at("/parked/{position}/dismiss").post(dismiss).done());
}

struct Letter {
    position: i64,
    group: i64,
    is_first: bool,
    says: String,
    type_name: String,
    key: String,
    key_page: Option<String>,
    keys: Vec<String>,
    error: Option<String>,
    group_error: String,
    attempts: i64,
    parked_at: Stamp,
    failed_at: Option<Stamp>,
    waits_behind: String,
    data: String,
}

impl Letter {
    fn of(w: Words, letter: &DeadLetter) -> Self {
        let group = letter.group.0;
        Self {
            position: letter.position.0,
            group,
            is_first: letter.group == letter.position,
            says: types::fact(&letter.type_name)
                .map_or_else(|| letter.type_name.clone(), |t| w.say(t).to_owned()),
            type_name: letter.type_name.clone(),
            key: letter.key.to_string(),
            key_page: page_of(&letter.key),
            keys: letter.keys.iter().map(ToString::to_string).collect(),
            error: letter.error.as_deref().map(|error| reasons::said(w, error)),
            group_error: reasons::said(w, &letter.group_error),
            attempts: letter.attempts,
            parked_at: Stamp(letter.parked_at),
            failed_at: letter.failed_at.map(Stamp),
            waits_behind: fill(w.waits_behind(), &[&group]),
            data: crate::rows::pretty(letter.data.get()),
        }
    }
}

/// Which of them.
#[derive(Clone, Default)]
struct Asked {
    type_name: String,
    key: String,
    error: String,
}

impl Asked {
    fn of(query: &Fields) -> Self {
        Self { type_name: query.text("type"), key: query.text("key"), error: query.text("error") }
    }

    fn is_all(&self) -> bool {
        self.type_name.is_empty() && self.key.is_empty() && self.error.is_empty()
    }

    /// An error is looked for as the log has it, and as the page shows it.
    fn matches(&self, w: Words, letter: &DeadLetter) -> bool {
        let is_type = match self.type_name.strip_suffix('*') {
            Some(prefix) => letter.type_name.starts_with(prefix),
            None => self.type_name.is_empty() || letter.type_name == self.type_name,
        };
        let key = crate::events::key_of(&self.key);
        let names = |wanted| letter.key == wanted || letter.keys.contains(&wanted);
        let is_key = self.key.is_empty() || key.is_some_and(names);
        let lower = self.error.to_lowercase();
        let has = |text: &str| {
            [text, &reasons::said(w, text)].iter().any(|text| text.to_lowercase().contains(&lower))
        };
        let is_error =
            self.error.is_empty() || letter.error.as_deref().is_some_and(has) || has(&letter.group_error);
        is_type && is_key && is_error
    }

    fn address(&self, path: &str, place: (&str, &str)) -> String {
        with(path, &[("type", &self.type_name), ("key", &self.key), ("error", &self.error), place])
    }
}

/// A page of those that match, and where the next one begins.
async fn matching(
    visit: &Visit,
    shop: &ShopId,
    asked: &Asked,
    after: Option<i64>,
    limit: i64,
) -> Result<(Vec<DeadLetter>, Option<i64>), Fault> {
    let (w, shop, asked) = (visit.words(), shop.clone(), asked.clone());
    visit
        .read(move |client| async move {
            let after = after.map(Position);
            let read = if asked.is_all() { limit } else { MOST };
            let page = dead_letters::list(&client, &shop, after, read).await?;
            let more = page.next.and_then(|next| next.parse::<i64>().ok());
            let mut letters: Vec<DeadLetter> =
                page.items.into_iter().filter(|letter| asked.matches(w, letter)).collect();
            let limit = usize::try_from(limit).unwrap_or_default();
            let cut = letters.len() > limit;
            letters.truncate(limit);
            let next = if cut { letters.last().map(|letter| letter.position.0) } else { more };
            Ok::<_, read_models::Error>((letters, next))
        })
        .await
}

#[derive(Template)]
#[template(path = "parked.html")]
struct Parked {
    l: Layout,
    asked: Asked,
    letters: Vec<Letter>,
    next: Option<String>,
    first: Option<String>,
    redrive_all: String,
}

async fn list(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let query = Fields::of_query(&request);
    let asked = Asked::of(&query);
    let after = number(query.get("after"));
    let (found, next) = matching(&visit, &shop, &asked, after, ROWS).await?;
    let page = Parked {
        l: Layout::new(&visit, "/console/parked", w.parked()),
        letters: found.iter().map(|letter| Letter::of(w, letter)).collect(),
        next: next.map(|at| asked.address("/console/parked", ("after", &at.to_string()))),
        first: after.map(|_| asked.address("/console/parked", ("", ""))),
        redrive_all: asked.address("/console/parked/redrive", ("", "")),
        asked,
    };
    visit.page(&page)
}

#[derive(Template)]
#[template(path = "parked_one.html")]
struct ParkedOne {
    l: Layout,
    letter: Letter,
    form_id: String,
}

async fn show(visit: Visit, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let position = Position(number(Some(path.as_str())).ok_or(Fault::NotFound)?);
    let letter =
        visit.read(move |client| async move { dead_letters::get(&client, &shop, position).await }).await?;
    // Parked no longer: what became of it stands in the log.
    let Some(letter) = letter else { return Ok(act::see(&format!("/console/events/{position}"))) };
    let letter = Letter::of(w, &letter);
    let l = Layout::new(&visit, "/console/parked", &format!("{} {position}", w.parked()));
    visit.page(&ParkedOne { l, letter, form_id: act::new_id() })
}

#[derive(Template)]
#[template(path = "redrive.html")]
struct RedriveAll {
    l: Layout,
    asked: Asked,
    count: String,
    groups: Vec<(i64, String, String)>,
    is_none: bool,
}

/// The first letter of each group that has one that matches.
async fn groups(visit: &Visit, shop: &ShopId, asked: &Asked) -> Result<Vec<DeadLetter>, Fault> {
    let (letters, _) = matching(visit, shop, asked, None, MOST).await?;
    let mut seen = BTreeSet::new();
    Ok(letters.into_iter().filter(|letter| seen.insert(letter.group.0)).take(GROUPS).collect())
}

/// What would be tried again.
async fn ask_all(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let asked = Asked::of(&Fields::of_query(&request));
    let groups = groups(&visit, &shop, &asked).await?;
    let page = RedriveAll {
        l: Layout::new(&visit, "/console/parked", w.redrive_all()),
        count: fill(w.redrive_count(), &[&many(groups.len() as i64)]),
        is_none: groups.is_empty(),
        groups: groups
            .iter()
            .map(|l| (l.group.0, l.key.to_string(), reasons::said(w, &l.group_error)))
            .collect(),
        asked,
    };
    visit.page(&page)
}

async fn redrive_all(
    visit: Visit,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let form = act::form(&visit, &request, payload).await?;
    let shop = visit.shop()?;
    let asked = Asked::of(&form.fields);
    let letters = groups(&visit, &shop, &asked).await?;
    // A form that is sent twice tries again what is parked by then: each try is an event. They share a commit, and one wait.
    let redrives = letters.iter().map(|letter| {
        act::append(&visit, CommandKind::Redrive, letter.position.0.into(), Map::new(), &form.reason)
    });
    let positions = try_join_all(redrives).await?;
    if let Some(last) = positions.iter().max() {
        act::is_decided(&visit, *last).await?;
    }
    Ok(act::said("/console/parked", "redriven-all", positions.len() as i64))
}

async fn redrive(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    one(&visit, &request, &path, payload, CommandKind::Redrive, "redriven").await
}

async fn dismiss(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    one(&visit, &request, &path, payload, CommandKind::Dismiss, "dismissed").await
}

async fn one(
    visit: &Visit,
    request: &HttpRequest,
    path: &str,
    payload: web::Payload,
    kind: CommandKind,
    what: &str,
) -> Result<HttpResponse, Fault> {
    let form = act::form(visit, request, payload).await?;
    let position = number(Some(path)).ok_or(Fault::NotFound)?;
    let mut body = Map::new();
    body.extend(form.fields.get("id").map(|id| ("id".to_owned(), Value::from(id))));
    let done = act::command(visit, kind, position.into(), body, &form.reason).await?;
    Ok(act::done("/console/parked", what, &done))
}
