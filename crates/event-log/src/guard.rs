//! Refuses to append to a log that is not the one that it was: after a restore to an earlier state, or a failover to a
//! server that had not everything, positions that were given would be given again, to other events.
//!
//! The log has forked when the leaf hash at a position that somebody remembers is missing or another. This process
//! remembers its last commit; a [`StateFile`](crate::StateFiles) carries that over its end; others are given as
//! [`Memory`]. A server does not lose what it has committed while a session with it lasts, so each session is compared
//! once, before the first append over it. Where a pooler lends the sessions it is the server that is compared once, known by
//! when it was started, and each transaction looks which one it is in. That the log ends where it must is seen with every append, at no cost.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use database::{BoxFuture, Client, Database, READ_COMMITTED, sql};
use domain::{Position, ShopId};

use crate::Error;

/// So many sessions are known to see the right log; one more only has another compared again.
const SESSIONS_MAX: usize = 256;

/// An event that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The epoch of the log that it was seen in.
    pub epoch: i32,
    /// Where it stands.
    pub position: Position,
    /// Its leaf hash.
    pub leaf_hash: [u8; 32],
}

/// Where a log is not the one that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log of {shop} has forked at {position}: {by} remembers {}: run `counterfoil shops recover {shop}`",
    if *.is_missing { "an event there, and it is gone" } else { "another event there" }
)]
pub struct Fork {
    /// Whose log.
    pub shop: ShopId,
    /// The position that is remembered. The histories part there or before.
    pub position: Position,
    /// Nothing stands there; else something else does.
    pub is_missing: bool,
    /// Who remembers it: `this process`.
    pub by: String,
}

/// Somebody who remembers logs, outside of the database.
pub trait Memory: Debug + Send + Sync {
    /// Compares the log as this session sees it with what is remembered of it. What is remembered is read before the log
    /// is, for both grow.
    ///
    /// # Errors
    /// The database's. What cannot be had of the memory itself is no error: it forbids nothing.
    fn compare<'a>(
        &'a self,
        client: &'a Client,
        shop: &'a ShopId,
    ) -> BoxFuture<'a, Result<Option<Fork>, Error>>;
}

/// Compares logs with what is remembered of them. Clones are the same one. Without [`Memory`], as it is by default, it
/// knows what this process has committed.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    memories: Vec<Arc<dyn Memory>>,
    shops: Mutex<HashMap<ShopId, Shop>>,
}

#[derive(Debug, Default)]
struct Shop {
    last: Option<Last>,
    /// Through what the right log is seen.
    seen: VecDeque<Through>,
    fork: Option<Fork>,
    /// Raised whenever a comparison that is under way counts no more.
    doubts: u64,
}

/// Through what a log is seen that does not change while this lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    /// A session of ours, by when it was opened.
    Session(Instant),
    /// A database behind a pooler, by its oid and when its server was started.
    Server { started: DateTime<Utc>, database: i64 },
}

impl Through {
    /// None for what may yet change.
    async fn of(client: &Client) -> Result<Option<Self>, database::Error> {
        if !client.database().is_pooled() {
            return Ok(Some(Self::Session(client.opened())));
        }
        let row = client.query_opt(&sql::event_log::READ_SERVER_START, &[]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self::Server { started: row.try_get("started")?, database: row.try_get("database")? }))
    }
}

/// The log ends before what is remembered of it, as this session sees it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the log ends before what this process has written")]
pub(crate) struct EndsEarly;

impl From<EndsEarly> for Error {
    /// Once the sessions were compared again it is known whether the log has forked.
    fn from(why: EndsEarly) -> Self {
        database::Error::Unavailable(why.to_string()).into()
    }
}

#[derive(Clone, Copy, Debug)]
struct Last {
    point: Point,
    by: &'static str,
}

impl Guard {
    /// One that asks these as well.
    #[must_use]
    pub fn new(memories: Vec<Arc<dyn Memory>>) -> Self {
        Self { inner: Arc::new(Inner { memories, shops: Mutex::default() }) }
    }

    /// Compares the log that this session sees, unless it was before: behind a pooler, within the transaction too, which
    /// may be with another server than what was before it. To compare, never within a transaction that holds locks: it may
    /// take several round trips.
    ///
    /// # Errors
    /// [`Error::Forked`]; the database's.
    pub async fn check(&self, client: &Client, shop: &ShopId) -> Result<(), Error> {
        if !client.database().is_pooled() || client.is_in_transaction() {
            return self.check_here(client, shop).await;
        }
        // One transaction: which server it is and what its log has may else be two servers' answers.
        client.begin(READ_COMMITTED).await?;
        let checked = self.check_here(client, shop).await;
        client.commit_or_roll_back().await?;
        checked
    }

    async fn check_here(&self, client: &Client, shop: &ShopId) -> Result<(), Error> {
        let through = Through::of(client).await?;
        let (last, doubts) = {
            let mut shops = self.shops();
            let known = shops.entry(shop.clone()).or_default();
            if through.is_some_and(|through| known.seen.contains(&through)) {
                return Ok(());
            }
            (known.last, known.doubts)
        };
        let found = self.compare(client, shop, last).await?;
        let mut shops = self.shops();
        let known = shops.entry(shop.clone()).or_default();
        if let Some(fork) = found {
            if known.fork.as_ref() != Some(&fork) {
                tracing::error!(%shop, "{fork}; nothing is appended until then");
            }
            known.seen.clear();
            known.fork = Some(fork.clone());
            return Err(fork.into());
        }
        if known.fork.take().is_some() {
            tracing::warn!(%shop, "the log is the one that is remembered: it is appended to again");
        }
        if let Some(through) = through.filter(|_| known.doubts == doubts) {
            known.seen.truncate(SESSIONS_MAX - 1);
            known.seen.push_front(through);
        }
        Ok(())
    }

