//! Takes over the rows that have changed in a state.

use std::hash::Hash;

use domain::{BuyerId, Changed, CouponCode, Payment, State, Table};
use foldhash::HashMap;

use crate::code::{Pack, Writer};
use crate::entities::{Kind, Number};
use crate::{PackedRows, goods, payment};

impl PackedRows {
    /// Takes over what has changed since the state was stored last. The state is to be marked as stored.
    pub fn store(&mut self, state: &State) {
        if state.shop_changed {
            self.shop.clone_from(&state.shop);
        }
        for Changed { now, key, .. } in state.orders.changes() {
            let number = self.name(Kind::Order, key.as_str());
            self.put(number, now);
        }
        for Changed { key, stored, now } in state.payments.changes() {
            let number = self.name(payment::kind_of(key), key.id());
            self.put_payment(number, stored, now);
        }
        for Changed { key, now, .. } in state.stock.changes() {
            let number = self.name(Kind::Sku, key.as_str());
            self.put(number, now);
        }
        for Changed { key, now, .. } in state.coupons.changes() {
            let number = self.name(Kind::Code, key.as_str());
            self.put(number, now);
        }
        for Changed { key, now, .. } in state.coupon_buyers.changes() {
            let number = self.name_pair(&key.0, &key.1);
            self.put(number, now);
        }
        for Changed { key, now, .. } in state.points.changes() {
            let number = self.name(Kind::Buyer, key.as_str());
            self.put(number, now);
        }
        keep(&mut self.parked, &state.parked);
        keep(&mut self.groups, &state.groups);
        keep(&mut self.parked_keys, &state.parked_keys);
    }

    fn name_pair(&mut self, code: &CouponCode, buyer: &BuyerId) -> Number {
        let (code, buyer) = (self.name(Kind::Code, code.as_str()), self.name(Kind::Buyer, buyer.as_str()));
        self.entities.name(Kind::CouponBuyer, &goods::pair(code, buyer))
    }

    fn name(&mut self, kind: Kind, id: &str) -> Number {
        self.entities.name(kind, id.as_bytes())
    }

    fn put_payment(&mut self, number: Number, stored: Option<&Payment>, now: Option<&Payment>) {
        let (before, after) = (
            stored.map(payment::hangs_on).unwrap_or_default(),
            now.map(payment::hangs_on).unwrap_or_default(),
        );
        for (kind, id) in before.iter().filter(|on| !after.contains(on)) {
            let on = self.name(*kind, id);
            self.entities.take_off(number, on);
        }
        for (kind, id) in after.iter().filter(|on| !before.contains(on)) {
            let on = self.name(*kind, id);
            self.entities.hang(number, on);
        }
        self.put(number, now);
    }

    fn put<T: Pack>(&mut self, number: Number, row: Option<&T>) {
        let mut out = std::mem::take(&mut self.buffer);
        out.clear();
        if let Some(row) = row {
            let mut writer = Writer { rows: self, out };
            row.pack(&mut writer);
            out = writer.out;
        }
        self.entities.put(number, row.map(|_| &*out));
        self.buffer = out;
    }
}

/// All rows of a state that knows every row there is, however they came there.
#[cfg(test)]
impl PackedRows {
    pub(crate) fn of(state: &State) -> Self {
        let mut rows = Self { shop: state.shop.clone(), ..Self::default() };
        for (key, row) in state.orders.iter() {
            let number = rows.name(Kind::Order, key.as_str());
            rows.put(number, Some(row));
        }
        for (key, row) in state.payments.iter() {
            let number = rows.name(payment::kind_of(key), key.id());
            rows.put_payment(number, None, Some(row));
        }
        for (key, row) in state.stock.iter() {
            let number = rows.name(Kind::Sku, key.as_str());
            rows.put(number, Some(row));
        }
        for (key, row) in state.coupons.iter() {
            let number = rows.name(Kind::Code, key.as_str());
            rows.put(number, Some(row));
        }
        for ((code, buyer), row) in state.coupon_buyers.iter() {
            let number = rows.name_pair(code, buyer);
            rows.put(number, Some(row));
        }
        for (key, row) in state.points.iter() {
            let number = rows.name(Kind::Buyer, key.as_str());
            rows.put(number, Some(row));
        }
        rows.parked.extend(state.parked.iter().map(|(fact, group)| (*fact, *group)));
        rows.groups.extend(state.groups.iter().map(|(id, group)| (*id, group.clone())));
        rows.parked_keys.extend(state.parked_keys.iter().map(|(key, group)| (key.clone(), *group)));
        rows
    }
}

fn keep<K: Clone + Eq + Hash, V: Clone>(rows: &mut HashMap<K, V>, table: &Table<K, V>) {
    for Changed { key, now, .. } in table.changes() {
        match now {
            Some(row) => rows.insert(key.clone(), row.clone()),
            None => rows.remove(key),
        };
    }
}
