//! A log as others see it: Go's `x/mod/sumdb`, tessera's `fsck` and OpenSSL accept it, and refuse whatever was tampered with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::foreign;
use tlog::{Bundle, Checkpoint, Growth, Note, Signer, TILE_WIDTH, Tile, Verifier, bundles_between};

use crate::binary::TempDir;

/// What a verifier of others thinks of a log.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) by: &'static str,
    /// What it said, if it refuses the log.
    pub(crate) refused: Option<String>,
}

/// Verifiers of which nothing is ours but what reads files.
pub(crate) struct ForeignVerifiers {
    sumdb: PathBuf,
    fsck: PathBuf,
}

impl ForeignVerifiers {
    /// None: skip the test, it was said why.
    pub(crate) async fn get() -> Option<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/verify_log.go");
        let sumdb = foreign::go_program(&source).await?;
        let fsck = foreign::go_tool("github.com/transparency-dev/tessera/cmd/fsck@v1.0.4").await?;
        Some(Self { sumdb, fsck })
    }

    /// What each thinks of the log in the folder, which has `checkpoint`, `tile/..` and `tile/entries/..`. OpenSSL knows nothing of
    /// trees: it says whether the key signed the checkpoint.
    pub(crate) fn judge(&self, log: &Path, key: &Verifier) -> [Verdict; 3] {
        [
            self.sumdb(log, key, &[]),
            self.fsck(&format!("file://{}/", log.display()), key, None),
            openssl(log, key),
        ]
    }

    /// Go's own check of modules, also against checkpoints that someone kept.
    pub(crate) fn sumdb(&self, log: &Path, key: &Verifier, older: &[&Path]) -> Verdict {
        let dir = TempDir::new();
        let vkey = written(&dir, "log.vkey", key.to_string().as_bytes());
        let (ended_well, said) = run(Command::new(&self.sumdb).arg(log).arg(vkey).args(older));
        Verdict { by: "x/mod/sumdb", refused: (!ended_well).then_some(said) }
    }

    /// Tessera's check, over `file://` or `http://`. With one worker it may wait for ever for a tile that is not right (tessera's
    /// issue 1098), and without its user interface it ends well whatever it finds, so its last word decides.
    pub(crate) fn fsck(&self, url: &str, key: &Verifier, bearer_token: Option<&str>) -> Verdict {
        let dir = TempDir::new();
        let vkey = written(&dir, "log.vkey", key.to_string().as_bytes());
        let mut fsck = Command::new("timeout");
        fsck.arg("600").arg(&self.fsck).args(["-N=64", "--ui=false"]);
        fsck.arg(format!("--storage_url={url}")).arg(format!("--public_key={}", vkey.display()));
        fsck.args(bearer_token.map(|token| format!("--bearer_token={token}")));
        let (ended_well, said) = run(&mut fsck);
        let holds = ended_well && said.contains("Successfully fsck'd log");
        Verdict { by: "tessera fsck", refused: (!holds).then_some(said) }
    }
}

/// Whether the key signed the checkpoint, by OpenSSL alone: the text before the empty line, and the end of the signature.
fn openssl(log: &Path, key: &Verifier) -> Verdict {
    let refused = |why| Verdict { by: "openssl", refused: Some(why) };
    let note = match Note::parse(&fs::read(log.join("checkpoint")).unwrap()) {
        Ok(note) => note,
        Err(error) => return refused(error.to_string()),
    };
    let by_key = |line: &&tlog::Signature| line.name() == key.name() && line.key_id() == key.key_id();
    let Some(signature) = note.signatures().iter().find(by_key) else {
        return refused("not signed by the key".to_owned());
    };
    let dir = TempDir::new();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(written(
        &dir,
        "log.pem",
        key.to_pem().as_bytes(),
    ));
    openssl.arg("-in").arg(written(&dir, "text", note.text().as_bytes()));
    openssl.arg("-sigfile").arg(written(&dir, "signature", signature.bytes()));
    let (ended_well, said) = run(&mut openssl);
    Verdict { by: "openssl", refused: (!ended_well).then_some(said) }
}

