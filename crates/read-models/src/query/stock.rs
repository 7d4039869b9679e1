//! Stock: what is on hand, and how much of it is still to be had.

use database::{Client, sql};
use domain::{Position, ShopId, Sku, Stock};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use crate::convert::stock_from_row;
use crate::rows::StockRow;

/// An article's stock, in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StockView {
    /// Which article.
    pub sku: String,
    /// On hand: received + adjusted - settled + returned.
    pub on_hand: i64,
    /// Set aside for open orders.
    pub held: i64,
    /// On hand and not set aside.
    pub available: i64,
    /// Came in.
    pub received: i64,
    /// Found by counting, signed.
    pub adjusted: i64,
    /// Left with paid orders.
    pub settled: i64,
    /// Came back.
    pub returned: i64,
    /// The fact that changed it last.
    pub position: Option<Position>,
}

/// One article's stock.
///
/// # Errors
/// The database cannot be had.
pub async fn get(client: &Client, shop: &ShopId, sku: &Sku) -> Result<Option<StockView>, Error> {
    let skus = vec![sku.as_str()];
    let row = client.query_opt(&sql::read_models::LOAD_STOCK, &[&shop.as_str(), &skus]).await?;
    row.as_ref().map(view).transpose()
}

/// Articles by their ids, from behind `after`.
///
/// # Errors
/// The database cannot be had.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<StockView>, Error> {
    let (after, more) = (after.unwrap_or_default(), limit.saturating_add(1));
    let rows = client.query(&sql::read_models::LIST_STOCK, &[&shop.as_str(), &after, &more]).await?;
    let items = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &StockView| item.sku.clone()))
}

fn view(row: &tokio_postgres::Row) -> Result<StockView, Error> {
    let row = StockRow::read(row, &mut (0..))?;
    let stock: Stock = stock_from_row(&row);
    Ok(StockView {
        sku: row.sku,
        on_hand: stock.on_hand(),
        held: stock.held,
        available: stock.available(),
        received: stock.received,
        adjusted: stock.adjusted,
        settled: stock.settled,
        returned: stock.returned,
        position: stock.position,
    })
}
