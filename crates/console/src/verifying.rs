//! Verifying a log from the console: one at a time in a process, with its progress, until it is looked at again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpRequest, HttpResponse, web};
use audit::{Progress, Verification, Verifier};
use chrono::{DateTime, Utc};
use domain::{ShopId, Timestamp};

use crate::act;
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::rows::{Stamp, many};
use crate::visit::{Visit, now};

/// A log of more events is verified from the command line: beside the service it would take too much of its memory.
const EVENTS_MAX: i64 = 1_000_000;
/// Of what differs so much is shown.
const SHOWN: usize = 20;

/// The verifications of this process, the last one of each shop.
#[derive(Clone, Default)]
pub(crate) struct Verifications(Arc<Mutex<HashMap<ShopId, Job>>>);

/// When one ended, and what it found or why it could not.
type End = (DateTime<Utc>, Result<Arc<Verification>, String>);

#[derive(Clone)]
struct Job {
    progress: Progress,
    began: DateTime<Utc>,
    by: String,
    end: Option<End>,
}

/// A verification as a page shows it.
pub(crate) struct Shown {
    pub(crate) is_running: bool,
    pub(crate) began: Stamp,
    pub(crate) by: String,
    pub(crate) ended: Option<Stamp>,
    pub(crate) tone: &'static str,
    pub(crate) text: String,
    pub(crate) done: u64,
    pub(crate) whole: u64,
    pub(crate) findings: Vec<String>,
}

impl Verifications {
    /// Begins one, unless one is under way.
    fn begin(&self, shop: &ShopId, by: &str) -> Option<Progress> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.values().any(|job| job.end.is_none()) {
            return None;
        }
        let progress = Progress::default();
        let job = Job { progress: progress.clone(), began: now(), by: by.to_owned(), end: None };
        jobs.insert(shop.clone(), job);
        Some(progress)
    }

    fn end(&self, shop: &ShopId, end: Result<Verification, String>) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = jobs.get_mut(shop) {
            job.end = Some((now(), end.map(Arc::new)));
        }
    }

    /// The last one of a shop.
    pub(crate) fn last(&self, w: Words, shop: &ShopId) -> Option<Shown> {
        let job = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(shop).cloned()?;
        let (what, done, whole) = job.progress.read();
        let stamp = |at| Stamp(Timestamp::new(at));
        let (tone, text, findings) = match &job.end {
            None => ("plain", format!("{what} {} / {}", count(done), count(whole)), Vec::new()),
            Some((_, Err(why))) => ("bad", why.clone(), Vec::new()),
            Some((_, Ok(found))) if found.is_clean() => ("good", told(w.verified(), found), Vec::new()),
            Some((_, Ok(found))) => ("bad", told(w.verified_not(), found), findings(found)),
        };
        Some(Shown {
            is_running: job.end.is_none(),
            began: stamp(job.began),
            by: job.by,
            ended: job.end.as_ref().map(|(at, _)| stamp(*at)),
            tone,
            text,
            done,
            whole: whole.max(1),
            findings,
        })
    }
}

fn count(number: u64) -> String {
    many(i64::try_from(number).unwrap_or(i64::MAX))
}

fn told(text: &str, found: &Verification) -> String {
    fill(
        text,
        &[&count(found.events), &count(found.facts), &count(found.outcomes), &count(found.evidence.opened)],
    )
}

/// The first of all that differs, as `verify -o json` has it.
fn findings(found: &Verification) -> Vec<String> {
    let Ok(serde_json::Value::Object(all)) = serde_json::to_value(found) else { return Vec::new() };
    let lists = ["findings", "mismatches", "differences", "violations"];
    let lists = lists.iter().filter_map(|name| all.get(*name));
    lists
        .flat_map(|list| match list {
            serde_json::Value::Array(list) => list.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        })
        .take(SHOWN)
        .collect()
}

/// Begins a verification of the operator's shop.
pub(crate) async fn begin(
    visit: Visit,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let me = visit.operator()?;
    act::own_fields(&visit, &request, payload).await?;
    let (w, shop, by) = (visit.words(), me.shop.clone(), me.key_id.clone());
    let of = shop.clone();
    let head = visit.read(move |client| async move { event_log::head(&client, &of).await }).await?;
    if head.is_some_and(|(head, _)| head.0 >= EVENTS_MAX) {
        return Err(Fault::Refused(fill(w.verify_too_long(), &[&many(EVENTS_MAX)])));
    }
    let jobs = visit.console.verifications.clone();
    let Some(progress) = jobs.begin(&shop, &by) else {
        return Err(Fault::Refused(w.verify_under_way().to_owned()));
    };
    let (database, vault) = (visit.api.database.clone(), visit.console.vault.clone());
    let intake = visit.api.intake.clone();
    visit.api.spawn(async move {
        let anchors = intake.shop(&shop).await.ok().and_then(|shop| shop.anchors());
        let verifier = Verifier { vault: Some(&vault), anchors: anchors.as_deref() };
        let found = verifier.verify(&database, &shop, &progress).await;
        tracing::info!(%shop, by, ok = found.as_ref().is_ok_and(Verification::is_clean), "verified from the console");
        jobs.end(&shop, found.map_err(|error| error.to_string()));
    });
    Ok(act::see("/console/log#verify"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Lang;

    #[test]
    fn one_is_under_way_at_a_time_and_its_end_is_told() {
        let jobs = Verifications::default();
        let (a, b) = (ShopId::parse("a").unwrap(), ShopId::parse("b").unwrap());
        let progress = jobs.begin(&a, "key").unwrap();
        assert!(jobs.begin(&a, "key").is_none() && jobs.begin(&b, "key").is_none());
        progress.begin("reading", 10);
        progress.add(4);
        let shown = jobs.last(Words(Lang::En), &a).unwrap();
        assert!(
            shown.is_running && shown.text == "reading 4 / 10" && jobs.last(Words(Lang::En), &b).is_none()
        );
        jobs.end(&a, Ok(Verification { events: 10, ..Verification::default() }));
        let shown = jobs.last(Words(Lang::En), &a).unwrap();
        assert!(!shown.is_running && shown.tone == "good", "{}", shown.text);
        assert!(jobs.begin(&b, "key").is_some());
        jobs.end(&b, Err("no database".into()));
        assert_eq!(jobs.last(Words(Lang::Zh), &b).unwrap().tone, "bad");
    }
}
