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

/// The next page, and beyond which head of the log there may be more than that.
pub(crate) type Read = (Page, Position);

impl Ahead {
    /// The next page; none when nothing more is there, or there is no room.
    pub(crate) async fn read(self) -> Result<Option<Read>, Error> {
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
        let is_held = shadow::leave_out(&client, &shop, &mut page).await?;
        let beyond = if is_held { bounds.head } else { page.seen };
        Ok(Some((page, beyond)))
    }
}
