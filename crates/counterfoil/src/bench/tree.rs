//! The Merkle tree: how fast it grows, is verified and proves, and what it takes from what is settled beside it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use audit::tree::{CONSUMER, Integrated, Integrator, LogKeys, Origin, Trees, settle_key, trees};
use database::{Config, Database};
use domain::Position;
use relay::Lease;
use serde::Serialize;
use tlog::{Bundle, Growth, Hash, TILE_WIDTH, bundles_between, decode_bundle, leaf_hash};
use tokio::time::Instant;

use crate::bench::cluster::BenchCluster;
use crate::bench::feed;
use crate::bench::figures::{Quantiles, median};
use crate::bench::round::{self, DATABASE, Run, full_speed};
use crate::bench::serving::{BenchGround, ORIGIN, TEMPLATE, Work};
use crate::bench::workload::Workload;
use crate::bench::{Plan, seed};
use crate::output::note;
use crate::progress::Rounds;

/// The log that is there already.
const LOG: &str = "bench_log";
/// As the service has it.
const BATCH: usize = 5_000;
/// Bundles that are verified again and again.
const BUNDLES: u64 = 256;
const PROOFS: u64 = 1_000;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct TreeReport {
    /// Events in the log.
    events: i64,
    /// From the log into the tree, signed, in batches as the service has them.
    integrated_events_per_s: f64,
    /// From bundles of entries in memory to the root.
    verified_entries_per_s: f64,
    /// A proof, from the database: microseconds.
    proof_us: Quantiles,
    /// Callbacks settled a second, without the tree and with it, in turn.
    settled_per_s: f64,
    settled_with_tree_per_s: f64,
    /// By how many hundredths it is less, in medians of the rounds.
    tree_costs_percent: f64,
    /// Processor time of service and PostgreSQL, in microseconds a callback: it depends less on what else runs.
    cpu_us_per_callback: f64,
    cpu_us_per_callback_with_tree: f64,
    /// Events that were not in the tree yet when all was settled, at most.
    lag_events: u64,
    callbacks: usize,
    rounds: usize,
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<TreeReport> {
    let events = plan.events;
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    note(&format!("Seeding {events} events .."));
    cluster.copy(TEMPLATE, LOG).await?;
    feed::seed(&cluster.owner(LOG).await?, events).await?;
    cluster.settle(LOG).await?;
    let (mut integrated, mut verified, mut proofs) = (Vec::new(), Vec::new(), Vec::new());
    let mut told = Rounds::begin(plan.rounds);
    for _ in 1..=plan.rounds {
        cluster.copy(LOG, DATABASE).await?;
        let service = Database::connect(Config::new(cluster.service_url(DATABASE).into())).await?;
        integrated.push(integrate(&service, &ground).await?);
        verified.push(verify(&service, &ground).await?);
        proofs.extend(prove(&service, &ground).await?);
        let (integrated, verified) = (integrated.last().copied(), verified.last().copied());
        told.told(&format_args!(
            "{:.0} events/s integrated, {:.0} entries/s verified",
            integrated.unwrap_or_default(),
            verified.unwrap_or_default()
        ));
    }
    cluster.drop(LOG).await?;
    let settled = Settled::measure(cluster, plan, &ground, &workload).await?;
    let Settled { without, with, costs, cpu_without, cpu_with, lag } = settled;
    Ok(TreeReport {
        events,
        integrated_events_per_s: median(&integrated).round(),
        verified_entries_per_s: median(&verified).round(),
        proof_us: Quantiles::of(&proofs).rounded(0),
        settled_per_s: median(&without).round(),
        settled_with_tree_per_s: median(&with).round(),
        tree_costs_percent: (median(&costs) * 10.0).round() / 10.0,
        cpu_us_per_callback: median(&cpu_without).round(),
        cpu_us_per_callback_with_tree: median(&cpu_with).round(),
        lag_events: lag,
        callbacks: plan.callbacks,
        rounds: plan.rounds,
    })
}

/// Grows the tree over the whole log, and publishes it.
async fn integrate(service: &Database, ground: &BenchGround) -> anyhow::Result<f64> {
    let (shop, origin) = (&ground.shop, ORIGIN.parse::<Origin>()?);
    let keys = Arc::new(LogKeys::from_file(ground.log_key())?);
    let settled =
        settle_key(&event_log::Guard::default(), service, shop, &origin, &keys, "counterfoil bench").await?;
    let lease =
        Lease::acquire(service, shop, CONSUMER, "counterfoil bench", Duration::from_secs(600)).await?;
    let (lease, _) = lease.context("somebody else grows the tree")?;
    let mut integrator = Integrator::open(service.clone(), lease, origin, keys, settled.noted_at).await?;
    let began = Instant::now();
    while let Integrated::Added { is_full: true, .. } = integrator.integrate(BATCH).await? {}
    integrator.publish(Duration::ZERO).await?;
    Ok(integrator.size() as f64 / began.elapsed().as_secs_f64())
}

/// Verifies entries as whoever has them in files does.
async fn verify(service: &Database, ground: &BenchGround) -> anyhow::Result<f64> {
    let trees = Trees::new(service.clone());
    let published = trees.published(&ground.shop).await?.context("nothing is published")?;
    let size = published.size.min(BUNDLES * u64::from(TILE_WIDTH));
    let mut bundles = Vec::new();
    for bundle in bundles_between(0, size) {
        bundles.push(read(&trees, ground, bundle).await?);
    }
    let root = trees.root_at(&ground.shop, size).await?;
    let began = Instant::now();
    anyhow::ensure!(root_of(&bundles)? == root, "the entries lead to another root");
    Ok(size as f64 / began.elapsed().as_secs_f64())
}

async fn read(trees: &Trees, ground: &BenchGround, bundle: Bundle) -> anyhow::Result<Vec<u8>> {
    trees.bundle(&ground.shop, bundle).await?.context("a bundle is missing")
}

fn root_of(bundles: &[Vec<u8>]) -> anyhow::Result<Hash> {
    let mut growth = Growth::new();
    for bundle in bundles {
        decode_bundle(bundle)?.into_iter().for_each(|entry| growth.push(leaf_hash(entry)));
    }
    Ok(growth.root())
}

/// Proofs all over the log, in microseconds.
async fn prove(service: &Database, ground: &BenchGround) -> anyhow::Result<Vec<f64>> {
    let trees = Trees::new(service.clone());
    let size = trees.published(&ground.shop).await?.context("nothing is published")?.size;
    let mut took = Vec::new();
    for number in 0..PROOFS {
        let position = Position(i64::try_from(size * number / PROOFS)?);
        let began = Instant::now();
        trees.prove(&ground.shop, position).await?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

/// What is settled without the tree and with it.
#[derive(Default)]
struct Settled {
    without: Vec<f64>,
    with: Vec<f64>,
    costs: Vec<f64>,
    cpu_without: Vec<f64>,
    cpu_with: Vec<f64>,
    lag: u64,
}

impl Settled {
    async fn measure(
        cluster: &BenchCluster,
        plan: &Plan,
        ground: &BenchGround,
        workload: &Workload,
    ) -> anyhow::Result<Self> {
        note(&format!("Placing {} orders ..", plan.callbacks));
        seed::seed(cluster, ground, workload).await?;
        note("Warming the server up ..");
        round::warm_up(plan, cluster, ground, workload).await?;
        let mut found = Self::default();
        let cpu = |run: &Run| (run.cpu.service + run.cpu.postgres) as f64 / plan.callbacks as f64;
        let mut told = Rounds::begin(plan.rounds);
        for _ in 1..=plan.rounds {
            let without = full_speed(plan, cluster, ground, workload, Work::Settle).await?;
            let with = full_speed(plan, cluster, ground, workload, Work::SettleAndSign).await?;
            let lag = trees(&cluster.owner(DATABASE).await?).await?.iter().map(|tree| tree.lag()).max();
            told.told(&format_args!(
                "{:.0}/s for {:.0} us, with the tree {:.0}/s for {:.0} us",
                without.per_s,
                cpu(&without),
                with.per_s,
                cpu(&with)
            ));
            found.without.push(without.per_s);
            found.with.push(with.per_s);
            found.costs.push(100.0 * (1.0 - with.per_s / without.per_s));
            found.cpu_without.push(cpu(&without));
            found.cpu_with.push(cpu(&with));
            found.lag = found.lag.max(lag.unwrap_or_default());
        }
        Ok(found)
    }
}
