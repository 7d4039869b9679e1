//! What each witness has seen last, for operators and for the next process.

use chrono::{DateTime, Utc};
use database::{Client, Database, sql};
use domain::ShopId;

use crate::Error;

/// What a witness has seen last of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The shop.
    pub shop: String,
    /// The log.
    pub origin: String,
    /// The witness, as the policy calls it.
    pub witness: String,
    /// The size of the checkpoint that it cosigned last; 0: none yet.
    pub size: u64,
    /// When it did, by its own clock.
    pub at: Option<DateTime<Utc>>,
    /// Why it did not, the last time.
    pub error: Option<String>,
}

/// What every witness has seen last, also of origins of the past.
///
/// # Errors
/// The database's.
pub async fn seen(database: &Database) -> Result<Vec<Seen>, Error> {
    let rows = database.client().await?.query(&sql::witnesses::LIST_SEEN, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        let size: i64 = row.try_get("size")?;
        Ok(Seen {
            shop: row.try_get("shop_id")?,
            origin: row.try_get("origin")?,
            witness: row.try_get("witness")?,
            size: u64::try_from(size).unwrap_or_default(),
            at: row.try_get("at")?,
            error: row.try_get("error")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn size(client: &Client, shop: &ShopId, origin: &str, witness: &str) -> Result<u64, Error> {
    let row = client.query_opt(&sql::witnesses::READ_SEEN, &[&shop.as_str(), &origin, &witness]).await?;
    let size: i64 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
    Ok(u64::try_from(size).unwrap_or_default())
}

pub(crate) async fn cosigned(
    client: &Client,
    shop: &ShopId,
    origin: &str,
    witness: &str,
    size: u64,
    time_s: u64,
) -> Result<(), Error> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let at = i64::try_from(time_s).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    client.execute(&sql::witnesses::PUT_SEEN, &[&shop.as_str(), &origin, &witness, &size, &at]).await?;
    Ok(())
}

pub(crate) async fn failed(
    client: &Client,
    shop: &ShopId,
    origin: &str,
    witness: &str,
    error: &str,
) -> Result<(), Error> {
    client.execute(&sql::witnesses::PUT_ERROR, &[&shop.as_str(), &origin, &witness, &error]).await?;
    Ok(())
}
