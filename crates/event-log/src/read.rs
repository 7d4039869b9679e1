//! Reading a log, in order of position.

use chrono::{DateTime, Utc};
use database::{Client, sql};
use domain::{Currency, Key, Minor, Position, ShopId, Timestamp};
use tokio_postgres::Row;

use crate::{Error, Event, Kind};

/// How far behind its cause an outcome is looked for.
const OUTCOMES_WITHIN: i64 = 50_000;

/// Which events are wanted; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these kinds; all when empty.
    pub kinds: Vec<Kind>,
    /// Of these types, where `payment.*` stands for all that begin so; all when empty.
    pub types: Vec<String>,
    /// With this key.
    pub key: Option<Key>,
}

impl Filter {
    /// Whether an event is one of those.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let is_of = |wanted: &String| match wanted.strip_suffix('*') {
            Some(prefix) => event.type_name.starts_with(prefix),
            None => event.type_name == *wanted,
        };
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.types.is_empty() || self.types.iter().any(is_of))
            && self.key.as_ref().is_none_or(|key| event.key == *key)
    }
}

/// At most `limit` events behind `after`, which is -1 before the first.
///
/// # Errors
/// The database's, or an entry that cannot be read.
pub async fn read(
    client: &Client,
    shop: &ShopId,
    after: Position,
    limit: i64,
    filter: &Filter,
) -> Result<Vec<Event>, Error> {
    let (shop, kinds) = (shop.as_str(), filter.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    let patterns: Vec<String> = filter.types.iter().map(|text| pattern(text)).collect();
    let rows = match &filter.key {
        Some(key) => {
            let key = key.to_string();
            client
                .query(
                    &sql::event_log::READ_EVENTS_OF_KEY,
                    &[&shop, &after.0, &limit, &kinds, &patterns, &key],
                )
                .await?
        }
        None if kinds.is_empty() && patterns.is_empty() => {
            client.query(&sql::event_log::READ_LOG, &[&shop, &after.0, &limit]).await?
        }
        None => {
            client.query(&sql::event_log::READ_EVENTS, &[&shop, &after.0, &limit, &kinds, &patterns]).await?
        }
    };
    decode(rows)
}

/// At most `limit` events before `before`, the newest first; none that stands before `floor`.
///
/// # Errors
/// As [`read`].
pub async fn read_before(
    client: &Client,
    shop: &ShopId,
    before: Position,
    floor: Position,
    limit: i64,
    filter: &Filter,
) -> Result<Vec<Event>, Error> {
    let (shop, kinds) = (shop.as_str(), filter.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
    let patterns: Vec<String> = filter.types.iter().map(|text| pattern(text)).collect();
    let rows = match &filter.key {
        Some(key) => {
            let key = key.to_string();
            client
                .query(
                    &sql::event_log::READ_EVENTS_OF_KEY_BEFORE,
                    &[&shop, &before.0, &limit, &kinds, &patterns, &floor.0, &key],
                )
                .await?
        }
        None => {
            client
                .query(
                    &sql::event_log::READ_EVENTS_BEFORE,
                    &[&shop, &before.0, &limit, &kinds, &patterns, &floor.0],
                )
                .await?
        }
    };
    decode(rows)
}

/// The last event before each of some instants, -1 where there is none; in the order of the instants. It costs a few dozen
/// look-ups an instant, however long the log is, and no scan.
///
/// # Errors
/// The database's.
pub async fn positions_at(
    client: &Client,
    shop: &ShopId,
    instants: &[Timestamp],
) -> Result<Vec<Position>, Error> {
    let instants: Vec<DateTime<Utc>> = instants.iter().map(|instant| instant.as_datetime()).collect();
    let rows = client.query(&sql::event_log::FIND_POSITIONS_AT, &[&shop.as_str(), &instants]).await?;
    rows.iter().map(|row| Ok(Position(row.try_get("position")?))).collect()
}

/// How long the fact of the last outcome before each position had waited to be decided, in microseconds; positions that have
/// no outcome near are left out.
///
/// # Errors
/// The database's.
pub async fn delays(
    client: &Client,
    shop: &ShopId,
    positions: &[Position],
) -> Result<Vec<(Position, i64)>, Error> {
    let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
    let rows = client.query(&sql::event_log::READ_DELAYS, &[&shop.as_str(), &positions]).await?;
    rows.iter().map(|row| Ok((Position(row.try_get("position")?), row.try_get("delay_us")?))).collect()
}

/// Where the callback stands that PayPal knows by this id, of the event or of a delivery of it.
///
/// # Errors
/// The database's.
pub async fn find_by_paypal_id(client: &Client, shop: &ShopId, id: &str) -> Result<Vec<Position>, Error> {
    let rows = client.query(&sql::event_log::FIND_BY_PAYPAL_ID, &[&shop.as_str(), &id]).await?;
    rows.iter().map(|row| Ok(Position(row.try_get("position")?))).collect()
}

/// A payment that came in or went out, as a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// It went out: refunds and reversals.
    pub is_out: bool,
    /// Which capture, tender or refund: what is said twice has it twice.
    pub id: String,
    /// What it is counted in.
    pub currency: Currency,
    /// How much.
    pub minor: Minor,
}

/// What the facts behind a position say of money, up to another position. Reads all of them: the caller sees that they are few.
///
/// # Errors
/// The database's.
pub async fn read_money(
    client: &Client,
    shop: &ShopId,
    after: Position,
    through: Position,
) -> Result<Vec<Said>, Error> {
    let rows = client.query(&sql::event_log::READ_MONEY, &[&shop.as_str(), &after.0, &through.0]).await?;
    let mut said = Vec::with_capacity(rows.len());
    for row in &rows {
        let (is_out, id, minor) = (row.try_get("is_out")?, row.try_get("id")?, row.try_get("minor")?);
        // What a release that is to come may count in is not known to this one.
        if let Ok(currency) = Currency::parse(row.try_get("currency")?) {
            said.push(Said { is_out, id, currency, minor });
        }
    }
    Ok(said)
}

/// At most `limit` events behind `after`, all of them: what the relay and a replay read.
///
/// # Errors
/// As [`read`].
pub async fn read_all(
    client: &Client,
    shop: &ShopId,
    after: Position,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    decode(client.query(&sql::event_log::READ_LOG, &[&shop.as_str(), &after.0, &limit]).await?)
}

/// The events at these positions, in order; those that are not there are left out.
///
/// # Errors
/// As [`read`].
pub async fn read_at(client: &Client, shop: &ShopId, positions: &[Position]) -> Result<Vec<Event>, Error> {
    let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
    let rows = client.query(&sql::event_log::READ_EVENTS_AT, &[&shop.as_str(), &positions]).await?;
    let traces: Vec<Option<String>> =
        rows.iter().map(|row| row.try_get("traceparent")).collect::<Result<_, _>>()?;
    let mut events = decode(rows)?;
    for (event, trace) in events.iter_mut().zip(traces) {
        event.trace = trace.and_then(|trace| trace.parse().ok());
    }
    Ok(events)
}

/// At most `limit` leaf hashes behind `after`, in order: the leaves of the log's tree.
///
/// # Errors
/// The database's.
pub async fn leaves(
    client: &Client,
    shop: &ShopId,
    after: Position,
    limit: i64,
) -> Result<Vec<[u8; 32]>, Error> {
    let rows = client.query(&sql::event_log::READ_LEAVES, &[&shop.as_str(), &after.0, &limit]).await?;
    let read = |row: &Row| {
        let leaf: &[u8] = row.try_get(0)?;
        // One of another length is equal to none.
        Ok(leaf.try_into().unwrap_or_default())
    };
    rows.iter().map(read).collect()
}

/// The outcomes of the fact at this position, as far as they stand within 50,000 events behind it.
///
/// # Errors
/// As [`read`].
pub async fn outcomes_of(client: &Client, shop: &ShopId, cause: Position) -> Result<Vec<Event>, Error> {
    let until = cause.0.saturating_add(OUTCOMES_WITHIN);
    decode(client.query(&sql::event_log::READ_OUTCOMES_OF, &[&shop.as_str(), &cause.0, &until]).await?)
}

/// The last event's position and time; none when the log is empty.
///
/// # Errors
/// The database's.
pub async fn head(client: &Client, shop: &ShopId) -> Result<Option<(Position, Timestamp)>, Error> {
    let Some(row) = client.query_opt(&sql::event_log::READ_HEAD, &[&shop.as_str()]).await? else {
        return Ok(None);
    };
    let at = Timestamp::new(row.try_get::<_, DateTime<Utc>>("at")?);
    Ok(Some((Position(row.try_get("position")?), at)))
}

/// A command that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCommand {
    /// Its fact's type.
    pub type_name: String,
    /// The shop's id of it.
    pub id: String,
    /// SHA-256 of its content.
    pub content_sha256: [u8; 32],
    /// Where it stands.
    pub position: Position,
}

