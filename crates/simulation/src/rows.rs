//! The read models' rows as they are stored, and what a batch changes of them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    BuyerId, Coupon, CouponBuyer, CouponCode, Group, Key, Missing, Order, OrderId, Payment, PaymentKey,
    PaymentKind, Points, Position, Shop, Sku, State, Stock, Table,
};
use event_log::Event;
use packed_rows::PackedRows;

/// Rows by key; in what a batch changes, none stands for one that is removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) shop: Option<Shop>,
    pub(crate) orders: BTreeMap<OrderId, Option<Order>>,
    pub(crate) payments: BTreeMap<PaymentKey, Option<Payment>>,
    pub(crate) stock: BTreeMap<Sku, Option<Stock>>,
    pub(crate) coupons: BTreeMap<CouponCode, Option<Coupon>>,
    pub(crate) coupon_buyers: BTreeMap<(CouponCode, BuyerId), Option<CouponBuyer>>,
    pub(crate) points: BTreeMap<BuyerId, Option<Points>>,
    pub(crate) parked_keys: BTreeMap<Key, Option<Position>>,
    pub(crate) parked: BTreeMap<Position, Option<Position>>,
    pub(crate) groups: BTreeMap<Position, Option<Group>>,
}

/// The facts within are read from the log again: they are no row's.
fn bare(group: &Group) -> Group {
    let mut group = group.clone();
    group.members.values_mut().for_each(|member| member.fact = None);
    group
}

fn changed<K: Clone + Ord + Eq + std::hash::Hash, V: Clone>(
    table: &Table<K, V>,
    map: impl Fn(&V) -> V,
) -> BTreeMap<K, Option<V>> {
    table.changes().map(|changed| (changed.key.clone(), changed.now.map(&map))).collect()
}

impl Rows {
    /// What has changed since the state was stored last.
    pub(crate) fn changed(state: &State) -> Self {
        Self {
            shop: state.shop_changed.then(|| state.shop.clone()),
            orders: changed(&state.orders, Clone::clone),
            payments: changed(&state.payments, Clone::clone),
            stock: changed(&state.stock, Clone::clone),
            coupons: changed(&state.coupons, Clone::clone),
            coupon_buyers: changed(&state.coupon_buyers, Clone::clone),
            points: changed(&state.points, Clone::clone),
            parked_keys: changed(&state.parked_keys, Clone::clone),
            parked: changed(&state.parked, Clone::clone),
            groups: changed(&state.groups, bare),
        }
    }

    /// All that a replay came to.
    pub(crate) fn all(all: &PackedRows) -> Self {
        Self {
            shop: Some(all.shop().clone()).filter(|shop| *shop != Shop::default()),
            orders: all.orders().map(|row| (row.order.clone(), Some(row))).collect(),
            payments: all.payments().map(|row| (row.id.clone(), Some(row))).collect(),
            stock: all.all_stock().map(|(sku, row)| (sku, Some(row))).collect(),
            coupons: all.coupons().map(|row| (row.terms.code.clone(), Some(row))).collect(),
            coupon_buyers: all.coupon_buyers().map(|(key, row)| (key, Some(row))).collect(),
            points: all.all_points().map(|(buyer, row)| (buyer, Some(row))).collect(),
            parked_keys: all.parked_keys().map(|(key, group)| (key.clone(), Some(group))).collect(),
            parked: all.parked().map(|(fact, group)| (fact, Some(group))).collect(),
            groups: all.groups().map(|(id, group)| (id, Some(bare(group)))).collect(),
        }
    }

    /// Takes over what has changed.
    pub(crate) fn store(&mut self, changes: Self) {
        fn put<K: Ord, V>(rows: &mut BTreeMap<K, Option<V>>, changes: BTreeMap<K, Option<V>>) {
            for (key, row) in changes {
                if row.is_some() {
                    rows.insert(key, row);
                } else {
                    rows.remove(&key);
                }
            }
        }
        self.shop = changes.shop.or(self.shop.take());
        put(&mut self.orders, changes.orders);
        put(&mut self.payments, changes.payments);
        put(&mut self.stock, changes.stock);
        put(&mut self.coupons, changes.coupons);
        put(&mut self.coupon_buyers, changes.coupon_buyers);
        put(&mut self.points, changes.points);
        put(&mut self.parked_keys, changes.parked_keys);
        put(&mut self.parked, changes.parked);
        put(&mut self.groups, changes.groups);
    }

