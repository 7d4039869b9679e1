//! A new epoch of a log: after its database was restored to an earlier state, what comes next is another history.

use database::{Client, Database, sql};
use domain::{Key, Position, ShopId, Timestamp};
use serde_json::json;

use crate::Error;
use crate::canonical::canonical;
use crate::entry::{Fields, Untimed, fact_id};
use crate::write::next_of;

/// The type of the note that begins an epoch.
pub const LOG_FORKED: &str = "log.forked";

/// Where a log forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// The epoch until then.
    pub old_epoch: i32,
    /// The epoch from then on.
    pub new_epoch: i32,
    /// The last position that both have; -1: none.
    pub forked_at: Position,
    /// When the new epoch began: commands that were sent since the last common event must be sent again.
    pub at: Timestamp,
    /// When the last common event was recorded.
    pub last_at: Option<Timestamp>,
}

/// Raises the epoch of a shop's log, and appends `log.forked` as its first event. Readers whose cursor is of an epoch before
/// are told where to go on. The owner of the schema may, `serve` may not.
///
/// # Errors
/// The database's, or there is no such shop.
pub async fn fork(database: &Database, shop: &ShopId, by: &str) -> Result<Forked, Error> {
    let client = database.client().await?;
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let forked = begin_epoch(&client, shop, by).await;
    let end = if forked.is_ok() { "COMMIT" } else { "ROLLBACK" };
    if let Err(error) = client.batch_execute(end).await {
        client.discard();
        return Err(error.into());
    }
    forked
}

async fn begin_epoch(client: &Client, shop: &ShopId, by: &str) -> Result<Forked, Error> {
    let name = shop.as_str();
    let locked = client.query_opt(&sql::event_log::LOCK_SHOP, &[&name]).await?.ok_or(Error::UnknownShop)?;
    let head = client.query_one(&sql::event_log::FIND_HEAD, &[&name]).await?;
    let (position, at) = next_of(&head)?;
    let last_at = head.try_get::<_, Option<_>>("at")?.map(Timestamp::new);
    let old_epoch: i32 = locked.try_get(0)?;
    let (new_epoch, forked_at) = (old_epoch + 1, Position(position - 1));
    client.execute(&sql::event_log::RAISE_EPOCH, &[&name, &new_epoch, &forked_at.0]).await?;
    let key = Key::Shop(shop.clone());
    let resume_after =
        if position == 0 { format!("{new_epoch}-start") } else { format!("{new_epoch}-{forked_at}") };
    let data = json!({
        "forked_at": forked_at.0, "new_epoch": new_epoch, "old_epoch": old_epoch, "resume_after": resume_after,
    });
    let (entry, id) = note(shop, &key, by, &format!("{LOG_FORKED}:{new_epoch}"), &data)?;
    let (bytes, leaf_hash) = entry.at(at);
    client
        .execute(
            &sql::event_log::INSERT_NOTE,
            &[
                &name,
                &position,
                &id,
                &LOG_FORKED,
                &key.to_string(),
                &at.as_datetime(),
                &bytes,
                &&leaf_hash[..],
                &&*key.name(),
                &entry.data(),
            ],
        )
        .await?;
    Ok(Forked { old_epoch, new_epoch, forked_at, at, last_at })
}

fn note(
    shop: &ShopId,
    key: &Key,
    by: &str,
    dedup_key: &str,
    data: &serde_json::Value,
) -> Result<(Untimed, uuid::Uuid), Error> {
    let id = fact_id(shop.as_str(), "note", dedup_key);
    let odd = |why: crate::EntryError| Error::Note(why.to_string());
    let data = canonical(data).map_err(odd)?;
    let fields = Fields {
        id,
        type_name: LOG_FORKED,
        key,
        by: Some(by),
        cause: None,
        n: None,
        answers: None,
        evidence: None,
        data: &data,
    };
    Ok((Untimed::new(&fields).map_err(odd)?, id))
}
