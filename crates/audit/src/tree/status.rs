//! How far each shop's tree is, for whoever watches.

use database::{Database, sql};
use serde::Serialize;

use super::store::size;
use super::{CONSUMER, Error};

/// An event that waits for so long to be in the tree is a reason to look.
const PATIENCE_MS: i64 = 15_000;

/// A shop's tree. Every age is in milliseconds, by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeStatus {
    /// The shop.
    pub shop: String,
    /// The epoch of its log.
    pub epoch: i32,
    /// How many events are in the tree.
    pub size: u64,
    /// The root over them, in hexadecimal; none before the tree was begun.
    pub root: Option<String>,
    /// How many events the log has.
    pub log_size: u64,
    /// The size of the checkpoint that was published last.
    pub published_size: Option<u64>,
    /// How long ago.
    pub published_age_ms: Option<i64>,
    /// How long the first event has waited that is not in the tree; none: all are.
    pub waiting_age_ms: Option<i64>,
    /// Whether somebody has the lease now.
    pub is_led: bool,
    /// Who grows it, or did last.
    pub holder: Option<String>,
    /// Why it does not grow.
    pub error: Option<String>,
}

impl TreeStatus {
    /// How many events are not in the tree.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.log_size.saturating_sub(self.size)
    }

    /// Whether it was ever grown: where no key is given to any process, it is not.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.root.is_some()
    }

    /// Whether it goes on by itself; of one that nobody has begun there is nothing to say.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let is_behind = self.waiting_age_ms.is_some_and(|age| age > PATIENCE_MS);
        self.error.is_none() && !(self.is_begun() && is_behind)
    }
}

/// Every shop's tree; a thousand at most.
///
/// # Errors
/// The database's.
pub async fn trees(database: &Database) -> Result<Vec<TreeStatus>, Error> {
    let client = database.client().await?;
    let rows = client.query(&sql::audit::LIST_TREES, &[&CONSUMER]).await?;
    rows.iter()
        .map(|row| {
            let published: Option<i64> = row.try_get("published_size")?;
            Ok(TreeStatus {
                shop: row.try_get("shop_id")?,
                epoch: row.try_get("feed_epoch")?,
                size: size(row, "size")?,
                root: row.try_get::<_, Option<&[u8]>>("root")?.map(hex::encode),
                log_size: size(row, "log_size")?,
                published_size: published.and_then(|size| u64::try_from(size).ok()),
                published_age_ms: row.try_get("published_age_ms")?,
                waiting_age_ms: row.try_get("waiting_age_ms")?,
                is_led: row.try_get("is_led")?,
                holder: row.try_get("lease_holder")?,
                error: row.try_get("error")?,
            })
        })
        .collect()
}
