//! Logs that earlier releases wrote replay for ever: the same decisions, the same rows, the same tree.
//!
//! `tests/logs/<name>.jsonl` has the entries of one, as `SELECT entry .. ORDER BY position` gives them, and `<name>.json`
//! what it comes to. A release adds one when it writes something new; `OLD_LOGS=write` makes what is missing, and never
//! changes what is there.

use std::path::{Path, PathBuf};

use audit::{Digests, replay};
use domain::Position;
use event_log::{Event, leaf_hash};
use serde_json::{Value, json};
use tlog::Frontier;

use crate::binary;

fn logs() -> Vec<PathBuf> {
    let folder = binary::root().join("tests/logs");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    logs.sort();
    logs
}

/// What a log comes to: nothing in it is decided otherwise than it was.
fn comes_to(log: &Path) -> Value {
    let text = std::fs::read_to_string(log).unwrap();
    let mut tree = Frontier::new();
    let mut events = Vec::new();
    for (position, entry) in (0..).zip(text.lines()) {
        tree.push(leaf_hash(entry));
        events.push(Event::decode(Position(position), entry.to_owned()).unwrap());
    }
    let head = Position(i64::try_from(events.len()).unwrap() - 1);
    let replayed = replay(events, head);
    assert_eq!(replayed.mismatches, [], "{}", log.display());
    let digests = Digests::of(replayed.folded(), head).unwrap();
    let root: Vec<u8> = tree.root().to_vec();
    json!({
        "facts": replayed.facts, "outcomes": replayed.outcomes, "models": digests.models,
        "root": root.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    })
}

#[test]
fn logs_of_earlier_releases_replay_as_they_did() {
    let logs = logs();
    assert!(!logs.is_empty());
    for log in logs {
        let found = comes_to(&log);
        let expected = log.with_extension("json");
        if std::env::var_os("OLD_LOGS").is_some_and(|what| what == "write") && !expected.exists() {
            std::fs::write(&expected, format!("{found:#}\n")).unwrap();
        }
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(&expected).unwrap()).unwrap();
        assert_eq!(found, expected, "{}", log.display());
    }
}
