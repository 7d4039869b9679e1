//! A burst: ten times what is settled in the long run, for ten seconds. Every request is answered, with 200 or with 503 and when to
//! come again; nothing is lost; and soon after it all is as before.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::time::Instant;

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::figures::{Quantiles, median, percentile};
use crate::bench::load::flood;
use crate::bench::plot::Plot;
use crate::bench::report::{Findings, number};
use crate::bench::retry::{Course, Outbound, Outcome};
use crate::bench::round::{self, begin, millis, wait_until_decided};
use crate::bench::seed;
use crate::bench::serving::{BenchGround, Work};
use crate::bench::usage::peak_rss_kib;
use crate::bench::workload::Workload;
use crate::output::note;
use crate::progress::Rounds;

/// How many times the sustained load.
const TIMES: f64 = 10.0;
const TIME: Duration = Duration::from_secs(10);
/// Before the burst, and at least after it, at half the sustained load.
const QUIET: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(20);
/// Of the senders. More than the service lets wait, and fewer than it lets in.
const CONNECTIONS: usize = 2_000;
const QUIET_CONNECTIONS: usize = 64;
/// A second is as before when its p99 is within so many times that of before, or within the budget of answers in any case.
const FACTOR: f64 = 2.0;
const BUDGET_MS: f64 = 20.0;
/// So many seconds in a row.
const STEADY: usize = 3;

