//! One event: what it says, what it came from and what came of it, what it changed, that it is in the log, and what PayPal
//! sent, for an operator who says why they open it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use audit::tree::Error as TreeError;
use domain::{Position, ShopId, Timestamp};
use event_log::{Event, Filter, Kind};
use evidence::VerifiedBy;
use http_api::{Problem, at};
use intake::{By, Opened};
use serde_json::Value;

use crate::act;
use crate::changes::{Changed, changed, moves};
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::layout::Layout;
use crate::read::number;
use crate::rows::{Row, Stamp, duration, many, pretty, says};
use crate::types;
use crate::visit::Visit;

/// Attempts to deliver an event that are shown, of each sink.
const ATTEMPTS: i64 = 5;
/// What an order was before is looked for in so many outcomes of it.
const EARLIER: i64 = 20;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/events/{position}").get(show).done())
        .service(at("/events/{position}/evidence").post(open).done())
        .service(at("/events/{position}/proof").get(download).done());
}

/// A step on the way of an event.
struct Step {
    label: String,
    href: Option<String>,
    at: Option<Stamp>,
    /// Since the step before.
    took: String,
    tone: &'static str,
}

/// That the event is in the log.
struct Proof {
    tone: &'static str,
    text: String,
    leaf: String,
    root: Option<String>,
    href: Option<String>,
}

/// A check of a callback.
struct Checked {
    name: String,
    is_ok: bool,
    detail: String,
}

/// Evidence that was opened.
struct Evidence {
    verified_by: &'static str,
    headers: Vec<(String, String)>,
    body: String,
    raw: String,
    checks: Vec<Checked>,
    signed: Option<String>,
    text: Option<String>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    l: Layout,
    position: i64,
    row: Row,
    id: String,
    pretty: String,
    entry: String,
    cause: Option<Row>,
    outcomes: Vec<Row>,
    is_fact: bool,
    is_decided: bool,
    steps: Vec<Step>,
    changed: Vec<Changed>,
    moves: Vec<(String, String)>,
    proof: Proof,
    has_evidence: bool,
    evidence: Option<Evidence>,
    is_last: bool,
}

/// All of an event that is in the database.
struct Found {
    event: Event,
    cause: Option<Event>,
    outcomes: Vec<Event>,
    /// Earlier outcomes with the same key, the newest first.
    earlier: Vec<Event>,
    head: Position,
}

async fn show(visit: Visit, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let position = position_of(&path)?;
    page(&visit, position, None).await
}

fn position_of(path: &str) -> Result<Position, Fault> {
    // `0-1042`, as the API writes it, is the same event.
    number(path.rsplit('-').next()).map(Position).ok_or(Fault::NotFound)
}

/// What PayPal sent, opened in the name of an operator, who says why.
async fn open(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let form = act::form(&visit, &request, payload).await?;
    let me = visit.operator()?;
    let position = position_of(&path)?;
    let by = By { shop: me.shop.clone(), key_id: me.key_id.clone() };
    let (intake, reason) = (visit.api.intake.clone(), form.reason);
    let opened = visit.api.run(async move { intake.open_evidence(&by, position, &reason).await }).await?;
    let opened = opened.map_err(http_api::refused)?;
    page(&visit, position, Some(opened)).await
}

async fn find(visit: &Visit, shop: &ShopId, position: Position) -> Result<Option<Found>, Fault> {
    let shop = shop.clone();
    visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?.map_or(Position(-1), |(head, _)| head);
            let Some(event) = event_log::read_at(&client, &shop, &[position]).await?.pop() else {
                return Ok(None);
            };
            let cause = match event.cause {
                Some(cause) => event_log::read_at(&client, &shop, &[cause]).await?.pop(),
                None => None,
            };
            let outcomes = match event.kind {
                Kind::Fact => event_log::outcomes_of(&client, &shop, position).await?,
                Kind::Outcome | Kind::Note => Vec::new(),
            };
            let earlier = match event.kind {
                Kind::Outcome => {
                    let filter = Filter {
                        kinds: vec![Kind::Outcome],
                        types: Vec::new(),
                        key: Some(event.key.clone()),
                    };
                    event_log::read_before(&client, &shop, position, Position(0), EARLIER, &filter).await?
                }
                Kind::Fact | Kind::Note => Vec::new(),
            };
            Ok::<_, event_log::Error>(Some(Found { event, cause, outcomes, earlier, head }))
        })
        .await
}

