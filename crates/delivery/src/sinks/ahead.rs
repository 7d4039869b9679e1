//! Reading ahead of what is published.

use database::Database;
use domain::{Position, ShopId};

use super::shadow;
use crate::{Bounds, Error, Page, Selection, outbox};

/// So many are read at a time.
const READ: usize = 2_000;

/// Where a sink reads on, and how much there is room for.
pub(crate) struct Ahead {
    pub(crate) database: Database,
    pub(crate) shop: ShopId,
    pub(crate) selection: Selection,
    pub(crate) after: Position,
    pub(crate) room: usize,
}

impl Ahead {
    /// The next page; none when nothing more is there, or there is no room.
    pub(crate) async fn read(self) -> Result<Option<Page>, Error> {
        let Self { database, shop, selection, after, room } = self;
        if room == 0 {
            return Ok(None);
        }
        let client = database.client().await?;
        let bounds = Bounds::read(&client, &shop).await?;
        if after >= bounds.head {
            return Ok(None);
        }
        let mut page = outbox::read(&client, &shop, &bounds, after, room.min(READ), &selection).await?;
        shadow::leave_out(&client, &shop, &mut page).await?;
        Ok(Some(page))
    }
}
