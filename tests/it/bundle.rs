//! The evidence bundle of a service under load: without a database it verifies and replays, whatever is tampered with in it is
//! named, and verifiers of others believe it by the commands of its README.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use test_support::wait_until;
use tlog::{Bundle, decode_bundle, encode_bundle};

use crate::binary::{self, TempDir, said};
use crate::foreign_log::ForeignVerifiers;
use crate::ground::SHOP;
use crate::led_shop::DEADLINE;
use crate::load::Load;
use crate::program::free_address;
use crate::tree_served::Signed;

/// A log that took callbacks, in a bundle.
struct Evidence {
    signed: Signed,
    /// Where the bundle is, and where copies of it are tampered with.
    dir: TempDir,
    size: u64,
}

impl Evidence {
    async fn gather(answers: usize) -> Self {
        let (signed, dir) = (Signed::prepare().await, TempDir::new());
        let address = free_address();
        let serving = signed.serve("a", address).await;
        signed.ground.stock(address).await;
        let early = signed.run(&format!("evidence --shop {SHOP} --out early --keep-sealed"));
        assert!(early.status.success() || said(&early).contains("nothing was published"), "{}", said(&early));
        let load = Load::start(&signed.ground, &[address]);
        load.gets_through(answers).await;
        let ledger = load.end().await;
        signed.ground.assert_sound(&ledger).await;
        let size = signed.published().await.len() as u64;
        // The directory follows what is published.
        let there = || fs::read_to_string(signed.dir("a").join(SHOP).join("checkpoint")).unwrap_or_default();
        assert!(wait_until(DEADLINE, async || there().lines().nth(1) == Some(&size.to_string())).await);
        assert_eq!(serving.terminate().await, Some(0));
        Self { signed, dir, size }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    fn write(&self, more: &str, out: &Path) -> Value {
        self.signed.shows(&format!("evidence --shop {SHOP} --kek-file kek --out {} {more}", out.display()))
    }

    /// As an auditor does, who has the folder, the roots and the log's key, and no database.
    fn audit(&self, line: &str, bundle: &Path) -> Output {
        let mut command = binary::command(self.dir.path());
        command.args(line.split_whitespace()).arg("--bundle").arg(bundle);
        command.env("COUNTERFOIL_ROOTS", self.signed.ground.folder().join("roots"));
        command.output().unwrap()
    }

    fn holds(&self, line: &str, bundle: &Path) -> Value {
        let output = self.audit(&format!("{line} -o json"), bundle);
        assert!(output.status.success(), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A copy in which something is changed.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.dir.path().join(name);
        let copied = Command::new("cp").arg("-a").arg(self.path()).arg(&to).status().unwrap();
        assert!(copied.success());
        to
    }
}

/// Everything of a bundle agrees, also of a part, and it says what it lacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_verifies_and_replays_without_a_database_and_whatever_is_tampered_with_is_named() {
    let evidence = Evidence::gather(150).await;
    let report = evidence.write("", &evidence.path());
    assert_eq!(report["size"], evidence.size);
    let bodies = report["bodies"].as_u64().unwrap();
    assert!(bodies > 40 && report["keys"] == report["bodies"], "{report}");
    fs::write(evidence.dir.path().join("key"), evidence.signed.vkeys()[0].to_string()).unwrap();
    let verified = evidence.holds("verify --vkey key", &evidence.path());
    let counts = &verified["evidence"];
    assert_eq!(
        (counts["hashed"].as_u64(), counts["opened"].as_u64()),
        (Some(bodies), Some(bodies)),
        "{counts}"
    );
    assert!(
        counts["signed"].as_u64().unwrap() > 40 && verified["facts"].as_u64().unwrap() > 40,
        "{verified}"
    );
    let replayed = evidence.holds("replay", &evidence.path());
    assert_eq!(replayed["mismatches"], serde_json::json!([]));
    evidence.holds("replay --to 20", &evidence.path());

    // A part of it, and without keys.
    let part = evidence.dir.path().join("part");
    let report = evidence.write("--from 20 --to 60", &part);
    assert!(report["bodies"].as_u64().unwrap() <= 41);
    let of_part = evidence.holds("verify", &part);
    assert!(of_part["evidence"]["left_out"].as_u64().unwrap() > 0, "{of_part}");
    let sealed = evidence.dir.path().join("sealed");
    assert_eq!(evidence.write("--keep-sealed", &sealed)["keys"], 0);
    assert_eq!(evidence.holds("verify", &sealed)["evidence"]["opened"], 0);

    let again = format!("evidence --shop {SHOP} --kek-file kek --out {}", evidence.path().display());
    evidence.signed.fails(&again, 1, "not empty");
    let nowhere = evidence.dir.path().join("nowhere");
    evidence.signed.fails(
        &format!("evidence --shop {SHOP} --kek-file kek --from 999999 --out {}", nowhere.display()),
        1,
        "is not in the log",
    );
    fs::write(
        evidence.dir.path().join("other"),
        "other.example/log+d7ea0f6d+AWlNgzTuO7A//+iBA1M3T17dvyz9QKYcUSP7rn3bjbir",
    )
    .unwrap();
    assert_ne!(evidence.audit("verify --vkey other", &evidence.path()).status.code(), Some(0));

    for (name, tamper, says) in TAMPERED {
        let copy = evidence.copy(name);
        tamper(&copy);
        let output = evidence.audit("verify", &copy);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{name}\n{text}");
        assert!(text.contains(says), "{name}: no {says:?} in\n{text}");
        fs::remove_dir_all(copy).unwrap();
    }
}

type Tampering = (&'static str, fn(&Path), &'static str);

const TAMPERED: &[Tampering] = &[
    (
        "edited-entry",
        |at| entries(at, |entries| entries[1] = entries[1].replacen("tea", "tee", 1)),
        "its entries make another root",
    ),
    ("swapped-entries", |at| entries(at, |entries| entries.swap(2, 3)), "its entries make another root"),
    ("dropped-bundle", |at| fs::remove_file(first_bundle(at)).unwrap(), "entries"),
    ("edited-tile", |at| flip(&first_file(&at.join("log/tile/0")), 5), "is not what the entries make it"),
    (
        "edited-checkpoint",
        |at| edit(&at.join("log/checkpoint"), |text| text.replacen('\n', "x\n", 1)),
        "checkpoint",
    ),
    ("empty-checkpoint", |at| fs::write(at.join("log/checkpoint"), "").unwrap(), "log/checkpoint"),
    ("changed-body", |at| flip(&first_file(&at.join("bodies")), 50), "its sealed bytes were changed"),
    ("another-key", |at| edit(&at.join("keys.json"), swap_keys), "cannot be opened"),
    ("no-keys", |at| fs::write(at.join("keys.json"), "{").unwrap(), "keys.json"),
    (
        "no-certificate",
        |at| fs::remove_file(first_file(&at.join("certificates"))).unwrap(),
        "no certificate was given",
    ),
    (
        "edited-export",
        |at| edit(&at.join("export/orders.jsonl"), |text| text.replacen("paid", "open", 1)),
        "export/orders.jsonl is not what the log makes it",
    ),
    (
        "another-shop",
        |at| edit(&at.join("shop.json"), |text| text.replace(SHOP, "another")),
        "cannot be opened",
    ),
    ("no-shop", |at| fs::remove_file(at.join("shop.json")).unwrap(), "shop.json"),
    (
        "edited-manifest",
        |at| edit(&at.join("manifest.sha256"), |text| text.replacen('a', "b", 1)),
        "is not what the manifest says",
    ),
    (
        "manifest-leads-out",
        |at| edit(&at.join("manifest.sha256"), |text| format!("{text}{}  ../x\n", "0".repeat(64))),
        "leads out of the folder",
    ),
];

fn first_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let first = files.remove(0);
    if first.is_dir() { first_file(&first) } else { first }
}