/// Those of the commands, each a type and an id, that are in the log.
///
/// # Errors
/// The database's.
pub async fn find_commands(
    client: &Client,
    shop: &ShopId,
    types: &[&str],
    ids: &[&str],
) -> Result<Vec<KnownCommand>, Error> {
    let rows = client.query(&sql::event_log::FIND_COMMANDS, &[&shop.as_str(), &types, &ids]).await?;
    let read = |row: &Row| {
        let content: &[u8] = row.try_get("content_sha256")?;
        Ok(KnownCommand {
            type_name: row.try_get("type")?,
            id: row.try_get("id")?,
            // One of another length is equal to none.
            content_sha256: content.try_into().unwrap_or_default(),
            position: Position(row.try_get("position")?),
        })
    };
    rows.iter().map(read).collect()
}

fn decode(rows: Vec<Row>) -> Result<Vec<Event>, Error> {
    rows.iter().map(|row| Event::decode(Position(row.try_get("position")?), row.try_get("entry")?)).collect()
}

/// `payment.*` as LIKE understands it.
fn pattern(text: &str) -> String {
    let (text, rest) = text.strip_suffix('*').map_or((text, ""), |prefix| (prefix, "%"));
    let mut pattern = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + rest
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn only_a_star_at_the_end_is_a_wildcard() {
        assert_eq!(pattern("payment.*"), "payment.%");
        assert_eq!(pattern("order.payment_noted"), "order.payment\\_noted");
        assert_eq!(pattern("a%b*c"), "a\\%b*c");
    }
}