    /// Whether the log that this transaction sees was compared. It is, where sessions are ours; a pooler may have lent one
    /// with another server since. Sends at its first poll.
    pub(crate) async fn has_compared(&self, client: &Client, shop: &ShopId) -> Result<bool, database::Error> {
        if !client.database().is_pooled() {
            return Ok(true);
        }
        let through = Through::of(client).await?;
        let shops = self.shops();
        Ok(shops.get(shop).zip(through).is_some_and(|(known, through)| known.seen.contains(&through)))
    }

    async fn compare(
        &self,
        client: &Client,
        shop: &ShopId,
        last: Option<Last>,
    ) -> Result<Option<Fork>, Error> {
        if let Some(Last { point, by }) = last
            && let Some(fork) = compare_point(client, shop, &point, by).await?
        {
            return Ok(Some(fork));
        }
        for memory in &self.inner.memories {
            if let Some(fork) = memory.compare(client, shop).await? {
                return Ok(Some(fork));
            }
        }
        Ok(None)
    }

    /// Remembers a commit. An earlier one of the same epoch is forgotten for it.
    pub fn remember(&self, shop: &ShopId, point: Point) {
        self.raise(shop, Last { point, by: "this process" });
    }

    /// Remembers what an earlier process committed.
    pub(crate) fn recall(&self, shop: &ShopId, point: Point) {
        self.raise(shop, Last { point, by: "the state file" });
    }

    fn raise(&self, shop: &ShopId, to: Last) {
        let mut shops = self.shops();
        let known = shops.entry(shop.clone()).or_default();
        if known.last.is_none_or(|last| last.point < to.point) {
            known.last = Some(to);
        }
    }

    /// Whether the next position can be this one, under the shop's lock. Where it cannot, every session is compared again
    /// before it is used; the caller rolls back.
    pub(crate) fn expect(&self, shop: &ShopId, epoch: i32, next: i64) -> Result<(), EndsEarly> {
        let mut shops = self.shops();
        let known = shops.entry(shop.clone()).or_default();
        let ends_early =
            known.last.is_some_and(|Last { point, .. }| point.epoch == epoch && point.position.0 >= next);
        if ends_early {
            known.doubt();
        }
        if ends_early { Err(EndsEarly) } else { Ok(()) }
    }

    /// Has every session compared again before it is used: somebody remembers something new.
    pub fn doubt(&self, shop: &ShopId) {
        self.shops().entry(shop.clone()).or_default().doubt();
    }

    /// What is remembered of each shop's log.
    pub(crate) fn remembered(&self) -> Vec<(ShopId, Point)> {
        let shops = self.shops();
        shops.iter().filter_map(|(shop, known)| Some((shop.clone(), known.last?.point))).collect()
    }

    /// The logs that have forked, and have not been mended yet.
    #[must_use]
    pub fn forks(&self) -> Vec<Fork> {
        let mut forks: Vec<Fork> = self.shops().values().filter_map(|known| known.fork.clone()).collect();
        forks.sort_unstable_by(|a, b| a.shop.as_str().cmp(b.shop.as_str()));
        forks
    }

    /// Whether logs have forked and none is known to be the one that it was.
    #[must_use]
    pub fn all_have_forked(&self) -> bool {
        let shops = self.shops();
        shops.values().any(|known| known.fork.is_some())
            && shops.values().all(|known| known.fork.is_some() || known.seen.is_empty())
    }

    /// Compares the logs of all shops: as a process starts, so that a fork is told before anybody wants to append.
    ///
    /// # Errors
    /// The database's. A fork is none: see [`Guard::forks`].
    pub async fn check_all(&self, database: &Database) -> Result<(), Error> {
        let client = database.client().await?;
        for row in client.query(&sql::event_log::LIST_SHOPS, &[]).await? {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            match self.check(&client, &shop).await {
                Ok(()) | Err(Error::Forked(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Compares those again that had forked: an operator may have mended them.
    pub(crate) async fn check_forked(&self, database: &Database) -> Result<(), Error> {
        for fork in self.forks() {
            let client = database.client().await?;
            match self.check(&client, &fork.shop).await {
                Ok(()) | Err(Error::Forked(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn shops(&self) -> MutexGuard<'_, HashMap<ShopId, Shop>> {
        // A panic elsewhere leaves the map whole: each change of it is one step.
        self.inner.shops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shop {
    fn doubt(&mut self) {
        self.seen.clear();
        self.doubts += 1;
    }
}

/// Compares one event that is remembered. What is behind the place where a later epoch parted from the point's is another
/// history, as everybody was told: it binds no more.
///
/// # Errors
/// The database's.
pub async fn compare_point(
    client: &Client,
    shop: &ShopId,
    point: &Point,
    by: &str,
) -> Result<Option<Fork>, Error> {
    let row = client
        .query_opt(&sql::event_log::COMPARE_POINT, &[&shop.as_str(), &point.epoch, &point.position.0])
        .await?;
    let fork = |is_missing| {
        Some(Fork { shop: shop.clone(), position: point.position, is_missing, by: by.to_owned() })
    };
    // Whatever wants to append to a shop that is not there is told so.
    let Some(row) = row else { return Ok(None) };
    let forked_at: Option<i64> = row.try_get("forked_at")?;
    if forked_at.is_some_and(|forked_at| point.position.0 > forked_at) {
        return Ok(None);
    }
    match row.try_get::<_, Option<&[u8]>>("leaf_hash")? {
        Some(leaf_hash) if leaf_hash == point.leaf_hash => Ok(None),
        Some(_) => Ok(fork(false)),
        None => Ok(fork(true)),
    }
}
