//! The trees that `audit` grows, and the directories that it publishes them in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::tree::{LogKeys, Origin, Trees};
use database::{BoxFuture, Client};
use domain::ShopId;
use tlog::{Checkpoint, Frontier, Hash, Note, Verifier};
use tokio::task::spawn_blocking;

use crate::{Error, Tree};

/// Longer than any note.
const NOTE_MAX: u64 = 1_000_000;

/// The logs of this service.
#[derive(Clone)]
pub struct LogTree {
    trees: Trees,
    origin: Origin,
    keys: Arc<LogKeys>,
    dir: Option<PathBuf>,
}

impl std::fmt::Debug for LogTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogTree")
            .field("origin", &self.origin)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl LogTree {
    /// Of these trees; the directory is that of [`audit::tree::Directories`], where there is one.
    #[must_use]
    pub fn new(trees: Trees, origin: Origin, keys: Arc<LogKeys>, dir: Option<PathBuf>) -> Self {
        Self { trees, origin, keys, dir }
    }
}

impl Tree for LogTree {
    fn origin(&self, shop: &ShopId, epoch: i32) -> String {
        self.origin.of(shop, epoch)
    }

    fn keys(&self, origin: &str) -> Vec<Verifier> {
        // A name that no key can have is believed by none.
        self.keys.verifiers(origin).unwrap_or_default()
    }

    fn latest<'a>(&'a self, shop: &'a ShopId) -> BoxFuture<'a, Result<Option<Note>, Error>> {
        Box::pin(async move {
            let published = self.trees.published(shop).await?;
            Ok(published.map(|published| Note::parse(published.note.as_bytes())).transpose()?)
        })
    }

    fn published<'a>(&'a self, shop: &'a ShopId) -> BoxFuture<'a, Result<Vec<Note>, Error>> {
        Box::pin(async move {
            let Some(dir) = &self.dir else { return Ok(Vec::new()) };
            let dir = dir.join(shop.as_str());
            let read = spawn_blocking(move || notes_below(&dir)).await;
            let notes = read.map_err(|error| Error::Unbelievable(error.to_string()))?;
            let notes = notes.map_err(|error| Error::Unbelievable(error.to_string()))?;
            Ok(notes.iter().map(|bytes| Note::parse(bytes)).collect::<Result<_, _>>()?)
        })
    }

    fn prove<'a>(&'a self, shop: &'a ShopId, old: u64, new: u64) -> BoxFuture<'a, Result<Vec<Hash>, Error>> {
        Box::pin(async move { Ok(self.trees.prove_consistency(shop, old, new).await?) })
    }

    fn frontier<'a>(
        &'a self,
        client: &'a Client,
        shop: &'a ShopId,
        most: u64,
    ) -> BoxFuture<'a, Result<Frontier, Error>> {
        Box::pin(async move { Ok(Trees::frontier(client, shop, most).await?) })
    }

    fn cosigned<'a>(&'a self, shop: &'a ShopId, note: Note) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            // Its epoch is told by its origin; of another one it is nobody's any more.
            let Some(published) = self.trees.published(shop).await? else { return Ok(()) };
            let checkpoint = Checkpoint::parse(note.text())?;
            if checkpoint.origin() == self.origin.of(shop, published.epoch) {
                self.trees.add_cosignatures(shop, published.epoch, &note).await?;
            }
            Ok(())
        })
    }
}

/// The checkpoint of a directory, and those of the epochs below it.
fn notes_below(dir: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut notes: Vec<Vec<u8>> = read(&dir.join("checkpoint"))?.into_iter().collect();
    let below = match std::fs::read_dir(dir) {
        Ok(below) => below,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(notes),
        Err(error) => return Err(error),
    };
    for found in below {
        let found = found?;
        if found.file_name().to_string_lossy().starts_with('e') && found.file_type()?.is_dir() {
            notes.extend(read(&found.path().join("checkpoint"))?);
        }
    }
    Ok(notes)
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(file) {
        Ok(there) if there.len() > NOTE_MAX => Err(io::Error::other("a checkpoint is longer than it can be")),
        Ok(_) => std::fs::read(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
