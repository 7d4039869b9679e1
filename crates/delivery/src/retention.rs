//! Prunes the outbox behind its readers, and declares those lost that hold it up for too long.

use std::time::Duration;

use chrono::TimeDelta;
use database::{Client, Database, sql};
use domain::{Position, ShopId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;

/// Rows of one statement: a moment's work.
const BATCH: i64 = 5_000;
/// Between two of them, so that they are no load.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the outbox is kept.
#[derive(Clone, Copy, Debug)]
pub struct RetentionOptions {
    /// At least so long, for readers that come anew.
    pub keep: Duration,
    /// A reader that has not moved for so long, though there was something to move for, is lost.
    pub lost_after: Duration,
    /// How often it is looked at.
    pub every: Duration,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self { keep: 7 * day, lost_after: 14 * day, every: Duration::from_secs(60) }
    }
}

/// The task that prunes. Several processes may: what one has pruned is gone for the others.
#[derive(Clone, Debug)]
pub struct Retention {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Retention {
    /// Starts; it works until it is stopped.
    #[must_use]
    pub fn start(database: Database, options: RetentionOptions) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(options.every).await;
                if let Err(error) = prune_all(&database, options).await {
                    tracing::warn!(%error, "the outboxes cannot be pruned now");
                }
            }
        }));
        tasks.close();
        Self { stop, tasks }
    }

    /// Stops.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

async fn prune_all(database: &Database, options: RetentionOptions) -> Result<(), Error> {
    let rows = database.client().await?.query(&sql::delivery::LIST_SHOPS, &[]).await?;
    for row in rows {
        let Ok(shop) = ShopId::parse(row.try_get(0)?) else { continue };
        prune(database, &shop, options).await?;
    }
    Ok(())
}

/// Prunes a shop's outbox as far as it may be, and answers how far that is.
///
/// # Errors
/// The database's.
pub async fn prune(database: &Database, shop: &ShopId, options: RetentionOptions) -> Result<Position, Error> {
    let (mut from, through) = {
        let client = database.client().await?;
        bounds(&client, shop, options).await?
    };
    while from < through {
        let to = through.min(from + BATCH);
        let client = database.client().await?;
        client.execute(&sql::delivery::PRUNE_OUTBOX, &[&shop.as_str(), &from, &to]).await?;
        client.execute(&sql::delivery::PRUNE_ATTEMPTS, &[&shop.as_str(), &to, &BATCH]).await?;
        drop(client);
        from = to;
        if from < through {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(Position(from))
}

/// How far it is pruned, and how far it may be.
async fn bounds(client: &Client, shop: &ShopId, options: RetentionOptions) -> Result<(i64, i64), Error> {
    let keep = TimeDelta::from_std(options.keep).unwrap_or(TimeDelta::MAX);
    let since = client.now().await?.checked_sub_signed(keep).unwrap_or(chrono::DateTime::UNIX_EPOCH);
    let old = client.query_one(&sql::delivery::FIND_POSITION_AT, &[&shop.as_str(), &since]).await?;
    let old: i64 = old.try_get(0)?;
    let lost_after = i64::try_from(options.lost_after.as_millis()).unwrap_or(i64::MAX);
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &old, &lost_after];
    for row in client.query(&sql::delivery::LOSE_STALE_CONSUMERS, parameters).await? {
        let (name, position): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        tracing::error!(%shop, consumer = name, position, "a consumer is lost: the outbox waits for it no longer");
    }
    for row in client.query(&sql::delivery::LOSE_STALE_SINKS, parameters).await? {
        let (name, position): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        tracing::error!(%shop, sink = name, position, "a sink is lost: the outbox waits for it no longer");
    }
    let row = client.query_one(&sql::delivery::READ_RETENTION, &[&shop.as_str()]).await?;
    let (pruned, slowest): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok((pruned, slowest.map_or(old, |slowest| slowest.min(old))))
}
