//! The published logs as static directories, one for each shop: what any web server or disk can hand to an auditor.
//!
//! A directory follows what is published: bundles, then tiles, then the checkpoint. It goes on where its own checkpoint says
//! that it is, also after a restart.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use tlog::{Bundle, Checkpoint, Note, bundles_between, right_edge, tiles_between};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::files::LogFiles;
use super::store::{Published, Tiles, Trees, read_bundle};
use super::{CONSUMER, Error};

/// Entries are written so many bytes at a time, or a bundle more.
const BATCH_BYTES: usize = 4 << 20;
/// Tiles that are read at a time.
const TILES: usize = 64;

/// The task that keeps the directories of this process. Several processes may have the same: one writes it at a time.
#[derive(Clone, Debug)]
pub struct Directories {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Directories {
    /// Starts; it works until it is stopped, and looks for what was published so often.
    #[must_use]
    pub fn start(database: Database, dir: PathBuf, every: Duration) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut keeper =
            Keeper { trees: Trees::new(database), dir, held: HashMap::new(), told: HashMap::new() };
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                if let Err(error) = keeper.follow_all().await {
                    tracing::warn!(%error, "the directories of the logs cannot be brought up to date now");
                }
                tokio::time::sleep(every).await;
            }
        }));
        tasks.close();
        Self { stop, tasks }
    }

    /// Stops. A file that is under way is finished; the next start goes on from there.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

struct Keeper {
    trees: Trees,
    dir: PathBuf,
    /// The directories that this process holds.
    held: HashMap<PathBuf, Held>,
    /// Why a shop's could not be written, the last time.
    told: HashMap<ShopId, String>,
}

/// A directory, and what it has.
#[derive(Clone, Debug)]
struct Held {
    files: Arc<LogFiles>,
    /// The note in `checkpoint`, and its size; nothing and 0 in a new one.
    note: String,
    size: u64,
}

impl Keeper {
    async fn follow_all(&mut self) -> Result<(), Error> {
        let rows = {
            let client = self.trees.database().client().await?;
            client.query(&sql::relay::LIST_SHOPS, &[&CONSUMER]).await?
        };
        for row in rows {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            match self.follow(&shop).await {
                Ok(()) => _ = self.told.remove(&shop),
                Err(error) => self.tell(shop, &error),
            }
        }
        Ok(())
    }

    /// Once for each reason.
    fn tell(&mut self, shop: ShopId, error: &Error) {
        let why = error.to_string();
        if self.told.get(&shop) != Some(&why) {
            tracing::error!(%shop, why, "the log is not written to its directory");
            self.told.insert(shop, why);
        }
    }

    async fn follow(&mut self, shop: &ShopId) -> Result<(), Error> {
        let Some(published) = self.trees.published(shop).await? else { return Ok(()) };
        let dir = directory(&self.dir, shop, published.epoch)?;
        let held = match self.held.remove(&dir) {
            Some(held) => held,
            None => match take(&self.trees, shop, &dir, &published).await? {
                Some(held) => held,
                None => return Ok(()),
            },
        };
        // Where it fails, what the directory has is looked at anew.
        let held = held.follow(&self.trees, shop, &published).await?;
        self.held.insert(dir, held);
        Ok(())
    }
}

/// Writes what is published of a log to a directory, once. False: another process writes it.
///
/// # Errors
/// [`Error::Published`] if the directory has something else, and nothing was overwritten; the database's, the system's.
pub async fn publish_files(trees: &Trees, shop: &ShopId, dir: &Path) -> Result<bool, Error> {
    let published = trees.published(shop).await?.ok_or(Error::NotPublished)?;
    let Some(held) = take(trees, shop, dir, &published).await? else { return Ok(false) };
    held.follow(trees, shop, &published).await?;
    Ok(true)
}

