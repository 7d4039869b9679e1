//! How the job gets on, for operators.

use chrono::{DateTime, Utc};
use database::{Database, sql};
use serde::Serialize;

use crate::Error;

/// How far a shop is reconciled with PayPal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The shop.
    pub shop: String,
    /// Every event that PayPal has listed up to then is in the log.
    pub listed_through: Option<DateTime<Utc>>,
    /// How long ago a run ended well, in milliseconds.
    pub ran_age_ms: Option<i64>,
    /// Why the last run failed.
    pub error: Option<String>,
    /// Events that PayPal has listed, those of the overlap each time.
    pub listed: i64,
    /// Events that the log lacked.
    pub appended: i64,
    /// Captures that PayPal has confirmed.
    pub confirmed: i64,
    /// Captures that PayPal has refuted.
    pub refuted: i64,
    /// Orders that were looked up.
    pub looked_up: i64,
    /// Captures that wait to be confirmed.
    pub awaiting: i64,
}

/// Every shop that was reconciled.
///
/// # Errors
/// The database cannot be had.
pub async fn standings(database: &Database) -> Result<Vec<Standing>, Error> {
    let rows = database.client().await?.query(&sql::reconciliation::LIST_STANDINGS, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Standing {
            shop: row.try_get("shop_id")?,
            listed_through: row.try_get("listed_through")?,
            ran_age_ms: row.try_get("ran_age_ms")?,
            error: row.try_get("error")?,
            listed: row.try_get("listed")?,
            appended: row.try_get("appended")?,
            confirmed: row.try_get("confirmed")?,
            refuted: row.try_get("refuted")?,
            looked_up: row.try_get("looked_up")?,
            awaiting: row.try_get("awaiting")?,
        })
    };
    rows.iter().map(read).collect()
}
