//! Every sink and consumer, for whoever watches over all of them.

use database::{Database, sql};

use crate::Error;

/// A sink or a consumer, and how it gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Whose.
    pub shop: String,
    /// consumer, webhook, kafka, rabbitmq or nats.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// running, failing, paused, disabled or lost.
    pub state: String,
    /// Why it is not running.
    pub error: Option<String>,
    /// Events behind it.
    pub lag_events: i64,
    /// How long the first of them has been there.
    pub lag_ms: i64,
    /// Set aside, to be tried again.
    pub waiting: i64,
    /// Dead letters.
    pub dead: i64,
    /// For how long the oldest of them was set aside.
    pub dead_ms: i64,
}

/// All of them, of all shops; a thousand at most.
///
/// # Errors
/// The database's.
pub async fn readers(database: &Database) -> Result<Vec<Reader>, Error> {
    let client = database.client().await?;
    let rows = client.query(&sql::delivery::LIST_READERS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Reader {
                shop: row.try_get("shop_id")?,
                kind: row.try_get("kind")?,
                name: row.try_get("name")?,
                state: row.try_get("state")?,
                error: row.try_get("error")?,
                lag_events: row.try_get("lag_events")?,
                lag_ms: row.try_get("lag_ms")?,
                waiting: row.try_get("waiting")?,
                dead: row.try_get("dead")?,
                dead_ms: row.try_get("dead_ms")?,
            })
        })
        .collect()
}