fn first_bundle(bundle: &Path) -> PathBuf {
    first_file(&bundle.join("log/tile/entries"))
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(text.clone());
    assert!(text != changed, "{}", path.display());
    fs::write(path, changed).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn entries(bundle: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let path = first_bundle(bundle);
    let bytes = fs::read(&path).unwrap();
    let mut entries: Vec<String> = decode_bundle(&bytes)
        .unwrap()
        .iter()
        .map(|entry| String::from_utf8(entry.to_vec()).unwrap())
        .collect();
    let before = entries.clone();
    change(&mut entries);
    assert!(before != entries, "nothing was changed");
    fs::write(path, encode_bundle(&entries).unwrap()).unwrap();
    assert!(Bundle::at(0, before.len() as u64).is_some());
}

fn swap_keys(text: String) -> String {
    let keys: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    let (names, mut values): (Vec<String>, Vec<String>) = keys.into_iter().unzip();
    values.rotate_left(1);
    serde_json::to_string(&names.into_iter().zip(values).collect::<std::collections::BTreeMap<_, _>>())
        .unwrap()
}

/// The live log's directory and the bundle's, and the README's own commands, word for word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn verifiers_of_others_accept_a_bundle_by_the_commands_of_its_readme() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    let evidence = Evidence::gather(300).await;
    evidence.write("", &evidence.path());
    let key = evidence.signed.vkeys().remove(0);
    for log in [evidence.signed.dir("a").join(SHOP), evidence.path().join("log")] {
        for verdict in verifiers.judge(&log, &key) {
            assert_eq!(verdict.refused, None, "{} of {}", verdict.by, log.display());
        }
    }
    // What the verifiers of the tree can see of what is tampered with.
    let of_tree = ["edited-entry", "swapped-entries", "dropped-bundle", "edited-tile", "edited-checkpoint"];
    for (name, tamper, _) in TAMPERED.iter().filter(|(name, ..)| of_tree.contains(name)) {
        let copy = evidence.copy(name);
        tamper(&copy);
        let [sumdb, fsck, _] = verifiers.judge(&copy.join("log"), &key);
        assert!(sumdb.refused.is_some() && fsck.refused.is_some(), "{name}: {sumdb:?} {fsck:?}");
    }
    let commands = commands(&fs::read_to_string(evidence.path().join("README.txt")).unwrap());
    assert_eq!(commands.len(), 5, "{commands:#?}");
    let expected = ["", "Signature Verified Successfully", "Successfully fsck'd log", "All of it holds", ""];
    for (command, says) in commands.iter().zip(expected) {
        // Its fourth is of stamps, where there are any.
        if command.contains("openssl ts") {
            continue;
        }
        let command = command
            .replace("go run github.com/transparency-dev/tessera/cmd/fsck@v1.0.4", &verifiers.fsck_program());
        let mut shell = binary::clean(Command::new("sh"), &evidence.path());
        let programs = std::env::join_paths(
            [binary::path().parent().unwrap().to_owned()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let roots = evidence.signed.ground.folder().join("roots");
        let command = command.replace("ROOTS", &roots.display().to_string());
        let output = shell.args(["-ec", &command]).env("PATH", programs.unwrap()).output().unwrap();
        assert!(output.status.success() && said(&output).contains(says), "{command}\n{}", said(&output));
    }
}

/// The indented blocks.
fn commands(readme: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut is_within = false;
    for line in readme.lines() {
        match line.strip_prefix("   ").filter(|_| !line.trim().is_empty()) {
            Some(text) if !text.starts_with(' ') || is_within => {
                if is_within {
                    let block = blocks.last_mut().unwrap();
                    block.push('\n');
                    block.push_str(text);
                } else {
                    blocks.push(text.to_owned());
                }
                is_within = true;
            }
            _ => is_within = false,
        }
    }
    blocks.retain(|block| !block.starts_with("roots that"));
    blocks
}