async fn page(visit: &Visit, position: Position, opened: Option<Opened>) -> Result<HttpResponse, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let found = find(visit, &shop, position).await?.ok_or(Fault::NotFound)?;
    let Found { event, cause, outcomes, earlier, head } = &found;
    let is_fact = event.kind == Kind::Fact;
    let is_decided = match is_fact {
        true => !outcomes.is_empty() || decided_through(visit, &shop).await? >= position.0,
        false => true,
    };
    let data: Value = serde_json::from_str(event.data()).unwrap_or_default();
    let evidence = opened.map(|opened| evidence(w, opened));
    let (changed, moves) = match event.kind {
        Kind::Outcome => (changed(w, &data, earlier), moves(&data)),
        Kind::Fact | Kind::Note => (Vec::new(), Vec::new()),
    };
    let page = EventPage {
        l: Layout::new(visit, "/console/events", &format!("{} {position}", w.event())),
        position: position.0,
        row: Row::of(w, event),
        id: event.id.to_string(),
        pretty: pretty(event.data()),
        entry: event.entry.clone(),
        cause: cause.as_ref().map(|cause| Row::of(w, cause)),
        outcomes: Row::all(w, outcomes),
        steps: steps(visit, &shop, &found, evidence.as_ref()).await?,
        proof: proof(visit, &shop, event).await?,
        has_evidence: event.evidence().is_some(),
        is_last: *head == position,
        is_fact,
        is_decided,
        changed,
        moves,
        evidence,
    };
    visit.page(&page)
}

async fn decided_through(visit: &Visit, shop: &ShopId) -> Result<i64, Fault> {
    use relay::Projection as _;
    let (database, shop) = (visit.api.database.clone(), shop.clone());
    let consumer = read_models::ReadModels::default().consumer();
    visit.run(async move { relay::checkpoint(&database, consumer, &shop).await }).await
}

/// From PayPal's sending to each reader, with how long each step took.
async fn steps(
    visit: &Visit,
    shop: &ShopId,
    found: &Found,
    evidence: Option<&Evidence>,
) -> Result<Vec<Step>, Fault> {
    let w = visit.words();
    let Found { event, cause, outcomes, .. } = found;
    let mut steps: Vec<Step> = Vec::new();
    let mut last: Option<Timestamp> = None;
    let mut step = |label: String, href: Option<String>, at: Timestamp| {
        let took = last.map(|last| duration(w, (at.micros() - last.micros()).max(0))).unwrap_or_default();
        last = Some(at);
        steps.push(Step { label, href, at: Some(Stamp(at)), took, tone: "plain" });
    };
    let sent = evidence.and_then(|evidence| {
        let header =
            evidence.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("paypal-transmission-time"));
        chrono::DateTime::parse_from_rfc3339(&header?.1).ok().map(|at| Timestamp::new(at.to_utc()))
    });
    if let Some(sent) = sent {
        step(w.tl_sent().to_owned(), None, sent);
    }
    let page = |event: &Event| Some(format!("/console/events/{}", event.position));
    if let Some(cause) = cause {
        step(format!("{}: {}", w.tl_recorded(), says(w, cause)), page(cause), cause.at);
        step(format!("{}: {}", w.tl_decided(), says(w, event)), None, event.at);
    } else {
        step(w.tl_recorded().to_owned(), None, event.at);
    }
    for outcome in outcomes {
        step(format!("{}: {}", w.tl_decided(), says(w, outcome)), page(outcome), outcome.at);
    }
    // What goes downstream is the last of it.
    let reached = outcomes.last().map_or(event.position, |outcome| outcome.position);
    let (sinks, consumers) = (visit.api.delivery.sinks.clone(), visit.api.delivery.consumers.clone());
    let of = shop.clone();
    let (sinks, consumers, attempts) = visit
        .run(async move {
            let listed = sinks.list(&of).await?;
            let mut attempts = Vec::new();
            for sink in &listed {
                let of_sink = sinks.attempts(&of, &sink.name, reached, ATTEMPTS).await?;
                attempts.extend(of_sink.into_iter().rev().map(|attempt| (sink.name.clone(), attempt)));
            }
            Ok::<_, delivery::Error>((listed, consumers.list(&of).await?, attempts))
        })
        .await?;
    for (name, attempt) in attempts {
        let (text, what) = match (attempt.status, attempt.error) {
            (Some(status), None) => (w.tl_sent_to(), status.to_string()),
            (_, error) => (w.tl_not_sent(), error.unwrap_or_default()),
        };
        steps.push(Step {
            label: fill(text, &[&name, &what]),
            href: None,
            at: Some(Stamp(Timestamp::new(attempt.at))),
            took: duration(w, i64::from(attempt.duration_ms) * 1_000),
            tone: if attempt.status.is_some_and(|s| (200..300).contains(&s)) { "good" } else { "warn" },
        });
    }
    let readers = sinks.iter().map(|sink| (&sink.name, sink.cursor));
    for (name, cursor) in readers.chain(consumers.iter().map(|consumer| (&consumer.name, consumer.cursor))) {
        let has_passed = cursor.position >= reached;
        let text = if has_passed { w.tl_passed() } else { w.tl_waits() };
        steps.push(Step {
            label: fill(text, &[name]),
            href: Some("/console/sinks".to_owned()),
            at: None,
            took: String::new(),
            tone: if has_passed { "good" } else { "warn" },
        });
    }
    Ok(steps)
}

