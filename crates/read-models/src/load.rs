//! Gives rows to the state: one statement a kind of row, all sent together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use database::{Client, Query, sql};
use domain::{
    Group, Key, Member, Missing, Payment, PaymentKey, Position, Shop, ShopId, State, Table, Timestamp,
};
use futures_util::try_join;
use relay::Error;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::convert::{
    corrupt, coupon_from_row, from_lines, id_kind, order_from_row, parse, payment_from_row, points_from_row,
    stock_from_row,
};
use crate::rows::{CouponBuyerRow, CouponRow, OrderRow, PaymentRow, PointsRow, StockRow};

/// The shop's own row and its parked keys, which every fact asks for.
pub(crate) async fn open(client: &Client, shop: &ShopId) -> Result<State, Error> {
    let shop = shop.as_str();
    let parameters: [&(dyn ToSql + Sync); 1] = [&shop];
    let (settings, keys) = try_join!(
        client.query_opt(&sql::read_models::LOAD_SHOP_SETTINGS, &parameters),
        client.query(&sql::read_models::LOAD_PARKED_KEYS, &parameters),
    )?;
    let mut state = State::partial(settings.as_ref().map(shop_from_row).transpose()?.unwrap_or_default());
    for row in keys {
        let (key, group): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        let key = Key::parse(key).ok_or_else(|| corrupt("parked_keys.key", key))?;
        state.parked_keys.give(key, Some(Position(group)));
    }
    Ok(state)
}

pub(crate) fn shop_from_row(row: &Row) -> Result<Shop, Error> {
    let (settings, rules): (&str, i32) = (row.try_get(0)?, row.try_get(1)?);
    let settings =
        serde_json::from_str(settings).map_err(|error| corrupt("shop_settings.settings", error))?;
    Ok(Shop { settings, rules: u32::try_from(rules).map_err(|error| corrupt("shop_settings.rules", error))? })
}

/// What is wanted, by kind.
#[derive(Default)]
struct Wanted {
    orders: Vec<domain::OrderId>,
    payments: Vec<PaymentKey>,
    of_order: Vec<domain::OrderId>,
    of_paypal_order: Vec<domain::PaypalOrderId>,
    of_authorization: Vec<domain::AuthorizationId>,
    of_capture: Vec<domain::CaptureId>,
    holders: Vec<domain::Sku>,
    stock: Vec<domain::Sku>,
    coupons: Vec<domain::CouponCode>,
    coupon_buyers: Vec<(domain::CouponCode, domain::BuyerId)>,
    points: Vec<domain::BuyerId>,
    parked: Vec<Position>,
    groups: Vec<Position>,
}

impl Wanted {
    fn sort(missing: &[Missing]) -> Self {
        let mut wanted = Self::default();
        for missing in missing.iter().cloned() {
            match missing {
                Missing::Order(id) => wanted.orders.push(id),
                Missing::Payment(id) => wanted.payments.push(id),
                Missing::PaymentsOfOrder(id) => wanted.of_order.push(id),
                Missing::PaymentsOfPaypalOrder(id) => wanted.of_paypal_order.push(id),
                Missing::PaymentsOfAuthorization(id) => wanted.of_authorization.push(id),
                Missing::PaymentsOfCapture(id) => wanted.of_capture.push(id),
                Missing::Holders(sku) => wanted.holders.push(sku),
                Missing::Stock(sku) => wanted.stock.push(sku),
                Missing::Coupon(code) => wanted.coupons.push(code),
                Missing::CouponBuyer(code, buyer) => wanted.coupon_buyers.push((code, buyer)),
                Missing::Points(buyer) => wanted.points.push(buyer),
                Missing::Parked(position) => wanted.parked.push(position),
                Missing::Group(position) => wanted.groups.push(position),
            }
        }
        wanted
    }
}

struct Loader<'a> {
    client: &'a Client,
    shop: &'a str,
}

impl Loader<'_> {
    async fn by_text(&self, query: &Query, ids: Vec<&str>) -> Result<Vec<Row>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.client.query(query, &[&self.shop, &ids]).await?)
    }

    async fn by_pair(&self, query: &Query, pairs: Vec<(&str, &str)>) -> Result<Vec<Row>, Error> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let (first, second): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
        Ok(self.client.query(query, &[&self.shop, &first, &second]).await?)
    }

    async fn by_position(&self, query: &Query, positions: &[Position]) -> Result<Vec<Row>, Error> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let positions: Vec<i64> = positions.iter().map(|position| position.0).collect();
        Ok(self.client.query(query, &[&self.shop, &positions]).await?)
    }
}

