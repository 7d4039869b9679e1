//! Reading the outbox, a page at a time.

use database::{Client, sql};
use domain::{Position, ShopId};
use tokio_postgres::Row;

use crate::{Bounds, CursorError, Error, Message, Selection};

/// So many positions are looked through by one statement: a selection that nothing fits costs no more than this.
const WINDOW: i64 = 20_000;
/// Statements for one page; then it is given as it is, with how far it was looked.
const WINDOWS: usize = 10;
/// Bytes of one page, about.
const PAGE_BYTES: usize = 8 << 20;

/// What was found.
#[derive(Clone, Debug)]
pub struct Page {
    /// The messages, in their order.
    pub messages: Vec<Message>,
    /// Everything up to here was looked at: where the next page begins, also when nothing was selected.
    pub seen: Position,
    /// Nothing more is there at the moment.
    pub is_end: bool,
}

/// At most `limit` messages behind `after`, which must be within the bounds. Rows that were committed since the bounds
/// were read may be among them.
///
/// # Errors
/// The database's, and [`CursorError::Pruned`] when the outbox was pruned under it.
pub async fn read(
    client: &Client,
    shop: &ShopId,
    bounds: &Bounds,
    after: Position,
    limit: usize,
    selection: &Selection,
) -> Result<Page, Error> {
    let mut page = Page { messages: Vec::new(), seen: after, is_end: false };
    let (aggregates, patterns) = (selection.aggregates(), selection.patterns());
    let mut bytes = 0;
    for _ in 0..WINDOWS {
        let wanted = limit - page.messages.len();
        let (rows, to) =
            window(client, shop, bounds, page.seen, wanted, selection, (aggregates, &patterns)).await?;
        for row in &rows {
            let message = Message::of_row(row, bounds)?;
            page.seen = message.position;
            if selection.takes(&message) {
                bytes += message.bytes();
                page.messages.push(message);
            }
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        if bytes >= PAGE_BYTES {
            break;
        }
        if rows.len() < wanted {
            page.seen = page.seen.max(to);
        }
        page.is_end = page.seen >= bounds.head;
        if page.is_end || page.messages.len() >= limit {
            break;
        }
    }
    // Asked behind the rows: whatever was not among them because it was pruned is seen to be pruned.
    let pruned = client.query_opt(&sql::delivery::READ_PRUNED, &[&shop.as_str()]).await?;
    let pruned_through = Position(pruned.map_or(Ok(-1), |row| row.try_get(0))?);
    if pruned_through > after {
        return Err(CursorError::Pruned { pruned_through: bounds.at(pruned_through) }.into());
    }
    Ok(page)
}

/// The rows of one window, and where it ends.
async fn window(
    client: &Client,
    shop: &ShopId,
    bounds: &Bounds,
    after: Position,
    wanted: usize,
    selection: &Selection,
    (aggregates, patterns): (&[&str], &[String]),
) -> Result<(Vec<Row>, Position), Error> {
    use sql::delivery as q;
    let (shop, wanted) = (shop.as_str(), wanted as i64);
    if let Some(key) = &selection.key {
        let key = key.to_string();
        let parameters: database::Parameters<'_> = &[&shop, &after.0, &wanted, &aggregates, &patterns, &key];
        return Ok((client.query(&q::READ_OUTBOX_OF_KEY, parameters).await?, bounds.head));
    }
    let to = bounds.head.min(Position(after.0 + WINDOW));
    let parameters: database::Parameters<'_> = &[&shop, &after.0, &to.0, &wanted, &aggregates, &patterns];
    Ok((client.query(&q::READ_OUTBOX, parameters).await?, to))
}
