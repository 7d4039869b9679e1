//! What a callback costs in small and in large logs: it should be the same.
//!
//! Each size has a database of its own, seeded with settled orders and never copied again. Then, round by round and size by size,
//! the next orders are placed by HTTP and, on the clock, the same callbacks are settled in each. The first round warms up.

mod console;
mod log;

use std::time::Duration;

use access::{ApiKeys, Role};
use anyhow::Context;
use audit::{Point, Progress, Snapshot, Subject, as_of};
use database::{Database, sql};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::api_client;
use crate::bench::Plan;
use crate::bench::callbacks::each;
use crate::bench::cluster::BenchCluster;
use crate::bench::cost::{self, Bytes, Wal};
use crate::bench::figures::{Quantiles, median};
use crate::bench::load::flood;
use crate::bench::plot::Plot;
use crate::bench::report::{Findings, number};
use crate::bench::round::{millis, serve, wait_until_decided};
use crate::bench::seed;
use crate::bench::serving::{BenchGround, Serving, TEMPLATE, Work};
use crate::bench::usage::Cpu;
use crate::bench::workload::{SHOP, Workload};
use crate::output::note;

/// Few beside the smallest log, which is to be full of orders.
const USERS: usize = 4_000;
/// Orders and pages that are looked for in each round.
const LOOKS: i64 = 60;
const PAGE: i64 = 1_000;
/// A log keeps this share of its outbox, as one that is pruned; a small one keeps all.
const KEPT: (i64, i64) = (10, 100_000);
/// A seeded log up to here is replayed before it is measured.
const REPLAYED: i64 = 200_000;
/// What an event of a seeded log takes on disk, about, and what the write-ahead log may take beside; and what is to stay free.
const EVENT_BYTES: u64 = 1_650;
const WAL_BYTES: u64 = 3_500_000_000;
const SPARE_BYTES: u64 = 1_000_000_000;

/// What one round says of something.
type Figure<'a> = &'a dyn Fn(&Round) -> Option<f64>;

/// A log of so many events.
struct Size {
    events: i64,
    database: String,
    rounds: Vec<Round>,
    bytes: i64,
}

/// What the callbacks of one round cost at one size.
struct Round {
    callbacks: usize,
    took: Duration,
    cpu: Cpu,
    wal: Wal,
    disk: Bytes,
    as_of_ms: Vec<f64>,
    page_ms: Vec<f64>,
    console_ms: Vec<f64>,
}

impl Round {
    fn each(&self, of: f64) -> f64 {
        of / self.callbacks.max(1) as f64
    }

    /// Of service and PostgreSQL, in microseconds a callback.
    fn cpu_us(&self) -> f64 {
        self.each((self.cpu.service + self.cpu.postgres) as f64)
    }

    fn per_s(&self) -> f64 {
        self.callbacks as f64 / self.took.as_secs_f64()
    }

    fn wal_record_bytes(&self) -> Option<f64> {
        Some(self.each(self.wal.record_bytes()? as f64))
    }

