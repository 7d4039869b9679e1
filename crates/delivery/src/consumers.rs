//! Named consumers: readers of the feed whose cursor is kept here.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use database::{Database, Query, sql};
use domain::{Position, ShopId, Timestamp};
use event_log::{Act, NoteType, Operator};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::Row;

use crate::{Bounds, Cursor, CursorError, Error};

/// Where a consumer is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Before everything that the outbox has.
    Start,
    /// Behind everything that is there.
    End,
    /// Behind this cursor.
    Cursor(Cursor),
    /// Before the first event that was recorded at this time or later.
    Time(Timestamp),
}

impl FromStr for To {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "start" => return Ok(Self::Start),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Ok(cursor) = text.parse() {
            return Ok(Self::Cursor(cursor));
        }
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|_| "it is start, end, a cursor as 0-1042, or a time")?;
        Ok(Self::Time(Timestamp::new(time.to_utc())))
    }
}

/// A consumer, and how far it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The last event that it is done with.
    pub cursor: Cursor,
    /// Events behind it, those included that it may not ask for.
    pub lag_events: i64,
    /// How long the first of them has been there.
    pub lag_seconds: i64,
    /// When it came.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub moved_at: DateTime<Utc>,
    /// Since when it is declared lost, and the outbox waits for it no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<DateTime<Utc>>,
}

impl Consumer {
    fn of_row(row: &Row) -> Result<Self, Error> {
        let epoch = i64::from(row.try_get::<_, i32>("epoch")?);
        let position: i64 = row.try_get("position")?;
        let head: i64 = row.try_get("head")?;
        let lag_ms: Option<i64> = row.try_get("lag_ms")?;
        Ok(Self {
            name: row.try_get("name")?,
            cursor: Cursor { epoch, position: Position(position) },
            lag_events: (head - position).max(0),
            lag_seconds: lag_ms.unwrap_or(0) / 1000,
            created_at: row.try_get("created_at")?,
            moved_at: row.try_get("moved_at")?,
            lost_at: row.try_get("lost_at")?,
        })
    }
}

/// What came of moving a cursor.
#[derive(Clone, Debug)]
pub enum Moved {
    /// It stands there now.
    There(Consumer),
    /// It stood elsewhere than was said: nothing has changed.
    Elsewhere(Consumer),
    /// There is no such consumer.
    Unknown,
}

/// The consumers of a database.
#[derive(Clone, Debug)]
pub struct Consumers {
    database: Database,
}

