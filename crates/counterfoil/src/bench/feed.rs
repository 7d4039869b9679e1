//! The feed: how fast it is read by HTTP, and that a page costs the same however deep it lies.

use std::time::Duration;

use access::{ApiKeys, Role};
use anyhow::Context;
use database::sql;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::time::Instant;

use crate::api_client;
use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::figures::{Quantiles, median};
use crate::bench::round::DATABASE;
use crate::bench::serving::{BenchGround, Serving, TEMPLATE, Work};
use crate::bench::usage::peak_rss_kib;
use crate::bench::workload::{SHOP, Workload};
use crate::output::note;
use crate::progress::Rounds;

/// Of one page, the most that one may have.
const PAGE: usize = 1_000;
/// Rows that are seeded by one statement.
const CHUNK: i64 = 50_000;
/// Readers at a time, each of a range of its own.
const READERS: usize = 4;
/// Keys that the events are about.
pub(crate) const KEYS: i64 = 10_000;
/// What an `order.paid` has, about.
const PAYLOAD_BYTES: usize = 900;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct FeedReport {
    /// Events in the log, half of them outcomes.
    events: i64,
    page: usize,
    /// One reader, page after page, from the first to the last outcome.
    events_per_s: f64,
    /// Four readers, each of a quarter of the log.
    events_per_s_of_4_readers: f64,
    megabytes_per_s: f64,
    page_ms: Quantiles,
    /// What a page costs in the last tenth of the log, by one in the first.
    depth_ratio: f64,
    /// One reader over server-sent events.
    stream_events_per_s: f64,
    rss_mb: f64,
    rounds: usize,
}

