//! What an insider may do to an evidence bundle, and what `verify --bundle` says of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tlog::{
    Checkpoint, Growth, Hash, Note, Signer, bundles_between, decode_bundle, encode_bundle, leaf_hash,
    node_hash,
};

use crate::ground::SHOP;

/// A way to tamper with the bundle in a folder; the signer has the log's real key.
pub(crate) struct Tampering {
    pub(crate) name: &'static str,
    pub(crate) tamper: fn(&Path, &Signer),
    /// What `verify --bundle` names, also where the manifest was mended.
    pub(crate) says: &'static str,
    pub(crate) seen_by: SeenBy,
}

/// Which verifiers of others can see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SeenBy {
    /// What reads the tree.
    Tree,
    /// OpenSSL too, which knows the checkpoint alone.
    All,
    /// It is consistent, or not in the tree: none of them.
    Nobody,
}

impl Tampering {
    const fn new(
        name: &'static str,
        seen_by: SeenBy,
        tamper: fn(&Path, &Signer),
        says: &'static str,
    ) -> Self {
        Self { name, tamper, says, seen_by }
    }
}

/// Of every kind of file that a bundle has. Where the size or root of a checkpoint is changed, the real key signs it anew.
pub(crate) const TAMPERED: &[Tampering] = &[
    Tampering::new(
        "edited-entry",
        SeenBy::Tree,
        |at, _| entries(at, |entries| forge(entries)),
        "its entries make another root",
    ),
    Tampering::new(
        "swapped-entries",
        SeenBy::Tree,
        |at, _| entries(at, |entries| entries.swap(2, 3)),
        "its entries make another root",
    ),
    Tampering::new(
        "dropped-bundle",
        SeenBy::Tree,
        |at, _| fs::remove_file(first_bundle(at)).unwrap(),
        "log/tile/entries/",
    ),
    Tampering::new(
        "cut-short",
        SeenBy::Tree,
        |at, _| entries(at, |entries| _ = entries.pop()),
        "entries, and not",
    ),
    Tampering::new(
        "truncated-bundle",
        SeenBy::Tree,
        |at, _| change(&first_bundle(at), |bytes| bytes.truncate(bytes.len() - 1)),
        "log/tile/entries/",
    ),
    Tampering::new(
        "no-text",
        SeenBy::Tree,
        |at, _| change(&first_bundle(at), |bytes| bytes[2] = 0xff),
        "an entry is no text",
    ),
    Tampering::new(
        "edited-tile",
        SeenBy::Tree,
        |at, _| flip(&first_file(&at.join("log/tile/0")), 5),
        "is not what the entries make it",
    ),
    Tampering::new(
        "edited-tile-above",
        SeenBy::Tree,
        |at, _| flip(&first_file(&at.join("log/tile/1")), 5),
        "is not what the entries make it",
    ),
    Tampering::new(
        "smaller-checkpoint",
        SeenBy::Tree,
        |at, signer| sign(at, signer, |size, root| (size - within(size), root)),
        "log/tile/entries/",
    ),
    Tampering::new(
        "larger-checkpoint",
        SeenBy::Tree,
        |at, signer| sign(at, signer, |size, root| (size + 1000, root)),
        "log/tile/entries/",
    ),
    Tampering::new(
        "largest-checkpoint",
        SeenBy::Tree,
        |at, signer| sign(at, signer, |_, root| (u64::MAX, root)),
        "beyond any log",
    ),
    Tampering::new(
        "checkpoint-of-another-root",
        SeenBy::Tree,
        |at, signer| sign(at, signer, |size, root| (size, node_hash(&root, &root))),
        "its entries make another root",
    ),
    Tampering::new(
        "checkpoint-signed-by-another",
        SeenBy::All,
        |at, signer| {
            sign(at, &Signer::from_seed(signer.verifier().name(), &[9; 32]).unwrap(), |size, root| {
                (size, root)
            });
        },
        "it is not signed by a known key",
    ),
    Tampering::new(
        "edited-checkpoint",
        SeenBy::All,
        |at, _| edit(&at.join("log/checkpoint"), |text| text.replacen('\n', "x\n", 1)),
        "it is of ",
    ),
    Tampering::new(
        "empty-checkpoint",
        SeenBy::All,
        |at, _| fs::write(at.join("log/checkpoint"), "").unwrap(),
        "log/checkpoint",
    ),
    // With the real key the tree can be made anew: what was handed over beside it tells.
    Tampering::new(
        "rewritten-log",
        SeenBy::Nobody,
        |at, signer| remake(at, signer, |entries| forge(entries)),
        "has another root than the entries make",
    ),
    Tampering::new(
        "log-cut-short",
        SeenBy::Nobody,
        |at, signer| remake(at, signer, |entries| _ = entries.pop()),
        "export/events.jsonl does not end where the log does",
    ),
    Tampering::new(
        "kept-checkpoint-signed-by-another",
        SeenBy::Nobody,
        |at, signer| {
            sign_a_kept_checkpoint(at, &Signer::from_seed(signer.verifier().name(), &[9; 32]).unwrap());
        },
        ".note: it is not signed by a known key",
    ),
    Tampering::new(
        "another-public-key",
        SeenBy::Nobody,
        |at, signer| {
            let another = Signer::from_seed(signer.verifier().name(), &[9; 32]).unwrap();
            fs::write(at.join("log.pub.pem"), another.verifier().to_pem()).unwrap();
        },
        "log.pub.pem has another key than log.vkey",
    ),
    Tampering::new(
        "changed-body",
        SeenBy::Nobody,
        |at, _| flip(&first_file(&at.join("bodies")), 50),
        "its sealed bytes were changed",
    ),
    Tampering::new(
        "dropped-body",
        SeenBy::Nobody,
        |at, _| fs::remove_file(first_file(&at.join("bodies"))).unwrap(),
        "it is not there, and the entry rests on it",
    ),
    Tampering::new(
        "body-of-no-fact",
        SeenBy::Nobody,
        |at, _| {
            let bodies = at.join("bodies");
            fs::rename(first_file(&bodies), bodies.join("999999.sealed")).unwrap();
        },
        "bodies/999999.sealed is of no event",
    ),
    Tampering::new(
        "bodies-elsewhere",
        SeenBy::Nobody,
        |at, _| move_away(at, "bodies"),
        "bodies: it is no plain folder",
    ),
    Tampering::new(
        "dropped-key",
        SeenBy::Nobody,
        |at, _| {
            edit(&at.join("keys.json"), |text| {
                let mut keys: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
                keys.pop_first();
                serde_json::to_string(&keys).unwrap()
            });
        },
        "report.json has another count of keys",
    ),
    Tampering::new(
        "swapped-keys",
        SeenBy::Nobody,
        |at, _| keys(at, |values| values.rotate_left(1)),
        "cannot be opened",
    ),
    Tampering::new(
        "odd-key",
        SeenBy::Nobody,
        |at, _| keys(at, |values| values[0].truncate(9)),
        "a key has 64 hexadecimal digits",
    ),
    Tampering::new(
        "no-keys",
        SeenBy::Nobody,
        |at, _| fs::write(at.join("keys.json"), "{").unwrap(),
        "keys.json: EOF",
    ),
    Tampering::new(
        "no-certificate",
        SeenBy::Nobody,
        |at, _| fs::remove_file(first_file(&at.join("certificates"))).unwrap(),
        "no certificate was given",
    ),
    Tampering::new(
        "swapped-certificate",
        SeenBy::Nobody,
        |at, _| {
            let root = at.parent().unwrap().join("another.pem");
            fs::copy(root, first_file(&at.join("certificates"))).map(drop).unwrap();
        },
        "chain: does not hold",
    ),
    Tampering::new(
        "edited-export",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/orders.jsonl"), |text| text.replacen("paid", "open", 1)),
        "export/orders.jsonl is not what the log makes it",
    ),
    Tampering::new(
        "edited-index",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/payment_captures.jsonl"), |text| text.replacen('1', "2", 1)),
        "export/payment_captures.jsonl is not what the log makes it",
    ),
    Tampering::new(
        "parked-fact",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/parked.jsonl"), |text| text + "{}\n"),
        "export/parked.jsonl is not what the log makes it",
    ),
    Tampering::new(
        "edited-settings",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/shop_settings.jsonl"), |text| text.replacen("rules", "ruler", 1)),
        "export/shop_settings.jsonl is not what the log makes it",
    ),
    Tampering::new(
        "edited-row-count",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/manifest.json"), |text| text.replacen("\"rows\": ", "\"rows\": 1", 3)),
        "export/manifest.json says something else of events.jsonl",
    ),
    Tampering::new(
        "edited-totals",
        SeenBy::Nobody,
        |at, _| {
            edit(&at.join("export/manifest.json"), |text| {
                text.replacen("\"captured_minor\": ", "\"captured_minor\": 1", 1)
            });
        },
        "export/manifest.json has another total",
    ),
    Tampering::new(
        "edited-report",
        SeenBy::Nobody,
        |at, _| edit(&at.join("report.json"), |text| text.replacen("\"size\": ", "\"size\": 1", 1)),
        "report.json has another size",
    ),
    Tampering::new(
        "edited-exported-entry",
        SeenBy::Nobody,
        |at, _| edit(&at.join("export/events.jsonl"), |text| text.replacen("tea", "tee", 1)),
        "export/events.jsonl has another entry than the log",
    ),
    Tampering::new(
        "exported-entries-elsewhere",
        SeenBy::Nobody,
        |at, _| move_away(at, "export/events.jsonl"),
        "export/events.jsonl: it is no plain file",
    ),
    Tampering::new(
        "another-shop",
        SeenBy::Nobody,
        |at, _| edit(&at.join("shop.json"), |text| text.replace(SHOP, "another")),
        "cannot be opened",
    ),
    Tampering::new(
        "no-environment",
        SeenBy::Nobody,
        |at, _| {
            edit(&at.join("shop.json"), |text| text.replace("\"environment\": \"", "\"environment\": \"un"))
        },
        "is none of PayPal's environments",
    ),
    Tampering::new(
        "no-shop",
        SeenBy::Nobody,
        |at, _| fs::remove_file(at.join("shop.json")).unwrap(),
        "shop.json",
    ),
];

