//! What an operator begins and takes long: a log is verified, replayed, written as a bundle. One at a time in a process, with
//! its progress; the last one of each kind is shown until the next. What came of it stands in the log as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use audit::Progress;
use chrono::{DateTime, Utc};
use domain::{ShopId, Timestamp};

use crate::act;
use crate::bundles::Archive;
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::rows::{Stamp, many};
use crate::types;
use crate::visit::{Visit, now};

/// How long a bundle is kept to be fetched.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Verification,
    Replay,
    Bundle,
}

impl Kind {
    /// Where the page has it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Verification => "verify",
            Self::Replay => "replay",
            Self::Bundle => "evidence",
        }
    }
}

/// What came of it.
#[derive(Clone)]
pub(crate) struct Found {
    /// Whether all is as it should be.
    pub(crate) holds: bool,
    /// A text with a place for each of the figures.
    pub(crate) says: fn(Words) -> &'static str,
    pub(crate) figures: Vec<u64>,
    /// The first of what is not as it should be.
    pub(crate) findings: Vec<String>,
    /// What there is to be fetched, as long as it is kept.
    pub(crate) archive: Option<Arc<Archive>>,
}

/// When it ended, and what came of it or why nothing did.
type End = (DateTime<Utc>, Result<Found, String>);

#[derive(Clone)]
struct Job {
    progress: Progress,
    began: DateTime<Utc>,
    by: String,
    end: Option<End>,
}

/// The last job of each kind that this process did for each shop.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<(ShopId, Kind), Job>>>);

/// A job as a page shows it.
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

/// Begins a job in the name of an operator, unless one is under way, and leads back to where it is watched.
pub(crate) fn begin<W>(
    visit: &Visit,
    kind: Kind,
    work: impl FnOnce(Progress) -> W,
) -> Result<HttpResponse, Fault>
where
    W: Future<Output = Result<Found, String>> + Send + 'static,
{
    let me = visit.operator()?;
    let (jobs, api) = (visit.console.jobs.clone(), visit.api.clone());
    let (shop, by) = (me.shop.clone(), me.key_id.clone());
    let Some(progress) = jobs.begin(&shop, kind, &by) else {
        return Err(Fault::Refused(visit.words().job_under_way().to_owned()));
    };
    let work = work(progress);
    visit.api.spawn(async move {
        let found = api.run(work).await.unwrap_or_else(|problem| Err(problem.to_string()));
        let ok = found.as_ref().is_ok_and(|found| found.holds);
        tracing::info!(%shop, by, what = kind.id(), ok, "done from the console");
        let is_kept = found.as_ref().is_ok_and(|found| found.archive.is_some());
        let began = jobs.end(&shop, kind, found);
        if is_kept {
            tokio::time::sleep(KEPT).await;
            jobs.let_go(&shop, kind, began);
        }
    });
    Ok(act::see(&format!("/console/log#{}", kind.id())))
}

