//! Callbacks taken and settled, beside the plain transaction of the same round.

use serde_json::{Map, Value, json};

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::cost;
use crate::bench::figures::{Quantiles, median};
use crate::bench::peers::Peers;
use crate::bench::plain::Plain;
use crate::bench::plot::Plot;
use crate::bench::report::{Findings, number};
use crate::bench::round::{self, Round, Run};
use crate::bench::seed;
use crate::bench::serving::BenchGround;
use crate::bench::stages::{self, Stages};
use crate::bench::workload::Workload;
use crate::output::note;
use crate::progress::Rounds;

/// Measures round by round: the plain transaction, its peers, callbacks that are only taken where that is asked for, callbacks
/// that are settled, and these at half their load.
pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan, takes: bool) -> anyhow::Result<Findings> {
    let plain = found(Plain::prepare(cluster).await?);
    let peers = match &plain {
        Some(plain) if plan.peers => found(Peers::prepare(cluster, plain).await?),
        _ => None,
    };
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    note(&format!("Placing {} orders ..", plan.callbacks));
    seed::seed(cluster, &ground, &workload).await?;
    note("Warming the server up ..");
    round::warm_up(plan, cluster, &ground, &workload).await?;
    let (plain, peers) = (plain.as_ref(), peers.as_ref());
    let (mut rounds, mut told) = (Vec::new(), Rounds::begin(plan.rounds));
    for number in 1..=plan.rounds {
        let reads_log = number == plan.rounds;
        let contestants = round::Contestants { plain, peers, takes, reads_log };
        let round = round::run(plan, cluster, &ground, &workload, contestants).await?;
        told.told(&round);
        rounds.push(round);
    }
    note("Measuring the steps of a callback one by one ..");
    let stages = stages::measure(cluster, &ground, &workload, &rounds).await?;
    let mut found = report(plan, &workload, &rounds, stages);
    let relations = rounds.last().and_then(|round| round.log_by_relation.clone());
    found.put("wal_bytes_by_relation", each(relations, plan.callbacks));
    Ok(found)
}

/// What is there, or what to do about it, said.
fn found<T>(prepared: Result<T, String>) -> Option<T> {
    prepared.map_err(|missing| note(&missing)).ok()
}

fn report(plan: &Plan, workload: &Workload, rounds: &[Round], stages: Stages) -> Findings {
    let mut report = Findings::default();
    let all = |of: &dyn Fn(&Round) -> Option<f64>| -> Vec<f64> { rounds.iter().filter_map(of).collect() };
    let over = |rate: &dyn Fn(&Round) -> Option<f64>| all(&|round| Some(rate(round)? / round.plain?.tps));
    let ingest = |round: &Round| Some(round.ingest.as_ref()?.per_s);
    let settled = |round: &Round| Some(round.settled.per_s);
    report.add("baseline_tps", &all(&|round| Some(round.plain?.tps)), 0);
    report.add("ingest_per_s", &all(&ingest), 0);
    report.add("settled_per_s", &all(&settled), 0);
    report.add("ingest_ratio", &over(&ingest), 2);
    report.add("settled_ratio", &over(&settled), 2);
    report.add("half_load_per_s", &all(&|round| Some(round.paced.per_s)), 0);
    report.add("rss_mb", &all(&|round| Some(peak_mb(round))), 1);
    let quantiles = |of: fn(&Round) -> &Vec<f64>| -> Vec<Quantiles> {
        rounds.iter().map(|round| Quantiles::of(of(round))).collect()
    };
    report.quantiles("answer_ms", &quantiles(|round| &round.paced.answer_ms));
    report.quantiles("projected_ms", &quantiles(|round| &round.paced.projected_ms));
    if plan.peers {
        let inserted = |round: &Round| Some(round.peers?.inserted_per_s);
        let consumed = |round: &Round| Some(round.peers?.consumed_per_s);
        report.add("pgq_inserted_per_s", &all(&inserted), 0);
        report.add("pgq_consumed_per_s", &all(&consumed), 0);
        let beside = |round: &Round| Some(round.settled.per_s / round.peers?.consumed_per_s);
        report.add("settled_over_pgq_ratio", &all(&beside), 2);
    }
    costs(&mut report, workload.callbacks.len(), rounds);
    let measured = |us: Option<f64>| us.map_or(Value::Null, |us| number(us, 1));
    report.put(
        "stages_us",
        json!({
            "parse": number(stages.parse, 1), "verify": number(stages.verify, 1),
            "seal": number(stages.seal, 1), "commit": measured(stages.commit),
            "decide": number(stages.decide, 1), "project": measured(stages.project),
        }),
    );
    report.condition("body_bytes", workload.body_bytes());
    let clients: Vec<u32> = rounds.iter().filter_map(|round| Some(round.plain?.clients)).collect();
    report.condition("baseline_clients", clients);
    let by_round = |name: &str, ratios: Vec<f64>| {
        let points = (1..).zip(ratios).map(|(round, ratio)| (f64::from(round), ratio)).collect();
        (name.to_owned(), points)
    };
    let lines = [by_round("taken", over(&ingest)), by_round("settled", over(&settled))];
    report.draw(Plot {
        title: "Callbacks beside the plain transaction".to_owned(),
        across: "round".to_owned(),
        upwards: "times the plain transaction of the round".to_owned(),
        is_logarithmic: false,
        lines: lines.into_iter().filter(|(_, points): &(String, Vec<_>)| !points.is_empty()).collect(),
    });
    report
}

