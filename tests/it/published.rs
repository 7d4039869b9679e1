//! A log written as files, as it is published.

use std::path::Path;

use domain::{Position, ShopId};
use test_support::TestDatabase;
use tlog::{Bundle, Checkpoint, Growth, Note, Policy, Signer, encode_bundle, leaf_hash};

pub(crate) const ORIGIN: &str = "counterfoil.example/shop";

/// The log's own key.
pub(crate) fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[5; 32]).unwrap()
}

pub(crate) fn policy() -> Policy {
    Policy::of_log(signer().verifier().clone()).unwrap()
}

/// The entries of a log, in order.
pub(crate) async fn entries(test: &TestDatabase, shop: &ShopId) -> Vec<String> {
    let client = test.database().client().await.unwrap();
    let events = event_log::read_all(&client, shop, Position(-1), 100_000).await.unwrap();
    events.into_iter().map(|event| event.entry).collect()
}

/// A checkpoint of these entries, signed by the log.
pub(crate) fn checkpoint(entries: &[String]) -> Note {
    let mut tree = Growth::new();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry.as_bytes())));
    Checkpoint::new(ORIGIN, tree.size(), tree.root()).unwrap().sign(&[&signer()]).unwrap()
}

/// Writes bundles, tiles and the checkpoint.
pub(crate) fn publish(entries: &[String], dir: &Path) {
    let write = |path: String, bytes: &[u8]| {
        let file = dir.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    let size = entries.len() as u64;
    for bundle in (0..).map_while(|index| Bundle::at(index, size)) {
        let of = bundle.positions();
        let of = &entries[usize::try_from(of.start).unwrap()..usize::try_from(of.end).unwrap()];
        write(bundle.to_string(), &encode_bundle(of).unwrap());
    }
    let mut tree = Growth::new();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry.as_bytes())));
    tree.take().into_iter().for_each(|(tile, bytes)| write(tile.to_string(), &bytes));
    write("checkpoint".to_owned(), checkpoint(entries).to_string().as_bytes());
}
