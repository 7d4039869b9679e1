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
