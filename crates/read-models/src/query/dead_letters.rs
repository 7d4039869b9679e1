//! Dead letters: facts that could not be decided, and those that wait behind them.

use database::{Client, Database, sql};
use domain::{Key, Position, ShopId, Timestamp};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::Page;
use crate::convert::{corrupt, stamp};
use crate::load::keys;

/// A parked fact.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeadLetter {
    /// Where it stands: what to redrive or dismiss.
    pub position: Position,
    /// The group it waits in: the position of the group's first fact.
    pub group: Position,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it is about.
    pub key: Key,
    /// When it was recorded.
    pub at: Timestamp,
    /// The ids it names: later facts about them wait behind it.
    pub keys: Vec<Key>,
    /// Why it could not be decided; `None`: it waits behind another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was parked first.
    pub parked_at: Timestamp,
    /// How often its group was tried again in vain.
    pub attempts: i64,
    /// Why the group is parked, the last time.
    pub group_error: String,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// The fact's data.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub data: Box<RawValue>,
}

/// How many facts of a shop are parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The shop.
    pub shop: String,
    /// Those that could not be decided, and those that wait behind them.
    pub facts: i64,
    /// For how long the oldest has been parked, in milliseconds.
    pub age_ms: i64,
}

/// Of every shop that has some; a thousand at most.
///
/// # Errors
/// The database cannot be had.
pub async fn parked(database: &Database) -> Result<Vec<Parked>, Error> {
    let rows = database.client().await?.query(&sql::read_models::MEASURE_PARKED, &[]).await?;
    let read = |row: &Row| {
        Ok(Parked {
            shop: row.try_get("shop_id")?,
            facts: row.try_get("parked")?,
            age_ms: row.try_get("age_ms")?,
        })
    };
    rows.iter().map(read).collect()
}

/// One parked fact.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn get(client: &Client, shop: &ShopId, position: Position) -> Result<Option<DeadLetter>, Error> {
    let rows = client
        .query(&sql::read_models::LIST_DEAD_LETTERS, &[&shop.as_str(), &-1_i64, &Some(position.0), &1_i64])
        .await?;
    rows.first().map(view).transpose()
}

/// Parked facts by their positions, from behind `after`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    after: Option<Position>,
    limit: i64,
) -> Result<Page<DeadLetter>, Error> {
    let (after, more) = (after.map_or(-1, |after| after.0), limit.saturating_add(1));
    let rows = client
        .query(&sql::read_models::LIST_DEAD_LETTERS, &[&shop.as_str(), &after, &None::<i64>, &more])
        .await?;
    let items = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &DeadLetter| item.position.to_string()))
}

/// How many facts are parked; `most` where there are as many or more.
///
/// # Errors
/// The database cannot be had.
pub async fn count(client: &Client, shop: &ShopId, most: i64) -> Result<i64, Error> {
    let row = client.query_one(&sql::read_models::COUNT_PARKED, &[&shop.as_str(), &most]).await?;
    Ok(row.try_get("parked")?)
}

fn view(row: &Row) -> Result<DeadLetter, Error> {
    let position = Position(row.try_get("position")?);
    let event = event_log::Event::decode(position, row.try_get("entry")?)?;
    let data =
        RawValue::from_string(event.data().to_owned()).map_err(|error| corrupt("an entry's data", error))?;
    Ok(DeadLetter {
        position,
        group: Position(row.try_get("group_position")?),
        type_name: event.type_name.clone(),
        key: event.key.clone(),
        at: event.at,
        keys: keys(row.try_get("keys")?)?,
        error: row.try_get("error")?,
        parked_at: Timestamp::new(row.try_get("parked_at")?),
        attempts: row.try_get("attempts")?,
        group_error: row.try_get("group_error")?,
        failed_at: stamp(row.try_get("failed_at")?),
        data,
    })
}
