//! What the rounds say together: medians, and how far they lie apart.

use serde_json::{Map, Value, json};

use crate::bench::Plan;
use crate::bench::cluster::{BenchCluster, SETTINGS};
use crate::bench::figures::{median, percentile, rounded};
use crate::bench::round::{Round, Run};
use crate::bench::stages::Stages;
use crate::bench::workload::Workload;
use crate::output::Format;
use crate::output::{self, Column};

/// The result.
pub(crate) struct Report {
    values: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        cluster: &BenchCluster,
        workload: &Workload,
        rounds: &[Round],
        stages: Stages,
    ) -> Self {
        let mut report = Figures::default();
        let tps: Vec<f64> = rounds.iter().filter_map(|round| Some(round.plain?.tps)).collect();
        let over = |rate: fn(&Round) -> f64| -> Vec<f64> {
            rounds.iter().filter_map(|round| Some(rate(round) / round.plain?.tps)).collect()
        };
        report.add("baseline_tps", &tps, 0);
        report.add("ingest_per_s", &all(rounds, |round| round.ingest.per_s), 0);
        report.add("settled_per_s", &all(rounds, |round| round.settled.per_s), 0);
        report.add("ingest_ratio", &over(|round| round.ingest.per_s), 2);
        report.add("settled_ratio", &over(|round| round.settled.per_s), 2);
        report.add("half_load_per_s", &all(rounds, |round| round.paced.per_s), 0);
        report.add("rss_mb", &all(rounds, peak_mb), 1);
        report.percentiles("answer_ms", rounds, |round| &round.paced.answer_ms);
        report.percentiles("projected_ms", rounds, |round| &round.paced.projected_ms);

        let count = workload.callbacks.len().max(1) as f64;
        let cpu = |run: fn(&Round) -> &Run| {
            let mean =
                |of: fn(&Run) -> u64| number(median(&all(rounds, |round| of(run(round)) as f64 / count)), 1);
            json!({
                "service": mean(|run| run.cpu.service),
                "postgres": mean(|run| run.cpu.postgres),
                "load": mean(|run| run.cpu.load),
            })
        };
        let wal = |run: fn(&Round) -> &Run| {
            number(median(&all(rounds, |round| run(round).wal_bytes as f64 / count)), 0)
        };
        let mut values = report.values;
        values.insert(
            "cpu_us_per_callback".into(),
            json!({ "ingest": cpu(|round| &round.ingest), "settled": cpu(|round| &round.settled) }),
        );
        values.insert(
            "wal_bytes_per_callback".into(),
            json!({ "ingest": wal(|round| &round.ingest), "settled": wal(|round| &round.settled) }),
        );
        values.insert(
            "stages_us".into(),
            json!({
                "parse": number(stages.parse, 1), "verify": number(stages.verify, 1),
                "seal": number(stages.seal, 1), "commit": number(stages.commit, 1),
                "decide": number(stages.decide, 1), "project": number(stages.project, 1),
            }),
        );
        values.insert("spread".into(), Value::Object(report.spread));
        values.insert("conditions".into(), conditions(plan, cluster, workload, rounds));
        Self { values }
    }

    /// Prints it.
    pub(crate) fn show(self, format: Format) -> anyhow::Result<()> {
        let value = Value::Object(self.values);
        if format != Format::Table {
            return output::one(format, &value);
        }
        let mut rows = Vec::new();
        flatten("", &value, &mut rows);
        let spread = value["spread"].as_object().cloned().unwrap_or_default();
        let rows: Vec<Value> = rows
            .into_iter()
            .filter(|(name, _)| !name.starts_with("spread."))
            .map(|(name, shown)| {
                let range = spread.get(&name).map(|range| format!("{} .. {}", range[0], range[1]));
                json!({ "what": name, "median": shown, "rounds": range })
            })
            .collect();
        let columns = [
            Column::text("WHAT", "what"),
            Column::number("MEDIAN", "median"),
            Column::text("LEAST .. MOST OF THE ROUNDS", "rounds"),
        ];
        output::rows(format, &rows, &columns)
    }
}

fn conditions(plan: &Plan, cluster: &BenchCluster, workload: &Workload, rounds: &[Round]) -> Value {
    let clients: Vec<u32> = rounds.iter().filter_map(|round| Some(round.plain?.clients)).collect();
    let settings: Map<String, Value> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "quick": plan.quick,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "postgresql": cluster.binaries().version(),
        "settings": settings,
        "rounds": plan.rounds,
        "callbacks": workload.callbacks.len(),
        "body_bytes": workload.body_bytes(),
        "connections": plan.connections,
        "baseline_clients": clients,
    })
}

#[derive(Default)]
struct Figures {
    values: Map<String, Value>,
    spread: Map<String, Value>,
}

impl Figures {
    /// The median, and the least and the most; null where nothing was measured.
    fn add(&mut self, name: &str, figures: &[f64], digits: u32) {
        let value = if figures.is_empty() { Value::Null } else { number(median(figures), digits) };
        self.values.insert(name.to_owned(), value);
        self.note_spread(name, figures, digits);
    }

    fn percentiles(&mut self, name: &str, rounds: &[Round], of: fn(&Round) -> &Vec<f64>) {
        let mut both = Map::new();
        for (label, share) in [("p50", 0.50), ("p99", 0.99)] {
            let figures: Vec<f64> = rounds.iter().map(|round| percentile(of(round), share)).collect();
            both.insert(label.to_owned(), number(median(&figures), 2));
            self.note_spread(&format!("{name}.{label}"), &figures, 2);
        }
        self.values.insert(name.to_owned(), Value::Object(both));
    }

    fn note_spread(&mut self, name: &str, figures: &[f64], digits: u32) {
        if !figures.is_empty() {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            self.spread.insert(name.to_owned(), json!([number(least, digits), number(most, digits)]));
        }
    }
}

fn peak_mb(round: &Round) -> f64 {
    let kib = round.ingest.rss_kib.max(round.settled.rss_kib).max(round.paced.rss_kib);
    kib as f64 / 1024.0
}

fn all(rounds: &[Round], of: impl Fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().map(of).collect()
}

fn number(figure: f64, digits: u32) -> Value {
    let figure = rounded(figure, digits);
    if digits == 0 { json!(figure as i64) } else { json!(figure) }
}

fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, rows);
            }
        }
        Value::Null => rows.push((prefix.to_owned(), json!("not measured"))),
        value => rows.push((prefix.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_null_and_has_no_spread() {
        let mut figures = Figures::default();
        figures.add("baseline_tps", &[], 0);
        figures.add("ingest_per_s", &[3.0, 1.0, 2.0], 0);
        assert_eq!(figures.values["baseline_tps"], Value::Null);
        assert_eq!(figures.values["ingest_per_s"], json!(2));
        assert_eq!(Value::Object(figures.spread), json!({"ingest_per_s": [1, 3]}));
    }
}
