//! Compares every row of the tables with a replayed state, column by column.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use database::{Client, Query, sql};
use domain::{ShopId, State};
use relay::Error;
use serde::Serialize;
use tokio_postgres::Row;

use crate::convert::{
    coupon_buyer_to_row, coupon_from_row, coupon_to_row, group_to_row, order_from_row, parked_to_row,
    payment_captures, payment_from_row, payment_to_row, points_to_row, stock_to_row,
};
use crate::load::shop_from_row;
use crate::rows::{
    CouponBuyerRow, CouponRow, OrderRow, ParkedGroupRow, ParkedKeyRow, ParkedRow, PaymentCaptureRow,
    PaymentRow, PointsRow, StockRow,
};

/// A row that is not as replay makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub key: String,
    /// The row as it is stored; `None`: it is missing.
    pub live: Option<String>,
    /// The row as replay makes it; `None`: there should be none.
    pub replayed: Option<String>,
}

type Rows<T> = BTreeMap<String, T>;

struct Comparison<'a> {
    client: &'a Client,
    shop: &'a str,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    async fn scan<T>(
        &self,
        query: &Query,
        row: impl Fn(&Row) -> Result<(String, T), Error>,
    ) -> Result<Rows<T>, Error> {
        self.client.query(query, &[&self.shop]).await?.iter().map(row).collect()
    }

    fn compare<T: PartialEq + Debug>(&mut self, table: &'static str, live: Rows<T>, replayed: Rows<T>) {
        let keys: BTreeSet<&String> = live.keys().chain(replayed.keys()).collect();
        for key in keys {
            let (live, replayed) = (live.get(key), replayed.get(key));
            if live != replayed {
                let text = |row: Option<&T>| row.map(|row| format!("{row:?}"));
                let key = key.clone();
                self.differences.push(Difference { table, key, live: text(live), replayed: text(replayed) });
            }
        }
    }
}

/// Reads every row of the shop and compares it with the state. The state must be folded up to the checkpoint of the same
/// snapshot.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn compare_live(client: &Client, shop: &ShopId, state: &State) -> Result<Vec<Difference>, Error> {
    let mut comparison = Comparison { client, shop: shop.as_str(), differences: Vec::new() };
    compare_orders(&mut comparison, state).await?;
    compare_payments(&mut comparison, state).await?;
    compare_shared(&mut comparison, state).await?;
    compare_parked(&mut comparison, state).await?;
    compare_settings(&mut comparison, state).await?;
    Ok(comparison.differences)
}

async fn compare_orders(comparison: &mut Comparison<'_>, state: &State) -> Result<(), Error> {
    // As the domain's rows: PostgreSQL writes JSON in a way of its own.
    let live = comparison
        .scan(&sql::read_models::SCAN_ORDERS, |row| {
            let order = order_from_row(&OrderRow::read(row)?)?;
            Ok((order.order.to_string(), order))
        })
        .await?;
    let replayed = state.orders.iter().map(|(id, order)| (id.to_string(), order.clone())).collect();
    comparison.compare("orders", live, replayed);
    Ok(())
}

async fn compare_payments(comparison: &mut Comparison<'_>, state: &State) -> Result<(), Error> {
    let key = |row: &PaymentRow| format!("{}/{}", row.id_kind, row.id);
    let live = comparison
        .scan(&sql::read_models::SCAN_PAYMENTS, |row| {
            let row = PaymentRow::read(row, &mut (0..))?;
            // Also that it can be read.
            Ok((key(&row), payment_to_row(&payment_from_row(&row)?)))
        })
        .await?;
    let rows = state.payments.iter().map(|(_, payment)| payment_to_row(payment));
    comparison.compare("payments", live, rows.map(|row| (key(&row), row)).collect());
    let key = |row: &PaymentCaptureRow| format!("{}/{}/{}", row.capture_id, row.id_kind, row.id);
    let live = comparison
        .scan(&sql::read_models::SCAN_PAYMENT_CAPTURES, |row| {
            let row = PaymentCaptureRow::read(row, &mut (0..))?;
            Ok((key(&row), row))
        })
        .await?;
    let rows = state.payments.iter().flat_map(|(_, payment)| payment_captures(payment));
    comparison.compare("payment_captures", live, rows.map(|row| (key(&row), row)).collect());
    Ok(())
}