/// Where a shop's log is: each epoch has its own.
fn directory(dir: &Path, shop: &ShopId, epoch: i32) -> Result<PathBuf, Error> {
    if matches!(shop.as_str(), "." | "..") {
        let why = format!("a shop of the name {shop} can have no directory");
        return Err(Error::Published { file: dir.to_owned(), why });
    }
    let dir = dir.join(shop.as_str());
    Ok(if epoch > 0 { dir.join(format!("e{epoch}")) } else { dir })
}

/// Takes a directory, if its checkpoint is one of this log.
async fn take(
    trees: &Trees,
    shop: &ShopId,
    dir: &Path,
    published: &Published,
) -> Result<Option<Held>, Error> {
    let path = dir.to_owned();
    let taken = blocking(move || {
        let Some(files) = LogFiles::take(&path)? else { return Ok(None) };
        let note = files.checkpoint()?;
        Ok(Some((files, note)))
    });
    let Some((files, note)) = taken.await? else { return Ok(None) };
    let files = Arc::new(files);
    let Some(bytes) = note else { return Ok(Some(Held { files, note: String::new(), size: 0 })) };
    let differs = |why: String| Error::Published { file: dir.join("checkpoint"), why };
    let odd = |error: tlog::Error| differs(error.to_string());
    let note = Note::parse(&bytes).map_err(odd)?;
    let there = Checkpoint::parse(note.text()).map_err(odd)?;
    let ours = Checkpoint::parse(Note::parse(published.note.as_bytes())?.text())?;
    if there.origin() != ours.origin() {
        return Err(differs(format!("it is of {}, not of {}", there.origin(), ours.origin())));
    }
    if there.size() > ours.size() {
        let why = format!(
            "it is of {} events, and the database's of {}: was it restored?",
            there.size(),
            ours.size()
        );
        return Err(differs(why));
    }
    if trees.root_at(shop, there.size()).await? != *there.root() {
        return Err(differs(format!("its root is not the one that the log has at size {}", there.size())));
    }
    Ok(Some(Held { files, note: note.to_string(), size: there.size() }))
}

impl Held {
    /// Brings it up to what is published.
    async fn follow(mut self, trees: &Trees, shop: &ShopId, published: &Published) -> Result<Self, Error> {
        if self.note == published.note {
            return Ok(self);
        }
        let (old, new) = (self.size, published.size);
        if new < old {
            // What others have seen must stay there: it is what tells that the database was restored.
            let why = format!("a directory has {old} events, and the database's {new}: was it restored?");
            return Err(Error::Published { file: self.files.path().join("checkpoint"), why });
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for bundle in bundles_between(old, new) {
            let content = {
                let client = trees.database().client().await?;
                read_bundle(&client, shop, bundle).await?
            };
            bytes += content.len();
            batch.push((bundle.to_string(), content));
            if bytes >= BATCH_BYTES {
                self.add(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        for tiles in tiles_between(old, new).chunks(TILES) {
            let stored = {
                let client = trees.database().client().await?;
                Tiles::read(&client, shop, tiles).await?
            };
            for tile in tiles {
                let content = stored.get(*tile).ok_or(tlog::Error::MissingTile(*tile))?;
                batch.push((tile.to_string(), tile.hashes(content)?.as_flattened().to_vec()));
            }
            self.add(std::mem::take(&mut batch)).await?;
        }
        let (files, note) = (self.files.clone(), published.note.clone());
        blocking(move || {
            files.set_checkpoint(&note)?;
            for tile in right_edge(old).into_iter().filter(|tile| tile.full().is_within(new)) {
                files.drop_partial(&tile.full().to_string());
                if tile.level == 0 {
                    files.drop_partial(&Bundle::from(tile.full()).to_string());
                }
            }
            Ok(())
        })
        .await?;
        (self.note, self.size) = (published.note.clone(), new);
        Ok(self)
    }

    async fn add(&self, batch: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let files = self.files.clone();
        blocking(move || files.add(&batch)).await
    }
}

/// Files are no work for the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|error| Error::Failed(error.to_string()))?
}
