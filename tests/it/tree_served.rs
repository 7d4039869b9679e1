//! The tree as everybody runs it: `serve`, its API, its directories, and the verbs beside it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use access::Role;
use audit::tree::{LogKeys, Trees};
use secrecy::ExposeSecret;
use serde_json::Value;
use test_support::{TestDatabase, wait_until};
use tlog::{Checkpoint, Note, Policy, ProofFile, Tile, Verifier, bundles_between, encode_bundle, leaf_hash};

use crate::binary::{self, said};
use crate::foreign_log::ForeignVerifiers;
use crate::ground::{Ground, SHOP, client};
use crate::led_shop::DEADLINE;
use crate::load::Load;
use crate::program::{Serving, free_address, free_addresses};
use crate::tree_ground::{ORIGIN, assert_tree_sound, entries, files_of, scratch};

const KILLS: usize = 8;
const ANSWERS_BETWEEN_KILLS: usize = 30;

/// A ground whose logs are signed.
pub(crate) struct Signed {
    pub(crate) ground: Ground,
    trees: Trees,
}

impl Signed {
    pub(crate) async fn prepare() -> Self {
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let trees = Trees::new(ground.test.database());
        let signed = Self { ground, trees };
        signed.write_keys(&LogKeys::generate().unwrap());
        signed
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.ground.folder().join("log.pem")
    }

    fn write_keys(&self, keys: &LogKeys) {
        std::fs::write(self.key_file(), keys.to_pem().expose_secret()).unwrap();
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.ground.folder().join(name)
    }

    /// `serve` with the tree, and with a directory of its own.
    pub(crate) async fn serve(&self, name: &str, address: SocketAddr) -> Serving {
        let mut serving = self.spawn_told(name, address, &[]);
        serving.is_ready().await;
        serving
    }

    /// The same, which is told more, and nothing is waited for.
    pub(crate) fn spawn_told(&self, name: &str, address: SocketAddr, more: &[(&str, String)]) -> Serving {
        let mut told = vec![
            ("COUNTERFOIL_LOG_KEY_FILE", self.key_file().display().to_string()),
            ("COUNTERFOIL_LOG_ORIGIN", ORIGIN.to_owned()),
            ("COUNTERFOIL_LOG_DIR", self.dir(name).display().to_string()),
        ];
        told.extend_from_slice(more);
        self.ground.spawn_told(binary::path(), name, address, &told)
    }

    /// Waits until all of the log is published.
    pub(crate) async fn published(&self) -> Vec<String> {
        let mut all = Vec::new();
        let done = wait_until(DEADLINE, async || {
            all = entries(&self.ground.test, &self.ground.shop).await;
            let published = self.trees.published(&self.ground.shop).await.unwrap();
            published.is_some_and(|published| published.size == all.len() as u64)
        });
        assert!(done.await, "{:?}", audit::tree::trees(&self.ground.test.database()).await.unwrap());
        all
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = binary::command(self.ground.folder());
        command.args(line.split_whitespace());
        command.env("MAINTENANCE_DATABASE_URL", self.ground.test.url_owner().expose_secret());
        command.env("COUNTERFOIL_LOG_KEY_FILE", self.key_file()).env("COUNTERFOIL_LOG_ORIGIN", ORIGIN);
        command.output().unwrap()
    }

    pub(crate) fn shows(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} -o json"));
        assert!(output.status.success(), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn fails(&self, line: &str, code: i32, says: &str) {
        let output = self.run(line);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{line}\n{text}");
        assert!(text.contains(says), "{line}: {text}");
    }

    /// The keys as `keys log show` has them.
    pub(crate) fn vkeys(&self) -> Vec<Verifier> {
        let shown = self.shows("keys log show");
        let rows = shown.as_array().unwrap().iter().filter(|row| row["shop"] == SHOP);
        rows.map(|row| row["vkey"].as_str().unwrap().parse().unwrap()).collect()
    }
}

/// P7: whatever moment an instance dies in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_kill_9_leaves_one_tree_and_every_reader_gets_the_same_bytes_of_it() {
    let signed = Signed::prepare().await;
    let addresses = free_addresses(2);
    let mut instances = vec![signed.serve("a", addresses[0]).await, signed.serve("b", addresses[1]).await];
    signed.ground.stock(addresses[0]).await;
    let load = Load::start(&signed.ground, &addresses);
    for kill in 0..KILLS {
        load.gets_through(ANSWERS_BETWEEN_KILLS).await;
        let (killed, name) = (kill % 2, ["a", "b"][kill % 2]);
        instances.remove(killed).kill();
        instances.insert(killed, signed.serve(name, addresses[killed]).await);
    }
    let ledger = load.end().await;
    signed.ground.assert_sound(&ledger).await;
    let all = signed.published().await;
    assert_tree_sound(&signed.ground.test, &signed.ground.shop).await;

