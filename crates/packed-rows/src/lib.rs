//! All rows of a shop in memory, packed: what a replay has decided or folded, a few dozen bytes a row.
//!
//! Decisions read a [`State`](domain::State), whose rows are wide and quick. Here they are at rest: [`PackedRows::load`] gives a state
//! what it lacks, [`PackedRows::store`] takes over what has changed in it; a
//! [`Workbench`] does both, fact by fact. Every id is kept once, and rows name each other
//! by number. What is parked is kept as it is: it is little.
//!
//! Never: do I/O, or decide.

mod chunks;
mod code;
mod entities;
mod goods;
mod load;
mod order;
mod payment;
mod slab;
mod store;
#[cfg(test)]
mod tests;
mod workbench;

use std::str::FromStr;

use domain::{
    BuyerId, Coupon, CouponBuyer, CouponCode, Group, Key, Order, OrderId, Payment, PaymentKey, Points,
    Position, Shop, Sku, Stock,
};
use foldhash::HashMap;

use code::{Reader, Shared};
use entities::{Entities, Kind, Number};
pub use workbench::Workbench;

/// All rows of a shop.
#[derive(Clone, Debug, Default)]
pub struct PackedRows {
    entities: Entities,
    shared: Shared,
    shop: Shop,
    parked: HashMap<Position, Position>,
    groups: HashMap<Position, Group>,
    parked_keys: HashMap<Key, Position>,
    /// A row on its way, so that it need not be allocated anew.
    buffer: Vec<u8>,
}

impl PackedRows {
    /// The shop's own row.
    #[must_use]
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// An order.
    #[must_use]
    pub fn order(&self, id: &OrderId) -> Option<Order> {
        self.reader(self.find(Kind::Order, id.as_str())?)?.order(id.clone())
    }

    /// A payment.
    #[must_use]
    pub fn payment(&self, id: &PaymentKey) -> Option<Payment> {
        self.reader(self.find(payment::kind_of(id), id.id())?)?.payment(id.clone())
    }

    /// An article's stock.
    #[must_use]
    pub fn stock(&self, sku: &Sku) -> Option<Stock> {
        self.reader(self.find(Kind::Sku, sku.as_str())?)?.stock()
    }

    /// A coupon.
    #[must_use]
    pub fn coupon(&self, code: &CouponCode) -> Option<Coupon> {
        self.reader(self.find(Kind::Code, code.as_str())?)?.coupon(code.clone())
    }

    /// A buyer's uses of a coupon.
    #[must_use]
    pub fn coupon_buyer(&self, code: &CouponCode, buyer: &BuyerId) -> Option<CouponBuyer> {
        self.reader(self.coupon_buyer_of(code, buyer)?)?.coupon_buyer()
    }

    /// A buyer's points.
    #[must_use]
    pub fn points(&self, buyer: &BuyerId) -> Option<Points> {
        self.reader(self.find(Kind::Buyer, buyer.as_str())?)?.points()
    }

    /// A parked group.
    #[must_use]
    pub fn group(&self, id: Position) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// All orders, by their ids.
    pub fn orders(&self) -> impl Iterator<Item = Order> + Send + '_ {
        self.in_order(&[Kind::Order]).filter_map(|number| {
            let id = self.typed(number)?;
            self.reader(number)?.order(id)
        })
    }

    /// All payments, by the name of what their ids are of, and by these.
    pub fn payments(&self) -> impl Iterator<Item = Payment> + Send + '_ {
        self.in_order(&payment::PAYMENTS).filter_map(|number| self.payment_at(number))
    }

    /// All stock, by article.
    pub fn all_stock(&self) -> impl Iterator<Item = (Sku, Stock)> + Send + '_ {
        self.in_order(&[Kind::Sku])
            .filter_map(|number| Some((self.typed(number)?, self.reader(number)?.stock()?)))
    }

    /// All coupons, by their codes.
    pub fn coupons(&self) -> impl Iterator<Item = Coupon> + Send + '_ {
        self.in_order(&[Kind::Code]).filter_map(|number| self.reader(number)?.coupon(self.typed(number)?))
    }

    /// All buyers' uses of coupons, by code and buyer.
    pub fn coupon_buyers(&self) -> impl Iterator<Item = ((CouponCode, BuyerId), CouponBuyer)> + Send + '_ {
        let pair = |number: Number| goods::unpair(self.entities.id(number).1);
        let mut pairs: Vec<(Number, Number, Number)> = self
            .entities
            .with_rows(Kind::CouponBuyer)
            .filter_map(|number| pair(number).map(|(code, buyer)| (code, buyer, number)))
            .collect();
        let ids = |(code, buyer, _): &(Number, Number, Number)| {
            (self.entities.id(*code).1, self.entities.id(*buyer).1)
        };
        pairs.sort_unstable_by(|a, b| ids(a).cmp(&ids(b)));
        pairs.into_iter().filter_map(|(code, buyer, number)| {
            Some(((self.typed(code)?, self.typed(buyer)?), self.reader(number)?.coupon_buyer()?))
        })
    }

    /// All points, by buyer.
    pub fn all_points(&self) -> impl Iterator<Item = (BuyerId, Points)> + Send + '_ {
        self.in_order(&[Kind::Buyer])
            .filter_map(|number| Some((self.typed(number)?, self.reader(number)?.points()?)))
    }

    /// All parked groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = (Position, &Group)> + Send {
        self.groups.iter().map(|(id, group)| (*id, group))
    }

    /// All keys that lead into a parked group, in no particular order.
    pub fn parked_keys(&self) -> impl Iterator<Item = (&Key, Position)> + Send {
        self.parked_keys.iter().map(|(key, group)| (key, *group))
    }

    /// All parked facts and their groups, in no particular order.
    pub fn parked(&self) -> impl Iterator<Item = (Position, Position)> + Send + '_ {
        self.parked.iter().map(|(fact, group)| (*fact, *group))
    }

    /// What the rows take of memory, in bytes, without those that are parked.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entities.bytes()
    }

    fn find(&self, kind: Kind, id: &str) -> Option<Number> {
        self.entities.find(kind, id.as_bytes())
    }

    fn reader(&self, number: Number) -> Option<Reader<'_>> {
        Some(Reader { rows: self, left: self.entities.row(number)? })
    }

    fn typed<T: FromStr>(&self, number: Number) -> Option<T> {
        std::str::from_utf8(self.entities.id(number).1).ok()?.parse().ok()
    }

    fn payment_at(&self, number: Number) -> Option<Payment> {
        let (kind, id) = self.entities.id(number);
        self.reader(number)?.payment(payment::key_of(kind, std::str::from_utf8(id).ok()?)?)
    }

    /// The rows of some kinds, by kind and id.
    fn in_order(&self, kinds: &[Kind]) -> std::vec::IntoIter<Number> {
        let mut numbers: Vec<Number> = kinds.iter().flat_map(|kind| self.entities.with_rows(*kind)).collect();
        numbers.sort_unstable_by(|a, b| self.entities.id(*a).cmp(&self.entities.id(*b)));
        numbers.into_iter()
    }
}