/// What one run through the log took.
struct Run {
    events: usize,
    bytes: usize,
    took: Duration,
    pages: Vec<f64>,
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<FeedReport> {
    let (events, rounds) = (plan.events, plan.rounds);
    // No callback is sent: the workload brings the authority that `serve` trusts.
    let workload = Workload::make(cluster.folder(), 1).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    let owner = cluster.owner(TEMPLATE).await?;
    let (key, _) =
        ApiKeys::new(owner.clone()).create(&ground.shop, "counterfoil bench", Role::Feed.into()).await?;
    let key: SecretString = key.expose().to_owned().into();
    note(&format!("Seeding {events} events .."));
    seed(&owner, events).await?;
    drop(owner);
    cluster.settle(TEMPLATE).await?;
    cluster.copy(TEMPLATE, DATABASE).await?;
    let serving = ground.serve(cluster, DATABASE, Work::Door).await?;
    let mut single = Vec::new();
    let mut together = Vec::new();
    let mut told = Rounds::begin(rounds);
    for _ in 1..=rounds {
        let run = read(&serving, &key, -1, events).await?;
        let began = Instant::now();
        let quarter = events / READERS as i64;
        let readers = (0..READERS as i64).map(|n| read(&serving, &key, n * quarter - 1, (n + 1) * quarter));
        let read: Vec<Run> = futures_util::future::try_join_all(readers).await?;
        let total: usize = read.iter().map(|run| run.events).sum();
        together.push(total as f64 / began.elapsed().as_secs_f64());
        told.told(&format_args!(
            "{:.0} events/s by one reader, {:.0} by {READERS}",
            run.events as f64 / run.took.as_secs_f64(),
            together.last().copied().unwrap_or_default()
        ));
        single.push(run);
    }
    let stream_events_per_s = listen(&serving, &key, events).await?;
    let rss_mb = peak_rss_kib(serving.pid) as f64 / 1024.0;
    serving.stop().await?;
    Ok(report(events, &single, together, stream_events_per_s, rss_mb))
}

/// The data of an outcome, by its size.
pub(crate) fn payload() -> String {
    format!("{{\"order\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES))
}

/// A log that is there already, all of it decided.
pub(crate) async fn seed(owner: &database::Database, events: i64) -> anyhow::Result<()> {
    let client = owner.client().await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    let payload = payload();
    let mut first = 0;
    while first < events {
        let count = CHUNK.min(events - first);
        client.execute(&sql::bench::SEED_LOG, &[&SHOP, &first, &count, &payload, &KEYS]).await?;
        first += count;
    }
    // All of it counts as decided.
    client.execute(&sql::bench::SEED_CHECKPOINT, &[&SHOP, &read_models::CONSUMER, &(events - 1)]).await?;
    Ok(())
}

/// From behind a position to another, page after page.
async fn read(serving: &Serving, key: &SecretString, after: i64, until: i64) -> anyhow::Result<Run> {
    let client = api_client::http()?;
    let mut cursor = if after < 0 { "0-start".to_owned() } else { format!("0-{after}") };
    let (began, mut run) =
        (Instant::now(), Run { events: 0, bytes: 0, took: Duration::ZERO, pages: Vec::new() });
    loop {
        let asked = Instant::now();
        let url = format!("http://{}/v1/feed?limit={PAGE}&after={cursor}", serving.address);
        let answer = client.get(url).bearer_auth(key.expose_secret()).send().await?.error_for_status()?;
        let next = answer.headers().get("counterfoil-cursor").and_then(|value| value.to_str().ok());
        cursor = next.context("a page without a cursor")?.to_owned();
        let body = answer.bytes().await?;
        run.pages.push(asked.elapsed().as_secs_f64() * 1000.0);
        // Each event says its version once.
        let events = count(&body, b"\"specversion\"");
        run.events += events;
        run.bytes += body.len();
        let position: i64 = cursor.trim_start_matches("0-").parse().unwrap_or(i64::MAX);
        if events < PAGE || position + 1 >= until {
            run.took = began.elapsed();
            return Ok(run);
        }
    }
}

async fn listen(serving: &Serving, key: &SecretString, events: i64) -> anyhow::Result<f64> {
    let client = api_client::http()?;
    let url = format!("http://{}/v1/feed?after=0-start", serving.address);
    let request = client.get(url).bearer_auth(key.expose_secret()).header("accept", "text/event-stream");
    let (began, wanted) = (Instant::now(), usize::try_from(events / 2)?);
    let mut answer = request.send().await?.error_for_status()?;
    let mut seen = 0;
    while seen < wanted {
        let piece = answer.chunk().await?.context("the stream has ended")?;
        seen += count(&piece, b"\nevent: ");
    }
    Ok(seen as f64 / began.elapsed().as_secs_f64())
}

fn count(body: &[u8], what: &[u8]) -> usize {
    body.windows(what.len()).filter(|window| *window == what).count()
}

fn report(events: i64, single: &[Run], together: Vec<f64>, stream: f64, rss_mb: f64) -> FeedReport {
    let per_s = |value: fn(&Run) -> usize| {
        let all: Vec<f64> = single.iter().map(|run| value(run) as f64 / run.took.as_secs_f64()).collect();
        median(&all)
    };
    let pages: Vec<f64> = single.iter().flat_map(|run| run.pages.iter().copied()).collect();
    let ratios: Vec<f64> = single.iter().map(depth_ratio).collect();
    FeedReport {
        events,
        page: PAGE,
        events_per_s: per_s(|run| run.events).round(),
        events_per_s_of_4_readers: median(&together).round(),
        megabytes_per_s: (per_s(|run| run.bytes) / 1e6).round(),
        page_ms: Quantiles::of(&pages),
        depth_ratio: median(&ratios),
        stream_events_per_s: stream.round(),
        rss_mb: rss_mb.round(),
        rounds: single.len(),
    }
}

fn depth_ratio(run: &Run) -> f64 {
    let tenth = (run.pages.len() / 10).max(1);
    let mean = |pages: &[f64]| pages.iter().sum::<f64>() / pages.len() as f64;
    // The last page may be short.
    let last = &run.pages[run.pages.len().saturating_sub(tenth + 1)..run.pages.len().max(2) - 1];
    mean(last) / mean(&run.pages[..tenth])
}