    fn disk_bytes(&self) -> f64 {
        self.each(self.disk.values().sum::<i64>() as f64)
    }
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<Findings> {
    enough_disk(cluster, plan)?;
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let mut workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    workload.users = workload.users.min(USERS);
    let ground = BenchGround::prepare(cluster, &workload).await?;
    let readers = [key(cluster, &ground, Role::Feed).await?, key(cluster, &ground, Role::Viewer).await?];
    let mut sizes = seed_logs(cluster, plan, &ground, &workload).await?;
    // One more than count.
    let share = plan.callbacks.div_ceil(plan.rounds + 1);
    for number in 0..=plan.rounds {
        for size in &mut sizes {
            let which = (share * number).min(plan.callbacks)..(share * (number + 1)).min(plan.callbacks);
            let round = measure_size(cluster, plan, &ground, &workload, (size, which, &readers)).await;
            let round = round.with_context(|| format!("in the log of {} events", size.events))?;
            note(&format!(
                "Round {number} of {}, {} events: {:.0} us of processors a callback, {:.0}/s, {:.0} bytes of log records, {:.0} of whole pages",
                plan.rounds,
                size.events,
                round.cpu_us(),
                round.per_s(),
                round.wal_record_bytes().unwrap_or_default(),
                round.each(round.wal.page_bytes.unwrap_or_default() as f64),
            ));
            if number > 0 {
                size.rounds.push(round);
            }
        }
    }
    Ok(report(&sizes))
}

/// A key of the shop. No session is kept: nothing can be copied that somebody uses.
async fn key(cluster: &BenchCluster, ground: &BenchGround, role: Role) -> anyhow::Result<SecretString> {
    let keys = ApiKeys::new(cluster.owner(TEMPLATE).await?);
    let (key, _) = keys.create(&ground.shop, "counterfoil bench", role.into()).await?;
    Ok(key.expose().to_owned().into())
}

/// A full disk would end more than the measurement.
fn enough_disk(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<()> {
    let free = cluster.free_bytes()?;
    let events: u64 = plan.sizes.iter().map(|events| events.unsigned_abs()).sum();
    let needed = events * EVENT_BYTES + WAL_BYTES.min(events * 10_000) + SPARE_BYTES;
    anyhow::ensure!(
        free > needed,
        "{} MB are free on the disk of {}, and logs of {:?} events need about {} MB; name smaller ones with --sizes",
        free / 1_000_000,
        cluster.folder().display(),
        plan.sizes,
        needed / 1_000_000
    );
    Ok(())
}

/// A database for each size; each begins as a copy of the one before.
async fn seed_logs(
    cluster: &BenchCluster,
    plan: &Plan,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<Vec<Size>> {
    let sample = log::Sample::settle(cluster, ground, workload).await?;
    let (mut sizes, mut last) = (Vec::new(), TEMPLATE.to_owned());
    for events in plan.sizes.iter().copied() {
        note(&format!("Seeding a log of {events} events .."));
        let database = format!("bench_{events}");
        cluster.copy(&last, &database).await?;
        let owner = cluster.owner(&database).await?;
        sample.grow(cluster, &owner, events, kept_from(events)).await?;
        last.clone_from(&database);
        sizes.push(Size { events, database, rounds: Vec::new(), bytes: 0 });
    }
    for size in &mut sizes {
        let owner = cluster.owner(&size.database).await?;
        log::prune(&owner, kept_from(size.events)).await?;
        if size.events <= REPLAYED {
            log::check(&owner, ground).await?;
        }
        cluster.settle(&size.database).await?;
        size.bytes = cost::sizes(&owner.client().await?).await?.values().sum();
    }
    cluster.execute("CHECKPOINT").await?;
    Ok(sizes)
}

/// From where on a log has its outbox.
fn kept_from(events: i64) -> i64 {
    (events - (events / KEPT.0).max(KEPT.1)).max(0)
}

async fn measure_size(
    cluster: &BenchCluster,
    plan: &Plan,
    ground: &BenchGround,
    workload: &Workload,
    (size, which, [reader, viewer]): (&Size, std::ops::Range<usize>, &[SecretString; 2]),
) -> anyhow::Result<Round> {
    let (serving, owner) = serve(cluster, ground, &size.database, Work::Settle).await?;
    seed::place(&serving, ground, workload, which.clone()).await?;
    wait_until_decided(&owner, ground).await?;
    let client = owner.client().await?;
    let head = event_log::head(&client, &ground.shop).await?.map_or(-1, |(position, _)| position.0);
    let requests = workload.callbacks[which].iter().map(|callback| callback.prepare()).collect::<Vec<_>>();
    let (callbacks, requests) = (requests.len(), requests.into());
    let sizes = cost::sizes(&client).await?;
    let (wal, cpu) = (cluster.wal().await?, Cpu::read(serving.pid, cluster.pid()));
    let began = Instant::now();
    flood(serving.address, &requests, plan.connections).await?;
    wait_until_decided(&owner, ground).await?;
    let took = began.elapsed();
    let cpu = Cpu::read(serving.pid, cluster.pid()).since(cpu);
    let wal = Wal::since(cluster, wal).await?;
    let disk = cost::growth(&sizes, &cost::sizes(&client).await?);
    let row = client.query_one(&sql::counterfoil::COUNT_SETTLED, &[&SHOP, &head]).await?;
    for what in ["paid", "evidence"] {
        let found: i64 = row.try_get(what)?;
        anyhow::ensure!(found == callbacks as i64, "{what}: {found} and not {callbacks}");
    }
    drop(client);
    let as_of_ms = look(&owner, ground, size.events).await?;
    let page_ms = pages(&serving, reader, head).await?;
    let console_ms = console::first_page(&serving, viewer).await?;
    drop(owner);
    serving.stop().await?;
    Ok(Round { callbacks, took, cpu, wal, disk, as_of_ms, page_ms, console_ms })
}

/// Orders from all over the seeded log, each as it was at its end.
async fn look(owner: &Database, ground: &BenchGround, events: i64) -> anyhow::Result<Vec<f64>> {
    let source = audit::Source::Snapshot(Snapshot::take(owner, &ground.shop).await?);
    let head = source.locate(Point::Head).await?;
    let client = owner.client().await?;
    let mut took = Vec::new();
    for n in 0..=LOOKS {
        let position = domain::Position(events / 2 + n * (events / 2 - 1) / LOOKS);
        let event = event_log::read_at(&client, &ground.shop, &[position]).await?;
        let Some(domain::Key::Order(order)) = event.first().map(|event| event.key.clone()) else { continue };
        let began = Instant::now();
        as_of(&source, head, &Subject::Order(order), &Progress::default()).await?;
        // The first one prepares the statements.
        if n > 0 {
            took.push(millis(began.elapsed()));
        }
    }
    source.close().await;
    Ok(took)
}

/// Pages of the feed, up to where the log was.
async fn pages(serving: &Serving, reader: &SecretString, head: i64) -> anyhow::Result<Vec<f64>> {
    let http = api_client::http()?;
    let (mut took, step) = (Vec::new(), (KEPT.1 / 2).min(head) / LOOKS);
    for n in 1..=LOOKS {
        let url = format!("http://{}/v1/feed?limit={PAGE}&after=0-{}", serving.address, head - n * step);
        let began = Instant::now();
        let answer = http.get(url).bearer_auth(reader.expose_secret()).send().await?.error_for_status()?;
        answer.bytes().await?;
        took.push(millis(began.elapsed()));
    }
    Ok(took)
}

fn report(sizes: &[Size]) -> Findings {
    let mut found = Findings::default();
    let medians = |size: &Size, of: Figure<'_>| {
        let figures: Vec<f64> = size.rounds.iter().filter_map(of).collect();
        (!figures.is_empty()).then(|| median(&figures))
    };
    let all = |size: &Size, of: fn(&Round) -> &Vec<f64>| {
        Quantiles::of(&size.rounds.iter().flat_map(|round| of(round).iter().copied()).collect::<Vec<_>>())
            .rounded(2)
    };
    let shown = |figure: Option<f64>| figure.map_or(Value::Null, |figure| number(figure, 0));
    let of_size = |size: &Size| {
        let total: usize = size.rounds.iter().map(|round| round.callbacks).sum();
        let mut disk = Bytes::new();
        for (table, bytes) in size.rounds.iter().flat_map(|round| &round.disk) {
            *disk.entry(table.clone()).or_default() += bytes;
        }
        json!({
            "events": size.events,
            "database_mb": size.bytes / 1_000_000,
            "settled_per_s": shown(medians(size, &|round| Some(round.per_s()))),
            "cpu_us_per_callback": {
                "service": shown(medians(size, &|round| Some(round.each(round.cpu.service as f64)))),
                "postgres": shown(medians(size, &|round| Some(round.each(round.cpu.postgres as f64)))),
                "both": shown(medians(size, &|round| Some(round.cpu_us()))),
            },
            "wal_bytes_per_callback": {
                "records": shown(medians(size, &Round::wal_record_bytes)),
                "full_pages": shown(medians(size, &|round| Some(round.each(round.wal.page_bytes? as f64)))),
            },
            "disk_bytes_per_callback": number(disk.values().sum::<i64>() as f64 / total.max(1) as f64, 0),
            "disk_bytes_by_table": each(Some(disk), total),
            "as_of_order_ms": all(size, |round| &round.as_of_ms),
            "feed_page_ms": all(size, |round| &round.page_ms),
            "console_first_page_ms": all(size, |round| &round.console_ms),
        })
    };
    found.put("sizes", sizes.iter().map(of_size).collect::<Value>());
    let costs: [(&str, Figure<'_>); 4] = [
        ("cpu", &|round| Some(round.cpu_us())),
        ("wall", &|round| Some(1.0 / round.per_s())),
        ("wal_records", &Round::wal_record_bytes),
        ("disk", &|round| Some(round.disk_bytes())),
    ];
    found.put("slope", slopes(sizes, &costs));
    let line = |(name, of): &(&str, Figure<'_>)| {
        let first = medians(sizes.first()?, *of)?;
        let points = sizes.iter().filter_map(|size| Some((size.events as f64, medians(size, *of)? / first)));
        Some(((*name).to_owned(), points.collect()))
    };
    found.draw(Plot {
        title: "What a callback costs as the log grows".to_owned(),
        across: "events in the log".to_owned(),
        upwards: "times that in the smallest log".to_owned(),
        is_logarithmic: true,
        lines: costs.iter().filter_map(line).collect(),
    });
    found
}

/// What each cost in the largest log is by that in the one before it, in medians of the rounds; null of one log alone.
fn slopes(sizes: &[Size], costs: &[(&str, Figure<'_>)]) -> Value {
    let [.., smaller, larger] = sizes else { return Value::Null };
    let mut slopes = Map::from_iter([("from_events".to_owned(), json!(smaller.events))]);
    slopes.insert("to_events".to_owned(), json!(larger.events));
    for (name, of) in costs {
        let pairs = smaller.rounds.iter().zip(&larger.rounds);
        let ratios: Vec<f64> = pairs.filter_map(|(one, other)| Some(of(other)? / of(one)?)).collect();
        let ratio = if ratios.is_empty() { Value::Null } else { number(median(&ratios), 3) };
        slopes.insert((*name).to_owned(), ratio);
    }
    Value::Object(slopes)
}
