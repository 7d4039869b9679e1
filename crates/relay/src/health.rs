//! How far each shop is, for operators.

use database::{Database, sql};
use domain::ShopId;
use serde::Serialize;

use crate::Error;

/// One shop's state of work. Every age is in milliseconds, by the database's clock; [`Health::standing`] judges them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The shop.
    pub shop: String,
    /// Decided up to here; -1: nothing yet.
    pub position: i64,
    /// The log's last position; -1: it is empty.
    pub head: i64,
    /// Whether a relay has the lease now.
    pub is_led: bool,
    /// Which one: its host and process. One that was not heard of in time stays named until the next one leads.
    pub holder: Option<String>,
    /// How often the lease was taken.
    pub epoch: i64,
    /// For how long the leader was not heard of.
    pub heartbeat_age_ms: Option<i64>,
    /// For how long the checkpoint has not moved.
    pub progress_age_ms: Option<i64>,
    /// How long ago the first undecided fact was recorded; none: all are decided.
    pub undecided_age_ms: Option<i64>,
}

impl Health {
    /// How many events lie between the checkpoint and the head; 0 when only outcomes do, which nobody has to decide.
    #[must_use]
    pub fn lag(&self) -> i64 {
        if self.undecided_age_ms.is_some() { self.head - self.position } else { 0 }
    }
}

/// Every shop's health, as the database has it: whichever process leads.
///
/// # Errors
/// The database cannot be had.
pub async fn health(database: &Database, consumer: &str) -> Result<Vec<Health>, Error> {
    let rows = database.client().await?.query(&sql::relay::READ_HEALTH, &[&consumer]).await?;
    rows.iter()
        .map(|row| {
            // An event's time is never before that of the one before it, so it may lie ahead of a clock that was set back.
            let age = |name: &str| Ok::<_, Error>(row.try_get::<_, Option<i64>>(name)?.map(|age| age.max(0)));
            Ok(Health {
                shop: row.try_get("shop_id")?,
                position: row.try_get("position")?,
                head: row.try_get("head")?,
                is_led: row.try_get("is_led")?,
                holder: row.try_get("lease_holder")?,
                epoch: row.try_get("epoch")?,
                heartbeat_age_ms: age("heartbeat_age_ms")?,
                progress_age_ms: age("progress_age_ms")?,
                undecided_age_ms: age("undecided_age_ms")?,
            })
        })
        .collect()
}

/// Up to where the shop's facts are decided, for processes without a relay; -1: nothing yet.
///
/// # Errors
/// The database cannot be had.
pub async fn checkpoint(database: &Database, consumer: &str, shop: &ShopId) -> Result<i64, Error> {
    let client = database.client().await?;
    let row = client.query_opt(&sql::relay::READ_CHECKPOINT, &[&shop.as_str(), &consumer]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(-1))
}

/// A sign of life of whoever leads something of a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The shop.
    pub shop: String,
    /// What is led: `relay`, `sink:<name>`, ..
    pub worker: String,
    /// How long ago it was, in milliseconds.
    pub age_ms: i64,
}

/// Of everything that somebody leads, or did until he went without a word; two thousand at most.
///
/// # Errors
/// The database cannot be had.
pub async fn heartbeats(database: &Database) -> Result<Vec<Heartbeat>, Error> {
    let rows = database.client().await?.query(&sql::relay::LIST_HEARTBEATS, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        let age_ms: i64 = row.try_get("age_ms")?;
        // A clock that was set back is no sign from the future.
        let age_ms = age_ms.max(0);
        Ok(Heartbeat { shop: row.try_get("shop_id")?, worker: row.try_get("consumer")?, age_ms })
    };
    rows.iter().map(read).collect()
}
