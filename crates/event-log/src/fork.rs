//! A new epoch of a log: after its database was restored to an earlier state, what comes next is another history.

use database::{Client, Database, sql};
use domain::{Key, Position, ShopId, Timestamp};
use serde_json::json;

use crate::Error;
use crate::note::{NewNote, NoteType, Written};
use crate::write::next_of;

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
    let (shop, by) = (shop.clone(), by.to_owned());
    let forked = database
        .run_tx("begin an epoch", move |client| {
            let (shop, by) = (shop.clone(), by.clone());
            Box::pin(async move { begin_epoch(client, &shop, &by).await.map_err(Error::abort) })
        })
        .await;
    Ok(forked?)
}

async fn begin_epoch(client: &Client, shop: &ShopId, by: &str) -> Result<Forked, Error> {
    let name = shop.as_str();
    let locked = client.query_opt(&sql::event_log::LOCK_SHOP, &[&name]).await?.ok_or(Error::UnknownShop)?;
    let head = client.query_one(&sql::event_log::FIND_HEAD, &[&name]).await?;
    let (position, at) = next_of(&head)?;
    let last_at = head.try_get::<_, Option<_>>("at")?.map(Timestamp::new);
    let old_epoch: i32 = locked.try_get("feed_epoch")?;
    let (new_epoch, forked_at) = (old_epoch + 1, Position(position - 1));
    client.execute(&sql::event_log::RAISE_EPOCH, &[&name, &new_epoch, &forked_at.0]).await?;
    let resume_after =
        if position == 0 { format!("{new_epoch}-start") } else { format!("{new_epoch}-{forked_at}") };
    let note = NewNote {
        kind: NoteType::LogForked,
        key: Key::Shop(shop.clone()),
        by: by.to_owned(),
        id: new_epoch.to_string(),
        data: json!({
            "forked_at": forked_at.0, "new_epoch": new_epoch, "old_epoch": old_epoch, "resume_after": resume_after,
        }),
        evidence: None,
    };
    Written::new(shop, &note)?.insert(client, shop, position, at).await?;
    Ok(Forked { old_epoch, new_epoch, forked_at, at, last_at })
}
