//! Brings events back that a restore has lost and somebody else has kept. Byte for byte: nothing about them is new.

use chrono::{DateTime, Utc};
use database::{Client, sql};
use domain::ShopId;
use uuid::Uuid;

use crate::{Error, Event, leaf_hash};

/// Inserts events behind the head of a log, with their outbox rows, within a transaction that has the shop's lock. The
/// caller has made sure that they are those that stood there. What deduplicates them is not among what was kept; they are
/// found by their ids instead. The owner of the schema may, `serve` may not.
///
/// # Errors
/// The database's; something stands at one of the positions.
pub async fn insert_reimported(client: &Client, shop: &ShopId, events: &[Event]) -> Result<(), Error> {
    let positions: Vec<i64> = events.iter().map(|event| event.position.0).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let types: Vec<&str> = events.iter().map(|event| event.type_name.as_str()).collect();
    let keys: Vec<String> = events.iter().map(|event| event.key.to_string()).collect();
    let ats: Vec<DateTime<Utc>> = events.iter().map(|event| event.at.as_datetime()).collect();
    let causes: Vec<Option<i64>> =
        events.iter().map(|event| event.cause.map(|position| position.0)).collect();
    let entries: Vec<&str> = events.iter().map(|event| event.entry.as_str()).collect();
    let leaf_hashes: Vec<[u8; 32]> = events.iter().map(|event| leaf_hash(&event.entry)).collect();
    let leaf_hashes: Vec<&[u8]> = leaf_hashes.iter().map(|hash| &hash[..]).collect();
    let aggregate_types: Vec<&str> = events.iter().map(Event::aggregate_type).collect();
    let names: Vec<_> = events.iter().map(|event| event.key.name()).collect();
    let aggregate_ids: Vec<&str> = names.iter().map(|name| &**name).collect();
    let payloads: Vec<&str> = events.iter().map(Event::data).collect();
    client
        .execute(
            &sql::event_log::INSERT_REIMPORTED,
            &[
                &shop.as_str(),
                &positions,
                &ids,
                &kinds,
                &types,
                &keys,
                &ats,
                &causes,
                &entries,
                &leaf_hashes,
                &aggregate_types,
                &aggregate_ids,
                &payloads,
            ],
        )
        .await?;
    Ok(())
}
