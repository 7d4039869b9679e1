//! One round: each contestant in turn.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use database::{Database, sql};
use domain::ShopId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::cost::{self, Bytes, Wal};
use crate::bench::load::{Answered, flood, pace};
use crate::bench::peers::{Peers, PgQ};
use crate::bench::plain::{Measured, Plain};
use crate::bench::serving::{BenchGround, Serving, TEMPLATE, Work};
use crate::bench::usage::{Cpu, peak_rss_kib};
use crate::bench::workload::{SHOP, Workload};

/// What every run is measured on; the last one's is left for a look.
pub(crate) const DATABASE: &str = "bench_run";
const DECIDED: Duration = Duration::from_secs(300);
/// Between two looks at how far the relay is.
const LOOK: Duration = Duration::from_millis(1);

/// What a round found.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) plain: Option<Measured>,
    pub(crate) peers: Option<PgQ>,
    /// Where it was asked for.
    pub(crate) ingest: Option<Run>,
    pub(crate) settled: Run,
    /// Its write-ahead log, by the tables and indexes that it is about, where that was asked for and can be known.
    pub(crate) log_by_relation: Option<Bytes>,
    pub(crate) paced: Paced,
}

/// Who takes part beside callbacks that are settled.
#[derive(Clone, Copy)]
pub(crate) struct Contestants<'a> {
    pub(crate) plain: Option<&'a Plain>,
    pub(crate) peers: Option<&'a Peers>,
    /// Callbacks that are only taken.
    pub(crate) takes: bool,
    /// Whether the write-ahead log of the settled ones is gone through: soon, for a checkpoint takes it away.
    pub(crate) reads_log: bool,
}

/// A run at full speed.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) per_s: f64,
    pub(crate) cpu: Cpu,
    pub(crate) wal: Wal,
    /// By how much each table has grown with its indexes.
    pub(crate) disk: Bytes,
    pub(crate) rss_kib: u64,
}

/// A run at half the settled load. Milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Paced {
    pub(crate) per_s: f64,
    pub(crate) answer_ms: Vec<f64>,
    pub(crate) projected_ms: Vec<f64>,
    pub(crate) rss_kib: u64,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(plain) = self.plain {
            write!(f, "plain {:.0}/s with {} clients, ", plain.tps, plain.clients)?;
        }
        if let Some(PgQ { inserted_per_s, consumed_per_s }) = self.peers {
            write!(f, "PgQ {inserted_per_s:.0}/s inserted and {consumed_per_s:.0}/s consumed, ")?;
        }
        if let Some(ingest) = &self.ingest {
            write!(f, "ingest {:.0}/s, ", ingest.per_s)?;
        }
        write!(f, "settled {:.0}/s", self.settled.per_s)
    }
}

/// Measures one round.
pub(crate) async fn run(
    plan: &Plan,
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    contestants: Contestants<'_>,
) -> anyhow::Result<Round> {
    let (mut plain, mut peers, mut ingest) = (None, None, None);
    if let Some(contestant) = contestants.plain {
        let measured = contestant.measure(cluster, plan.plain).await?;
        plain = Some(measured);
        if let Some(queues) = contestants.peers {
            peers = Some(queues.measure(cluster, contestant, measured.clients, plan.plain).await?);
        }
    }
    if contestants.takes {
        ingest = Some(full_speed(plan, cluster, ground, workload, Work::Door).await.context("ingest")?);
    }
    let settled = full_speed(plan, cluster, ground, workload, Work::Settle).await.context("settled")?;
    let log_by_relation = match contestants.reads_log {
        true => cost::wal_by_relation(cluster, DATABASE, &settled.wal).await,
        false => None,
    };
    let paced = half_load(cluster, ground, workload, settled.per_s / 2.0).await.context("half load")?;
    Ok(Round { plain, peers, ingest, settled, log_by_relation, paced })
}

