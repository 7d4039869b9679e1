//! A log written as files, as it is published.

use std::path::{Path, PathBuf};

use database::{BoxFuture, Client};
use domain::{Position, ShopId};
use test_support::TestDatabase;
use tlog::{
    Bundle, Checkpoint, Frontier, Growth, Hash, Note, Plan, Policy, Signer, Verifier, encode_bundle,
    leaf_hash,
};
use witnesses::{Error, Tree};

pub(crate) const ORIGIN: &str = "counterfoil.example/shop";

/// The log's own key.
pub(crate) fn signer() -> Signer {
    key(ORIGIN)
}

/// The key of a log that goes by this origin.
pub(crate) fn key(origin: &str) -> Signer {
    Signer::from_seed(origin, &[5; 32]).unwrap()
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
fn checkpoint(origin: &str, entries: &[String]) -> Note {
    let mut tree = Growth::new();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry.as_bytes())));
    Checkpoint::new(origin, tree.size(), tree.root()).unwrap().sign(&[&key(origin)]).unwrap()
}

/// Writes bundles, tiles and the checkpoint.
pub(crate) fn publish(entries: &[String], dir: &Path) {
    publish_as(ORIGIN, entries, dir);
}

/// The same, under another origin.
pub(crate) fn publish_as(origin: &str, entries: &[String], dir: &Path) {
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
    write("checkpoint".to_owned(), checkpoint(origin, entries).to_string().as_bytes());
}

/// The tree of the one shop's log, as files.
#[derive(Debug)]
pub(crate) struct FileTree(pub(crate) PathBuf);

impl Tree for FileTree {
    fn origin(&self, _: &ShopId, epoch: i32) -> String {
        if epoch == 0 { ORIGIN.to_owned() } else { format!("{ORIGIN}/{epoch}") }
    }

    fn keys(&self, origin: &str) -> Vec<Verifier> {
        vec![key(origin).verifier().clone()]
    }

    fn latest<'a>(&'a self, _: &'a ShopId) -> BoxFuture<'a, Result<Option<Note>, Error>> {
        let read = std::fs::read(self.0.join("checkpoint")).ok();
        Box::pin(async move { Ok(read.map(|bytes| Note::parse(&bytes).unwrap())) })
    }

    fn published<'a>(&'a self, shop: &'a ShopId) -> BoxFuture<'a, Result<Vec<Note>, Error>> {
        Box::pin(async { Ok(self.latest(shop).await?.into_iter().collect()) })
    }

    fn prove<'a>(&'a self, _: &'a ShopId, old: u64, new: u64) -> BoxFuture<'a, Result<Vec<Hash>, Error>> {
        let plan = Plan::consistency(old, new).unwrap();
        let hashes = plan.hashes(|tile| std::fs::read(self.0.join(tile.to_string())).ok()).unwrap();
        Box::pin(async { Ok(hashes) })
    }

    fn frontier<'a>(
        &'a self,
        _: &'a Client,
        _: &'a ShopId,
        _: u64,
    ) -> BoxFuture<'a, Result<Frontier, Error>> {
        Box::pin(async { Ok(Frontier::new()) })
    }

    fn cosigned<'a>(&'a self, _: &'a ShopId, note: Note) -> BoxFuture<'a, Result<(), Error>> {
        std::fs::write(self.0.join("checkpoint"), note.to_string()).unwrap();
        Box::pin(async { Ok(()) })
    }
}
