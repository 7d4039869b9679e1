//! A log is verified or replayed: compared with all there is of it, or decided and folded from nothing. That it was, by whom,
//! why, and what came of it stands in the log.

use actix_web::{HttpRequest, HttpResponse, web};
use audit::{Progress, Snapshot, Source, Verification, Verifier, run};
use database::Database;
use domain::{Key, Position, ShopId};
use event_log::{NoteType, Operator};
use read_models::compare_live;
use serde::Serialize;
use serde_json::{Value, json};

use crate::act::{self, Form};
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::jobs::{self, Found, Kind};
use crate::rows::many;
use crate::visit::Visit;

/// A log of more events is verified from the command line: beside the service it would take too much of its memory.
const EVENTS_MAX: i64 = 1_000_000;
/// Of what differs so much is shown.
const SHOWN: usize = 20;

/// The form, who sends it and why; of a log that is not too long to be gone through here.
pub(crate) async fn asked(
    visit: &Visit,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Form, Operator), Fault> {
    let form = act::form(visit, request, payload).await?;
    let operator = act::operator(visit, &form.reason)?;
    let of = visit.shop()?;
    let head = visit.read(move |client| async move { event_log::head(&client, &of).await }).await?;
    if head.is_some_and(|(head, _)| head.0 >= EVENTS_MAX) {
        return Err(Fault::Refused(fill(visit.words().log_too_long(), &[&many(EVENTS_MAX)])));
    }
    Ok((form, operator))
}

/// Begins a verification of the operator's shop.
pub(crate) async fn verify(
    visit: Visit,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (_, operator) = asked(&visit, &request, payload).await?;
    let (database, vault, shop) = (visit.api.database.clone(), visit.console.vault.clone(), visit.shop()?);
    let intake = visit.api.intake.clone();
    jobs::begin(&visit, Kind::Verification, |progress| async move {
        let anchors = intake.shop(&shop).await.ok().and_then(|shop| shop.anchors());
        let verifier = Verifier { vault: Some(&vault), anchors: anchors.as_deref() };
        let verified =
            verifier.verify(&database, &shop, &progress).await.map_err(|error| error.to_string())?;
        let (holds, events) = (verified.is_clean(), verified.events);
        let figures = [events, verified.facts, verified.outcomes, verified.evidence.opened];
        let compared = Compared {
            holds,
            through: Position(i64::try_from(events).unwrap_or(i64::MAX) - 1),
            facts: verified.facts,
            outcomes: verified.outcomes,
            figures: figures.to_vec(),
            says: if holds { Words::verified } else { Words::verified_not },
            findings: all_of(&verified),
        };
        Ok(compared.noted(&operator, &database, &shop, NoteType::LogVerified).await)
    })
}

/// Begins a replay of the operator's shop.
pub(crate) async fn replay(
    visit: Visit,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (_, operator) = asked(&visit, &request, payload).await?;
    let (database, shop) = (visit.api.database.clone(), visit.shop()?);
    jobs::begin(&visit, Kind::Replay, |progress| async move {
        let compared = replayed(&database, &shop, &progress).await.map_err(|error| error.to_string())?;
        Ok(compared.noted(&operator, &database, &shop, NoteType::LogReplayed).await)
    })
}

/// As `replay --diff` does.
async fn replayed(database: &Database, shop: &ShopId, progress: &Progress) -> Result<Compared, audit::Error> {
    let snapshot = Snapshot::take(database, shop).await?;
    let source = Source::Snapshot(snapshot);
    let through = source.head();
    let ran = run(&source, through, progress).await?;
    let differences = match &source {
        Source::Snapshot(snapshot) => {
            progress.begin("comparing the read models", 0);
            compare_live(snapshot.client()?, shop, ran.replayed.folded()).await?
        }
        Source::Bundle(_) => Vec::new(),
    };
    source.close().await;
    let holds = ran.is_clean() && differences.is_empty();
    let mut findings = texts(&ran.replayed.mismatches);
    findings.extend(texts(&ran.mismatches));
    findings.extend(texts(&differences));
    Ok(Compared {
        holds,
        through,
        facts: ran.replayed.facts,
        outcomes: ran.replayed.outcomes,
        figures: vec![ran.replayed.facts, ran.replayed.outcomes, ran.digests],
        says: if holds { Words::replayed } else { Words::replayed_not },
        findings,
    })
}

/// What comparing a log came to.
struct Compared {
    holds: bool,
    /// The last event of the log then.
    through: Position,
    facts: u64,
    outcomes: u64,
    figures: Vec<u64>,
    says: fn(Words) -> &'static str,
    findings: Vec<String>,
}

impl Compared {
    /// With a note in the log. Where there can be none, as in a log that has forked, it is told all the same, with why.
    async fn noted(self, operator: &Operator, database: &Database, shop: &ShopId, kind: NoteType) -> Found {
        let Self { holds, through, facts, outcomes, figures, says, mut findings } = self;
        let data = json!({"facts": facts, "holds": holds, "outcomes": outcomes, "through": through});
        let noted = operator.note(database, shop, kind, Key::Shop(shop.clone()), data).await;
        findings.truncate(SHOWN);
        if let Err(error) = noted {
            findings.push(format!("{}: {error}", kind.name()));
        }
        Found { holds, says, figures, findings, archive: None }
    }
}

/// All that differs, as `verify -o json` has it.
fn all_of(verified: &Verification) -> Vec<String> {
    let Verification { findings, mismatches, differences, violations, .. } = verified;
    let mut all = texts(&findings.first);
    all.extend(texts(mismatches));
    all.extend(texts(differences));
    all.extend(texts(violations));
    all
}

fn texts(all: &[impl Serialize]) -> Vec<String> {
    let text = |one| serde_json::to_value(one).map(|value: Value| value.to_string()).unwrap_or_default();
    all.iter().take(SHOWN).map(text).collect()
}
