//! Points: what each buyer has.

use database::{Client, sql};
use domain::{BuyerId, Points, Position, ShopId};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use crate::convert::points_from_row;
use crate::rows::PointsRow;

/// A buyer's points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PointsView {
    /// Whose.
    pub buyer: String,
    /// Granted + earned - revoked - spent + returned - expired.
    pub balance: i64,
    /// Set aside for open orders.
    pub held: i64,
    /// Of the balance, not set aside.
    pub available: i64,
    /// Given by the shop.
    pub granted: i64,
    /// Earned by paid orders.
    pub earned: i64,
    /// Earned ones taken back at refunds.
    pub revoked: i64,
    /// Spent on paid orders.
    pub spent: i64,
    /// Spent ones that came back.
    pub returned: i64,
    /// Lapsed.
    pub expired: i64,
    /// The fact that changed them last.
    pub position: Option<Position>,
}

/// One buyer's points.
///
/// # Errors
/// The database cannot be had.
pub async fn get(client: &Client, shop: &ShopId, buyer: &BuyerId) -> Result<Option<PointsView>, Error> {
    let buyers = vec![buyer.as_str()];
    let row = client.query_opt(&sql::read_models::LOAD_POINTS, &[&shop.as_str(), &buyers]).await?;
    row.as_ref().map(view).transpose()
}

/// Buyers by their ids, from behind `after`.
///
/// # Errors
/// The database cannot be had.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<PointsView>, Error> {
    let (after, more) = (after.unwrap_or_default(), limit.saturating_add(1));
    let rows = client.query(&sql::read_models::LIST_POINTS, &[&shop.as_str(), &after, &more]).await?;
    let items = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &PointsView| item.buyer.clone()))
}

fn view(row: &tokio_postgres::Row) -> Result<PointsView, Error> {
    let row = PointsRow::read(row, &mut (0..))?;
    let points: Points = points_from_row(&row);
    Ok(PointsView {
        buyer: row.buyer_id,
        balance: points.balance(),
        held: points.held,
        available: points.available(),
        granted: points.granted,
        earned: points.earned,
        revoked: points.revoked,
        spent: points.spent,
        returned: points.returned,
        expired: points.expired,
        position: points.position,
    })
}
