//! The evidence bundle of a service under load: without a database it verifies and replays, whatever is tampered with in it is
//! named, and verifiers of others believe it by the commands of its README.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use audit::tree::LogKeys;
use serde_json::{Value, json};
use test_support::{foreign, wait_until};
use tlog::Signer;

use crate::binary::{self, TempDir, said};
use crate::bundle_tampered::{SeenBy, TAMPERED, edit, mend_manifest, sign_a_kept_checkpoint};
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
    /// `rotates`: by the end two keys sign.
    async fn gather(answers: usize, rotates: bool) -> Self {
        let (signed, dir) = (Signed::prepare().await, TempDir::new());
        let address = free_address();
        let serving = signed.serve("a", address).await;
        signed.ground.stock(address).await;
        let load = Load::start(&signed.ground, &[address]);
        load.gets_through(answers).await;
        let ledger = load.end().await;
        signed.ground.assert_sound(&ledger).await;
        if rotates {
            signed.shows("keys log rotate");
        }
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

    /// A file beside the bundle.
    fn file(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Refused, and nothing is written.
    fn refused(&self, more: &str, says: &str) {
        let out = self.dir.path().join("nowhere");
        self.signed.fails(
            &format!("evidence --shop {SHOP} --kek-file kek --out {} {more}", out.display()),
            1,
            says,
        );
        assert!(!out.exists(), "{more}");
    }

    fn signer(&self) -> Signer {
        let keys = LogKeys::from_file(&self.signed.key_file()).unwrap();
        keys.signers(self.signed.vkeys()[0].name()).unwrap().remove(0)
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

    fn does_not_hold(&self, line: &str, bundle: &Path, code: i32, says: &str) {
        let output = self.audit(line, bundle);
        let text = said(&output);
        let name = bundle.display();
        assert_eq!(output.status.code(), Some(code), "{line} of {name}\n{text}");
        assert!(text.contains(says), "{line} of {name}: no {says:?} in\n{text}");
        assert!(!text.contains("panicked"), "{line} of {name}\n{text}");
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
    let evidence = Evidence::gather(150, false).await;
    let report = evidence.write("", &evidence.path());
    assert_eq!(report["size"], evidence.size);
    let bodies = report["bodies"].as_u64().unwrap();
    assert!(bodies > 40 && report["keys"] == report["bodies"], "{report}");
    evidence.file("key", &evidence.signed.vkeys()[0].to_string());
    let verified = evidence.holds("verify --vkey key", &evidence.path());
    let counts = &verified["evidence"];
    assert_eq!((&counts["hashed"], &counts["opened"]), (&json!(bodies), &json!(bodies)), "{counts}");
    assert!(
        counts["signed"].as_u64().unwrap() > 40 && verified["facts"].as_u64().unwrap() > 40,
        "{verified}"
    );
    let kept = fs::read_dir(evidence.path().join("checkpoints")).unwrap().count();
    assert_eq!(verified["tree"]["checkpoints"], 1 + kept);
    let replayed = evidence.holds("replay", &evidence.path());
    assert_eq!(replayed["mismatches"], json!([]));
    evidence.holds("replay --to 20", &evidence.path());

    // A part of it, and without keys.
    let part = evidence.dir.path().join("part");
    let report = evidence.write("--from 20 --to 60", &part);
    let of_part = evidence.holds("verify", &part);
    let handed_over = fs::read_dir(part.join("bodies")).unwrap();
    let positions = handed_over.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
    let positions: Vec<u64> = positions.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    assert!(!positions.is_empty() && positions.iter().all(|at| (20..=60).contains(at)), "{positions:?}");
    assert_eq!(report["bodies"], positions.len());
    let left_out = bodies - positions.len() as u64;
    assert_eq!(of_part["evidence"]["left_out"], left_out, "{of_part}");
    let printed = said(&evidence.audit("verify", &part));
    assert!(printed.contains(&format!("0 lost, {left_out} left out")), "{printed}");
    let sealed = evidence.dir.path().join("sealed");
    assert_eq!(evidence.write("--keep-sealed", &sealed)["keys"], 0);
    assert_eq!(evidence.holds("verify", &sealed)["evidence"]["opened"], 0);

    let again = format!("evidence --shop {SHOP} --kek-file kek --out {}", evidence.path().display());
    evidence.signed.fails(&again, 1, "not empty");
    evidence.refused("--from 999999", "is not in the log");
    evidence.refused("--from 60 --to 20", "is not in the log");
    evidence.refused("--to 999999", "is not in the log");
    keys_are_judged(&evidence);
    tamperings_are_named(&evidence);
}

fn keys_are_judged(evidence: &Evidence) {
    let ours = evidence.signer();
    let named_alike = Signer::from_seed(ours.verifier().name(), &[9; 32]).unwrap();
    evidence.file("alike", &named_alike.verifier().to_string());
    evidence.does_not_hold("verify --vkey alike", &evidence.path(), 1, "it is not signed by a known key");
    let other = Signer::from_seed("other.example/log", &[9; 32]).unwrap();
    evidence.file("other", &other.verifier().to_string());
    evidence.does_not_hold("verify --vkey other", &evidence.path(), 1, "and the key is other.example/log's");
    evidence.file("odd", "no key");
    // Whoever hands the folder over has a key of his own in it, which has signed what he made.
    let copy = evidence.copy("another-key");
    for (name, text) in [
        ("log.vkey", format!("{}\n", named_alike.verifier())),
        ("log.pub.pem", named_alike.verifier().to_pem()),
        ("policy", format!("log {}\nquorum none\n", named_alike.verifier())),
    ] {
        fs::write(copy.join(name), text).unwrap();
    }
    mend_manifest(&copy);
    evidence.does_not_hold("verify --vkey key", &copy, 1, "log.vkey: it is not signed by a known key");
    sign_a_kept_checkpoint(&copy, &named_alike);
    mend_manifest(&copy);
    evidence.does_not_hold("verify --vkey key", &copy, 1, ".note: it is not signed by a known key");
    evidence.does_not_hold("verify --vkey odd", &evidence.path(), 2, "odd is no key");
    evidence.does_not_hold("verify --vkey nowhere", &evidence.path(), 2, "nowhere cannot be read");
}

fn tamperings_are_named(evidence: &Evidence) {
    let root = evidence.signed.ground.folder().join("roots/root.pem");
    fs::copy(root, evidence.dir.path().join("another.pem")).unwrap();
    for tampering in TAMPERED {
        let copy = evidence.copy(tampering.name);
        (tampering.tamper)(&copy, &evidence.signer());
        // It follows links.
        let is_elsewhere = copy.with_extension("elsewhere").exists();
        assert_eq!(is_as_its_manifest_says(&copy), is_elsewhere, "{}", tampering.name);
        evidence.does_not_hold("verify", &copy, 1, tampering.says);
        mend_manifest(&copy);
        assert!(is_as_its_manifest_says(&copy), "{}", tampering.name);
        evidence.does_not_hold("verify", &copy, 1, tampering.says);
        fs::remove_dir_all(copy).unwrap();
    }
    files_that_no_manifest_lists_are_named(evidence);
    let copy = evidence.copy("manifest");
    let manifest = copy.join("manifest.sha256");
    edit(&manifest, |text| format!("{}{}", if text.starts_with('0') { "1" } else { "0" }, &text[1..]));
    evidence.does_not_hold("verify", &copy, 1, "is not what the manifest says");
    fs::write(&manifest, format!("{}  ../x\n", "0".repeat(64))).unwrap();
    evidence.does_not_hold("verify", &copy, 1, "leads out of the folder");
    fs::write(&manifest, "none").unwrap();
    evidence.does_not_hold("verify", &copy, 1, "a line is none of sha256sum");
}

fn files_that_no_manifest_lists_are_named(evidence: &Evidence) {
    for name in ["note.txt", ".hidden", "log/tile/000", "bodies/1.txt"] {
        let copy = evidence.copy("unlisted");
        fs::write(copy.join(name), "").unwrap();
        assert!(is_as_its_manifest_says(&copy));
        evidence.does_not_hold("verify", &copy, 1, &format!("{name} is not in the manifest"));
        fs::remove_dir_all(copy).unwrap();
    }
}

fn is_as_its_manifest_says(bundle: &Path) -> bool {
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(["--check", "--status", "manifest.sha256"]).current_dir(bundle);
    sha256sum.output().unwrap().status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_has_the_key_that_signed_it_and_there_is_none_before_something_was_published() {
    let signed = Signed::prepare().await;
    let nothing = format!("evidence --shop {SHOP} --kek-file kek --out early");
    signed.fails(&nothing, 1, "nothing was published of this log yet");
    assert!(!signed.dir("early").exists());

    let address = free_address();
    let serving = signed.serve("a", address).await;
    signed.ground.stock(address).await;
    signed.published().await;
    assert_eq!(serving.terminate().await, Some(0));
    let old = signed.vkeys().remove(0);
    // The log names the new key, which has signed nothing yet.
    signed.shows("keys log rotate");
    signed.shows(&format!("evidence --shop {SHOP} --kek-file kek --out bundle"));
    let vkey = fs::read_to_string(signed.dir("bundle").join("log.vkey")).unwrap();
    assert_eq!(vkey.trim_end(), old.to_string());
    let mut verify = binary::command(signed.ground.folder());
    let output = verify.args(["verify", "--bundle", "bundle", "--roots", "roots"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// The live log's directory and the bundle's, which two keys have signed, and the README's own commands, word for word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn verifiers_of_others_accept_a_bundle_by_the_commands_of_its_readme() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    let Some(go) = foreign::go().await else { return };
    let evidence = Evidence::gather(300, true).await;
    evidence.write("", &evidence.path());
    let key = evidence.signed.vkeys().remove(0);
    for log in [evidence.signed.dir("a").join(SHOP), evidence.path().join("log")] {
        for verdict in verifiers.judge(&log, &key) {
            assert_eq!(verdict.refused, None, "{} of {}", verdict.by, log.display());
        }
    }
    for tampering in TAMPERED.iter().filter(|tampering| tampering.seen_by != SeenBy::Nobody) {
        let copy = evidence.copy(tampering.name);
        (tampering.tamper)(&copy, &evidence.signer());
        for verdict in verifiers.judge(&copy.join("log"), &key) {
            let sees_it = verdict.by != "openssl" || tampering.seen_by == SeenBy::All;
            assert_eq!(verdict.refused.is_some(), sees_it, "{}: {verdict:?}", tampering.name);
        }
    }
    // What its commands name: roots in a folder of this name beside it, and programs.
    let roots = evidence.signed.ground.folder().join("roots");
    std::os::unix::fs::symlink(roots, evidence.dir.path().join("ROOTS")).unwrap();
    let programs = [binary::path(), &go].map(|program| program.parent().unwrap().to_owned());
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let readme = fs::read_to_string(evidence.path().join("README.txt")).unwrap();
    let commands: Vec<&str> = readme.split("\n\n").filter(|block| block.starts_with("   ")).collect();
    let [manifest, signature, tree, audit, stamps] = commands[..] else { panic!("{commands:#?}") };
    assert!(stamps.contains("openssl ts"), "of stamps, which this bundle has none of: {stamps}");
    for (command, says) in [
        (manifest, ""),
        (signature, "Signature Verified Successfully"),
        (tree, "Successfully fsck'd log"),
        (audit, "All of it holds"),
    ] {
        let mut shell = binary::clean(Command::new("sh"), &evidence.path());
        let output = shell.args(["-ec", command]).env("PATH", &path).output().unwrap();
        assert!(output.status.success() && said(&output).contains(says), "{command}\n{}", said(&output));
    }
}
