//! `/metrics` as Prometheus has it, the rules and the dashboard that rest on it, and what an operator reads beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_api::Limits;
use serde_json::{Value, json};
use test_support::{foreign, wait_until};

use crate::binary::{self, TempDir, said};
use crate::served::{SHOP, Served};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const DEADLINE: Duration = Duration::from_secs(20);

fn file(path: &str) -> PathBuf {
    binary::root().join("crates/counterfoil").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap()
}

/// Every family that is told, with its type.
fn told(metrics: &str) -> BTreeMap<String, String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// Whatever a text calls by a name of ours.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("counterfoil_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

async fn open_metrics(served: &Served) -> String {
    let request = served.client.get(served.url("/metrics"));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    let answer = request.header("accept", accept).send().await.unwrap();
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.text().await.unwrap()
}

/// Every family of an instance that has a sink: it has been tried, in vain.
async fn told_with_a_sink() -> BTreeMap<String, String> {
    let served = Served::start(Limits::default()).await;
    let nobody = json!({"name": "books", "kind": "nats", "target": {"servers": "127.0.0.1:9"}});
    let (status, answer) = served.post("/v1/sinks", &served.operator_key, &nobody).await;
    assert_eq!(status, 201, "{answer}");
    let running = served.run_sinks();
    let sample =
        format!("counterfoil_sink_attempts_total{{shop=\"{SHOP}\",sink=\"books\",result=\"unavailable\"}}");
    let is_told = wait_until(DEADLINE, async || number(&served.metrics().await, &sample).is_some());
    assert!(is_told.await, "{}", served.metrics().await);
    let told = told(&served.metrics().await);
    running.stop().await;
    served.stop().await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_in_the_table_of_the_document_with_its_type_and_the_other_way_round() {
    let told = told_with_a_sink().await;
    let document = read("docs/METRICS.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let documented: BTreeMap<String, String> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned())).collect();
    assert_eq!(told, documented);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_of_the_rules_and_the_dashboard_is_told() {
    let told = told_with_a_sink().await;
    let mut wrong = Vec::new();
    let rules = read("deploy/prometheus/alerts.yaml");
    let expressions: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(expressions.len() > 20, "{rules}");
    for name in named(&expressions.join("\n")).union(&named(&read("deploy/grafana/counterfoil.json"))) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let is_of_histogram = base.is_some_and(|base| told.get(base).is_some_and(|kind| kind == "histogram"));
        if !told.contains_key(name) && !is_of_histogram {
            wrong.push(name.clone());
        }
    }
    assert!(wrong.is_empty(), "nobody tells {wrong:?}");
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/counterfoil.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: Vec<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert!(ids.len() > 20 && ids.iter().collect::<BTreeSet<_>>().len() == ids.len(), "{ids:?}");
}

#[test]
fn every_alert_has_a_section_that_says_what_to_do_and_a_test_that_makes_it_fire() {
    let rules = read("deploy/prometheus/alerts.yaml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let runbooks: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert_eq!(alerts.len(), runbooks.len());
    let operating = read("docs/OPERATING.md");
    let (_, sections) = operating.split_once("\n## Alerts\n").unwrap();
    let sections = sections.split("\n## ").next().unwrap();
    let sections: BTreeMap<&str, &str> =
        sections.split("\n### ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), alerts.iter().copied().collect());
    let tests = read("deploy/prometheus/alerts_test.yaml");
    let tests: BTreeSet<&str> = tests
        .split("alertname: ")
        .skip(1)
        .filter(|test| !test.split_once('\n').unwrap().1.trim_start().starts_with("exp_alerts: []"))
        .map(|test| test.lines().next().unwrap())
        .collect();
    assert_eq!(tests, alerts.iter().copied().collect(), "those that are made to fire");
    for (alert, runbook) in alerts.iter().zip(runbooks) {
        let anchor = format!("'crates/counterfoil/docs/OPERATING.md#{}'", alert.to_lowercase());
        assert_eq!(runbook, anchor);
        for part in ["**What it means.**", "**How to look.**", "**What to do.**"] {
            assert!(sections[alert].contains(part), "{alert} does not say: {part}");
        }
    }
}

/// `counterfoil sinks show NAME` is one if `counterfoil sinks show --help` is.
#[test]
fn every_command_of_the_runbooks_is_one() {
    let (operating, dir) = (read("docs/OPERATING.md").replace('\n', " "), TempDir::new());
    let commands =
        operating.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("counterfoil "));
    let mut seen = BTreeSet::new();
    for command in commands {
        let is_verb = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let verbs: Vec<&str> =
            command.split(' ').take_while(|word| is_verb(word) && !word.starts_with('-')).collect();
        let flags: Vec<&str> = command.split(' ').filter(|word| word.starts_with("--")).collect();
        if !seen.insert((verbs.clone(), flags.clone())) {
            continue;
        }
        let mut arguments = verbs.clone();
        arguments.push("--help");
        let output = binary::run(dir.path(), &arguments);
        let help = said(&output);
        assert!(output.status.success(), "counterfoil {command}: {help}");
        for flag in flags {
            let flag = flag.split('=').next().unwrap();
            assert!(help.contains(flag), "counterfoil {command}: no {flag} in\n{help}");
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_of_a_trace_is_an_exemplar_where_open_metrics_are_asked_for() {
    let served = Served::start(Limits::default()).await;
    for (parent, is_told) in
        [("00-00000000000000000000000000000001-00f067aa0ba902b7-00", false), (TRACE, true)]
    {
        let body = served.captured(&format!("10{}", parent.len()), "10.00");
        let mut headers = served.sign(&body);
        let parent = if is_told { format!("00-{parent}-00f067aa0ba902b7-01") } else { parent.to_owned() };
        headers.push(("traceparent".to_owned(), parent));
        assert_eq!(served.callback(SHOP, &headers, body).await.status().as_u16(), 200);
    }
    let metrics = open_metrics(&served).await;
    assert!(metrics.ends_with("\n# EOF\n"));
    let exemplars: Vec<&str> = metrics.lines().filter(|line| line.contains(" # {")).collect();
    assert!(
        exemplars.iter().all(|line| line.contains(&format!("# {{trace_id=\"{TRACE}\"}}"))),
        "{exemplars:?}"
    );
    assert_eq!(exemplars.len(), 1, "one that is not recorded leads nowhere: {exemplars:?}");
    assert!(exemplars[0].starts_with("counterfoil_callback_duration_seconds_bucket"), "{exemplars:?}");

    let text = served.metrics().await;
    assert!(!text.contains(TRACE) && !text.contains("# EOF"), "{text}");
    assert!(text.contains("counterfoil_callback_duration_seconds_count 2\n"), "{text}");
    served.stop().await;
}

/// A number in the metrics, of a sample without more labels than these.
fn number(metrics: &str, sample: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_came_in_and_waits_to_be_decided_is_told_by_currency_until_it_is() {
    let served = Served::start(Limits::default()).await;
    served.stop_relay().await;
    let behind = served.beside_without_relay(Limits::default()).await;
    for order in ["2001", "2002"] {
        let body = behind.captured(order, "10.00");
        let headers = behind.sign(&body);
        assert_eq!(behind.callback(SHOP, &headers, body).await.status().as_u16(), 200);
    }
    let metrics = behind.metrics().await;
    let unsettled = format!("counterfoil_unsettled_minor{{shop=\"{SHOP}\",currency=\"USD\"}}");
    assert_eq!(number(&metrics, &unsettled), Some(2000.0), "{metrics}");
    assert_eq!(number(&metrics, &format!("counterfoil_unsettled_capped{{shop=\"{SHOP}\"}}")), Some(0.0));
    assert_eq!(number(&metrics, "counterfoil_events_appended_total{type=\"payment.captured\"}"), Some(2.0));
    assert_eq!(number(&metrics, "counterfoil_events_appended_total{type=\"payment.unmatched\"}"), Some(0.0));
    let lag = format!("counterfoil_relay_lag_events{{shop=\"{SHOP}\"}}");
    assert_eq!(number(&metrics, &lag), Some(2.0), "{metrics}");

    let decides = served.beside(Limits::default(), std::sync::Arc::new(database::SystemClock)).await;
    let settled = wait_until(DEADLINE, async || {
        let metrics = decides.metrics().await;
        number(&metrics, &unsettled).is_none() && number(&metrics, &lag) == Some(0.0)
    });
    assert!(settled.await, "{}", decides.metrics().await);
    let metrics = decides.metrics().await;
    assert_eq!(number(&metrics, "counterfoil_events_appended_total{type=\"payment.unmatched\"}"), Some(2.0));
    assert_eq!(number(&metrics, "counterfoil_relay_facts_total"), Some(2.0), "{metrics}");
    assert!(number(&metrics, "counterfoil_relay_batch_duration_seconds_count") >= Some(1.0), "{metrics}");
    let heartbeat = format!("counterfoil_heartbeat_age_seconds{{shop=\"{SHOP}\",worker=\"relay\"}}");
    assert!(number(&metrics, &heartbeat) < Some(60.0), "{metrics}");
    for served in [decides, behind, served] {
        served.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_is_parked_is_told_with_its_age() {
    let served = Served::start(Limits::default()).await;
    let key = served.shop_key.clone();
    let full = json!({"id": "full", "qty": 9_007_199_254_740_991_i64});
    assert_eq!(served.post("/v1/stock/sand/receive", &key, &full).await.0, 200);
    let (_, parked) = served.post("/v1/stock/sand/receive", &key, &json!({"id": "more", "qty": 1})).await;
    assert_eq!(parked["outcomes"][0]["type"], "event.parked", "{parked}");
    let metrics = served.metrics().await;
    assert_eq!(
        number(&metrics, &format!("counterfoil_parked_facts{{shop=\"{SHOP}\"}}")),
        Some(1.0),
        "{metrics}"
    );
    let age = format!("counterfoil_parked_oldest_age_seconds{{shop=\"{SHOP}\"}}");
    assert!(number(&metrics, &age).is_some_and(|age| (0.0..600.0).contains(&age)), "{metrics}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_the_rest_is_told_and_what_is_missing_is_named() {
    let served = Served::start(Limits::default()).await;
    assert!(served.metrics().await.contains("counterfoil_scrape_part_ok{part=\"relay\"} 1\n"));
    served.stop_relay().await;
    served.test().allow_connections(false).await;
    let missing = wait_until(DEADLINE, async || {
        let metrics = served.metrics().await;
        assert!(metrics.contains("process_open_fds ") && metrics.contains("counterfoil_callbacks_total{"));
        ["relay", "heartbeats", "parked", "readers", "trees", "reconciliation"].iter().all(|part| {
            number(&metrics, &format!("counterfoil_scrape_part_ok{{part=\"{part}\"}}")) == Some(0.0)
        })
    });
    assert!(missing.await, "{}", served.metrics().await);
    served.test().allow_connections(true).await;
    let again = wait_until(DEADLINE, async || {
        served.metrics().await.contains("counterfoil_scrape_part_ok{part=\"reconciliation\"} 1\n")
    });
    assert!(again.await, "{}", served.metrics().await);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs promtool: make test-all"]
async fn promtool_finds_nothing_wrong_with_the_rules_their_tests_and_what_is_told() {
    let Some(promtool) = foreign::promtool() else { return };
    let served = Served::start(Limits::default()).await;
    let body = served.captured("3001", "10.00");
    let headers = served.sign(&body);
    assert_eq!(served.callback(SHOP, &headers, body).await.status().as_u16(), 200);
    served.settled().await;
    let metrics = served.metrics().await;
    served.stop().await;

    let judge = |arguments: &[&str], input: &str| {
        let mut command = Command::new(&promtool);
        command.args(arguments).current_dir(file("deploy/prometheus"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let fed = std::thread::scope(|scope| {
            let fed = scope.spawn(|| {
                let fed = stdin.write_all(input.as_bytes());
                drop(stdin);
                fed
            });
            let output = child.wait_with_output().unwrap();
            let text = said(&output);
            assert!(output.status.success(), "{arguments:?}: {text}");
            fed.join().unwrap().map(|()| text)
        });
        fed.unwrap()
    };
    judge(&["check", "metrics"], &metrics);
    assert!(judge(&["check", "rules", "alerts.yaml"], "").contains("SUCCESS"));
    assert!(judge(&["test", "rules", "alerts_test.yaml"], "").contains("SUCCESS"));
}
