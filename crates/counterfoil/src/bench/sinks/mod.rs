//! Sinks: how fast a backlog goes into a broker, beside the broker's own client with the same messages and the same safety;
//! and how long it takes from the decision until a message is in the broker, at half the settled load.

mod broker;
mod clients;
#[cfg(feature = "kafka")]
mod kafka;

use std::sync::Arc;
use std::time::Duration;

use delivery::Message;
use delivery::sinks::{Secrets, Settings, Sinks};
use domain::{Position, Timestamp};
use event_log::Operator;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use broker::Broker;

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::figures::{Quantiles, median};
use crate::bench::load::{flood, pace};
use crate::bench::round::DATABASE;
use crate::bench::serving::{BenchGround, Serving, TEMPLATE, Work};
use crate::bench::usage::peak_rss_kib;
use crate::bench::workload::Workload;
use crate::bench::{feed, seed};
use crate::output::note;

const SINK: &str = "bench";
const DELIVERED: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(2);
/// Keys that the messages of the plain client are about, as those of the log.
const KEYS: usize = feed::KEYS as usize;

/// What was found, by broker.
#[derive(Debug, Serialize)]
pub(crate) struct SinksReport {
    /// Outcomes that lay behind.
    backlog: i64,
    callbacks: usize,
    rounds: usize,
    brokers: Vec<BrokerReport>,
}

#[derive(Debug, Serialize)]
struct BrokerReport {
    broker: &'static str,
    /// Messages a second, from the log into the broker.
    sink_per_s: f64,
    /// The same messages by the broker's own client, from memory.
    client_per_s: f64,
    sink_ratio: f64,
    /// Callbacks a second, settled and in the sink.
    delivered_per_s: f64,
    /// From the decision until the broker has handed it to a subscriber, at half of that.
    in_the_sink_ms: Quantiles,
    rss_mb: f64,
}

/// Measures each broker in turn: first the backlog, then the latency.
pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<SinksReport> {
    let events = plan.events;
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    note(&format!("Placing {} orders, and seeding {events} events ..", plan.callbacks));
    cluster.execute(&format!("CREATE DATABASE {BACKLOG} TEMPLATE {TEMPLATE}")).await?;
    let owner = cluster.owner(BACKLOG).await?;
    feed::seed(&owner, events).await?;
    drop(owner);
    cluster.settle(BACKLOG).await?;
    seed::seed(cluster, &ground, &workload).await?;
    let mut reports = Vec::new();
    for broker in &plan.brokers {
        let (mut sink, mut client, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut rss = 0.0_f64;
        for round in 1..=plan.rounds {
            let plain = broker.flood(&messages(&ground, events / 2)).await?;
            let (ours, kib) = backlog(cluster, &ground, broker, events).await?;
            note(&format!(
                "{}, round {round} of {}: {ours:.0}/s, its client {plain:.0}/s",
                broker.name(),
                plan.rounds
            ));
            sink.push(ours);
            client.push(plain);
            ratios.push(ours / plain);
            rss = rss.max(kib as f64 / 1024.0);
        }
        let (delivered_per_s, in_the_sink_ms) = latency(cluster, &ground, &workload, plan, broker).await?;
        reports.push(BrokerReport {
            broker: broker.name(),
            sink_per_s: median(&sink).round(),
            client_per_s: median(&client).round(),
            sink_ratio: median(&ratios),
            delivered_per_s: delivered_per_s.round(),
            in_the_sink_ms,
            rss_mb: rss.round(),
        });
    }
    Ok(SinksReport { backlog: events / 2, callbacks: plan.callbacks, rounds: plan.rounds, brokers: reports })
}

/// The database with a log that lies behind.
const BACKLOG: &str = "bench_backlog";

/// What the plain client sends: as many, as large, of as many keys as the log has.
fn messages(ground: &BenchGround, count: i64) -> (domain::ShopId, Vec<Arc<Message>>) {
    let message = |n: i64| {
        Arc::new(Message {
            epoch: 0,
            position: Position(n),
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}-{n}", std::process::id()).as_bytes()),
            type_name: "order.paid".to_owned(),
            aggregate_type: "order".to_owned(),
            aggregate_id: format!("K-{}", n as usize % KEYS),
            key: format!("order:K-{}", n as usize % KEYS),
            at: Timestamp::new(chrono::DateTime::UNIX_EPOCH),
            payload: feed::payload(),
            trace: None,
            hop: None,
        })
    };
    (ground.shop.clone(), (0..count).map(message).collect())
}