impl Jobs {
    fn begin(&self, shop: &ShopId, kind: Kind, by: &str) -> Option<Progress> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.values().any(|job| job.end.is_none()) {
            return None;
        }
        let progress = Progress::default();
        let job = Job { progress: progress.clone(), began: now(), by: by.to_owned(), end: None };
        jobs.insert((shop.clone(), kind), job);
        Some(progress)
    }

    /// Ends one, and says when it began.
    fn end(&self, shop: &ShopId, kind: Kind, end: Result<Found, String>) -> Option<DateTime<Utc>> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.get_mut(&(shop.clone(), kind))?;
        job.end = Some((now(), end));
        Some(job.began)
    }

    /// What was there to be fetched is not kept any longer, unless there is something newer.
    fn let_go(&self, shop: &ShopId, kind: Kind, began: Option<DateTime<Utc>>) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Job { end: Some((_, Ok(found))), began: of, .. }) = jobs.get_mut(&(shop.clone(), kind))
            && began == Some(*of)
        {
            found.archive = None;
        }
    }

    fn last_of(&self, shop: &ShopId, kind: Kind) -> Option<Job> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(shop.clone(), kind)).cloned()
    }

    /// What is there to be fetched, by whom it was made for: the log says of nobody else that they have it.
    pub(crate) fn archive(&self, shop: &ShopId, kind: Kind, by: &str) -> Option<Arc<Archive>> {
        let job = self.last_of(shop, kind).filter(|job| job.by == by)?;
        job.end?.1.ok()?.archive
    }

    /// The last one of a shop.
    pub(crate) fn last(&self, w: Words, shop: &ShopId, kind: Kind) -> Option<Shown> {
        let job = self.last_of(shop, kind)?;
        let (step, done, whole) = job.progress.read();
        let stamp = |at| Stamp(Timestamp::new(at));
        let (tone, text, findings) = match &job.end {
            None => ("plain", running(w, step, done, whole), Vec::new()),
            Some((_, Err(why))) => ("bad", why.clone(), Vec::new()),
            Some((_, Ok(found))) => {
                let figures: Vec<String> = found.figures.iter().map(|figure| count(*figure)).collect();
                let figures: Vec<&dyn std::fmt::Display> = figures.iter().map(|figure| figure as _).collect();
                let text = fill((found.says)(w), &figures);
                let tone = if found.holds { "good" } else { "bad" };
                (tone, text, found.findings.clone())
            }
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

fn running(w: Words, step: &str, done: u64, whole: u64) -> String {
    let step = types::step(step).map_or(step, |text| w.say(text));
    format!("{step} {} / {}", count(done), count(whole))
}

fn count(number: u64) -> String {
    many(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Lang;

    const EN: Words = Words(Lang::En);

    fn found(archive: Option<Arc<Archive>>) -> Found {
        Found { holds: true, says: Words::replayed, figures: vec![10, 4, 0], findings: Vec::new(), archive }
    }

    #[test]
    fn one_is_under_way_at_a_time_and_its_end_is_told() {
        let jobs = Jobs::default();
        let (a, b) = (ShopId::parse("a").unwrap(), ShopId::parse("b").unwrap());
        let progress = jobs.begin(&a, Kind::Replay, "key").unwrap();
        assert!(
            jobs.begin(&a, Kind::Replay, "key").is_none() && jobs.begin(&a, Kind::Bundle, "key").is_none()
        );
        assert!(jobs.begin(&b, Kind::Verification, "key").is_none());
        progress.begin("deciding again", 10);
        progress.add(4);
        let shown = jobs.last(EN, &a, Kind::Replay).unwrap();
        assert!(shown.is_running && shown.text == "Deciding again 4 / 10", "{}", shown.text);
        assert_eq!(
            jobs.last(Words(Lang::Zh), &a, Kind::Replay).unwrap().text,
            format!("{} 4 / 10", types::step("deciding again").unwrap().zh)
        );
        assert!(jobs.last(EN, &b, Kind::Replay).is_none() && jobs.last(EN, &a, Kind::Bundle).is_none());
        jobs.end(&a, Kind::Replay, Ok(found(None)));
        let shown = jobs.last(EN, &a, Kind::Replay).unwrap();
        assert!(!shown.is_running && shown.tone == "good" && shown.text.contains("10"), "{}", shown.text);
        assert!(jobs.begin(&b, Kind::Verification, "key").is_some());
        jobs.end(&b, Kind::Verification, Err("no database".into()));
        assert_eq!(jobs.last(Words(Lang::Zh), &b, Kind::Verification).unwrap().tone, "bad");
    }

    #[test]
    fn what_is_to_be_fetched_is_for_who_made_it_and_gone_after_a_time_or_with_the_next() {
        let (jobs, shop) = (Jobs::default(), ShopId::parse("a").unwrap());
        let archive =
            Arc::new(Archive { name: "a.zip".into(), bytes: 0, file: tempfile::tempfile().unwrap() });
        jobs.begin(&shop, Kind::Bundle, "key").unwrap();
        let began = jobs.end(&shop, Kind::Bundle, Ok(found(Some(Arc::clone(&archive)))));
        assert!(jobs.archive(&shop, Kind::Bundle, "key").is_some());
        assert!(jobs.archive(&shop, Kind::Bundle, "another").is_none());
        jobs.let_go(&shop, Kind::Bundle, began.map(|began| began - chrono::TimeDelta::seconds(1)));
        assert!(jobs.archive(&shop, Kind::Bundle, "key").is_some(), "that was another one");
        jobs.let_go(&shop, Kind::Bundle, began);
        assert!(jobs.archive(&shop, Kind::Bundle, "key").is_none());
        jobs.end(&shop, Kind::Bundle, Ok(found(Some(Arc::clone(&archive)))));
        jobs.begin(&shop, Kind::Bundle, "key").unwrap();
        assert_eq!(Arc::strong_count(&archive), 1, "the next one takes its place");
    }
}
