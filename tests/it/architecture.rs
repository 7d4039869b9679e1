//! The dependencies between crates are those of the table in `crates/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Nobody may build on these; tests may.
const FOR_TESTS: [&str; 2] = ["test-support", "paypal-simulator"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().clone();
    packages.into_iter().filter(|package| package["name"] != "integration-tests").collect()
}

/// The table: crate -> what it may depend on.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("crates/README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), cells.get(2).copied().unwrap_or_default().to_owned())
    });
    let rows: Vec<(String, String)> = rows.collect();
    let mut allowed = BTreeMap::new();
    let mut above: BTreeSet<String> = BTreeSet::new();
    let all: BTreeSet<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    for (name, may) in &rows {
        let may: BTreeSet<String> = match may.as_str() {
            "-" => BTreeSet::new(),
            "all above" => above.clone(),
            "any" => all.clone(),
            "all but test-support" => all.iter().filter(|other| *other != "test-support").cloned().collect(),
            list => list.split(',').map(|other| other.trim().to_owned()).collect(),
        };
        allowed.insert(name.clone(), may);
        above.insert(name.clone());
    }
    allowed
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let allowed = allowed();
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        allowed.keys().map(String::as_str).collect(),
        "the crates that are there, and those of crates/README.md"
    );
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"] == "dev";
            if !names.contains(on) || allowed[name].contains(on) || (for_tests && FOR_TESTS.contains(&on)) {
                continue;
            }
            wrong.push(format!("{name} -> {on}{}", if for_tests { " (for tests)" } else { "" }));
        }
    }
    assert!(wrong.is_empty(), "not in the table: {}", wrong.join(", "));
}

#[test]
fn nothing_is_built_on_the_binary_or_on_what_is_for_tests() {
    for package in packages() {
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            assert_ne!(on, "counterfoil", "{} depends on the binary", package["name"]);
            assert!(
                on != "test-support" || dependency["kind"] == "dev",
                "{} needs test-support",
                package["name"]
            );
        }
    }
}

#[test]
fn only_the_binary_uses_anyhow() {
    for package in packages() {
        let uses = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .any(|dependency| dependency["name"] == "anyhow");
        assert!(!uses || package["name"] == "counterfoil", "{} uses anyhow", package["name"]);
    }
}

#[test]
fn there_is_one_crypto_provider() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--edges", "all", "--prefix", "none", "--invert", "ring"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.is_empty(), "ring is built as well:\n{tree}");
}

#[test]
fn the_top_level_stays_small() {
    let visible: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let expected = ["Cargo.lock", "Cargo.toml", "LICENSE", "Makefile", "README.md", "crates", "sql", "tests"];
    assert_eq!(visible, expected.map(str::to_owned).into());
}

/// The text of every Rust file below a folder.
fn sources(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Each of these tests is somewhere.
pub(crate) fn assert_tests_are_there(names: &BTreeSet<&str>) {
    let mut code = String::new();
    sources(&root().join("tests/it"), &mut code);
    sources(&root().join("crates"), &mut code);
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "the test {name} is not there");
    }
}

#[test]
fn every_test_that_the_documents_name_is_there() {
    let mut code = String::new();
    sources(&root().join("tests/it"), &mut code);
    sources(&root().join("crates"), &mut code);
    let mut seen = 0;
    for document in ["README.md", "crates/README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        // A test's name is a sentence; nothing else in code type is.
        let quoted = text.split('`').skip(1).step_by(2);
        let plain =
            |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        for name in quoted.filter(|name| plain(name) && name.matches('_').count() > 3) {
            assert!(
                code.contains(&format!("fn {name}(")),
                "{document} names the test {name}, which is not there"
            );
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} names were found");
}