/// A sink that begins at the start of a log, from its first message to its last; events a second, and peak memory.
async fn backlog(
    cluster: &BenchCluster,
    ground: &BenchGround,
    broker: &Broker,
    events: i64,
) -> anyhow::Result<(f64, u64)> {
    broker.empty().await?;
    cluster.copy(BACKLOG, DATABASE).await?;
    let owner = cluster.owner(DATABASE).await?;
    make_sink(&owner, ground, broker, "start").await?;
    let serving = ground.serve(cluster, DATABASE, Work::Settle).await?;
    let first = passed(&owner, ground, 0).await?;
    passed(&owner, ground, events - 1).await?;
    let per_s = (events / 2) as f64 / first.elapsed().as_secs_f64();
    let kib = peak_rss_kib(serving.pid);
    drop(owner);
    serving.stop().await?;
    Ok((per_s, kib))
}

async fn make_sink(
    owner: &database::Database,
    ground: &BenchGround,
    broker: &Broker,
    from: &str,
) -> anyhow::Result<()> {
    let (document, secrets): (Value, Value) = broker.settings();
    let secrets = Secrets::parse(secrets.to_string().as_bytes())?;
    let settings = Settings::parse(&document, &secrets)?;
    let from = from.parse().map_err(anyhow::Error::msg)?;
    let sinks = Sinks::new(owner.clone(), ground.vault.clone());
    let operator = Operator::named("counterfoil bench");
    anyhow::ensure!(
        sinks.create(&operator, &ground.shop, SINK, (&settings, &secrets), from).await?,
        "the sink is there"
    );
    Ok(())
}

/// When the sink's checkpoint had passed this position.
async fn passed(owner: &database::Database, ground: &BenchGround, position: i64) -> anyhow::Result<Instant> {
    let (consumer, deadline) = (format!("sink:{SINK}"), Instant::now() + DELIVERED);
    while relay::checkpoint(owner, &consumer, &ground.shop).await? < position {
        if Instant::now() >= deadline {
            let sinks = Sinks::new(owner.clone(), ground.vault.clone());
            let sink = sinks.get(&ground.shop, SINK).await?;
            anyhow::bail!("the sink does not get on: {:?}", sink.and_then(|sink| sink.error));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(Instant::now())
}

/// Callbacks at full speed until all is in the sink; then at half of that, with a subscriber who looks at the clock.
async fn latency(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    plan: &Plan,
    broker: &Broker,
) -> anyhow::Result<(f64, Quantiles)> {
    let count = workload.requests.len();
    let (serving, owner) = fresh(cluster, ground, broker).await?;
    let began = Instant::now();
    flood(serving.address, &workload.requests, plan.connections).await?;
    let paid = async || -> anyhow::Result<i64> {
        let client = owner.client().await?;
        let row =
            client.query_one(&database::sql::counterfoil::COUNT_ORDERS, &[&ground.shop.as_str()]).await?;
        Ok(row.try_get("paid")?)
    };
    while paid().await? < count as i64 {
        anyhow::ensure!(began.elapsed() < DELIVERED, "the callbacks were not decided in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let head = {
        let client = owner.client().await?;
        let head = event_log::head(&client, &ground.shop).await?;
        head.map_or(-1, |(position, _)| position.0)
    };
    passed(&owner, ground, head).await?;
    let delivered_per_s = count as f64 / began.elapsed().as_secs_f64();
    drop(owner);
    serving.stop().await?;

    let (serving, owner) = fresh(cluster, ground, broker).await?;
    let subscriber = broker.subscribe(count).await?;
    pace(serving.address, &workload.requests, delivered_per_s / 2.0).await?;
    let mut ms = tokio::time::timeout(DELIVERED, subscriber).await??;
    // The first ones open the way.
    ms.drain(..ms.len() / 10);
    drop(owner);
    serving.stop().await?;
    Ok((delivered_per_s, Quantiles::of(&ms)))
}

/// A fresh process over a fresh database, with a sink that delivers from now on.
async fn fresh(
    cluster: &BenchCluster,
    ground: &BenchGround,
    broker: &Broker,
) -> anyhow::Result<(Serving, database::Database)> {
    broker.empty().await?;
    cluster.copy(TEMPLATE, DATABASE).await?;
    let owner = cluster.owner(DATABASE).await?;
    make_sink(&owner, ground, broker, "end").await?;
    let serving = ground.serve(cluster, DATABASE, Work::Settle).await?;
    let (sinks, deadline) = (Sinks::new(owner.clone(), ground.vault.clone()), Instant::now() + DELIVERED);
    while sinks.get(&ground.shop, SINK).await?.is_none_or(|sink| sink.leader.is_none()) {
        anyhow::ensure!(Instant::now() < deadline, "nobody delivers");
        tokio::time::sleep(LOOK).await;
    }
    Ok((serving, owner))
}
