//! The audit: how far the tree is, what was published last, what the log says about itself.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;
use domain::{Position, Timestamp};
use event_log::{Filter, Kind};

use crate::fault::Fault;
use crate::layout::Layout;
use crate::rows::{NOWHERE, Row, Stamp, many};
use crate::verifying::{self, Shown};
use crate::visit::Visit;

/// Notes are few: looking for them is bounded all the same.
const LOOKED_BACK: i64 = 100_000;
const NOTES: i64 = 50;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/log").get(show))
        .service(web::resource("/log/verify").post(verifying::begin))
        .service(web::resource("/log/checkpoint").get(checkpoint));
}

struct Published {
    size: String,
    root: String,
    at: Stamp,
    signers: Vec<String>,
    note: String,
}

#[derive(Template)]
#[template(path = "log.html")]
struct Log {
    l: Layout,
    is_begun: bool,
    is_well: bool,
    error: Option<String>,
    size: String,
    log_size: String,
    epoch: i32,
    published: Option<Published>,
    verification: Option<Shown>,
    notes: Vec<Row>,
}

async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    let shop = visit.shop()?;
    let database = visit.api.database.clone();
    let verification = visit.console.verifications.last(w, &shop);
    let trees = visit.run(async move { audit::tree::trees(&database).await }).await?;
    let tree = trees.into_iter().find(|tree| tree.shop == shop.as_str());
    let (trees, of) = (visit.api.trees.clone(), shop.clone());
    let published = visit.run(async move { trees.published(&of).await }).await?;
    let notes = visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?.map_or(NOWHERE, |(position, _)| position);
            let filter = Filter { kinds: vec![Kind::Note], ..Filter::default() };
            let floor = Position((head.0 - LOOKED_BACK).max(0));
            event_log::read_before(&client, &shop, Position(head.0 + 1), floor, NOTES, &filter).await
        })
        .await?;
    let page = Log {
        l: Layout::new(&visit, "/console/log", w.log()),
        is_begun: tree.as_ref().is_some_and(|tree| tree.is_begun()),
        is_well: tree.as_ref().is_some_and(|tree| tree.is_well()),
        error: tree.as_ref().and_then(|tree| tree.error.clone()),
        size: many(tree.as_ref().map_or(0, |tree| tree.size.cast_signed())),
        log_size: many(tree.as_ref().map_or(0, |tree| tree.log_size.cast_signed())),
        epoch: tree.as_ref().map_or(0, |tree| tree.epoch),
        published: published.map(of_published),
        verification,
        notes: Row::all(w, &notes),
    };
    visit.page(&page)
}

fn of_published(published: audit::tree::Published) -> Published {
    let note = tlog::Note::parse(published.note.as_bytes());
    let signers = note.map(|note| note.signatures().iter().map(|s| s.name().to_owned()).collect());
    Published {
        size: many(published.size.cast_signed()),
        root: hex::encode(published.root),
        at: Stamp(Timestamp::new(published.at)),
        signers: signers.unwrap_or_default(),
        note: published.note,
    }
}

/// The checkpoint that was published last, to keep.
async fn checkpoint(visit: Visit) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let (trees, of) = (visit.api.trees.clone(), shop.clone());
    let published = visit.run(async move { trees.published(&of).await }).await?.ok_or(Fault::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{shop}.checkpoint\"")))
        .body(published.note))
}