/// What a callback costs of processors, write-ahead log and disk.
fn costs(report: &mut Findings, callbacks: usize, rounds: &[Round]) {
    let count = callbacks.max(1) as f64;
    let ingest: Vec<&Run> = rounds.iter().filter_map(|round| round.ingest.as_ref()).collect();
    let settled: Vec<&Run> = rounds.iter().map(|round| &round.settled).collect();
    let (mut cpu, mut wal, mut pages, mut disk) = (Map::new(), Map::new(), Map::new(), Map::new());
    for (name, runs) in [("ingest", ingest), ("settled", settled)] {
        if runs.is_empty() {
            continue;
        }
        let mean = |of: &dyn Fn(&Run) -> f64, digits| {
            number(median(&runs.iter().map(|run| of(run) / count).collect::<Vec<_>>()), digits)
        };
        let processors = json!({
            "service": mean(&|run| run.cpu.service as f64, 1),
            "postgres": mean(&|run| run.cpu.postgres as f64, 1),
            "load": mean(&|run| run.cpu.load as f64, 1),
        });
        cpu.insert(name.to_owned(), processors);
        wal.insert(name.to_owned(), mean(&|run| run.wal.bytes() as f64, 0));
        if runs.iter().all(|run| run.wal.page_bytes.is_some()) {
            pages.insert(name.to_owned(), mean(&|run| run.wal.page_bytes.unwrap_or(0) as f64, 0));
        }
        disk.insert(name.to_owned(), mean(&|run| run.disk.values().sum::<i64>() as f64, 0));
    }
    if let Some(last) = rounds.last() {
        disk.insert("by_table".to_owned(), each(Some(last.settled.disk.clone()), callbacks));
    }
    report.put("cpu_us_per_callback", cpu);
    report.put("wal_bytes_per_callback", wal);
    report.put("wal_full_pages_per_callback", pages);
    report.put("disk_bytes_per_callback", disk);
}

/// Bytes by name, for each callback; null where they are not known.
pub(crate) fn each(bytes: Option<cost::Bytes>, callbacks: usize) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    let count = callbacks.max(1) as f64;
    let each = bytes.into_iter().map(|(name, bytes)| (name, number(bytes as f64 / count, 0)));
    Value::Object(each.filter(|(_, bytes)| *bytes != 0).collect())
}

fn peak_mb(round: &Round) -> f64 {
    let ingest = round.ingest.as_ref().map_or(0, |run| run.rss_kib);
    ingest.max(round.settled.rss_kib).max(round.paced.rss_kib) as f64 / 1024.0
}