macro_rules! texts {
    ($ids:expr) => {
        $ids.iter().map(|id| id.as_str()).collect::<Vec<&str>>()
    };
}

/// Loads all that is missing, and gives it to the state; what is not there is given as absent.
pub(crate) async fn load(
    client: &Client,
    shop: &ShopId,
    state: &mut State,
    missing: &[Missing],
) -> Result<(), Error> {
    use sql::read_models as q;
    let wanted = Wanted::sort(missing);
    let from = Loader { client, shop: shop.as_str() };
    let payments = wanted.payments.iter().map(|key| (id_kind(key), key.id())).collect();
    let buyers = wanted.coupon_buyers.iter().map(|(code, buyer)| (code.as_str(), buyer.as_str())).collect();
    let (orders, payments, of_order, of_paypal_order, of_authorization, of_capture) = try_join!(
        from.by_text(&q::LOAD_ORDERS, texts!(wanted.orders)),
        from.by_pair(&q::LOAD_PAYMENTS, payments),
        from.by_text(&q::LOAD_PAYMENTS_OF_ORDER, texts!(wanted.of_order)),
        from.by_text(&q::LOAD_PAYMENTS_OF_PAYPAL_ORDER, texts!(wanted.of_paypal_order)),
        from.by_text(&q::LOAD_PAYMENTS_OF_AUTHORIZATION, texts!(wanted.of_authorization)),
        from.by_text(&q::LOAD_PAYMENTS_OF_CAPTURE, texts!(wanted.of_capture)),
    )?;
    let (holders, stock, coupons, coupon_buyers, points, parked, groups) = try_join!(
        from.by_text(&q::LOAD_HOLDERS, texts!(wanted.holders)),
        from.by_text(&q::LOAD_STOCK, texts!(wanted.stock)),
        from.by_text(&q::LOAD_COUPONS, texts!(wanted.coupons)),
        from.by_pair(&q::LOAD_COUPON_BUYERS, buyers),
        from.by_text(&q::LOAD_POINTS, texts!(wanted.points)),
        from.by_position(&q::LOAD_PARKED, &wanted.parked),
        from.by_position(&q::LOAD_PARKED_GROUPS, &wanted.groups),
    )?;
    give_payments(state, &wanted, payments, [of_order, of_paypal_order, of_authorization, of_capture])?;
    give_rest(state, &wanted, &orders, &holders, &stock, &points)?;
    give_coupons(state, &wanted, &coupons, &coupon_buyers)?;
    give_parked(state, &wanted, &parked, &groups)
}

/// Gives the rows that are there, then every other one that was asked for as absent.
fn give<K: Clone + Eq + Hash, V: Clone>(
    table: &mut Table<K, V>,
    rows: impl IntoIterator<Item = (K, V)>,
    wanted: &[K],
) {
    for (key, row) in rows {
        table.give(key, Some(row));
    }
    for key in wanted {
        table.give(key.clone(), None);
    }
}

fn give_payments(
    state: &mut State,
    wanted: &Wanted,
    rows: Vec<Row>,
    [of_order, of_paypal_order, of_authorization, of_capture]: [Vec<Row>; 4],
) -> Result<(), Error> {
    for row in &rows {
        let payment = payment_from_row(&PaymentRow::read(row, &mut (0..))?)?;
        state.payments.give(payment.id.clone(), Some(payment));
    }
    for key in &wanted.payments {
        state.payments.give(key.clone(), None);
    }
    let payments = &mut state.payments;
    give_set(&mut state.by_order, payments, &wanted.of_order, &of_order)?;
    give_set(&mut state.by_paypal_order, payments, &wanted.of_paypal_order, &of_paypal_order)?;
    give_set(&mut state.by_authorization, payments, &wanted.of_authorization, &of_authorization)?;
    give_set(&mut state.by_capture, payments, &wanted.of_capture, &of_capture)
}

/// Gives the sets that were asked for, and the payments in them.
fn give_set<K>(
    sets: &mut Table<K, BTreeSet<PaymentKey>>,
    payments: &mut Table<PaymentKey, Payment>,
    wanted: &[K],
    rows: &[Row],
) -> Result<(), Error>
where
    K: Clone + Eq + Hash + Ord + std::str::FromStr,
    K::Err: std::fmt::Display,
{
    let mut found: BTreeMap<K, BTreeSet<PaymentKey>> =
        wanted.iter().map(|key| (key.clone(), BTreeSet::new())).collect();
    for row in rows {
        let payment = payment_from_row(&PaymentRow::read(row, &mut (1..))?)?;
        found.entry(parse("payments", row.try_get(0)?)?).or_default().insert(payment.id.clone());
        payments.give(payment.id.clone(), Some(payment));
    }
    for (key, set) in found {
        sets.give(key, Some(set));
    }
    Ok(())
}