async fn proof(visit: &Visit, shop: &ShopId, event: &Event) -> Result<Proof, Fault> {
    let w = visit.words();
    let (trees, of, position) = (visit.api.trees.clone(), shop.clone(), event.position);
    let proven = visit.api.run(async move { trees.prove(&of, position).await }).await?;
    let leaf = hex::encode(tlog::leaf_hash(event.entry.as_bytes()));
    let told =
        |tone, text: &str| Proof { tone, text: text.to_owned(), leaf: leaf.clone(), root: None, href: None };
    Ok(match proven {
        Ok(proof) => {
            let checkpoint = tlog::Checkpoint::parse(proof.checkpoint.text());
            let (size, root) = checkpoint.map_or((0, None), |c| (c.size(), Some(hex::encode(c.root()))));
            let text = fill(w.proof_holds(), &[&many(size.cast_signed())]);
            let href = Some(format!("/console/events/{position}/proof"));
            Proof { root, href, ..told("good", &text) }
        }
        Err(TreeError::OutOfRange { .. }) => told("plain", w.proof_not_yet()),
        Err(TreeError::NotPublished) => told("plain", w.proof_none()),
        Err(TreeError::LogDiffers { .. }) => told("bad", w.proof_fails()),
        Err(error) => return Err(error.into()),
    })
}

/// The proof as a file, for whoever has the entry and the log's key.
async fn download(visit: Visit, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let position = position_of(&path)?;
    let (trees, of) = (visit.api.trees.clone(), shop.clone());
    let proof = match visit.api.run(async move { trees.prove(&of, position).await }).await? {
        Ok(proof) => proof,
        Err(TreeError::OutOfRange { .. } | TreeError::NotPublished) => return Err(Fault::NotFound),
        Err(error @ TreeError::LogDiffers { .. }) => return Err(Problem::internal(&error).into()),
        Err(error) => return Err(error.into()),
    };
    let name = format!("attachment; filename=\"{shop}-{position}.tlog-proof\"");
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(proof.to_string()))
}

fn evidence(w: Words, opened: Opened) -> Evidence {
    let Opened { callback, text, report } = opened;
    let checks = report.as_ref().map(|report| &report.steps).into_iter().flatten();
    let checks = checks
        .map(|step| Checked {
            name: check_name(w, step.name.as_str()),
            is_ok: step.ok,
            detail: step.detail.clone(),
        })
        .collect();
    let signed = report.and_then(|report| report.signed_string);
    let Some(callback) = callback else {
        return Evidence {
            verified_by: "",
            headers: Vec::new(),
            body: String::new(),
            raw: String::new(),
            checks,
            signed,
            text,
        };
    };
    let raw = String::from_utf8_lossy(&callback.body).into_owned();
    Evidence {
        verified_by: match callback.verified_by {
            VerifiedBy::Signature => "signature",
            VerifiedBy::Postback => "postback",
            VerifiedBy::Api => "api",
        },
        headers: callback.headers,
        body: pretty(&raw),
        raw,
        checks,
        signed,
        text,
    }
}

fn check_name(w: Words, name: &str) -> String {
    types::check(name).map_or_else(|| name.to_owned(), |text| w.say(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_the_api_writes_it_too() {
        assert_eq!(position_of("0-12").unwrap(), Position(12));
        assert_eq!(position_of("12").unwrap(), Position(12));
        for text in ["", "-", "x", "1-x", "99999999999999999999"] {
            assert!(position_of(text).is_err(), "{text}");
        }
    }
}
