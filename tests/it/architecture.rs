//! The dependencies between crates are those of the table in `crates/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Nobody may build on these; tests may.
const FOR_TESTS: [&str; 2] = ["test-support", "paypal-simulator"];

const SECURITY: &str = "crates/counterfoil/docs/SECURITY.md";

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
            let is_for_tests = ["test-support", "simulation"].contains(&on);
            assert!(!is_for_tests || dependency["kind"] == "dev", "{} needs {on}", package["name"]);
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
        .args([
            "tree",
            "--workspace",
            "--all-features",
            "--offline",
            "--edges",
            "all",
            "--prefix",
            "none",
            "--invert",
            "ring",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.is_empty(), "ring is built as well:\n{tree}");
}

/// Whether a licence of SPDX's, with AND, OR (also written as a slash) and parentheses, can be met by these alone.
fn is_met(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced =
        expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "+");
    let mut words = spaced.split_whitespace().peekable();
    fn one<'w>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>,
        allowed: &BTreeSet<&str>,
    ) -> bool {
        match words.next() {
            Some("(") => {
                let met = any(words, allowed);
                assert_eq!(words.next(), Some(")"));
                met
            }
            word => allowed.contains(word.unwrap_or_default()),
        }
    }
    fn all<'w>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>,
        allowed: &BTreeSet<&str>,
    ) -> bool {
        let mut met = one(words, allowed);
        while words.next_if_eq(&"AND").is_some() {
            met &= one(words, allowed);
        }
        met
    }
    fn any<'w>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>,
        allowed: &BTreeSet<&str>,
    ) -> bool {
        let mut met = all(words, allowed);
        while words.next_if_eq(&"OR").is_some() {
            met |= all(words, allowed);
        }
        met
    }
    any(&mut words, allowed)
}

/// As `make deny` has it, also where cargo-deny is not installed.
#[test]
fn everything_that_is_built_in_has_a_licence_that_asks_for_nothing_and_comes_from_the_registry() {
    let rules = std::fs::read_to_string(root().join(".config/deny.toml")).unwrap();
    let list = rules.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains("MIT") && !allowed.iter().any(|licence| licence.contains("GPL")));
    assert!(is_met("MIT/Apache-2.0", &["MIT"].into()) && is_met("(A OR B) AND C", &["B", "C"].into()));
    assert!(!is_met("GPL-3.0-or-later", &allowed) && !is_met("MIT AND GPL-3.0-only", &allowed));

    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--all-features", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none");
        // None of its source: of this workspace.
        let source = package["source"].as_str().unwrap_or(registry);
        if !is_met(licence, &allowed) || source != registry {
            wrong.push(format!("{} ({licence}, {source})", package["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    for document in ["README.md", "crates/README.md", SECURITY] {
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

#[test]
fn every_row_of_the_security_tables_names_a_test_or_a_reason() {
    let text = std::fs::read_to_string(root().join(SECURITY)).unwrap();
    let mut code = String::new();
    sources(&root().join("tests/it"), &mut code);
    sources(&root().join("crates"), &mut code);
    let mut rows = 0;
    for section in ["## How much", "## Holes", "## OWASP"] {
        let of_section = text.split(section).nth(1).unwrap().split("\n## ").next().unwrap();
        for row in of_section.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let last = row.trim_matches('|').rsplit('|').next().unwrap();
            let names = last.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2);
            let is_named = names.clone().count() > 0;
            for name in names {
                assert!(code.contains(&format!("fn {name}(")), "{name} is not there: {row}");
            }
            let has_reason =
                ["reason:", "not applicable:", "not by a test:"].iter().any(|why| last.contains(why));
            assert!(is_named || has_reason, "{row}");
            rows += 1;
        }
    }
    assert!(rows > 50, "{rows}");
}
