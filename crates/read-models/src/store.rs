//! Stores what has changed: one statement a table, in the order of the tables and of the keys in them.

use database::{Client, Query, sql};
use domain::{Position, ShopId, State};
use futures_util::try_join;
use relay::Error;

use crate::convert::{
    corrupt, coupon_buyer_to_row, coupon_to_row, group_to_row, order_to_row, parked_to_row, payment_captures,
    payment_to_row, points_to_row, stock_to_row,
};
use crate::rows::{
    CouponBuyerColumns, CouponColumns, OrderColumns, Parameters, ParkedColumns, ParkedGroupColumns,
    ParkedKeyColumns, ParkedKeyRow, PaymentCaptureColumns, PaymentColumns, PointsColumns, StockColumns,
};

/// The rows of one table that are there, by key.
macro_rules! changed {
    ($table:expr) => {{
        let mut rows: Vec<_> = $table.changes().filter_map(|(key, row)| row.map(|row| (key, row))).collect();
        rows.sort_by(|a, b| a.0.cmp(b.0));
        rows
    }};
}

pub(crate) async fn store(client: &Client, shop: &ShopId, state: &State) -> Result<(), Error> {
    use sql::read_models as q;
    let shop = &shop.as_str();
    let orders: Vec<_> = changed!(state.orders);
    let payments: Vec<_> = changed!(state.payments);
    let (stock, coupons) = (changed!(state.stock), changed!(state.coupons));
    let (buyers, points) = (changed!(state.coupon_buyers), changed!(state.points));
    let order_rows =
        orders.iter().map(|(_, order)| order_to_row(order)).collect::<Result<OrderColumns, _>>()?;
    let payment_rows: PaymentColumns = payments.iter().map(|(_, payment)| payment_to_row(payment)).collect();
    let capture_rows: Vec<_> = payments.iter().flat_map(|(_, payment)| payment_captures(payment)).collect();
    let captures = capture_rows.len();
    let capture_rows: PaymentCaptureColumns = capture_rows.into_iter().collect();
    let stock_rows: StockColumns = stock.iter().map(|(sku, row)| stock_to_row(sku, row)).collect();
    let coupon_rows: CouponColumns = coupons.iter().map(|(_, coupon)| coupon_to_row(coupon)).collect();
    let buyer_rows: CouponBuyerColumns =
        buyers.iter().map(|(key, row)| coupon_buyer_to_row(key, row)).collect();
    let points_rows: PointsColumns = points.iter().map(|(buyer, row)| points_to_row(buyer, row)).collect();
    // Joined, so that all are sent at once; the server takes them in this order.
    try_join!(
        write(client, &q::UPSERT_ORDERS, orders.len(), order_rows.parameters(shop)),
        write(client, &q::UPSERT_PAYMENTS, payments.len(), payment_rows.parameters(shop)),
        write(client, &q::INSERT_PAYMENT_CAPTURES, captures, capture_rows.parameters(shop)),
        write(client, &q::UPSERT_STOCK, stock.len(), stock_rows.parameters(shop)),
        write(client, &q::UPSERT_COUPONS, coupons.len(), coupon_rows.parameters(shop)),
        write(client, &q::UPSERT_COUPON_BUYERS, buyers.len(), buyer_rows.parameters(shop)),
        write(client, &q::UPSERT_POINTS, points.len(), points_rows.parameters(shop)),
        store_settings(client, shop, state),
        store_parked(client, shop, state),
    )?;
    Ok(())
}

async fn write(client: &Client, query: &Query, rows: usize, parameters: Parameters<'_>) -> Result<(), Error> {
    if rows > 0 {
        client.execute(query, &parameters).await?;
    }
    Ok(())
}

async fn store_settings(client: &Client, shop: &&str, state: &State) -> Result<(), Error> {
    if !state.shop_changed {
        return Ok(());
    }
    let settings = serde_json::to_string(&state.shop.settings)
        .map_err(|error| corrupt("shop_settings.settings", error))?;
    let rules = i32::try_from(state.shop.rules).map_err(|error| corrupt("shop_settings.rules", error))?;
    client.execute(&sql::read_models::UPSERT_SHOP_SETTINGS, &[shop, &settings, &rules]).await?;
    Ok(())
}

/// Nearly always there is nothing to do.
async fn store_parked(client: &Client, shop: &&str, state: &State) -> Result<(), Error> {
    use sql::read_models as q;
    let (parked, groups, keys) =
        (changed!(state.parked), changed!(state.groups), changed!(state.parked_keys));
    let mut parked_rows = ParkedColumns::default();
    for (position, group) in &parked {
        let member = state.groups.get(group).and_then(|group| group.members.get(position));
        let member = member.ok_or_else(|| corrupt("parked", format!("{position} is not in its group")))?;
        parked_rows.push(parked_to_row(**position, **group, member));
    }
    let group_rows: ParkedGroupColumns = groups.iter().map(|(id, group)| group_to_row(**id, group)).collect();
    let key_rows: ParkedKeyColumns = keys
        .iter()
        .map(|(key, group)| ParkedKeyRow { key: key.to_string(), group_position: group.0 })
        .collect();
    let gone = gone(state.parked.changes());
    let gone_groups = self::gone(state.groups.changes());
    let mut gone_keys: Vec<String> = state
        .parked_keys
        .changes()
        .filter(|(_, group)| group.is_none())
        .map(|(key, _)| key.to_string())
        .collect();
    gone_keys.sort();
    try_join!(
        write(client, &q::UPSERT_PARKED, parked.len(), parked_rows.parameters(shop)),
        write(client, &q::DELETE_PARKED, gone.len(), vec![shop, &gone]),
        write(client, &q::UPSERT_PARKED_GROUPS, groups.len(), group_rows.parameters(shop)),
        write(client, &q::DELETE_PARKED_GROUPS, gone_groups.len(), vec![shop, &gone_groups]),
        write(client, &q::UPSERT_PARKED_KEYS, keys.len(), key_rows.parameters(shop)),
        write(client, &q::DELETE_PARKED_KEYS, gone_keys.len(), vec![shop, &gone_keys]),
    )?;
    Ok(())
}

fn gone<'a, V: 'a>(changes: impl Iterator<Item = (&'a Position, Option<&'a V>)>) -> Vec<i64> {
    let mut gone: Vec<i64> = changes.filter(|(_, row)| row.is_none()).map(|(key, _)| key.0).collect();
    gone.sort_unstable();
    gone
}
