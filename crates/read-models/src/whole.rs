//! All rows of a shop at once: those that were folded from its log.

use database::{Client, sql};
use domain::ShopId;
use packed_rows::PackedRows;
use relay::Error;

use crate::convert::{
    coupon_buyer_to_row, coupon_to_row, group_to_row, order_to_row, parked_to_row, payment_captures,
    payment_to_row, points_to_row, stock_to_row,
};
use crate::rows::ParkedKeyRow;
use crate::store::{Changes, settings_row};

/// So many rows are written at a time.
const ROWS: usize = 2_000;

/// Writes every row anew, within a transaction that holds the checkpoint's row and moves it, as the relay's does: the
/// fold of the log up to there. For a shop whose log has more than its tables show.
///
/// # Errors
/// The database cannot be had.
pub async fn replace(client: &Client, shop: &ShopId, all: &PackedRows) -> Result<(), Error> {
    client.execute(&sql::read_models::CLEAR_TABLES, &[&shop.as_str()]).await?;
    store_all(client, shop, all).await
}

/// Whether a shop has no row in the read models.
///
/// # Errors
/// The database's.
pub async fn is_empty(client: &Client, shop: &ShopId) -> Result<bool, Error> {
    Ok(client.query_one(&sql::read_models::COUNT_ANY, &[&shop.as_str()]).await?.try_get::<_, i64>(0)? == 0)
}

/// Writes every row of a fold into the tables of a shop that has none.
///
/// # Errors
/// The database's, or a row that cannot be written.
pub async fn store_all(client: &Client, shop: &ShopId, all: &PackedRows) -> Result<(), Error> {
    let mut rows = Rows { client, shop, changes: Changes::default(), count: 0 };
    rows.changes.settings = Some(settings_row(all.shop())?);
    for order in all.orders() {
        rows.changes.orders.push(order_to_row(&order)?);
        rows.count().await?;
    }
    for payment in all.payments() {
        rows.changes.new_payments.push(payment_to_row(&payment));
        payment_captures(&payment).for_each(|capture| rows.changes.captures.push(capture));
        rows.count().await?;
    }
    for (sku, stock) in all.all_stock() {
        rows.changes.stock.push(stock_to_row(&sku, &stock));
        rows.count().await?;
    }
    for coupon in all.coupons() {
        rows.changes.coupons.push(coupon_to_row(&coupon));
        rows.count().await?;
    }
    for (key, buyer) in all.coupon_buyers() {
        rows.changes.coupon_buyers.push(coupon_buyer_to_row(&key, &buyer));
        rows.count().await?;
    }
    for (buyer, points) in all.all_points() {
        rows.changes.points.push(points_to_row(&buyer, &points));
        rows.count().await?;
    }
    let parked = &mut rows.changes.parked;
    for (id, group) in all.groups() {
        parked.groups.push(group_to_row(id, group));
        for (position, member) in &group.members {
            parked.parked.push(parked_to_row(*position, id, member));
        }
    }
    for (key, group) in all.parked_keys() {
        parked.keys.push(ParkedKeyRow { key: key.to_string(), group_position: group.0 });
    }
    rows.write().await
}

/// Rows on their way.
struct Rows<'a> {
    client: &'a Client,
    shop: &'a ShopId,
    changes: Changes,
    count: usize,
}

impl Rows<'_> {
    async fn count(&mut self) -> Result<(), Error> {
        self.count += 1;
        if self.count >= ROWS { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), Error> {
        self.count = 0;
        std::mem::take(&mut self.changes).store(self.client, self.shop).await
    }
}
