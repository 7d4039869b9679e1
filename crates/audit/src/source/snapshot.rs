//! A log in a database, as it was at one moment.

use std::fmt;

use database::{Client, Database, sql};
use domain::{Key, Position, ShopId};
use event_log::{Event, Filter, Kind};
use futures_util::try_join;
use read_models::CONSUMER;

use crate::Error;

/// It holds nothing that anybody waits for, and may think about a long log, ask much of it, and wait for a table that somebody
/// changes, for longer than a writer.
/// What goes through whole tables is planned for them as they are, unlike the look-ups of everybody else.
const MODES: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";
const SETTINGS: &str = "SET LOCAL idle_in_transaction_session_timeout = '600s'; SET LOCAL statement_timeout = '1h'; SET LOCAL lock_timeout = '60s'; \
    SET LOCAL enable_seqscan = on; SET LOCAL plan_cache_mode = force_custom_plan";

/// Events of a key are read so many at a time.
const PAGE: i64 = 1_000;

/// One snapshot of a shop's log and tables.
pub struct Snapshot {
    /// Taken when it is closed or dropped.
    client: Option<Client>,
    shop: ShopId,
    head: Position,
    decided_through: Position,
}

impl Snapshot {
    /// Takes one: everything that is read through it is of the same moment.
    ///
    /// # Errors
    /// The database's; [`event_log::Error::UnknownShop`].
    pub async fn take(database: &Database, shop: &ShopId) -> Result<Self, Error> {
        let client = database.client().await?;
        let mut snapshot = Self {
            client: Some(client),
            shop: shop.clone(),
            head: Position(-1),
            decided_through: Position(-1),
        };
        let client = snapshot.client()?;
        try_join!(client.begin(MODES), client.batch_execute(SETTINGS))?;
        if client.query_opt(&sql::event_log::FIND_HEAD, &[&shop.as_str()]).await?.is_none() {
            return Err(event_log::Error::UnknownShop.into());
        }
        let head = event_log::head(client, shop).await?.map_or(Position(-1), |(position, _)| position);
        let row = client.query_opt(&sql::relay::READ_CHECKPOINT, &[&shop.as_str(), &CONSUMER]).await?;
        let decided = row.map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or(-1);
        (snapshot.head, snapshot.decided_through) = (head, Position(decided));
        Ok(snapshot)
    }

    /// The session that sees it.
    ///
    /// # Errors
    /// It was closed.
    pub fn client(&self) -> Result<&Client, Error> {
        self.client.as_ref().ok_or_else(|| Error::Failed("the snapshot was closed".to_owned()))
    }

    /// Whose log it is.
    #[must_use]
    pub fn shop(&self) -> &ShopId {
        &self.shop
    }

    /// The last position.
    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    /// The relay's checkpoint: facts up to here are decided, and the tables show it.
    #[must_use]
    pub fn decided_through(&self) -> Position {
        self.decided_through
    }

    /// At most `limit` entries behind a position.
    ///
    /// # Errors
    /// The database's.
    pub async fn entries(&self, after: Position, limit: i64) -> Result<Vec<(Position, String)>, Error> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.shop.as_str(), &after.0, &limit];
        let rows = self.client()?.query(&sql::event_log::READ_LOG, &parameters).await?;
        let read = |row: &tokio_postgres::Row| Ok((Position(row.try_get(0)?), row.try_get(1)?));
        rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(Error::from)
    }

    /// The outcomes in a range that mention a text, in order, at most `limit` of them.
    ///
    /// # Errors
    /// The database's, or an entry that cannot be read.
    pub async fn mentions(
        &self,
        (after, through): (Position, Position),
        limit: i64,
        text: &str,
    ) -> Result<Vec<Event>, Error> {
        let shop = self.shop.as_str();
        let rows = self
            .client()?
            .query(&sql::audit::READ_MENTIONS, &[&shop, &after.0, &through.0, &limit, &text])
            .await?;
        let read = |row: &tokio_postgres::Row| Ok(Event::decode(Position(row.try_get(0)?), row.try_get(1)?)?);
        rows.iter().map(read).collect()
    }

    /// The events with a key up to a position, of a kind and of some types (all when none is named), in order.
    ///
    /// # Errors
    /// The database's, or an entry that cannot be read.
    pub async fn events_of_key(
        &self,
        kind: Kind,
        key: &Key,
        types: &[&str],
        through: Position,
    ) -> Result<Vec<Event>, Error> {
        let types = types.iter().map(|name| (*name).to_owned()).collect();
        let filter = Filter { kinds: vec![kind], types, key: Some(key.clone()) };
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(Position(-1), |event| event.position);
            let page = event_log::read(self.client()?, &self.shop, after, PAGE, &filter).await?;
            let is_last = (page.len() as i64) < PAGE || page.iter().any(|event| event.position > through);
            events.extend(page.into_iter().filter(|event| event.position <= through));
            if is_last {
                return Ok(events);
            }
        }
    }

    /// The events at these positions, in order.
    ///
    /// # Errors
    /// The database's, or an entry that cannot be read.
    pub async fn at(&self, positions: &[Position]) -> Result<Vec<Event>, Error> {
        Ok(event_log::read_at(self.client()?, &self.shop, positions).await?)
    }

    /// Ends the snapshot, so that its session can be used again.
    pub async fn close(mut self) {
        if let Some(client) = self.client.take()
            && client.commit_or_roll_back().await.is_err()
        {
            client.discard();
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // In the midst of its transaction it is of no use to anybody else.
        if let Some(client) = self.client.take() {
            client.discard();
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("shop", &self.shop).field("head", &self.head).finish_non_exhaustive()
    }
}
