//! What has changed, as columns, and its way into the tables: one statement a table, in the order of the tables and of the
//! keys in them.

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

/// What a batch has changed, ready to be stored.
#[derive(Debug)]
pub struct Changes {
    orders: OrderColumns,
    payments: PaymentColumns,
    captures: PaymentCaptureColumns,
    stock: StockColumns,
    coupons: CouponColumns,
    coupon_buyers: CouponBuyerColumns,
    points: PointsColumns,
    settings: Option<(String, i32)>,
    parked: ParkedChanges,
}

/// Nearly always empty.
#[derive(Debug)]
struct ParkedChanges {
    parked: ParkedColumns,
    gone: Vec<i64>,
    groups: ParkedGroupColumns,
    gone_groups: Vec<i64>,
    keys: ParkedKeyColumns,
    gone_keys: Vec<String>,
}

impl Changes {
    pub(crate) fn of(state: &State) -> Result<Self, Error> {
        let payments = changed!(state.payments);
        let orders = changed!(state.orders).into_iter().map(|(_, order)| order_to_row(order));
        Ok(Self {
            orders: orders.collect::<Result<_, _>>()?,
            payments: payments.iter().map(|(_, payment)| payment_to_row(payment)).collect(),
            captures: payments.iter().flat_map(|(_, payment)| payment_captures(payment)).collect(),
            stock: changed!(state.stock).into_iter().map(|(sku, row)| stock_to_row(sku, row)).collect(),
            coupons: changed!(state.coupons).into_iter().map(|(_, coupon)| coupon_to_row(coupon)).collect(),
            coupon_buyers: changed!(state.coupon_buyers)
                .into_iter()
                .map(|(key, row)| coupon_buyer_to_row(key, row))
                .collect(),
            points: changed!(state.points)
                .into_iter()
                .map(|(buyer, row)| points_to_row(buyer, row))
                .collect(),
            settings: settings(state)?,
            parked: ParkedChanges::of(state)?,
        })
    }

    /// Joined, so that all are sent at once; the server takes them in this order.
    pub(crate) async fn store(&self, client: &Client, shop: &ShopId) -> Result<(), Error> {
        use sql::read_models as q;
        let shop = &shop.as_str();
        try_join!(
            write(client, &q::UPSERT_ORDERS, self.orders.len(), self.orders.parameters(shop)),
            write(client, &q::UPSERT_PAYMENTS, self.payments.len(), self.payments.parameters(shop)),
            write(client, &q::INSERT_PAYMENT_CAPTURES, self.captures.len(), self.captures.parameters(shop)),
            write(client, &q::UPSERT_STOCK, self.stock.len(), self.stock.parameters(shop)),
            write(client, &q::UPSERT_COUPONS, self.coupons.len(), self.coupons.parameters(shop)),
            write(
                client,
                &q::UPSERT_COUPON_BUYERS,
                self.coupon_buyers.len(),
                self.coupon_buyers.parameters(shop)
            ),
            write(client, &q::UPSERT_POINTS, self.points.len(), self.points.parameters(shop)),
            self.store_settings(client, shop),
            self.parked.store(client, shop),
        )?;
        Ok(())
    }

    async fn store_settings(&self, client: &Client, shop: &&str) -> Result<(), Error> {
        if let Some((settings, rules)) = &self.settings {
            client.execute(&sql::read_models::UPSERT_SHOP_SETTINGS, &[shop, settings, rules]).await?;
        }
        Ok(())
    }
}

impl ParkedChanges {
    fn of(state: &State) -> Result<Self, Error> {
        let mut parked = ParkedColumns::default();
        for (position, group) in changed!(state.parked) {
            let member = state.groups.get(group).and_then(|group| group.members.get(position));
            let member =
                member.ok_or_else(|| corrupt("parked", format!("{position} is not in its group")))?;
            parked.push(parked_to_row(*position, *group, member));
        }
        let keys = changed!(state.parked_keys).into_iter();
        let mut gone_keys: Vec<String> = state
            .parked_keys
            .changes()
            .filter(|(_, group)| group.is_none())
            .map(|(key, _)| key.to_string())
            .collect();
        gone_keys.sort();
        Ok(Self {
            parked,
            gone: gone(state.parked.changes()),
            groups: changed!(state.groups).into_iter().map(|(id, group)| group_to_row(*id, group)).collect(),
            gone_groups: gone(state.groups.changes()),
            keys: keys
                .map(|(key, group)| ParkedKeyRow { key: key.to_string(), group_position: group.0 })
                .collect(),
            gone_keys,
        })
    }

    async fn store(&self, client: &Client, shop: &&str) -> Result<(), Error> {
        use sql::read_models as q;
        try_join!(
            write(client, &q::UPSERT_PARKED, self.parked.len(), self.parked.parameters(shop)),
            write(client, &q::DELETE_PARKED, self.gone.len(), vec![shop, &self.gone]),
            write(client, &q::UPSERT_PARKED_GROUPS, self.groups.len(), self.groups.parameters(shop)),
            write(client, &q::DELETE_PARKED_GROUPS, self.gone_groups.len(), vec![shop, &self.gone_groups]),
            write(client, &q::UPSERT_PARKED_KEYS, self.keys.len(), self.keys.parameters(shop)),
            write(client, &q::DELETE_PARKED_KEYS, self.gone_keys.len(), vec![shop, &self.gone_keys]),
        )?;
        Ok(())
    }
}

async fn write(client: &Client, query: &Query, rows: usize, parameters: Parameters<'_>) -> Result<(), Error> {
    if rows > 0 {
        client.execute(query, &parameters).await?;
    }
    Ok(())
}

fn settings(state: &State) -> Result<Option<(String, i32)>, Error> {
    if !state.shop_changed {
        return Ok(None);
    }
    let settings = serde_json::to_string(&state.shop.settings)
        .map_err(|error| corrupt("shop_settings.settings", error))?;
    let rules = i32::try_from(state.shop.rules).map_err(|error| corrupt("shop_settings.rules", error))?;
    Ok(Some((settings, rules)))
}

fn gone<'a, V: 'a>(changes: impl Iterator<Item = (&'a Position, Option<&'a V>)>) -> Vec<i64> {
    let mut gone: Vec<i64> = changes.filter(|(_, row)| row.is_none()).map(|(key, _)| key.0).collect();
    gone.sort_unstable();
    gone
}
