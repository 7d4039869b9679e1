//! What has changed, as columns, and its way into the tables: one statement a table, or two where new or narrower rows are
//! cheaper by themselves. They are sent in the order of the tables, and rows in the order of the domain's keys.

use database::{Client, Query, sql};
use domain::{Changed, Shop, ShopId, State};
use futures_util::try_join;
use relay::Error;

use crate::convert::{
    corrupt, coupon_buyer_to_row, coupon_to_row, group_to_row, order_standing_to_row, order_to_row,
    parked_to_row, payment_captures, payment_to_row, points_to_row, stock_to_row,
};
use crate::rows::{
    CouponBuyerColumns, CouponColumns, OrderColumns, OrderStandingColumns, Parameters, ParkedColumns,
    ParkedGroupColumns, ParkedKeyColumns, ParkedKeyRow, PaymentCaptureColumns, PaymentColumns, PointsColumns,
    StockColumns,
};

/// The changed rows of one table that are there, by key.
macro_rules! changed {
    ($table:expr) => {{
        let mut rows: Vec<_> = $table
            .changes()
            .filter_map(|changed| Some((changed.key, changed.stored, changed.now?)))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(b.0));
        rows
    }};
}

/// What a batch has changed, ready to be stored.
#[derive(Debug, Default)]
pub struct Changes {
    pub(crate) orders: OrderColumns,
    /// Of orders whose terms stay.
    order_standings: OrderStandingColumns,
    pub(crate) new_payments: PaymentColumns,
    payments: PaymentColumns,
    pub(crate) captures: PaymentCaptureColumns,
    pub(crate) stock: StockColumns,
    pub(crate) coupons: CouponColumns,
    pub(crate) coupon_buyers: CouponBuyerColumns,
    pub(crate) points: PointsColumns,
    pub(crate) settings: Option<(String, i32)>,
    pub(crate) parked: ParkedChanges,
}

/// Nearly always empty.
#[derive(Debug, Default)]
pub(crate) struct ParkedChanges {
    pub(crate) parked: ParkedColumns,
    gone: Vec<i64>,
    pub(crate) groups: ParkedGroupColumns,
    gone_groups: Vec<i64>,
    pub(crate) keys: ParkedKeyColumns,
    gone_keys: Vec<String>,
}

impl Changes {
    pub(crate) fn of(state: &State) -> Result<Self, Error> {
        let mut changes =
            Self { settings: settings(state)?, parked: ParkedChanges::of(state)?, ..Self::default() };
        for (_, stored, order) in changed!(state.orders) {
            if stored.is_some_and(|stored| stored.terms == order.terms) {
                changes.order_standings.push(order_standing_to_row(order)?);
            } else {
                changes.orders.push(order_to_row(order)?);
            }
        }
        for (_, stored, payment) in changed!(state.payments) {
            let columns = if stored.is_some() { &mut changes.payments } else { &mut changes.new_payments };
            columns.push(payment_to_row(payment));
            payment_captures(payment).for_each(|capture| changes.captures.push(capture));
        }
        for (sku, _, row) in changed!(state.stock) {
            changes.stock.push(stock_to_row(sku, row));
        }
        for (_, _, coupon) in changed!(state.coupons) {
            changes.coupons.push(coupon_to_row(coupon));
        }
        for (key, _, row) in changed!(state.coupon_buyers) {
            changes.coupon_buyers.push(coupon_buyer_to_row(key, row));
        }
        for (buyer, _, row) in changed!(state.points) {
            changes.points.push(points_to_row(buyer, row));
        }
        Ok(changes)
    }

    /// Joined, so that all are sent at once; the server takes them in this order.
    pub(crate) async fn store(&self, client: &Client, shop: &ShopId) -> Result<(), Error> {
        use sql::read_models as q;
        let shop = &shop.as_str();
        try_join!(
            write(client, &q::UPSERT_ORDERS, self.orders.len(), self.orders.parameters(shop)),
            write(
                client,
                &q::UPSERT_ORDER_STANDINGS,
                self.order_standings.len(),
                self.order_standings.parameters(shop)
            ),
            write(client, &q::INSERT_PAYMENTS, self.new_payments.len(), self.new_payments.parameters(shop)),
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
        let mut changes = Self {
            gone: gone(state.parked.changes(), |position| position.0),
            gone_groups: gone(state.groups.changes(), |position| position.0),
            gone_keys: gone(state.parked_keys.changes(), ToString::to_string),
            ..Self::default()
        };
        for (position, _, group) in changed!(state.parked) {
            let member = state.groups.get(group).and_then(|group| group.members.get(position));
            let member =
                member.ok_or_else(|| corrupt("parked", format!("{position} is not in its group")))?;
            changes.parked.push(parked_to_row(*position, *group, member));
        }
        for (id, _, group) in changed!(state.groups) {
            changes.groups.push(group_to_row(*id, group));
        }
        for (key, _, group) in changed!(state.parked_keys) {
            changes.keys.push(ParkedKeyRow { key: key.to_string(), group_position: group.0 });
        }
        Ok(changes)
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
    if state.shop_changed { settings_row(&state.shop).map(Some) } else { Ok(None) }
}

/// The shop's own row.
pub(crate) fn settings_row(shop: &Shop) -> Result<(String, i32), Error> {
    let settings =
        serde_json::to_string(&shop.settings).map_err(|error| corrupt("shop_settings.settings", error))?;
    let rules = i32::try_from(shop.rules).map_err(|error| corrupt("shop_settings.rules", error))?;
    Ok((settings, rules))
}

/// The keys of the rows that are to be removed.
fn gone<'a, K: 'a, V: 'a, T: Ord>(
    changes: impl Iterator<Item = Changed<'a, K, V>>,
    write: impl Fn(&K) -> T,
) -> Vec<T> {
    let mut gone: Vec<T> =
        changes.filter(|changed| changed.now.is_none()).map(|changed| write(changed.key)).collect();
    gone.sort_unstable();
    gone
}
