//! Reads the facts behind a checkpoint. They never change, so that this needs no transaction.

use database::{Client, sql};
use domain::{Position, ReceivedFact, ShopId};
use event_log::Event;
use uuid::Uuid;

use crate::Error;

/// A fact with the id that its outcomes' ids follow from.
pub(crate) struct LoggedFact {
    pub(crate) id: Uuid,
    pub(crate) received: ReceivedFact,
}

/// What stands behind a position.
pub(crate) struct Ahead {
    pub(crate) facts: Vec<LoggedFact>,
    /// Up to where the log was seen.
    pub(crate) seen: i64,
    /// There may be more.
    pub(crate) is_full: bool,
}

/// The fact that an event is, as decisions read it.
#[must_use]
pub fn received(event: &Event) -> ReceivedFact {
    ReceivedFact { position: event.position, at: event.at, key: event.key.clone(), fact: event.fact() }
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
            let event = Event::decode(Position(position), entry)?;
            ahead.facts.push(LoggedFact { id: event.id, received: received(&event) });
        }
        ahead.seen = position;
    }
    Ok(ahead)
}