fn give_rest(
    state: &mut State,
    wanted: &Wanted,
    orders: &[Row],
    holders: &[Row],
    stock: &[Row],
    points: &[Row],
) -> Result<(), Error> {
    let orders = orders.iter().map(|row| {
        let order = order_from_row(&OrderRow::read(row)?)?;
        Ok((order.order.clone(), order))
    });
    give(&mut state.orders, orders.collect::<Result<Vec<_>, Error>>()?, &wanted.orders);
    let stock = stock.iter().map(|row| {
        let row = StockRow::read(row, &mut (0..))?;
        Ok((parse("stock.sku", &row.sku)?, stock_from_row(&row)))
    });
    give(&mut state.stock, stock.collect::<Result<Vec<_>, Error>>()?, &wanted.stock);
    let points = points.iter().map(|row| {
        let row = PointsRow::read(row, &mut (0..))?;
        Ok((parse("points.buyer_id", &row.buyer_id)?, points_from_row(&row)))
    });
    give(&mut state.points, points.collect::<Result<Vec<_>, Error>>()?, &wanted.points);
    let mut held: HashMap<domain::Sku, BTreeSet<domain::OrderId>> =
        wanted.holders.iter().map(|sku| (sku.clone(), BTreeSet::new())).collect();
    for row in holders {
        let set = held.entry(parse("sku", row.try_get(0)?)?).or_default();
        set.insert(parse("orders.order_id", row.try_get(1)?)?);
    }
    for (sku, orders) in held {
        state.holders.give(sku, Some(orders));
    }
    Ok(())
}

fn give_coupons(state: &mut State, wanted: &Wanted, coupons: &[Row], buyers: &[Row]) -> Result<(), Error> {
    let coupons = coupons.iter().map(|row| {
        let coupon = coupon_from_row(&CouponRow::read(row, &mut (0..))?)?;
        Ok((coupon.terms.code.clone(), coupon))
    });
    give(&mut state.coupons, coupons.collect::<Result<Vec<_>, Error>>()?, &wanted.coupons);
    let buyers = buyers.iter().map(|row| {
        let row = CouponBuyerRow::read(row, &mut (0..))?;
        let key = (parse("coupon_buyers.code", &row.code)?, parse("coupon_buyers.buyer_id", &row.buyer_id)?);
        Ok((key, domain::CouponBuyer { held: row.held, used: row.used }))
    });
    give(&mut state.coupon_buyers, buyers.collect::<Result<Vec<_>, Error>>()?, &wanted.coupon_buyers);
    Ok(())
}

fn give_parked(state: &mut State, wanted: &Wanted, parked: &[Row], members: &[Row]) -> Result<(), Error> {
    let parked = parked.iter().map(|row| Ok((Position(row.try_get(0)?), Position(row.try_get(1)?))));
    give(&mut state.parked, parked.collect::<Result<Vec<_>, Error>>()?, &wanted.parked);
    let mut groups: BTreeMap<Position, Group> = BTreeMap::new();
    for row in members {
        let id = Position(row.try_get("group_position")?);
        let (position, member) = member_from_row(row)?;
        let group = groups.entry(id).or_default();
        group.attempts =
            u32::try_from(row.try_get::<_, i64>("attempts")?).map_err(|error| corrupt("attempts", error))?;
        group.error = row.try_get("group_error")?;
        group.failed_at = row.try_get::<_, Option<_>>("failed_at")?.map(Timestamp::new);
        group.keys.extend(member.keys.iter().cloned());
        group.members.insert(position, member);
        state.parked.give(position, Some(id));
    }
    give(&mut state.groups, groups, &wanted.groups);
    Ok(())
}

fn member_from_row(row: &Row) -> Result<(Position, Member), Error> {
    let position = Position(row.try_get("position")?);
    let at = Timestamp::new(row.try_get("at")?);
    let fact = relay::received_entry(position, row.try_get("entry")?, row.try_get("key")?, at);
    let member = Member {
        fact: Some(Arc::new(fact)),
        keys: keys(row.try_get("keys")?)?,
        error: row.try_get("error")?,
        parked_at: Timestamp::new(row.try_get("parked_at")?),
    };
    Ok((position, member))
}

pub(crate) fn keys(text: &str) -> Result<Vec<Key>, Error> {
    from_lines(text).map(|key| Key::parse(key).ok_or_else(|| corrupt("parked.keys", key))).collect()
}