/// What orders share.
async fn compare_shared(comparison: &mut Comparison<'_>, state: &State) -> Result<(), Error> {
    let live = comparison
        .scan(&sql::read_models::SCAN_STOCK, |row| {
            let row = StockRow::read(row, &mut (0..))?;
            Ok((row.sku.clone(), row))
        })
        .await?;
    let replayed = state.stock.iter().map(|(sku, row)| (sku.to_string(), stock_to_row(sku, row)));
    comparison.compare("stock", live, replayed.collect());
    let live = comparison
        .scan(&sql::read_models::SCAN_COUPONS, |row| {
            let row = CouponRow::read(row, &mut (0..))?;
            Ok((row.code.clone(), coupon_to_row(&coupon_from_row(&row)?)))
        })
        .await?;
    let replayed = state.coupons.iter().map(|(code, row)| (code.to_string(), coupon_to_row(row)));
    comparison.compare("coupons", live, replayed.collect());
    let key = |row: &CouponBuyerRow| format!("{}/{}", row.code, row.buyer_id);
    let live = comparison
        .scan(&sql::read_models::SCAN_COUPON_BUYERS, |row| {
            let row = CouponBuyerRow::read(row, &mut (0..))?;
            Ok((key(&row), row))
        })
        .await?;
    let rows = state.coupon_buyers.iter().map(|(id, row)| coupon_buyer_to_row(id, row));
    comparison.compare("coupon_buyers", live, rows.map(|row| (key(&row), row)).collect());
    let live = comparison
        .scan(&sql::read_models::SCAN_POINTS, |row| {
            let row = PointsRow::read(row, &mut (0..))?;
            Ok((row.buyer_id.clone(), row))
        })
        .await?;
    let replayed = state.points.iter().map(|(buyer, row)| (buyer.to_string(), points_to_row(buyer, row)));
    comparison.compare("points", live, replayed.collect());
    Ok(())
}

async fn compare_parked(comparison: &mut Comparison<'_>, state: &State) -> Result<(), Error> {
    let live = comparison
        .scan(&sql::read_models::SCAN_PARKED, |row| {
            let row = ParkedRow::read(row, &mut (0..))?;
            Ok((row.position.to_string(), row))
        })
        .await?;
    let members = state.groups.iter().flat_map(|(id, group)| {
        group
            .members
            .iter()
            .map(|(position, member)| parked_to_row(*position, *id, member))
            .collect::<Vec<_>>()
    });
    comparison.compare("parked", live, members.map(|row| (row.position.to_string(), row)).collect());
    let live = comparison
        .scan(&sql::read_models::SCAN_PARKED_GROUPS, |row| {
            let row = ParkedGroupRow::read(row, &mut (0..))?;
            Ok((row.group_position.to_string(), row))
        })
        .await?;
    let replayed = state.groups.iter().map(|(id, group)| (id.to_string(), group_to_row(*id, group)));
    comparison.compare("parked_groups", live, replayed.collect());
    let live = comparison
        .scan(&sql::read_models::LOAD_PARKED_KEYS, |row| {
            let row = ParkedKeyRow::read(row, &mut (0..))?;
            Ok((row.key, row.group_position))
        })
        .await?;
    let replayed = state.parked_keys.iter().map(|(key, group)| (key.to_string(), group.0));
    comparison.compare("parked_keys", live, replayed.collect());
    Ok(())
}

async fn compare_settings(comparison: &mut Comparison<'_>, state: &State) -> Result<(), Error> {
    let row = comparison.client.query_opt(&sql::read_models::LOAD_SHOP_SETTINGS, &[&comparison.shop]).await?;
    let live = row.as_ref().map(shop_from_row).transpose()?.unwrap_or_default();
    let key = comparison.shop.to_owned();
    let replayed = Rows::from([(key.clone(), state.shop.clone())]);
    comparison.compare("shop_settings", Rows::from([(key, live)]), replayed);
    Ok(())
}