impl Consumers {
    /// The consumers of a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// All of a shop, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, shop: &ShopId) -> Result<Vec<Consumer>, Error> {
        self.select(shop, None).await
    }

    /// One of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, shop: &ShopId, name: &str) -> Result<Option<Consumer>, Error> {
        Ok(self.select(shop, Some(name)).await?.pop())
    }

    async fn select(&self, shop: &ShopId, name: Option<&str>) -> Result<Vec<Consumer>, Error> {
        let client = self.database.client().await?;
        let rows = client.query(&sql::delivery::LIST_CONSUMERS, &[&shop.as_str(), &name]).await?;
        rows.iter().map(Consumer::of_row).collect()
    }

    /// Makes a consumer; one that is there already is left as it is, and answered with `false`.
    ///
    /// # Errors
    /// The database's, or the log does not go on from there.
    pub async fn create(&self, shop: &ShopId, name: &str, to: To) -> Result<(bool, Option<Consumer>), Error> {
        let cursor = self.resolve(shop, to).await?;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &name, &narrow(cursor.epoch)?, &cursor.position.0];
        let made = self.database.client().await?.execute(&sql::delivery::INSERT_CONSUMER, parameters).await?;
        Ok((made > 0, self.get(shop, name).await?))
    }

    /// Moves a cursor from where it was, forwards or not: of two instances that think to stand at the same place, one finds
    /// out that it does not.
    ///
    /// # Errors
    /// The database's, or the log does not go on from there.
    pub async fn commit(&self, shop: &ShopId, name: &str, was: Cursor, to: Cursor) -> Result<Moved, Error> {
        let to = self.resolve(shop, To::Cursor(to)).await?;
        let changed = {
            let client = self.database.client().await?;
            let (epoch, was_epoch) = (narrow(to.epoch)?, narrow(was.epoch)?);
            client
                .execute(
                    &sql::delivery::PUT_CONSUMER,
                    &[&shop.as_str(), &name, &epoch, &to.position.0, &was_epoch, &was.position.0],
                )
                .await?
        };
        Ok(match (self.get(shop, name).await?, changed) {
            (None, _) => Moved::Unknown,
            (Some(consumer), 0) => Moved::Elsewhere(consumer),
            (Some(consumer), _) => Moved::There(consumer),
        })
    }

    /// Puts a consumer elsewhere, wherever it was. One that was lost counts again.
    ///
    /// # Errors
    /// As [`Act::carry_out`], and the log does not go on from there.
    pub async fn reset(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        to: To,
    ) -> Result<Option<Consumer>, Error> {
        let to = self.resolve(shop, to).await?;
        let data = json!({ "name": name, "change": "reset", "cursor": to.to_string() });
        let act =
            act(&sql::delivery::RESET_CONSUMER, shop, name, data).with(narrow(to.epoch)?).with(to.position.0);
        act.carry_out(&self.database, shop, operator).await?;
        self.get(shop, name).await
    }

    /// Declares it lost: the outbox waits for it no longer. It counts again when it moves.
    ///
    /// # Errors
    /// As [`Act::carry_out`].
    pub async fn lose(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
    ) -> Result<Option<Consumer>, Error> {
        let data = json!({ "name": name, "change": "lost" });
        let act = act(&sql::delivery::LOSE_CONSUMER, shop, name, data);
        act.carry_out(&self.database, shop, operator).await?;
        self.get(shop, name).await
    }

    /// Forgets it; whether it was there.
    ///
    /// # Errors
    /// As [`Act::carry_out`].
    pub async fn delete(&self, operator: &Operator, shop: &ShopId, name: &str) -> Result<bool, Error> {
        let data = json!({ "name": name, "change": "removed" });
        let act = act(&sql::delivery::DELETE_CONSUMER, shop, name, data);
        Ok(act.carry_out(&self.database, shop, operator).await?.is_some())
    }

    async fn resolve(&self, shop: &ShopId, to: To) -> Result<Cursor, Error> {
        let client = self.database.client().await?;
        resolve(&client, shop, to).await
    }
}

/// What an operator does to a consumer: a statement whose first parameters are the shop and the name.
fn act(query: &'static Query, shop: &ShopId, name: &str, data: Value) -> Act {
    Act::new(query, NoteType::ConsumerChanged, data).with(shop.as_str().to_owned()).with(name.to_owned())
}

/// The cursor that is meant.
pub(crate) async fn resolve(client: &database::Client, shop: &ShopId, to: To) -> Result<Cursor, Error> {
    let bounds = Bounds::read(client, shop).await?;
    let position = match to {
        To::Start => bounds.pruned_through,
        To::End => bounds.head,
        To::Cursor(cursor) => bounds.resume(cursor)?,
        To::Time(time) => {
            let parameters: database::Parameters<'_> = &[&shop.as_str(), &time.as_datetime()];
            let row = client.query_one(&sql::delivery::FIND_POSITION_AT, parameters).await?;
            let position = Position(row.try_get(0)?);
            if position < bounds.pruned_through {
                let pruned_through = bounds.at(bounds.pruned_through);
                return Err(CursorError::Pruned { pruned_through }.into());
            }
            position
        }
    };
    Ok(bounds.at(position))
}

fn narrow(epoch: i64) -> Result<i32, Error> {
    i32::try_from(epoch).map_err(|_| Error::Corrupt("an epoch beyond all that there are".to_owned()))
}
