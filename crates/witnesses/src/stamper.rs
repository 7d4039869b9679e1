//! Has published checkpoints stamped with a time, once an hour and so also when a day ends.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Client, Database, sql};
use domain::ShopId;
use reqwest::Url;
use tlog::{Checkpoint, Note};
use tokio::time::Instant;

use crate::stamp::{Request, Stamped};
use crate::{Error, WitnessClient};

const PAUSE: Duration = Duration::from_secs(60);

/// A time stamp that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The log.
    pub origin: String,
    /// The size of the checkpoint.
    pub size: u64,
    /// When it was there, by the authority's clock.
    pub at: DateTime<Utc>,
    /// The note, byte for byte.
    pub checkpoint: String,
    /// The whole answer, DER.
    pub response: Vec<u8>,
}

impl Stamp {
    /// Writes `<size>.note` and `<size>.tsr`, for
    /// `openssl ts -verify -data <size>.note -in <size>.tsr -CAfile <the authority's root>`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_to(&self, dir: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join(format!("{}.note", self.size)), &self.checkpoint)?;
        std::fs::write(dir.join(format!("{}.tsr", self.size)), &self.response)
    }
}

/// All time stamps of a shop's log, from the first on.
///
/// # Errors
/// The database's.
pub async fn stamps(client: &Client, shop: &ShopId) -> Result<Vec<Stamp>, Error> {
    let rows = client.query(&sql::witnesses::LIST_STAMPS, &[&shop.as_str()]).await?;
    let read = |row: &tokio_postgres::Row| {
        let size: i64 = row.try_get("size")?;
        Ok(Stamp {
            origin: row.try_get("origin")?,
            size: u64::try_from(size).unwrap_or_default(),
            at: row.try_get("at")?,
            checkpoint: row.try_get("checkpoint")?,
            response: row.try_get("response")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The size of the checkpoint of a log that was stamped last, and when.
///
/// # Errors
/// The database's.
pub async fn last_stamp(
    client: &Client,
    shop: &ShopId,
    origin: &str,
) -> Result<Option<(u64, DateTime<Utc>)>, Error> {
    let row = client.query_opt(&sql::witnesses::READ_LAST_STAMP, &[&shop.as_str(), &origin]).await?;
    let Some(row) = row else { return Ok(None) };
    let size: i64 = row.try_get("size")?;
    Ok(Some((u64::try_from(size).unwrap_or_default(), row.try_get("at")?)))
}

/// Asks one authority.
#[derive(Debug)]
pub struct Stamper {
    url: Url,
    client: WitnessClient,
    failed: Mutex<HashMap<ShopId, Instant>>,
}

impl Stamper {
    /// One that asks there. Plain HTTP is what most authorities have: nothing but a hash is told, and whoever relies on the
    /// answer checks its signature.
    ///
    /// # Errors
    /// [`Error::Url`]
    pub fn new(url: &str, client: WitnessClient) -> Result<Self, Error> {
        let odd = || Error::Url(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| odd())?;
        if !matches!(parsed.scheme(), "https" | "http") {
            return Err(odd());
        }
        Ok(Self { url: parsed, client, failed: Mutex::default() })
    }

    /// Has a checkpoint stamped if none was in this hour, by the database's clock, and keeps the stamp. After a failure it
    /// waits a minute.
    ///
    /// # Errors
    /// Why not.
    pub async fn stamp_if_due(
        &self,
        database: &Database,
        shop: &ShopId,
        note: &Note,
        checkpoint: &Checkpoint,
    ) -> Result<(), Error> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(shop).copied();
        if failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Ok(());
        }
        let stamped = self.stamp(database, shop, note, checkpoint).await;
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match stamped {
            Ok(()) => {
                failed.remove(shop);
                Ok(())
            }
            Err(error) => {
                failed.insert(shop.clone(), Instant::now());
                Err(error)
            }
        }
    }

    async fn stamp(
        &self,
        database: &Database,
        shop: &ShopId,
        note: &Note,
        checkpoint: &Checkpoint,
    ) -> Result<(), Error> {
        let (origin, size) = (checkpoint.origin(), i64::try_from(checkpoint.size()).unwrap_or(i64::MAX));
        {
            let client = database.client().await?;
            let row = client.query_opt(&sql::witnesses::READ_LAST_STAMP, &[&shop.as_str(), &origin]).await?;
            if let Some(row) = row {
                let (last, at, now): (i64, DateTime<Utc>, DateTime<Utc>) =
                    (row.try_get("size")?, row.try_get("at")?, row.try_get("now")?);
                if last == size || hour(at) >= hour(now) {
                    return Ok(());
                }
            }
        }
        let text = note.to_string();
        let request = Request::about(text.as_bytes())?;
        let Stamped { at, response } = request.read(self.client.ask(&self.url, request.der()).await?)?;
        let client = database.client().await?;
        client
            .execute(&sql::witnesses::INSERT_STAMP, &[&shop.as_str(), &origin, &size, &at, &text, &response])
            .await?;
        tracing::info!(%shop, size, %at, "a checkpoint was stamped");
        Ok(())
    }
}

/// Which hour it is since 1970. (An authority's clock that is ahead only has the next stamp come later.)
fn hour(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}
