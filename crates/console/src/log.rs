//! The audit: how far the tree is, what was published last, who has seen it, what the log says about itself; and what an
//! operator has done for it: verified, replayed, handed over.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;
use domain::{Key, Position, ShopId, Timestamp};
use event_log::{Event, Filter, Kind, NoteType};
use http_api::{Problem, at};

use crate::bundles;
use crate::fault::Fault;
use crate::i18n::Words;
use crate::jobs::{self, Shown};
use crate::layout::Layout;
use crate::pages::LOOKED_BACK;
use crate::rows::{Chip, NOWHERE, Row, Stamp, many};
use crate::verifying;
use crate::visit::Visit;

/// Notes are few: looking for them is bounded all the same.
const NOTES: i64 = 50;

/// What an operator may begin here, with what the log says of the last one.
const JOBS: [(jobs::Kind, NoteType); 3] = [
    (jobs::Kind::Verification, NoteType::LogVerified),
    (jobs::Kind::Replay, NoteType::LogReplayed),
    (jobs::Kind::Bundle, NoteType::EvidenceHandedOver),
];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/log").get(show).done())
        .service(at("/log/verify").post(verifying::verify).done())
        .service(at("/log/replay").post(verifying::replay).done())
        .service(at("/log/evidence").get(bundles::fetch).post(bundles::begin).done())
        .service(at("/log/checkpoint").get(checkpoint).done());
}

struct Published {
    size: String,
    root: String,
    at: Stamp,
    signers: Vec<String>,
    note: String,
}

/// A witness, and what it has seen last.
struct Witness {
    name: String,
    size: String,
    at: Option<Stamp>,
    error: String,
}

/// What an operator may begin.
struct Job {
    id: &'static str,
    title: &'static str,
    lead: &'static str,
    button: &'static str,
    shown: Option<Shown>,
    /// What the log says of the last one, and whether all held.
    noted: Option<(Row, Option<Chip>)>,
    is_bundle: bool,
    /// Whether there is one to be fetched by who looks.
    is_kept: bool,
}

impl Job {
    fn is_running(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.is_running)
    }
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
    witnesses: Vec<Witness>,
    stamped: Option<(String, Stamp)>,
    jobs: Vec<Job>,
    notes: Vec<Row>,
}

async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    let shop = visit.shop()?;
    let database = visit.api.database.clone();
    let trees = visit.run(async move { audit::tree::trees(&database).await }).await?;
    let tree = trees.into_iter().find(|tree| tree.shop == shop.as_str());
    let (trees, of) = (visit.api.trees.clone(), shop.clone());
    let published = visit.run(async move { trees.published(&of).await }).await?;
    let (witnesses, stamped) = match &published {
        Some(published) => seen(&visit, &shop, &published.note).await?,
        None => (Vec::new(), None),
    };
    let (notes, last) = noted(&visit, &shop).await?;
    let jobs = JOBS.iter().zip(last).map(|((kind, _), last)| job(&visit, &shop, *kind, last.as_ref()));
    let page = Log {
        l: Layout::new(&visit, "/console/log", w.log()),
        is_begun: tree.as_ref().is_some_and(|tree| tree.is_begun()),
        is_well: tree.as_ref().is_some_and(|tree| tree.is_well()),
        error: tree.as_ref().and_then(|tree| tree.error.clone()),
        size: many(tree.as_ref().map_or(0, |tree| tree.size.cast_signed())),
        log_size: many(tree.as_ref().map_or(0, |tree| tree.log_size.cast_signed())),
        epoch: tree.as_ref().map_or(0, |tree| tree.epoch),
        published: published.map(of_published),
        witnesses,
        stamped,
        jobs: jobs.collect(),
        notes: Row::all(w, &notes),
    };
    visit.page(&page)
}

