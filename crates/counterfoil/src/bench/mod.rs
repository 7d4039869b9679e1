//! What it costs: the service as a process, over a cluster of its own, against the plain transaction.
//!
//! It must not flatter. Every contestant has the same server with the same durable settings, which has been under load
//! before; the plain transaction is warm before it is measured, and has no HTTP; ours begins each time with a fresh process
//! over a fresh copy of the same database, so that nothing of an earlier round is used again. After each run the tables are
//! counted: what was answered must be there.

#![expect(clippy::float_arithmetic, reason = "figures of a measurement, never money")]

mod cluster;
mod feed;
mod figures;
mod garbage;
mod load;
mod plain;
mod replay;
mod report;
mod round;
mod seed;
mod serving;
mod sinks;
mod stages;
mod tree;
mod usage;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use crate::output::note;
use crate::project::Project;
use crate::{exit, service};

pub(crate) use report::Report;
pub(crate) use sinks::Broker;

/// The feed, by its readers: a log of so many events is read so many times.
pub(crate) async fn run_feed(
    events: i64,
    rounds: usize,
    pg_bin: Option<PathBuf>,
    project: &Project,
) -> anyhow::Result<feed::FeedReport> {
    let cluster = cluster::BenchCluster::start(project, pg_bin).await?;
    let measured = tokio::select! {
        measured = feed::measure(&cluster, events, rounds) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

/// Replay, over a log of so many events.
pub(crate) async fn run_replay(
    events: i64,
    rounds: usize,
    pg_bin: Option<PathBuf>,
    project: &Project,
) -> anyhow::Result<replay::ReplayReport> {
    let cluster = cluster::BenchCluster::start(project, pg_bin).await?;
    let measured = tokio::select! {
        measured = replay::measure(&cluster, events, rounds) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

/// Sinks, by the brokers that are there.
pub(crate) async fn run_sinks(
    plan: Plan,
    events: i64,
    brokers: Vec<Broker>,
    project: &Project,
) -> anyhow::Result<sinks::SinksReport> {
    let cluster = cluster::BenchCluster::start(project, plan.pg_bin.clone()).await?;
    let measured = tokio::select! {
        measured = sinks::measure(&cluster, &plan, events, brokers) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

/// The Merkle tree: over a log of so many events, and beside callbacks that are settled.
pub(crate) async fn run_tree(plan: Plan, events: i64, project: &Project) -> anyhow::Result<tree::TreeReport> {
    let cluster = cluster::BenchCluster::start(project, plan.pg_bin.clone()).await?;
    let measured = tokio::select! {
        measured = tree::measure(&cluster, &plan, events) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

/// Authentic callbacks beside a flood of garbage.
pub(crate) async fn run_garbage(plan: Plan, project: &Project) -> anyhow::Result<garbage::GarbageReport> {
    let cluster = cluster::BenchCluster::start(project, plan.pg_bin.clone()).await?;
    let measured = tokio::select! {
        measured = garbage::measure(&cluster, &plan) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A short measurement: coarser, and said so.
    pub(crate) quick: bool,
    /// How often everything is measured in turn.
    pub(crate) rounds: usize,
    /// Callbacks of one run.
    pub(crate) callbacks: usize,
    /// Connections that send as fast as they are answered.
    pub(crate) connections: usize,
    /// How long pgbench runs with each number of clients.
    pub(crate) plain: Duration,
    /// Where PostgreSQL's programs are, if not where they are found.
    pub(crate) pg_bin: Option<PathBuf>,
}

/// Measures. Whoever is asked to stop before the end leaves nothing behind either.
pub(crate) async fn run(plan: Plan, project: &Project) -> anyhow::Result<Report> {
    let cluster = cluster::BenchCluster::start(project, plan.pg_bin.clone()).await?;
    let measured = tokio::select! {
        measured = measure(&plan, &cluster) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    cluster.remove().await;
    measured
}

async fn measure(plan: &Plan, cluster: &cluster::BenchCluster) -> anyhow::Result<Report> {
    let plain = match plain::Plain::prepare(cluster).await? {
        Ok(plain) => Some(plain),
        Err(missing) => {
            note(&missing);
            None
        }
    };
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = workload::Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = serving::BenchGround::prepare(cluster, &workload).await?;
    note(&format!("Placing {} orders ..", plan.callbacks));
    seed::seed(cluster, &ground, &workload).await?;
    note("Warming the server up ..");
    round::warm_up(plan, cluster, &ground, &workload).await?;
    let mut rounds = Vec::new();
    for number in 1..=plan.rounds {
        let round = round::run(plan, cluster, &ground, &workload, plain.as_ref()).await?;
        note(&format!("Round {number} of {}: {round}", plan.rounds));
        rounds.push(round);
    }
    note("Measuring the steps of a callback one by one ..");
    let stages = stages::measure(cluster, &ground, &workload, &rounds).await?;
    Ok(Report::new(plan, cluster, &workload, &rounds, stages))
}