/// What one burst showed.
struct Burst {
    sustained_per_s: f64,
    before: Vec<Outcome>,
    during: Vec<Outcome>,
    after: Vec<Outcome>,
    sent: usize,
    refusals: usize,
    settled: i64,
    rss_kib: u64,
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<Findings> {
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    note(&format!("Placing {} orders ..", plan.callbacks));
    seed::seed(cluster, &ground, &workload).await?;
    let mut bursts = Vec::new();
    let mut told = Rounds::begin(plan.rounds);
    for _ in 1..=plan.rounds {
        let sustained = sustained(cluster, plan, &ground, &workload).await.context("sustained")?;
        note(&format!("{sustained:.0}/s are settled in the long run; sending {:.0}/s ..", sustained * TIMES));
        let burst = burst(cluster, &ground, &workload, sustained).await?;
        told.told(&format_args!(
            "{:.0}/s were sent, {} refusals, as before after {:?} s",
            burst.during.len() as f64 / TIME.as_secs_f64(),
            burst.refusals,
            burst.seconds_to_normal(),
        ));
        bursts.push(burst);
    }
    Ok(report(&bursts))
}

/// Callbacks a second that are settled, by a fifth of them.
async fn sustained(
    cluster: &BenchCluster,
    plan: &Plan,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<f64> {
    let (serving, owner) = begin(cluster, ground, Work::Settle).await?;
    let count = workload.callbacks.len() / 5;
    let requests = workload.callbacks[..count].iter().map(|callback| callback.prepare()).collect::<Vec<_>>();
    let began = Instant::now();
    flood(serving.address, &requests.into(), plan.connections).await?;
    wait_until_decided(&owner, ground).await?;
    let per_s = count as f64 / began.elapsed().as_secs_f64();
    drop(owner);
    serving.stop().await?;
    Ok(per_s)
}

async fn burst(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    sustained_per_s: f64,
) -> anyhow::Result<Burst> {
    let (serving, owner) = begin(cluster, ground, Work::Settle).await?;
    let outbound = Outbound::new(workload.requests.clone());
    let half =
        |time| Course { per_s: sustained_per_s / 2.0, time, connections: QUIET_CONNECTIONS, repeats: false };
    let [quiet, burst, rest] = shares(workload.callbacks.len());
    let before = outbound.send(serving.address, half(QUIET), quiet).await.context("before the burst")?;
    let course =
        Course { per_s: sustained_per_s * TIMES, time: TIME, connections: CONNECTIONS, repeats: true };
    let during = outbound.send(serving.address, course, burst).await.context("in the burst")?;
    // What was refused comes again beside what is new.
    let (after, _) = tokio::try_join!(
        outbound.send(serving.address, half(AFTER), rest),
        outbound.finish(serving.address, QUIET_CONNECTIONS),
    )
    .context("after the burst")?;
    outbound.finish(serving.address, QUIET_CONNECTIONS).await?;
    wait_until_decided(&owner, ground).await?;
    let rss_kib = peak_rss_kib(serving.pid);
    let sent = outbound.sent.load(Ordering::Relaxed);
    let client = owner.client().await?;
    round::check_count(&client, sent, true).await.context("something was lost")?;
    let settled = round::count_paid(&client).await?;
    drop((client, owner));
    serving.stop().await?;
    let refusals = outbound.refusals.load(Ordering::Relaxed);
    Ok(Burst { sustained_per_s, before, during, after, sent, refusals, settled, rss_kib })
}

/// Which are sent before, in and after the burst.
fn shares(callbacks: usize) -> [Range<usize>; 3] {
    let (quiet, rest) = (callbacks / 10, callbacks - callbacks * 3 / 10);
    [0..quiet, quiet..rest, rest..callbacks]
}

impl Burst {
    /// The p99 of answers of each second, in milliseconds.
    fn seconds(outcomes: &[Outcome]) -> Vec<f64> {
        let mut seconds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for outcome in outcomes {
            // One that was refused was not answered as it should be, however soon that was.
            let ms = if outcome.is_taken { since(outcome, outcome.due) } else { f64::INFINITY };
            seconds.entry(outcome.due.as_secs()).or_default().push(ms);
        }
        seconds.values().map(|second| percentile(second, 0.99)).collect()
    }

    /// From when those that were taken were due.
    fn answers(outcomes: &[Outcome]) -> Quantiles {
        let taken = outcomes.iter().filter(|outcome| outcome.is_taken);
        Quantiles::of(&taken.map(|outcome| since(outcome, outcome.due)).collect::<Vec<_>>())
    }

    /// From when they were sent, whatever was answered: senders that share the processors send late.
    fn answers_in_the_burst(&self) -> Quantiles {
        Quantiles::of(&self.during.iter().map(|outcome| since(outcome, outcome.sent)).collect::<Vec<_>>())
    }

    /// Seconds after the end until answers are as they were before, and stay so; `None`: not while it was watched.
    fn seconds_to_normal(&self) -> Option<usize> {
        let bound = (Self::answers(&self.before).p99 * FACTOR).max(BUDGET_MS);
        let seconds = Self::seconds(&self.after);
        let is_steady = |first: &usize| seconds[*first..*first + STEADY].iter().all(|p99| *p99 <= bound);
        (0..(seconds.len() + 1).saturating_sub(STEADY)).find(is_steady)
    }
}

/// Until the answer, in milliseconds.
fn since(outcome: &Outcome, begin: Duration) -> f64 {
    millis(outcome.answered.saturating_sub(begin))
}

fn report(bursts: &[Burst]) -> Findings {
    let mut found = Findings::default();
    let all = |of: &dyn Fn(&Burst) -> f64| -> Vec<f64> { bursts.iter().map(of).collect() };
    found.add("sustained_per_s", &all(&|burst| burst.sustained_per_s), 0);
    let offered = |burst: &Burst| burst.during.len() as f64 / TIME.as_secs_f64();
    found.add("burst_per_s", &all(&offered), 0);
    // Senders and service have the same processors: what the senders did not come to send is not hidden.
    found.add("burst_times_sustained", &all(&|burst| offered(burst) / burst.sustained_per_s), 1);
    let taken = |burst: &Burst| burst.during.iter().filter(|outcome| outcome.is_taken).count() as f64;
    found.add("taken_per_s_in_the_burst", &all(&|burst| taken(burst) / TIME.as_secs_f64()), 0);
    found.add("sent", &all(&|burst| burst.sent as f64), 0);
    found.add("refused_with_retry_after", &all(&|burst| burst.refusals as f64), 0);
    found.add("settled", &all(&|burst| burst.settled as f64), 0);
    found.add("rss_mb", &all(&|burst| burst.rss_kib as f64 / 1024.0), 1);
    let before: Vec<Quantiles> = bursts.iter().map(|burst| Burst::answers(&burst.before)).collect();
    let during: Vec<Quantiles> = bursts.iter().map(Burst::answers_in_the_burst).collect();
    found.quantiles("answer_ms_before", &before);
    found.quantiles("answer_ms_in_the_burst", &during);
    let to_normal: Option<Vec<f64>> =
        bursts.iter().map(|burst| Some(burst.seconds_to_normal()? as f64)).collect();
    found.put("seconds_to_normal", to_normal.map_or(json!(null), |seconds| number(median(&seconds), 0)));
    if let Some(burst) = bursts.last() {
        let line = |name: &str, start: f64, outcomes: &[Outcome]| {
            let seconds = Burst::seconds(outcomes).into_iter().enumerate();
            let points = seconds.filter(|(_, p99)| p99.is_finite());
            (name.to_owned(), points.map(|(second, p99)| (start + second as f64, p99)).collect())
        };
        let taken: Vec<Outcome> = burst.during.iter().filter(|outcome| outcome.is_taken).copied().collect();
        let (begin, end) = (QUIET.as_secs_f64(), (QUIET + TIME).as_secs_f64());
        found.draw(Plot {
            title: "Answers before, in and after a burst".to_owned(),
            across: "seconds".to_owned(),
            upwards: "p99 of the second, in milliseconds".to_owned(),
            is_logarithmic: false,
            lines: vec![
                line("half load, before", 0.0, &burst.before),
                line("burst, those that were taken", begin, &taken),
                line("half load, after", end, &burst.after),
            ],
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(before_ms: u64, after: &[(u64, bool)]) -> Burst {
        let outcome = |second: usize, (ms, is_taken): (u64, bool)| Outcome {
            due: Duration::from_secs(second as u64),
            sent: Duration::from_secs(second as u64),
            answered: Duration::from_secs(second as u64) + Duration::from_millis(ms),
            is_taken,
        };
        Burst {
            sustained_per_s: 100.0,
            before: vec![outcome(0, (before_ms, true))],
            during: Vec::new(),
            after: after.iter().enumerate().map(|(second, answer)| outcome(second, *answer)).collect(),
            sent: 0,
            refusals: 0,
            settled: 0,
            rss_kib: 0,
        }
    }

    #[test]
    fn it_is_as_before_when_three_seconds_in_a_row_are() {
        let after = [(500, true), (30, true), (90, true), (40, true), (39, true), (5, true), (7, true)];
        assert_eq!(burst(20, &after).seconds_to_normal(), Some(3));
        assert_eq!(burst(20, &after[..5]).seconds_to_normal(), None);
        assert_eq!(burst(20, &[]).seconds_to_normal(), None);
    }

    #[test]
    fn a_second_in_which_some_were_refused_is_not_as_before() {
        let after = [(1, false), (1, true), (1, true), (1, true)];
        assert_eq!(burst(20, &after).seconds_to_normal(), Some(1));
    }

    #[test]
    fn every_callback_has_its_share() {
        let [quiet, burst, rest] = shares(101);
        assert_eq!((quiet.start, quiet.end, burst.end, rest.end), (0, burst.start, rest.start, 101));
    }
}
