//! `bench`, small: that it measures what it says and leaves nothing behind. Figures are nobody's business here.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::binary::{self, TempDir, said};

fn bench(dir: &Path, arguments: &[&str], path: Option<&Path>) -> (Value, String) {
    let mut command = binary::command(dir);
    command.args(["bench", "--quick", "--rounds", "1", "-o", "json"]).args(arguments);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn assert_measured(report: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let figure = report.pointer(pointer).and_then(Value::as_f64);
        assert!(figure.is_some_and(|figure| figure > 0.0), "{pointer}: {report}");
    }
}

const OURS: [&str; 9] = [
    "/ingest_per_s",
    "/settled_per_s",
    "/answer_ms/p50",
    "/answer_ms/p99",
    "/projected_ms/p99",
    "/rss_mb",
    "/wal_bytes_per_callback/ingest",
    "/stages_us/verify",
    "/stages_us/decide",
];

/// The kernel counts in hundredths of a second, so of a short run each part alone may be none.
fn assert_some_processor_time(report: &Value) {
    let parts = &report["cpu_us_per_callback"]["settled"];
    let parts = ["service", "postgres", "load"].map(|name| parts[name].as_f64().unwrap());
    assert!(parts.iter().any(|part| *part > 0.0), "{parts:?}");
}

#[test]
#[ignore = "takes both cores for half a minute: make test-all"]
fn bench_measures_every_contestant_and_removes_what_it_made() {
    let dir = TempDir::new();
    let (report, _) = bench(dir.path(), &["--callbacks", "300"], None);
    assert_measured(&report, &OURS);
    assert_some_processor_time(&report);
    assert_measured(&report, &["/baseline_tps", "/ingest_ratio", "/settled_ratio"]);
    let left: Vec<_> = std::fs::read_dir(dir.path().join(".counterfoil"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("bench"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left of it");
}

#[test]
#[ignore = "takes both cores for half a minute: make test-all"]
fn bench_of_the_tree_measures_each_of_its_figures() {
    let dir = TempDir::new();
    let arguments = ["--profile", "tree", "--events", "10000", "--callbacks", "300"];
    let (report, _) = bench(dir.path(), &arguments, None);
    let figures =
        ["/integrated_events_per_s", "/verified_entries_per_s", "/proof_us/p99", "/settled_with_tree_per_s"];
    assert_measured(&report, &figures);
    assert!(report["lag_events"].is_u64() && report["tree_costs_percent"].is_number(), "{report}");
}

#[test]
#[ignore = "takes both cores for a minute: make test-all"]
fn bench_of_growth_seeds_logs_that_replay_and_says_what_each_callback_costs() {
    let dir = TempDir::new();
    let plot = dir.path().join("growth.svg");
    let arguments = ["--profile", "growth", "--sizes", "6000,20000", "--callbacks", "400", "--plot"];
    let (report, _) = bench(dir.path(), &[&arguments[..], &[plot.to_str().unwrap()]].concat(), None);
    let sizes = report["sizes"].as_array().unwrap();
    let events: Vec<_> = sizes.iter().map(|size| size["events"].as_i64().unwrap()).collect();
    assert_eq!(events, [6_000, 20_000]);
    for size in sizes {
        let figures = [
            "/settled_per_s",
            "/disk_bytes_per_callback",
            "/disk_bytes_by_table/events",
            "/feed_page_ms/p99",
        ];
        assert_measured(size, &figures);
        assert_measured(size, &["/as_of_order_ms/p99", "/wal_bytes_per_callback/records"]);
    }
    assert!(sizes[1]["database_mb"].as_i64() > sizes[0]["database_mb"].as_i64(), "{report}");
    assert_measured(&report, &["/slope/wal_records", "/slope/disk", "/slope/wall"]);
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
}

#[test]
#[ignore = "takes both cores for a minute: make test-all"]
fn bench_of_a_burst_loses_nothing_and_answers_everything() {
    let dir = TempDir::new();
    let (report, _) = bench(dir.path(), &["--profile", "burst", "--callbacks", "2000"], None);
    assert_measured(
        &report,
        &["/sustained_per_s", "/burst_per_s", "/sent", "/rss_mb", "/answer_ms_before/p99"],
    );
    assert_eq!(report["settled"], report["sent"], "{report}");
    assert!(report["sent"].as_i64().unwrap() <= 2_000, "each was sent once for the first time");
    assert!(report["seconds_to_normal"].is_null() || report["seconds_to_normal"].is_u64(), "{report}");
}

#[test]
#[ignore = "takes both cores for half a minute: make test-all"]
fn bench_beside_its_peers_measures_them_or_says_how_to_get_them() {
    let dir = TempDir::new();
    let plot = dir.path().join("ratios.svg");
    let arguments =
        ["--profile", "settle", "--callbacks", "300", "--peers", "--plot", plot.to_str().unwrap()];
    let (report, said) = bench(dir.path(), &arguments, None);
    // The extension that reads the log is one of PostgreSQL's own, which may not be there.
    let relations = &report["wal_bytes_by_relation"];
    assert!(relations.is_null() || relations["events"].as_i64() > Some(0), "{report}");
    assert!(report["ingest_per_s"].is_null(), "only what is settled was asked for: {report}");
    assert_measured(
        &report,
        &["/settled_ratio", "/wal_bytes_per_callback/settled", "/disk_bytes_per_callback/settled"],
    );
    if report["pgq_inserted_per_s"].is_null() {
        assert!(said.contains("PgQ") && said.contains("apt-get install"), "{said}");
    } else {
        assert_measured(&report, &["/pgq_inserted_per_s", "/pgq_consumed_per_s", "/settled_over_pgq_ratio"]);
    }
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
}

#[test]
fn bench_that_cannot_be_run_as_asked_is_refused_before_anything_is_measured() {
    let dir = TempDir::new();
    let refused = [
        (["--profile", "feed", "--plot", "feed.svg"], "no plot"),
        (["--profile", "growth", "--sizes", "20000,10000"], "from few to many"),
        (["--profile", "sinks", "--rounds", "1"], "--nats"),
    ];
    for (arguments, why) in refused {
        let output = binary::command(dir.path()).arg("bench").args(arguments).output().unwrap();
        assert!(!output.status.success() && said(&output).contains(why), "{}", said(&output));
    }
}

#[test]
fn bench_without_pgbench_says_how_to_get_it_and_measures_the_rest() {
    let dir = TempDir::new();
    let programs = dir.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let real = String::from_utf8(binary::run(dir.path(), &["postgres"]).stdout).unwrap();
    for program in ["initdb", "postgres"] {
        symlink(Path::new(real.trim()).join(program), programs.join(program)).unwrap();
    }
    let arguments = ["--callbacks", "100", "--pg-bin", programs.to_str().unwrap()];
    let (report, said) = bench(dir.path(), &arguments, Some(Path::new("/nowhere")));
    assert_measured(&report, &OURS);
    assert_some_processor_time(&report);
    assert!(report["baseline_tps"].is_null() && report["ingest_ratio"].is_null(), "{report}");
    assert!(said.contains("pgbench") && said.contains("apt-get install"), "{said}");
}