/// Makes the manifest say what is in the files by now; what is gone is no longer listed.
pub(crate) fn mend_manifest(bundle: &Path) {
    let script = "cut -c 67- manifest.sha256 | xargs -d '\\n' sha256sum > mended 2> /dev/null; mv mended manifest.sha256";
    assert!(Command::new("sh").args(["-c", script]).current_dir(bundle).status().unwrap().success());
}

/// A link to where it is now stands in its place.
fn move_away(bundle: &Path, name: &str) {
    let elsewhere = bundle.with_extension("elsewhere");
    fs::rename(bundle.join(name), &elsewhere).unwrap();
    std::os::unix::fs::symlink(elsewhere, bundle.join(name)).unwrap();
}

pub(crate) fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(text.clone());
    assert!(text != changed, "{}", path.display());
    fs::write(path, changed).unwrap();
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(path: &Path, at: usize) {
    change(path, |bytes| bytes[at] ^= 1);
}

fn first_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let first = files.remove(0);
    if first.is_dir() { first_file(&first) } else { first }
}

fn first_bundle(bundle: &Path) -> PathBuf {
    first_file(&bundle.join("log/tile/entries"))
}

fn read_entries(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let text = |entry: &&[u8]| String::from_utf8(entry.to_vec()).unwrap();
    decode_bundle(&bytes).unwrap().iter().map(text).collect()
}