/// A run that does not count: a server that has been under load has its memory and its log segments, and the first
/// contestant on a new one would pay for both.
pub(crate) async fn warm_up(
    plan: &Plan,
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<()> {
    full_speed(plan, cluster, ground, workload, Work::Settle).await.context("warm-up")?;
    Ok(())
}

pub(crate) async fn full_speed(
    plan: &Plan,
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    work: Work,
) -> anyhow::Result<Run> {
    let (serving, owner) = begin(cluster, ground, work).await?;
    let settles = work != Work::Door;
    let client = owner.client().await?;
    let sizes = cost::sizes(&client).await?;
    let (wal, cpu) = (cluster.wal().await?, Cpu::read(serving.pid, cluster.pid()));
    let started = Instant::now();
    flood(serving.address, &workload.requests, plan.connections).await?;
    if settles {
        wait_until_decided(&owner, ground).await?;
    }
    let took = started.elapsed();
    let cpu = Cpu::read(serving.pid, cluster.pid()).since(cpu);
    let wal = Wal::since(cluster, wal).await?;
    let disk = cost::growth(&sizes, &cost::sizes(&client).await?);
    let rss_kib = peak_rss_kib(serving.pid);
    check(&client, workload, settles).await?;
    drop((client, owner));
    serving.stop().await?;
    Ok(Run { per_s: workload.callbacks.len() as f64 / took.as_secs_f64(), cpu, wal, disk, rss_kib })
}

async fn half_load(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    per_s: f64,
) -> anyhow::Result<Paced> {
    let (serving, owner) = begin(cluster, ground, Work::Settle).await?;
    let stop = CancellationToken::new();
    let watched = tokio::spawn(watch(owner.clone(), ground.shop.clone(), stop.clone()));
    let answered = pace(serving.address, &workload.requests, per_s).await?;
    let client = owner.client().await?;
    wait_until_decided(&owner, ground).await?;
    stop.cancel();
    let looks = watched.await??;
    let rss_kib = peak_rss_kib(serving.pid);
    check(&client, workload, true).await?;
    let positions = positions(&client).await?;
    drop((client, owner));
    serving.stop().await?;
    let projected_ms = projected(&answered, workload, &positions, &looks);
    anyhow::ensure!(projected_ms.len() == answered.len(), "some callbacks were not seen to be decided");
    let answer_ms = answered.iter().map(|answer| millis(answer.at - answer.due)).collect();
    Ok(Paced { per_s, answer_ms, projected_ms, rss_kib })
}

/// A fresh copy of the database, a fresh process.
pub(crate) async fn begin(
    cluster: &BenchCluster,
    ground: &BenchGround,
    work: Work,
) -> anyhow::Result<(Serving, Database)> {
    cluster.copy(TEMPLATE, DATABASE).await?;
    serve(cluster, ground, DATABASE, work).await
}

/// A fresh process over a database as it is.
pub(crate) async fn serve(
    cluster: &BenchCluster,
    ground: &BenchGround,
    database: &str,
    work: Work,
) -> anyhow::Result<(Serving, Database)> {
    let serving = ground.serve(cluster, database, work).await?;
    let owner = cluster.owner(database).await?;
    if work != Work::Door {
        let deadline = Instant::now() + DECIDED;
        while !relay::health(&owner, read_models::CONSUMER).await?.iter().any(|shop| shop.is_led) {
            anyhow::ensure!(Instant::now() < deadline, "nobody leads the shop");
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok((serving, owner))
}

/// Until the last fact that is there is decided.
pub(crate) async fn wait_until_decided(owner: &Database, ground: &BenchGround) -> anyhow::Result<()> {
    let row = owner.client().await?.query_opt(&sql::counterfoil::READ_LAST_FACT, &[&SHOP]).await?;
    let last: i64 = row.map_or(Ok(-1), |row| row.try_get("position"))?;
    let deadline = Instant::now() + DECIDED;
    while progress(owner, ground).await? < last {
        anyhow::ensure!(Instant::now() < deadline, "the facts were not decided in time");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn progress(owner: &Database, ground: &BenchGround) -> anyhow::Result<i64> {
    Ok(relay::checkpoint(owner, read_models::CONSUMER, &ground.shop).await?)
}

/// What was answered is there, and settled.
async fn check(client: &database::Client, workload: &Workload, settled: bool) -> anyhow::Result<()> {
    check_count(client, workload.callbacks.len(), settled).await
}

/// So many callbacks are there, once each, and settled.
pub(crate) async fn check_count(client: &database::Client, sent: usize, settled: bool) -> anyhow::Result<()> {
    let row = client.query_one(&sql::counterfoil::COUNT_ORDERS, &[&SHOP]).await?;
    let sent = sent as i64;
    let wanted = [("callbacks", sent), ("evidence", sent), ("paid", if settled { sent } else { 0 })];
    for (what, wanted) in wanted {
        let found: i64 = row.try_get(what)?;
        anyhow::ensure!(found == wanted, "{what}: {found} and not {wanted} after {sent} callbacks");
    }
    Ok(())
}

/// Callbacks that are in the log.
pub(crate) async fn count_callbacks(client: &database::Client) -> anyhow::Result<i64> {
    Ok(client.query_one(&sql::counterfoil::COUNT_ORDERS, &[&SHOP]).await?.try_get("callbacks")?)
}

/// Orders that are paid.
pub(crate) async fn count_paid(client: &database::Client) -> anyhow::Result<i64> {
    Ok(client.query_one(&sql::counterfoil::COUNT_ORDERS, &[&SHOP]).await?.try_get("paid")?)
}

/// Orders that wait for their payment.
pub(crate) async fn open_orders(client: &database::Client) -> anyhow::Result<i64> {
    Ok(client.query_one(&sql::counterfoil::COUNT_ORDERS, &[&SHOP]).await?.try_get("open")?)
}

/// How far the relay was, and when that was known: after the answer, so that nothing is made to look faster.
async fn watch(
    owner: Database,
    shop: ShopId,
    stop: CancellationToken,
) -> anyhow::Result<Vec<(Instant, i64)>> {
    let progress = async || relay::checkpoint(&owner, read_models::CONSUMER, &shop).await;
    let mut looks: Vec<(Instant, i64)> = Vec::new();
    while !stop.is_cancelled() {
        let position = progress().await?;
        if looks.last().is_none_or(|(_, last)| position > *last) {
            looks.push((Instant::now(), position));
        }
        tokio::time::sleep(LOOK).await;
    }
    // Whatever came between the last look and the stop.
    looks.push((Instant::now(), progress().await?));
    Ok(looks)
}

async fn positions(client: &database::Client) -> anyhow::Result<HashMap<String, i64>> {
    let rows = client.query(&sql::counterfoil::LIST_CALLBACK_POSITIONS, &[&SHOP]).await?;
    rows.iter().map(|row| Ok((row.try_get("event_key")?, row.try_get("position")?))).collect()
}

/// From the answer until the read models showed it.
fn projected(
    answered: &[Answered],
    workload: &Workload,
    positions: &HashMap<String, i64>,
    looks: &[(Instant, i64)],
) -> Vec<f64> {
    let seen = |answer: &Answered| {
        let position = positions.get(&workload.callbacks[answer.index].event_id)?;
        let look = looks.partition_point(|(_, decided)| decided < position);
        Some(millis(looks.get(look)?.0.saturating_duration_since(answer.at)))
    };
    answered.iter().filter_map(seen).collect()
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
