//! Reads the facts behind a checkpoint. They never change, so that this needs no transaction.

use database::{Client, sql};
use domain::{Key, Position, ReceivedFact, ShopId, Timestamp, UnknownFact};
use event_log::Event;

use crate::Error;
use crate::ground::{Ahead, LoggedFact};

/// The fact that an event is, as decisions read it.
#[must_use]
pub fn received(event: &Event) -> ReceivedFact {
    ReceivedFact { position: event.position, at: event.at, key: event.key.clone(), fact: event.fact() }
}

/// The fact in an entry. One that only a newer version can read is a fact too, with the key and the time of its columns:
/// it is parked, and holds back nothing else.
#[must_use]
pub fn received_entry(position: Position, entry: String, key: &str, at: Timestamp) -> ReceivedFact {
    match Event::decode(position, entry) {
        Ok(event) => received(&event),
        Err(error) => ReceivedFact {
            position,
            at,
            key: Key::parse(key).unwrap_or(Key::Event(position.0)),
            fact: Err(UnknownFact(error.to_string())),
        },
    }
}

/// Reads at most `limit` facts. Outcomes lie between them, so that twice as many events are looked at.
pub(crate) async fn read_ahead(
    client: &Client,
    shop: &ShopId,
    after: i64,
    limit: usize,
) -> Result<Ahead, Error> {
    let row_limit = i64::try_from(limit.saturating_mul(2)).unwrap_or(i64::MAX);
    let rows = client.query(&sql::relay::READ_FACTS, &[&shop.as_str(), &after, &row_limit]).await?;
    let mut ahead = Ahead { facts: Vec::new(), seen: after, is_full: rows.len() as i64 >= row_limit };
    for row in rows {
        let position: i64 = row.try_get(0)?;
        if let Some(entry) = row.try_get::<_, Option<String>>(1)? {
            if ahead.facts.len() == limit {
                ahead.is_full = true;
                break;
            }
            let (key, at) = (row.try_get(2)?, Timestamp::new(row.try_get(3)?));
            let received = received_entry(Position(position), entry, key, at);
            let trace = row.try_get::<_, Option<&str>>(5)?.and_then(|trace| trace.parse().ok());
            ahead.facts.push(LoggedFact { id: row.try_get(4)?, received, trace });
        }
        ahead.seen = position;
    }
    Ok(ahead)
}
