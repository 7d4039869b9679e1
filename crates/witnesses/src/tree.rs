//! The tree of a shop's log, which somebody else integrates and publishes, and comparing a checkpoint with the log.

use std::fmt::Debug;

use database::{BoxFuture, Client, sql};
use domain::{Position, ShopId};
use event_log::{Error as LogError, Fork};
use tlog::{Checkpoint, Frontier, Hash, Note, Verifier};

use crate::Error;

/// Leaves are read so many at a time.
const PAGE: u64 = 5_000;
/// So many epochs ahead of the database's are recognised as what they are.
const EPOCHS_AHEAD: i32 = 16;

/// The trees of all shops' logs.
pub trait Tree: Debug + Send + Sync {
    /// The origin of a shop's log: each epoch has its own, over the same prefix.
    fn origin(&self, shop: &ShopId, epoch: i32) -> String;

    /// The keys that sign under this origin.
    fn keys(&self, origin: &str) -> Vec<Verifier>;

    /// The checkpoint that was published last: what is submitted.
    ///
    /// # Errors
    /// It cannot be read.
    fn latest<'a>(&'a self, shop: &'a ShopId) -> BoxFuture<'a, Result<Option<Note>, Error>>;

    /// The checkpoints that were published last, one of each epoch, as they stand outside of the database: what that is
    /// compared with.
    ///
    /// # Errors
    /// They cannot be read.
    fn published<'a>(&'a self, shop: &'a ShopId) -> BoxFuture<'a, Result<Vec<Note>, Error>>;

    /// That the published tree of one size goes on from that of an older one.
    ///
    /// # Errors
    /// It cannot be read.
    fn prove<'a>(&'a self, shop: &'a ShopId, old: u64, new: u64) -> BoxFuture<'a, Result<Vec<Hash>, Error>>;

    /// The right edge of a tree of at most this size, as this session with the database sees it; that of the empty tree
    /// where it sees none. It only saves reading leaves.
    ///
    /// # Errors
    /// It cannot be read.
    fn frontier<'a>(
        &'a self,
        client: &'a Client,
        shop: &'a ShopId,
        most: u64,
    ) -> BoxFuture<'a, Result<Frontier, Error>>;

    /// Keeps the cosignatures of a checkpoint that was published, and publishes it with them, unless a larger one was
    /// published meanwhile.
    ///
    /// # Errors
    /// It cannot be written.
    fn cosigned<'a>(&'a self, shop: &'a ShopId, note: Note) -> BoxFuture<'a, Result<(), Error>>;
}

/// Compares the log that this session sees with a checkpoint of it that somebody has.
///
/// # Errors
/// The database's; the tree's.
pub async fn compare_checkpoint(
    tree: &dyn Tree,
    client: &Client,
    shop: &ShopId,
    checkpoint: &Checkpoint,
    by: &str,
) -> Result<Option<Fork>, Error> {
    let Some((epoch, head)) = read_end(client, shop).await? else { return Ok(None) };
    let size = checkpoint.size();
    let position = Position(i64::try_from(size).unwrap_or(i64::MAX) - 1);
    let fork = |is_missing| Fork { shop: shop.clone(), position, is_missing, by: by.to_owned() };
    let is_of = |epoch: i32| tree.origin(shop, epoch) == checkpoint.origin();
    if !is_of(epoch) {
        // That of an epoch which the database knows nothing of is of what it has lost; that of an earlier one binds no more.
        let is_ahead = (epoch + 1..=epoch.saturating_add(EPOCHS_AHEAD)).any(is_of);
        return Ok(is_ahead.then(|| fork(true)));
    }
    if position.0 > head {
        return Ok(Some(fork(true)));
    }
    let mut frontier = tree.frontier(client, shop, size).await?;
    while frontier.size() < size {
        let after = Position(i64::try_from(frontier.size()).unwrap_or(i64::MAX) - 1);
        let limit = i64::try_from((size - frontier.size()).min(PAGE)).unwrap_or(i64::MAX);
        let leaves = event_log::leaves(client, shop, after, limit).await?;
        if leaves.is_empty() {
            return Ok(Some(fork(true)));
        }
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
    }
    Ok((frontier.root() != *checkpoint.root()).then(|| fork(false)))
}

/// What a witness said that it has seen when it refused a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The log.
    pub(crate) origin: String,
    /// How many events, never none.
    pub(crate) size: u64,
    /// They are not those that were published; else it did not come to that.
    pub(crate) is_other: bool,
}

/// Compares the log that this session sees with what a witness said. Where that is another history, nothing here can show
/// that it is not: the witness has to cosign.
pub(crate) async fn compare_told(
    tree: &dyn Tree,
    client: &Client,
    shop: &ShopId,
    told: &Told,
    by: &str,
) -> Result<Option<Fork>, LogError> {
    let Some((epoch, head)) = read_end(client, shop).await? else { return Ok(None) };
    let position = Position(i64::try_from(told.size).unwrap_or(i64::MAX) - 1);
    let is_missing = position.0 > head;
    // Submitted was what is published; of an earlier epoch, it binds no more.
    let is_fork = tree.origin(shop, epoch) == told.origin && (told.is_other || is_missing);
    Ok(is_fork.then(|| Fork { shop: shop.clone(), position, is_missing, by: by.to_owned() }))
}

/// Which epoch a log is in, and its last position; -1: it is empty.
async fn read_end(client: &Client, shop: &ShopId) -> Result<Option<(i32, i64)>, LogError> {
    let Some(row) = client.query_opt(&sql::witnesses::READ_END, &[&shop.as_str()]).await? else {
        return Ok(None);
    };
    Ok(Some((row.try_get("feed_epoch")?, row.try_get("head")?)))
}
