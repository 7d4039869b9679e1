//! The feed: pages of the outbox for readers that ask, and wait where there is nothing yet.

use std::time::Duration;

use database::{Client, Database, sql};
use domain::{Position, ShopId};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::{Bounds, Cursor, CursorError, Error, Page, Selection, Tail, outbox};

/// From where a reader asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the first event that the outbox has.
    Start,
    /// Behind everything that is there.
    End,
    /// Behind this cursor.
    Cursor(Cursor),
    /// Behind the event with this id.
    Id(Uuid),
}

/// Gives the feed. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Feed {
    database: Database,
    tail: Tail,
}

impl Feed {
    /// The feed of a database.
    #[must_use]
    pub fn new(database: Database, tail: Tail) -> Self {
        Self { database, tail }
    }

    /// The messages from there on, or none. With a `wait`, an empty page comes only when nothing came for so long.
    ///
    /// # Errors
    /// As [`events`].
    pub async fn read(
        &self,
        shop: &ShopId,
        mut since: Since,
        limit: usize,
        selection: &Selection,
        wait: Duration,
    ) -> Result<(Bounds, Page), Error> {
        let deadline = Instant::now() + wait;
        loop {
            let (bounds, page) = {
                // Given back before it waits: a session is too dear for that.
                let client = self.database.client().await?;
                events(&client, shop, since, limit, selection).await?
            };
            if !page.messages.is_empty() || Instant::now() >= deadline {
                return Ok((bounds, page));
            }
            since = Since::Cursor(bounds.at(page.seen));
            if page.is_end && timeout_at(deadline, self.tail.grown(shop, page.seen)).await.is_err() {
                return Ok((bounds, page));
            }
        }
    }

    /// Returns when the shop's log may have grown beyond a position.
    pub async fn grown(&self, shop: &ShopId, beyond: Position) {
        self.tail.grown(shop, beyond).await;
    }
}

/// One page from there on, at once.
///
/// # Errors
/// The database's; [`Error::Cursor`] where the log does not go on from there.
pub async fn events(
    client: &Client,
    shop: &ShopId,
    since: Since,
    limit: usize,
    selection: &Selection,
) -> Result<(Bounds, Page), Error> {
    let bounds = Bounds::read(client, shop).await?;
    let after = match since {
        Since::Start => bounds.pruned_through,
        Since::End => bounds.head,
        Since::Cursor(cursor) => bounds.resume(cursor)?,
        Since::Id(id) => find(client, shop, &bounds, id).await?,
    };
    let page = outbox::read(client, shop, &bounds, after, limit, selection).await?;
    Ok((bounds, page))
}

async fn find(client: &Client, shop: &ShopId, bounds: &Bounds, id: Uuid) -> Result<Position, Error> {
    let row = client.query_opt(&sql::delivery::FIND_POSITION, &[&shop.as_str(), &id]).await?;
    let Some(row) = row else {
        return Err(CursorError::UnknownId { pruned_through: bounds.at(bounds.pruned_through) }.into());
    };
    Ok(Position(row.try_get(0)?))
}
