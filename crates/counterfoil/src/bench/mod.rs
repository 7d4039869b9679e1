//! What it costs: the service as a process, over a cluster of its own, against the plain transaction.
//!
//! It must not flatter. Every contestant has the same server with the same durable settings, which has been under load
//! before; the plain transaction is warm before it is measured, and has no HTTP; ours begins each time with a fresh process
//! over a fresh copy of the same database, so that nothing of an earlier round is used again. After each run the tables are
//! counted: what was answered must be there.

#![expect(clippy::float_arithmetic, reason = "figures of a measurement, never money")]

mod burst;
mod callbacks;
mod cluster;
mod cost;
mod feed;
mod figures;
mod garbage;
mod growth;
mod load;
mod machine;
mod peers;
mod plain;
mod plot;
mod replay;
mod report;
mod retry;
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

use clap::ValueEnum;

use crate::project::Project;
use crate::{exit, service};

pub(crate) use report::Report;
pub(crate) use sinks::Broker;

use cluster::{BenchCluster, Setting};
use report::Findings;

/// The largest load that can be asked for.
pub(crate) const CALLBACKS_MAX: u32 = 2_000_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Callbacks taken, and settled, each beside the plain transaction; latencies at half the settled load
    Callbacks,
    /// The same without those that are only taken
    Settle,
    /// A log decided and folded again
    Replay,
    /// The Merkle tree: grown, verified, proven by, and beside callbacks that are settled
    Tree,
    /// The feed, read by HTTP
    Feed,
    /// Sinks, beside the brokers' own clients; needs brokers that run
    Sinks,
    /// Authentic callbacks at 500/s, quiet and beside 500 connections that send nothing but garbage
    Garbage,
    /// Ten times the sustained load for ten seconds: that nothing is lost, and how soon all is as before
    Burst,
    /// What a callback costs in logs of 10^5, 10^6 and 10^7 events
    Growth,
}

impl Profile {
    /// Events of the log that is seeded, if one is: as many in a short measurement.
    pub(crate) fn events(self, is_quick: bool) -> i64 {
        match (self, is_quick) {
            (_, true) => 100_000,
            (Self::Replay, false) => 1_000_000,
            (_, false) => 400_000,
        }
    }

    /// Callbacks of one run.
    pub(crate) fn callbacks(self, is_quick: bool) -> usize {
        match (self, is_quick) {
            // With its placement a callback leaves four events: the last 100,000 of each log.
            (Self::Growth, false) => 25_000,
            (Self::Growth, true) => 6_000,
            (Self::Burst, false) => 150_000,
            (Self::Burst, true) => 40_000,
            (_, true) => 12_000,
            (_, false) => 40_000,
        }
    }

    /// How often everything is measured.
    pub(crate) fn rounds(self, is_quick: bool) -> usize {
        match (self, is_quick) {
            // Each takes minutes, and must hold by itself.
            (Self::Burst, _) => 1,
            (_, true) => 3,
            (_, false) => 5,
        }
    }

    /// Whether it has curves to draw.
    pub(crate) fn has_plot(self) -> bool {
        matches!(self, Self::Callbacks | Self::Settle | Self::Burst | Self::Growth)
    }

    /// Of PostgreSQL, where they are not the usual ones.
    fn settings(self) -> &'static [Setting] {
        match self {
            // What fills a large log is written once: segments are used again instead of kept.
            Self::Growth => &[("max_wal_size", "3GB"), ("min_wal_size", "1GB")],
            _ => &[],
        }
    }

    async fn measure(self, cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<Findings> {
        match self {
            Self::Callbacks | Self::Settle => {
                callbacks::measure(cluster, plan, self == Self::Callbacks).await
            }
            Self::Replay => Findings::of(&replay::measure(cluster, plan).await?),
            Self::Tree => Findings::of(&tree::measure(cluster, plan).await?),
            Self::Feed => Findings::of(&feed::measure(cluster, plan).await?),
            Self::Sinks => Findings::of(&sinks::measure(cluster, plan).await?),
            Self::Garbage => Findings::of(&garbage::measure(cluster, plan).await?),
            Self::Burst => burst::measure(cluster, plan).await,
            Self::Growth => growth::measure(cluster, plan).await,
        }
    }
}

/// How much is measured, and where.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A short measurement: coarser, and said so.
    pub(crate) quick: bool,
    /// How often everything is measured in turn.
    pub(crate) rounds: usize,
    /// Callbacks of one run.
    pub(crate) callbacks: usize,
    /// Events of the log that is seeded.
    pub(crate) events: i64,
    /// Of growth, events of each log; from few to many.
    pub(crate) sizes: Vec<i64>,
    /// Connections that send as fast as they are answered.
    pub(crate) connections: usize,
    /// How long pgbench runs with each number of clients.
    pub(crate) plain: Duration,
    /// Whether other queues in PostgreSQL are measured in the same rounds.
    pub(crate) peers: bool,
    /// Of sinks, the brokers that are there.
    pub(crate) brokers: Vec<Broker>,
    /// Where PostgreSQL's programs are, if not where they are found.
    pub(crate) pg_bin: Option<PathBuf>,
}

/// Measures on a cluster of its own. Whoever is asked to stop before the end leaves nothing behind either.
pub(crate) async fn run(profile: Profile, plan: &Plan, project: &Project) -> anyhow::Result<Report> {
    let cluster = BenchCluster::start(project, plan.pg_bin.clone(), profile.settings()).await?;
    let measured = tokio::select! {
        measured = Box::pin(profile.measure(&cluster, plan)) => measured,
        asked = service::asked_to_stop() => asked.and(Err(exit::finding("stopped before the end"))),
    };
    let machine = machine::describe(plan, &cluster);
    cluster.remove().await;
    Ok(Report::new(profile, measured?, machine))
}