fn written(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A log of made-up entries, in files.
struct LogFiles {
    dir: TempDir,
    signer: Signer,
    size: u64,
}

impl LogFiles {
    fn of(entries: &[Vec<u8>]) -> Self {
        let signer = Signer::from_seed("log.example/made-up", &[7; 32]).unwrap();
        let log = Self { dir: TempDir::new(), signer, size: entries.len() as u64 };
        let mut growth = Growth::new();
        entries.iter().for_each(|entry| growth.push(tlog::leaf_hash(entry)));
        for (tile, bytes) in growth.take() {
            log.write(&tile.to_string(), &bytes);
        }
        for bundle in bundles_between(0, log.size) {
            let positions = bundle.positions();
            let entries = &entries[positions.start as usize..positions.end as usize];
            log.write(&bundle.to_string(), &tlog::encode_bundle(entries).unwrap());
        }
        log.sign(log.size, growth.root());
        log
    }

    /// Says so of the tree, whether or not it is true.
    fn sign(&self, size: u64, root: tlog::Hash) {
        let checkpoint = Checkpoint::new(self.key().name(), size, root).unwrap();
        self.write("checkpoint", checkpoint.sign(&[&self.signer]).unwrap().to_string().as_bytes());
    }

    fn key(&self) -> &Verifier {
        self.signer.verifier()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    fn root(&self) -> tlog::Hash {
        *Checkpoint::parse(Note::parse(&self.read("checkpoint")).unwrap().text()).unwrap().root()
    }

    /// The bundle with the entry in the middle of the log, and which of its entries that is.
    fn middle(&self) -> (Bundle, usize) {
        let middle = self.size / 2;
        let width = u64::from(TILE_WIDTH);
        (Bundle::at(middle / width, self.size).unwrap(), (middle % width) as usize)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(name);
        change(&mut bytes);
        self.write(name, &bytes);
    }

    fn change_entries(&self, bundle: Bundle, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.change(&bundle.to_string(), |bytes| {
            let mut entries = tlog::decode_bundle(bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
            change(&mut entries);
            *bytes = tlog::encode_bundle(&entries).unwrap();
        });
    }
}

/// What an insider with the files may try. Where the checkpoint is changed it is signed anew with the real key.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tampering {
    EditEntry,
    EditLeafTile,
    EditUpperTile,
    DropBundle,
    DropTile,
    SwapEntries,
    CutBundle,
    CutTile,
    Shrink,
    Grow,
    OtherRoot,
    EditCheckpoint,
}

impl Tampering {
    const ALL: [Self; 12] = [
        Self::EditEntry,
        Self::EditLeafTile,
        Self::EditUpperTile,
        Self::DropBundle,
        Self::DropTile,
        Self::SwapEntries,
        Self::CutBundle,
        Self::CutTile,
        Self::Shrink,
        Self::Grow,
        Self::OtherRoot,
        Self::EditCheckpoint,
    ];

    /// Some need more than one entry.
    fn is_possible(self, size: u64) -> bool {
        match self {
            Self::SwapEntries => size > 1,
            Self::EditUpperTile => size >= TILE_WIDTH.into(),
            _ => true,
        }
    }

    fn is_signed_by_another(self) -> bool {
        self == Self::EditCheckpoint
    }

    fn tamper(self, log: &LogFiles) {
        let (bundle, at) = log.middle();
        let tile = bundle.tile().to_string();
        match self {
            Self::EditEntry => log.change_entries(bundle, |entries| entries[at][0] ^= 1),
            Self::EditLeafTile => log.change(&tile, |bytes| bytes[32 * at] ^= 1),
            Self::EditUpperTile => {
                let upper = Tile::at(1, 0, log.size).unwrap();
                log.change(&upper.to_string(), |bytes| bytes[0] ^= 1);
            }
            Self::DropBundle => fs::remove_file(log.path(&bundle.to_string())).unwrap(),
            Self::DropTile => fs::remove_file(log.path(&tile)).unwrap(),
            Self::SwapEntries => log.change_entries(bundle, |entries| {
                let other = (at + 1) % entries.len();
                entries.swap(at, other);
            }),
            Self::CutBundle => log.change(&bundle.to_string(), |bytes| bytes.truncate(bytes.len() - 1)),
            Self::CutTile => log.change(&tile, |bytes| bytes.truncate(bytes.len() - 32)),
            Self::Shrink => log.sign(log.size - 1, log.root()),
            Self::Grow => log.sign(log.size + 1, log.root()),
            Self::OtherRoot => log.sign(log.size, tlog::node_hash(&log.root(), &log.root())),
            Self::EditCheckpoint => {
                let text = String::from_utf8(log.read("checkpoint")).unwrap();
                let edited = text.replacen(&format!("\n{}\n", log.size), &format!("\n{}\n", log.size + 1), 1);
                log.write("checkpoint", edited.as_bytes());
            }
        }
    }
}

fn entries(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(|position| format!(r#"{{"made":"up","n":{position}}}"#).into_bytes()).collect()
}

#[tokio::test]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn verifiers_of_others_accept_a_log_and_refuse_every_tampering() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    for size in [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
        let log = LogFiles::of(&entries(size));
        for Verdict { by, refused } in verifiers.judge(log.dir.path(), log.key()) {
            assert_eq!(refused, None, "{by} on {size} entries");
        }
    }
    for size in [1, 257, 70_000] {
        for tampering in Tampering::ALL.into_iter().filter(|tampering| tampering.is_possible(size)) {
            let log = LogFiles::of(&entries(size));
            tampering.tamper(&log);
            for Verdict { by, refused } in verifiers.judge(log.dir.path(), log.key()) {
                let sees_it = by != "openssl" || tampering.is_signed_by_another();
                assert_eq!(refused.is_some(), sees_it, "{by}: {tampering:?} of {size} entries");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn verifiers_of_others_name_the_entry_that_was_changed() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    let log = LogFiles::of(&entries(70_000));
    Tampering::EditEntry.tamper(&log);
    let said = verifiers.sumdb(log.dir.path(), log.key(), &[]).refused.unwrap();
    assert_eq!(said.trim(), "tile/0/136 and the entries differ at hash 35000 of level 0");
    let said =
        verifiers.fsck(&format!("file://{}/", log.dir.path().display()), log.key(), None).refused.unwrap();
    assert!(said.contains("tile/0/136"), "{said}");
}

#[tokio::test]
#[ignore = "needs Go, its x/mod and openssl: make test-all"]
async fn a_history_that_was_rewritten_and_signed_anew_is_refused_by_whoever_kept_a_checkpoint() {
    let Some(verifiers) = ForeignVerifiers::get().await else { return };
    let kept = LogFiles::of(&entries(300));
    let grown = LogFiles::of(&entries(70_000));
    let mut rewritten = entries(70_000);
    rewritten[100][0] ^= 1;
    let rewritten = LogFiles::of(&rewritten);
    let cut_short = LogFiles::of(&entries(299));
    let older = kept.path("checkpoint");
    for (log, refusal) in [
        (&grown, None),
        (&rewritten, Some("has another root than its 300 entries")),
        (&cut_short, Some("is of 300 entries, the log has 299")),
    ] {
        assert!(verifiers.judge(log.dir.path(), log.key()).iter().all(|verdict| verdict.refused.is_none()));
        let refused = verifiers.sumdb(log.dir.path(), log.key(), &[older.as_path()]).refused;
        assert_eq!(refused.is_some(), refusal.is_some());
        assert!(refused.unwrap_or_default().contains(refusal.unwrap_or_default()));
    }
}