/// The last notes of any type, and the last one of each that an operator may bring about: these stand with the shop's key,
/// which few events have, so that they are found however far back they are.
async fn noted(visit: &Visit, shop: &ShopId) -> Result<(Vec<Event>, Vec<Option<Event>>), Fault> {
    let shop = shop.clone();
    visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?.map_or(NOWHERE, |(position, _)| position);
            let end = Position(head.0 + 1);
            let filter = Filter { kinds: vec![Kind::Note], ..Filter::default() };
            let floor = Position((head.0 - LOOKED_BACK).max(0));
            let notes = event_log::read_before(&client, &shop, end, floor, NOTES, &filter).await?;
            let mut last = Vec::new();
            for (_, note) in JOBS {
                let key = Some(Key::Shop(shop.clone()));
                let filter = Filter { key, types: vec![note.name().to_owned()], kinds: vec![Kind::Note] };
                last.push(event_log::read_before(&client, &shop, end, Position(0), 1, &filter).await?.pop());
            }
            Ok::<_, event_log::Error>((notes, last))
        })
        .await
}

fn job(visit: &Visit, shop: &ShopId, kind: jobs::Kind, last: Option<&Event>) -> Job {
    let w = visit.words();
    let (title, lead, button) = match kind {
        jobs::Kind::Verification => (w.verification(), w.verify_lead(), w.verify_now()),
        jobs::Kind::Replay => (w.replay(), w.replay_lead(), w.replay_now()),
        jobs::Kind::Bundle => (w.bundle(), w.bundle_lead(), w.bundle_now()),
    };
    let of_bundles = &visit.console.jobs;
    let fetches = |me: &access::Identity| of_bundles.archive(shop, kind, &me.key_id).is_some();
    Job {
        id: kind.id(),
        title,
        lead,
        button,
        shown: visit.console.jobs.last(w, shop, kind),
        noted: last.map(|event| (Row::of(w, event), held(w, event))),
        is_bundle: kind == jobs::Kind::Bundle,
        is_kept: visit.operator().is_ok_and(fetches),
    }
}

/// Whether all held, as a note says.
fn held(w: Words, event: &Event) -> Option<Chip> {
    let data: serde_json::Value = serde_json::from_str(event.data()).unwrap_or_default();
    let (text, tone) = match data.get("holds")?.as_bool()? {
        true => (w.holds(), "good"),
        false => (w.holds_not(), "bad"),
    };
    Some(Chip { text: text.to_owned(), tone })
}

/// Who has seen the log, and when a checkpoint of it was stamped last.
async fn seen(
    visit: &Visit,
    shop: &ShopId,
    note: &str,
) -> Result<(Vec<Witness>, Option<(String, Stamp)>), Fault> {
    let checkpoint = tlog::Note::parse(note.as_bytes()).and_then(|note| tlog::Checkpoint::parse(note.text()));
    let Ok(origin) = checkpoint.map(|checkpoint| checkpoint.origin().to_owned()) else {
        return Ok((Vec::new(), None));
    };
    let (database, shop) = (visit.api.database.clone(), shop.clone());
    let found = visit.api.run(async move {
        let mut seen = witnesses::seen(&database).await?;
        // Those of an epoch before have seen another log.
        seen.retain(|seen| seen.shop == shop.as_str() && seen.origin == origin);
        let stamped = witnesses::last_stamp(&database.client().await?, &shop, &origin).await?;
        Ok::<_, witnesses::Error>((seen, stamped))
    });
    let (seen, stamped) = found.await?.map_err(|error| match error {
        witnesses::Error::Log(error) => Fault::from(error),
        error => Problem::internal(&error).into(),
    })?;
    let size = |size: u64| many(size.cast_signed());
    let witness = |seen: witnesses::Seen| Witness {
        name: seen.witness,
        size: size(seen.size),
        at: seen.at.map(|at| Stamp(Timestamp::new(at))),
        error: seen.error.unwrap_or_default(),
    };
    let stamped = stamped.map(|(of, at)| (size(of), Stamp(Timestamp::new(at))));
    Ok((seen.into_iter().map(witness).collect(), stamped))
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
