//! Replay: how fast a log is decided and folded again, what it takes of memory, and what one order as of a point costs.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use audit::{Fold, Point, Progress, Snapshot, Subject, as_of, read_into, run};
use database::Database;
use domain::{Fact, Position, ShopId, Source};
use event_log::{Appender, Dedupe, NewFact};
use read_models::ReadModels;
use relay::Relay;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::figures::{Quantiles, median};
use crate::bench::serving::{BenchGround, TEMPLATE};
use crate::bench::usage::peak_rss_kib;
use crate::bench::workload::Workload;
use crate::output::note;
use crate::progress::Rounds;

/// Facts that are appended side by side.
const TOGETHER: usize = 512;
/// Articles, coupons and buyers that orders are about.
const GOODS: i64 = 1_000;
/// Orders that are looked for.
const LOOKS: i64 = 200;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayReport {
    events: i64,
    orders: i64,
    /// Decided, folded, and compared with what is recorded.
    replay_events_per_s: f64,
    /// Only folded.
    fold_events_per_s: f64,
    /// Everything that can be verified without keys.
    verify_events_per_s: f64,
    /// One order as of a point, with its payments.
    as_of_order_ms: Quantiles,
    /// What the rows of a replay take for each order with its payments, its article, coupon and buyer.
    bytes_per_order: f64,
    /// The same of the whole process, with what is read ahead and the allocator's own.
    resident_bytes_per_order: f64,
    rss_mb: f64,
    rounds: usize,
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<ReplayReport> {
    let rounds = plan.rounds;
    let workload = Workload::make(cluster.folder(), 1).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    let owner = cluster.owner(TEMPLATE).await?;
    // A placement and a payment, each with what follows from it.
    let orders = plan.events / 4;
    note(&format!("Settling {orders} orders .."));
    seed(&owner, &ground.shop, orders).await?;
    cluster.settle(TEMPLATE).await?;
    let progress = Progress::default();
    let (mut replays, mut folds, mut verifies, mut looks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut events, mut bytes) = (0, 0);
    let mut told = Rounds::begin(rounds);
    for _ in 1..=rounds {
        let source = audit::Source::Snapshot(Snapshot::take(&owner, &ground.shop).await?);
        let head = source.locate(Point::Head).await?;
        events = head.0 + 1;
        let per_s = |began: Instant| events as f64 / began.elapsed().as_secs_f64();
        let began = Instant::now();
        let ran = run(&source, head, &progress).await?;
        anyhow::ensure!(ran.is_clean(), "a replay decides otherwise: {:?}", ran.replayed.mismatches);
        replays.push(per_s(began));
        bytes = ran.replayed.folded().bytes();
        drop(ran);
        let began = Instant::now();
        let fold = read_into(&source, head, Fold::default(), ("folding", &progress)).await?;
        folds.push(per_s(began));
        drop(fold);
        looks.extend(look(&source, head, orders).await?);
        source.close().await;
        let began = Instant::now();
        let verified = audit::verify(&owner, &ground.shop).await?;
        anyhow::ensure!(verified.is_clean(), "the log does not verify: {verified:?}");
        verifies.push(per_s(began));
        told.told(&format_args!(
            "replay {:.0} events/s, fold {:.0}, verify {:.0}",
            replays.last().copied().unwrap_or_default(),
            folds.last().copied().unwrap_or_default(),
            verifies.last().copied().unwrap_or_default(),
        ));
    }
    let (empty, whole) = (peak(cluster, &["--to", "0"]).await?, peak(cluster, &[]).await?);
    Ok(ReplayReport {
        events,
        orders,
        replay_events_per_s: median(&replays).round(),
        fold_events_per_s: median(&folds).round(),
        verify_events_per_s: median(&verifies).round(),
        as_of_order_ms: Quantiles::of(&looks),
        bytes_per_order: (bytes as f64 / orders as f64).round(),
        resident_bytes_per_order: ((whole.saturating_sub(empty)) as f64 * 1024.0 / orders as f64).round(),
        rss_mb: (whole as f64 / 1024.0).round(),
        rounds,
    })
}

/// Orders that are placed and paid, decided by a relay as they come.
async fn seed(owner: &Database, shop: &ShopId, orders: i64) -> anyhow::Result<()> {
    let appender = Appender::start(owner.clone(), event_log::Options::default());
    let relay =
        Relay::start(owner.clone(), appender.clone(), ReadModels::default(), relay::Options::default());
    let mut last = Position(-1);
    let goods = (0..GOODS).flat_map(|n| {
        [
            ("stock.received", json!({"sku": format!("sku-{n}"), "qty": 1_000_000_000_i64})),
            ("coupon.issued", json!({"code": format!("code-{n}"), "max_uses": 1_000_000_000_i64})),
            ("points.granted", json!({"buyer": format!("buyer-{n}"), "points": 1_000_000_000_i64})),
        ]
    });
    let placed = (0..orders).map(|n| ("order.placed", placement(n)));
    let paid = (0..orders).map(|n| ("payment.captured", capture(n)));
    let mut facts = goods.chain(placed).chain(paid).enumerate();
    loop {
        let chunk: Vec<NewFact> = facts
            .by_ref()
            .take(TOGETHER)
            .map(|(n, (name, data))| fact(n, name, &data))
            .collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let appended = chunk.into_iter().map(|fact| appender.append(shop, fact));
        for appended in futures_util::future::try_join_all(appended).await? {
            last = last.max(appended.position());
        }
    }
    let mut applied = relay.applied(shop);
    let decided = applied.wait_for(|applied| *applied >= last.0);
    tokio::time::timeout(Duration::from_secs(600), decided).await.context("the orders are not decided")??;
    relay.stop().await;
    appender.drain().await;
    Ok(())
}

fn placement(n: i64) -> Value {
    let of = n % GOODS;
    json!({
        "order": format!("order-{n:08}"), "buyer": format!("buyer-{of}"), "currency": "EUR", "total_minor": 2400,
        "lines": [{"sku": format!("sku-{of}"), "qty": 2, "unit_minor": 1250}],
        "coupons": [{"code": format!("code-{of}"), "minor": 50}], "points": {"spend": 5, "minor": 50, "earn": 24},
    })
}

fn capture(n: i64) -> Value {
    json!({
        "order": format!("order-{n:08}"), "capture": format!("CAPTURE{n:010}"), "paypal_order": format!("PPORDER{n:010}"),
        "amount_minor": 2400, "currency": "EUR", "fee_minor": 84, "net_minor": 2316, "final": true,
    })
}

fn fact(n: usize, name: &str, data: &Value) -> anyhow::Result<NewFact> {
    let fact = Fact::from_data(name, &data.to_string()).map_err(|unknown| anyhow::anyhow!(unknown.0))?;
    let dedupe = match fact.source() {
        Source::Callback => {
            Dedupe::Callback { event_key: format!("WH-{n}"), body_mac: [0; 32], transmission: None }
        }
        _ => Dedupe::Command { id: n.to_string(), content_sha256: [0; 32] },
    };
    Ok(NewFact { fact, by: "counterfoil bench".to_owned(), dedupe, evidence: None, certificate: None })
}

async fn look(source: &audit::Source, head: Position, orders: i64) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    for n in 0..LOOKS {
        let order = format!("order-{:08}", n * (orders / LOOKS).max(1) % orders);
        let began = Instant::now();
        let rows = as_of(source, head, &Subject::Order(order.parse()?), &Progress::default()).await?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(rows.len() == 3, "an order, its capture and its PayPal order are there");
    }
    Ok(took)
}

/// The most memory that `replay`, as a process of its own, had in residence, in KiB.
async fn peak(cluster: &BenchCluster, arguments: &[&str]) -> anyhow::Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("replay").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("MAINTENANCE_DATABASE_URL", cluster.owner_url(TEMPLATE).expose_secret()).kill_on_drop(true);
    let mut child = command.spawn().context("replay cannot be started")?;
    let pid = child.id().context("replay has ended")?;
    let mut peak = 0;
    loop {
        tokio::select! {
            status = child.wait() => {
                anyhow::ensure!(status?.success(), "replay has failed");
                return Ok(peak);
            }
            () = tokio::time::sleep(Duration::from_millis(5)) => peak = peak.max(peak_rss_kib(pid)),
        }
    }
}