    /// A state with what every batch needs.
    pub(crate) fn open(&self) -> State {
        let mut state = State::partial(self.shop.clone().unwrap_or_default());
        for (key, group) in &self.parked_keys {
            state.parked_keys.give(key.clone(), *group);
        }
        state
    }

    /// Gives what is missing to a state; what is not there as absent.
    pub(crate) fn load(&self, log: &[Event], state: &mut State, missing: &[Missing]) {
        for missing in missing.iter().cloned() {
            match missing {
                Missing::Order(id) => give(&mut state.orders, &self.orders, id),
                Missing::Payment(id) => give(&mut state.payments, &self.payments, id),
                Missing::Stock(id) => give(&mut state.stock, &self.stock, id),
                Missing::Coupon(id) => give(&mut state.coupons, &self.coupons, id),
                Missing::CouponBuyer(code, buyer) => {
                    give(&mut state.coupon_buyers, &self.coupon_buyers, (code, buyer));
                }
                Missing::Points(id) => give(&mut state.points, &self.points, id),
                Missing::Parked(position) => give(&mut state.parked, &self.parked, position),
                Missing::PaymentsOfOrder(id) => {
                    let set = self.payments_where(state, |row| row.order.as_ref() == Some(&id));
                    state.by_order.give(id, Some(set));
                }
                Missing::PaymentsOfPaypalOrder(id) => {
                    let of_it = |row: &Payment| {
                        row.paypal_order.as_ref() == Some(&id) && row.kind != PaymentKind::PaypalOrder
                    };
                    let set = self.payments_where(state, of_it);
                    state.by_paypal_order.give(id, Some(set));
                }
                Missing::PaymentsOfAuthorization(id) => {
                    let of_it = |row: &Payment| {
                        row.authorization.as_ref() == Some(&id) && row.kind != PaymentKind::Authorization
                    };
                    let set = self.payments_where(state, of_it);
                    state.by_authorization.give(id, Some(set));
                }
                Missing::PaymentsOfCapture(id) => {
                    let set = self.payments_where(state, |row| row.captures.contains(&id));
                    state.by_capture.give(id, Some(set));
                }
                Missing::Holders(sku) => {
                    let holders = self.orders.values().flatten().filter(|order| holds(order, &sku));
                    let holders = holders.map(|order| order.order.clone()).collect();
                    state.holders.give(sku, Some(holders));
                }
                Missing::Group(position) => self.load_group(log, state, position),
            }
        }
    }

    fn payments_where(&self, state: &mut State, of_it: impl Fn(&Payment) -> bool) -> BTreeSet<PaymentKey> {
        let found = self.payments.values().flatten().filter(|row| of_it(row));
        found
            .map(|row| {
                state.payments.give(row.id.clone(), Some(row.clone()));
                row.id.clone()
            })
            .collect()
    }

    fn load_group(&self, log: &[Event], state: &mut State, id: Position) {
        let mut group = self.groups.get(&id).cloned().flatten();
        for (position, member) in group.iter_mut().flat_map(|group| group.members.iter_mut()) {
            let event = usize::try_from(position.0).ok().and_then(|position| log.get(position));
            member.fact = event.map(|event| relay::received(event).into());
            state.parked.give(*position, Some(id));
        }
        state.groups.give(id, group);
    }
}

fn give<K: Clone + Ord + Eq + std::hash::Hash, V: Clone>(
    table: &mut Table<K, V>,
    rows: &BTreeMap<K, Option<V>>,
    key: K,
) {
    let row = rows.get(&key).cloned().flatten();
    table.give(key, row);
}

fn holds(order: &Order, sku: &Sku) -> bool {
    let terms = order.terms.as_ref().filter(|terms| terms.tracks.stock && order.held_until.is_some());
    terms.is_some_and(|terms| terms.by_sku().contains_key(sku))
}
