//! How far each shop is, for operators.

use database::{Database, sql};
use serde::Serialize;

use crate::Error;

/// One shop's state of work.
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
    /// Which one.
    pub holder: Option<String>,
    /// Since when it was not heard of, in milliseconds by the database's clock.
    pub heartbeat_age_ms: Option<i64>,
    /// When the first undecided fact was recorded.
    pub oldest_undecided_at: Option<domain::Timestamp>,
}

/// Every shop's health, as the database has it: whichever process leads.
///
/// # Errors
/// The database cannot be had.
pub async fn health(database: &Database, consumer: &str) -> Result<Vec<Health>, Error> {
    let rows = database.client().await?.query(&sql::relay::READ_HEALTH, &[&consumer]).await?;
    rows.iter()
        .map(|row| {
            let oldest: Option<std::time::SystemTime> = row.try_get("oldest_undecided_at")?;
            Ok(Health {
                shop: row.try_get("shop_id")?,
                position: row.try_get("position")?,
                head: row.try_get("head")?,
                is_led: row.try_get("is_led")?,
                holder: row.try_get("lease_holder")?,
                heartbeat_age_ms: row.try_get("heartbeat_age_ms")?,
                oldest_undecided_at: oldest.map(|at| domain::Timestamp::new(at.into())),
            })
        })
        .collect()
}