    // Both directories and the API say what the log says.
    let audit = signed.ground.key_of(Role::Audit).await;
    let http = client(Duration::from_secs(10));
    let get = async |path: &str| {
        let url = format!("http://{}/log/{SHOP}/{path}", addresses[0]);
        http.get(url).bearer_auth(&audit).send().await.unwrap().bytes().await.unwrap()
    };
    let note = get("checkpoint").await;
    for name in ["a", "b"] {
        let dir = signed.dir(name).join(SHOP);
        let there = || std::fs::read(dir.join("checkpoint")).unwrap_or_default() == note;
        assert!(wait_until(DEADLINE, async || there()).await, "{name} does not follow");
        let files = files_of(&dir);
        for (tile, bytes) in scratch(&all) {
            assert_eq!(files[&tile.to_string()], bytes, "{tile} of {name}");
            assert_eq!(get(&tile.to_string()).await, bytes, "{tile}");
        }
        for bundle in bundles_between(0, all.len() as u64) {
            let positions = bundle.positions();
            let bytes = encode_bundle(&all[positions.start as usize..positions.end as usize]).unwrap();
            assert_eq!(files[&bundle.to_string()], bytes, "{bundle} of {name}");
            assert_eq!(get(&bundle.to_string()).await, bytes, "{bundle}");
        }
    }
    for instance in instances {
        assert_eq!(instance.terminate().await, Some(0), "it ends in order when it is asked to");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_served_to_auditors_of_the_shop_and_strictly_by_its_paths() {
    let signed = Signed::prepare().await;
    let address = free_address();
    let serving = signed.serve("a", address).await;
    signed.ground.stock(address).await;
    let all = signed.published().await;
    let (audit, http) = (signed.ground.key_of(Role::Audit).await, client(Duration::from_secs(10)));
    let get = async |path: &str, key: &str| {
        http.get(format!("http://{address}{path}")).bearer_auth(key).send().await.unwrap()
    };
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (tile, size) = (Tile::at(0, 0, all.len() as u64).unwrap(), all.len());
    let checkpoint = get(&format!("/log/{SHOP}/checkpoint"), &audit).await;
    assert_eq!(checkpoint.status(), 200);
    assert_eq!(header(&checkpoint, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&checkpoint, "cache-control"), "private, max-age=1");
    let note = Note::parse(&checkpoint.bytes().await.unwrap()).unwrap();
    Policy::of_log(signed.vkeys().remove(0)).unwrap().open(&note).unwrap();
    assert_eq!(Checkpoint::parse(note.text()).unwrap().size(), size as u64);
    for path in [format!("/log/{SHOP}/{tile}"), format!("/log/{SHOP}/tile/entries/000.p/{size}")] {
        let answer = get(&path, &audit).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "content-type"), "application/octet-stream");
        assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable");
    }
    let beyond = size + 1;
    for path in [
        format!("/log/{SHOP}/tile/0/000.p/{beyond}"),
        format!("/log/{SHOP}/tile/entries/000.p/{beyond}"),
        format!("/log/{SHOP}/tile/0/000"),
        format!("/log/{SHOP}/tile/1/000.p/1"),
        format!("/log/{SHOP}/tile/00/000.p/1"),
        format!("/log/{SHOP}/tile/0/%30%30%30.p/1"),
        format!("/log/{SHOP}/e1/checkpoint"),
        format!("/log/{SHOP}/checkpoint/"),
        format!("/log/{SHOP}/"),
        "/log/".to_owned(),
    ] {
        assert_eq!(get(&path, &audit).await.status(), 404, "{path}");
    }
    assert_eq!(get("/log/another/checkpoint", &audit).await.status(), 403);
    let path = format!("/log/{SHOP}/checkpoint");
    assert_eq!(get(&path, &signed.ground.key).await.status(), 403, "a key of the shop is no auditor's");
    assert_eq!(get(&path, "cf_none").await.status(), 401);
    let posted = http.post(format!("http://{address}{path}")).bearer_auth(&audit).send().await.unwrap();
    assert_eq!(posted.status(), 405);
    let metrics = http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        format!("counterfoil_tree_size{{shop=\"{SHOP}\"}} {size}"),
        format!("counterfoil_tree_well{{shop=\"{SHOP}\"}} 1"),
    ] {
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_rotated_and_shown_and_an_event_is_proven_from_the_command_line() {
    let signed = Signed::prepare().await;
    std::fs::remove_file(signed.key_file()).unwrap();
    let create = "keys log create --file log.pem";
    assert!(signed.run(create).status.success());
    let mode = std::fs::metadata(signed.key_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    signed.fails(create, 1, "is there already");
    assert_eq!(signed.shows("log status")[0]["root"], Value::Null, "it was not begun");

    let address = free_address();
    let serving = signed.serve("a", address).await;
    signed.ground.stock(address).await;
    let all = signed.published().await;
    let status = signed.shows(&format!("log status {SHOP}"));
    assert_eq!((&status[0]["size"], &status[0]["lag_events"]), (&all.len().into(), &0.into()), "{status}");
    assert!(status[0]["grown_by"].is_string() && status[0]["error"].is_null(), "{status}");
    signed.fails("log status nobody", 1, "there is no shop nobody");

    let policy = Policy::of_log(signed.vkeys().remove(0)).unwrap();
    let proven = |line: &str, position: usize, policy: &Policy| {
        let shown = signed.shows(line);
        let file = signed.ground.folder().join(shown["file"].as_str().unwrap());
        let proof = ProofFile::parse(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(proof.index, position as u64);
        proof.verify(&leaf_hash(all[position].as_bytes()), policy).unwrap();
        proof.checkpoint
    };
    proven(&format!("prove --shop {SHOP} 0"), 0, &policy);
    let id = serde_json::from_str::<Value>(&all[2]).unwrap()["id"].as_str().unwrap().to_owned();
    proven(&format!("prove --shop {SHOP} {id} --out two.tlog-proof"), 2, &policy);
    signed.ground.test.superuser().await.batch_execute("DELETE FROM counterfoil.outbox").await.unwrap();
    proven(&format!("prove --shop {SHOP} {id} --out two.tlog-proof"), 2, &policy);
    signed.fails(
        &format!("prove --shop {SHOP} 4000"),
        1,
        &format!("has {} entries, and not 4000", all.len()),
    );
    signed.fails(&format!("prove --shop {SHOP} 6ba7b810-9dad-11d1-80b4-00c04fd430c8"), 1, "has no event");
    signed.fails(&format!("prove --shop {SHOP} x"), 2, "give its position or its id");
    assert!(said(&signed.run("doctor")).contains(&format!("tree: {SHOP} has {} events", all.len())));

    let old = signed.vkeys();
    let rotated = signed.shows("keys log rotate");
    let keys = signed.vkeys();
    assert_eq!((keys.len(), &keys[1]), (2, &old[0]));
    assert_eq!(rotated[0]["vkey"], keys[0].to_string());
    assert_eq!(rotated[0]["position"], all.len().to_string().parse::<u64>().unwrap());
    // `serve` reads the file anew when it comes upon the note.
    let grown = signed.published().await;
    assert_eq!(grown.len(), all.len() + 1);
    let checkpoint = proven(&format!("prove --shop {SHOP} 0"), 0, &policy);
    assert_eq!(checkpoint.open(&[&keys[0], &keys[1]]).unwrap().len(), 2);
    assert_eq!(serving.terminate().await, Some(0));
    assert_tree_sound(&signed.ground.test, &signed.ground.shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_says_at_once_what_is_wrong_with_its_log_keys() {
    let signed = Signed::prepare().await;
    let kek = signed.ground.folder().join("kek");
    let serve = |key_file: &Path, origin: Option<&str>| {
        let mut command = binary::command(signed.ground.folder());
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.env("DATABASE_URL", signed.ground.test.url_service().expose_secret());
        command.env("COUNTERFOIL_KEK_FILE", &kek).env("COUNTERFOIL_LOG_KEY_FILE", key_file);
        command.envs(origin.map(|origin| ("COUNTERFOIL_LOG_ORIGIN", origin)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        said(&output)
    };
    assert!(serve(&signed.key_file(), None).contains("COUNTERFOIL_LOG_ORIGIN"));
    assert!(serve(&signed.key_file(), Some("https://shop.example")).contains("without its scheme"));
    assert!(serve(&kek, Some(ORIGIN)).contains("there is no PRIVATE KEY"));
    assert!(serve(&signed.dir("nowhere"), Some(ORIGIN)).contains("cannot be read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn verifiers_of_others_accept_a_live_log_as_files_and_over_http() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    let signed = Signed::prepare().await;
    let address = free_address();
    let serving = signed.serve("a", address).await;
    signed.ground.stock(address).await;
    let load = Load::start(&signed.ground, &[address]);
    load.gets_through(400).await;
    let ledger = load.end().await;
    signed.ground.assert_sound(&ledger).await;
    signed.published().await;
    let (dir, key) = (signed.dir("a").join(SHOP), signed.vkeys().remove(0));
    let note = signed.trees.published(&signed.ground.shop).await.unwrap().unwrap().note;
    let follows = async || std::fs::read(dir.join("checkpoint")).is_ok_and(|there| there == note.as_bytes());
    assert!(wait_until(DEADLINE, follows).await);
    let audit = signed.ground.key_of(Role::Audit).await;
    let mut verdicts = verifiers.judge(&dir, &key).to_vec();
    verdicts.push(verifiers.fsck(&format!("http://{address}/log/{SHOP}/"), &key, Some(&audit)));
    for verdict in verdicts {
        assert_eq!(verdict.refused, None, "{}", verdict.by);
    }
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test]
async fn openssl_reads_the_keys_and_their_public_half() {
    let signed = Signed::prepare().await;
    let file = signed.key_file();
    let read = std::process::Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(file).output();
    let Ok(read) = read else {
        test_support::skip("openssl is missing", "apt-get install openssl");
        return;
    };
    assert!(read.status.success(), "{}", said(&read));
    let keys = LogKeys::from_file(&signed.key_file()).unwrap();
    let ours = keys.verifiers("any").unwrap()[0].to_pem();
    assert_eq!(String::from_utf8(read.stdout).unwrap(), ours);
}