fn entries(bundle: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let path = first_bundle(bundle);
    let before = read_entries(&path);
    let mut entries = before.clone();
    change(&mut entries);
    assert!(before != entries, "nothing was changed");
    fs::write(path, encode_bundle(&entries).unwrap()).unwrap();
}

/// The first entry that can be forged so that it still reads well: which one that is depends on how fast things are decided.
fn forge(entries: &mut [String]) {
    let entry = entries.iter_mut().find(|entry| entry.contains("\"tea\"")).unwrap();
    *entry = entry.replacen("\"tea\"", "\"tee\"", 1);
}

fn keys(bundle: &Path, change: impl FnOnce(&mut Vec<String>)) {
    edit(&bundle.join("keys.json"), |text| {
        let keys: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        let (names, mut values): (Vec<String>, Vec<String>) = keys.into_iter().unzip();
        change(&mut values);
        serde_json::to_string(&names.into_iter().zip(values).collect::<BTreeMap<_, _>>()).unwrap()
    });
}

/// So many less end within the same bundle, which then has another name.
fn within(size: u64) -> u64 {
    if (size - 1).is_multiple_of(256) { 2 } else { 1 }
}

fn checkpoint(path: &Path) -> Checkpoint {
    Checkpoint::parse(Note::parse(&fs::read(path).unwrap()).unwrap().text()).unwrap()
}

fn sign(bundle: &Path, signer: &Signer, says: impl FnOnce(u64, Hash) -> (u64, Hash)) {
    sign_file(&bundle.join("log/checkpoint"), signer, says);
}

fn sign_file(path: &Path, signer: &Signer, says: impl FnOnce(u64, Hash) -> (u64, Hash)) {
    let there = checkpoint(path);
    let (size, root) = says(there.size(), *there.root());
    let anew = Checkpoint::new(there.origin(), size, root).unwrap().sign(&[signer]).unwrap();
    fs::write(path, anew.to_string()).unwrap();
}

pub(crate) fn sign_a_kept_checkpoint(bundle: &Path, signer: &Signer) {
    sign_file(&first_file(&bundle.join("checkpoints")), signer, |size, root| (size, root));
}

/// Makes the whole log anew of other entries: bundles, tiles and checkpoint.
fn remake(bundle: &Path, signer: &Signer, change: impl FnOnce(&mut Vec<String>)) {
    let log = bundle.join("log");
    let size = checkpoint(&log.join("checkpoint")).size();
    let parts = bundles_between(0, size).into_iter();
    let mut entries: Vec<String> = parts.flat_map(|part| read_entries(&log.join(part.to_string()))).collect();
    change(&mut entries);
    let write = |name: String, bytes: Vec<u8>| {
        let path = log.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let mut growth = Growth::new();
    entries.iter().for_each(|entry| growth.push(leaf_hash(entry.as_bytes())));
    growth.take().into_iter().for_each(|(tile, bytes)| write(tile.to_string(), bytes));
    for part in bundles_between(0, entries.len() as u64) {
        let positions = part.positions();
        let of_part = &entries[positions.start as usize..positions.end as usize];
        write(part.to_string(), encode_bundle(of_part).unwrap());
    }
    sign(bundle, signer, |_, _| (entries.len() as u64, growth.root()));
}
