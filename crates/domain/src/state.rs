//! What decisions read: the rows that a batch touches, or all of them in a replay.
//!
//! A [`Table`] knows which rows it was given. Asking for one that it was not given is no "absent" but [`Missing`]: the
//! relay loads it and decides again, so that a decision can never rest on a row that was only forgotten.
//!
//! While a fact is decided, changed rows are journalled, so that a decision that fails half-way leaves no trace.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use crate::{
    AuthorizationId, BuyerId, CaptureId, Coupon, CouponBuyer, CouponCode, Fact, Key, Order, OrderId, Payment,
    PaymentKey, PaypalOrderId, Points, Position, Settings, Sku, Stock, Timestamp, UnknownFact,
};

/// A row, or a set of rows, that must be loaded before the fact can be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// An order.
    Order(OrderId),
    /// A payment.
    Payment(PaymentKey),
    /// The payments that belong to an order.
    PaymentsOfOrder(OrderId),
    /// The authorisations and captures of a PayPal order.
    PaymentsOfPaypalOrder(PaypalOrderId),
    /// The captures of an authorisation.
    PaymentsOfAuthorization(AuthorizationId),
    /// The refunds, reversals and disputes of a capture.
    PaymentsOfCapture(CaptureId),
    /// The orders that hold an article.
    Holders(Sku),
    /// An article's stock.
    Stock(Sku),
    /// A coupon.
    Coupon(CouponCode),
    /// A buyer's uses of a coupon.
    CouponBuyer(CouponCode, BuyerId),
    /// A buyer's points.
    Points(BuyerId),
    /// Which group a parked fact waits in.
    Parked(Position),
    /// A parked group, with the facts in it.
    Group(Position),
}

impl Missing {
    /// Whether it is found through other rows, which may have changed while this was not known: it can be loaded only
    /// when everything that was decided is stored. All else is known wherever it has changed.
    #[must_use]
    pub fn rests_on_others(&self) -> bool {
        matches!(self, Self::Holders(_) | Self::Parked(_) | Self::Group(_))
    }
}

/// Rows by key, those that were given.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    rows: HashMap<K, Option<V>>,
    /// Every row there is was given: what is not here is absent.
    complete: bool,
    /// The rows that changed since they were stored, as they are stored.
    changed: HashMap<K, Option<V>>,
    journal: Vec<(K, Option<Option<V>>)>,
}

/// A row that changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a, K, V> {
    /// Which.
    pub key: &'a K,
    /// As it is stored.
    pub stored: Option<&'a V>,
    /// As it is now.
    pub now: Option<&'a V>,
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    fn new(complete: bool) -> Self {
        Self { rows: HashMap::new(), complete, changed: HashMap::new(), journal: Vec::new() }
    }

    /// Gives a row as it is stored, `None` for one that is not there. A row that is here already stays as it is.
    pub fn give(&mut self, key: K, row: Option<V>) {
        self.rows.entry(key).or_insert(row);
    }

    /// Whether no row is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.rows.values().any(Option::is_some)
    }

    /// Whether the row was given.
    #[must_use]
    pub fn knows(&self, key: &K) -> bool {
        self.complete || self.rows.contains_key(key)
    }

    /// Whether every row there is was given.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The row as it is now; `None` also for one that was not given.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key).and_then(Option::as_ref)
    }

    /// The row; `missing` names it when it was not given.
    pub(crate) fn read(&self, key: &K, missing: impl FnOnce() -> Missing) -> Result<Option<&V>, Missing> {
        match self.rows.get(key) {
            Some(row) => Ok(row.as_ref()),
            None if self.complete => Ok(None),
            None => Err(missing()),
        }
    }

    pub(crate) fn put(&mut self, key: K, row: Option<V>) {
        // Where every row is known, one that is gone needs no mark that says so.
        let before = if row.is_none() && self.complete {
            self.rows.remove(&key)
        } else {
            self.rows.insert(key.clone(), row)
        };
        if let Entry::Vacant(changed) = self.changed.entry(key.clone()) {
            changed.insert(before.clone().flatten());
        }
        self.journal.push((key, before));
    }

    fn roll_back(&mut self, mark: usize) {
        while self.journal.len() > mark {
            // Unwrap safety: the journal is longer than the mark.
            let Some((key, before)) = self.journal.pop() else { return };
            match before {
                Some(row) => {
                    self.rows.insert(key, row);
                }
                None => {
                    self.rows.remove(&key);
                    // It was not given, so that nothing of it had changed; where every row is known, it may have been
                    // removed before.
                    if !self.complete {
                        self.changed.remove(&key);
                    }
                }
            }
        }
    }

    /// All rows that are there.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter().filter_map(|(key, row)| row.as_ref().map(|row| (key, row)))
    }

    /// The rows that changed since they were stored: as they are stored, `None` for new ones, and as they are now, `None`
    /// for those that were removed.
    pub fn changes(&self) -> impl Iterator<Item = Changed<'_, K, V>> {
        self.changed.iter().map(|(key, stored)| Changed { key, stored: stored.as_ref(), now: self.get(key) })
    }
}

impl<V: Clone> Table<Position, V> {
    /// Gives a row that cannot be stored yet, for it is of the fact that is decided now.
    pub(crate) fn give_if_new(&mut self, key: Position, now: Position) {
        if key == now {
            self.give(key, None);
        }
    }
}

/// A fact as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFact {
    /// Where it stands.
    pub position: Position,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it is about, from its body alone.
    pub key: Key,
    /// The fact, or why this version does not know it.
    pub fact: Result<Fact, UnknownFact>,
}

/// What `decide` knows of the moment: all of it is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The cause: positions in read models are its.
    pub position: Position,
    /// The cause's time: times in read models are its.
    pub at: Timestamp,
    /// The time of the fact itself: earlier than `at` when it was parked.
    pub fact_at: Timestamp,
    /// The parked fact that is decided now, if it is one.
    pub answers: Option<Position>,
}

/// Parked facts that wait together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its facts, in position order.
    pub members: BTreeMap<Position, Member>,
    /// The ids that lead new facts into it.
    pub keys: BTreeSet<Key>,
    /// How often it could not be decided.
    pub attempts: u32,
    /// Why, the last time.
    pub error: String,
    /// When that was.
    pub failed_at: Option<Timestamp>,
}

/// A parked fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The fact; `None` in a fold that was given outcomes alone.
    pub fact: Option<Arc<ReceivedFact>>,
    /// The ids it names.
    pub keys: Vec<Key>,
    /// Why it could not be decided; `None` when it only waits behind another.
    pub error: Option<String>,
    /// When it was parked first.
    pub parked_at: Timestamp,
}

/// The shop's own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// The settings in force.
    pub settings: Settings,
    /// The version of the rules in force.
    pub rules: u32,
}

/// The newest rules that this binary knows; older ones stay for replay.
///
/// - 1: from the beginning, and wherever no fact says otherwise.
/// - 2: a revision by which an order gets another buyer is refused while coupons or points are held for the first one. By 1
///   the holds stayed with the first buyer, and the payment could not be settled.
/// - 3: a buyer's uses of a coupon are counted only where the coupon limits them. By 2 each use of every coupon left a row that
///   nobody asked for; what was held by then stays counted in it.
/// - 4: a shop moves in: what it brings along (`*.imported`) is decided, and it may be in shadow. By 3 the one is parked until
///   these are activated, the other refused.
pub const RULES_LATEST: u32 = 4;

impl Default for Shop {
    fn default() -> Self {
        Self { settings: Settings::default(), rules: 1 }
    }
}

/// The rows that decisions read and outcomes change.
#[derive(Clone, Debug)]
pub struct State {
    /// The shop's settings and rules.
    pub shop: Shop,
    /// The shop's row as it was before each change, back to the outermost mark.
    shop_before: Vec<Shop>,
    /// Marks that are neither kept nor rolled back to.
    marks: usize,
    /// Whether `shop` changed.
    pub shop_changed: bool,
    /// The shop's row as it is stored.
    shop_stored: Shop,
    /// Orders.
    pub orders: Table<OrderId, Order>,
    /// Payments by their own ids.
    pub payments: Table<PaymentKey, Payment>,
    /// Which payments belong to an order.
    pub by_order: Table<OrderId, BTreeSet<PaymentKey>>,
    /// Which authorisations and captures belong to a PayPal order.
    pub by_paypal_order: Table<PaypalOrderId, BTreeSet<PaymentKey>>,
    /// Which captures were made from an authorisation.
    pub by_authorization: Table<AuthorizationId, BTreeSet<PaymentKey>>,
    /// Which refunds and disputes are about a capture.
    pub by_capture: Table<CaptureId, BTreeSet<PaymentKey>>,
    /// Which orders hold an article; loaded only for `stock.adjusted`.
    pub holders: Table<Sku, BTreeSet<OrderId>>,
    /// Stock.
    pub stock: Table<Sku, Stock>,
    /// Coupons.
    pub coupons: Table<CouponCode, Coupon>,
    /// Buyers' uses of coupons.
    pub coupon_buyers: Table<(CouponCode, BuyerId), CouponBuyer>,
    /// Points.
    pub points: Table<BuyerId, Points>,
    /// Which group an id leads into. Always complete: it is small, and every fact asks.
    pub parked_keys: Table<Key, Position>,
    /// Which group a parked fact waits in.
    pub parked: Table<Position, Position>,
    /// Parked groups.
    pub groups: Table<Position, Group>,
}

/// A place in the journals to roll back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    rows: [usize; 14],
    shop: usize,
}

macro_rules! every_table {
    ($state:expr, $do:ident) => {
        [
            $state.orders.$do(),
            $state.payments.$do(),
            $state.by_order.$do(),
            $state.by_paypal_order.$do(),
            $state.by_authorization.$do(),
            $state.by_capture.$do(),
            $state.holders.$do(),
            $state.stock.$do(),
            $state.coupons.$do(),
            $state.coupon_buyers.$do(),
            $state.points.$do(),
            $state.parked_keys.$do(),
            $state.parked.$do(),
            $state.groups.$do(),
        ]
    };
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    fn mark(&self) -> usize {
        self.journal.len()
    }

    fn forget_journal(&mut self) {
        self.journal.clear();
    }

    fn forget_changes(&mut self) {
        self.changed.clear();
    }

    fn revert(&mut self) {
        self.journal.clear();
        for (key, stored) in self.changed.drain() {
            if stored.is_none() && self.complete {
                self.rows.remove(&key);
            } else {
                self.rows.insert(key, stored);
            }
        }
    }

    fn forget_unchanged(&mut self) {
        if !self.complete {
            self.rows.retain(|key, _| self.changed.contains_key(key));
        }
    }
}

impl State {
    /// A state that is given rows as they are needed.
    #[must_use]
    pub fn partial(shop: Shop) -> Self {
        Self::new(shop, false)
    }

    /// The state of an empty log: everything that is not there is absent. For replay.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Shop::default(), true)
    }

    fn new(shop: Shop, complete: bool) -> Self {
        Self {
            shop_stored: shop.clone(),
            shop,
            shop_before: Vec::new(),
            marks: 0,
            shop_changed: false,
            orders: Table::new(complete),
            payments: Table::new(complete),
            by_order: Table::new(complete),
            by_paypal_order: Table::new(complete),
            by_authorization: Table::new(complete),
            by_capture: Table::new(complete),
            holders: Table::new(complete),
            stock: Table::new(complete),
            coupons: Table::new(complete),
            coupon_buyers: Table::new(complete),
            points: Table::new(complete),
            parked_keys: Table::new(true),
            parked: Table::new(complete),
            groups: Table::new(complete),
        }
    }

    /// Takes the rows as stored from here on: nothing has changed. Never while a fact is decided.
    pub fn mark_stored(&mut self) {
        let _ = every_table!(self, forget_changes);
        let _ = every_table!(self, forget_journal);
        if self.shop_changed {
            self.shop_stored = self.shop.clone();
            self.shop_changed = false;
        }
    }

    /// Takes back everything that has changed since [`State::mark_stored`]. Never while a fact is decided.
    pub fn revert(&mut self) {
        let _ = every_table!(self, revert);
        self.shop_before.clear();
        self.shop = self.shop_stored.clone();
        self.shop_changed = false;
    }

    /// Forgets every row that has not changed since it was stored: it can be given again. Never while a fact is decided.
    pub fn forget_unchanged(&mut self) {
        let _ = every_table!(self, forget_unchanged);
    }

    /// A place to come back to. Marks are kept or rolled back to, the last one first.
    pub fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark { rows: every_table!(self, mark), shop: self.shop_before.len() }
    }

    /// Keeps what was done since the last mark.
    pub fn keep(&mut self) {
        self.marks = self.marks.saturating_sub(1);
        if self.marks == 0 {
            self.shop_before.clear();
            let _ = every_table!(self, forget_journal);
        }
    }

    /// Puts another row of the shop in place of the one that is there.
    pub(crate) fn put_shop(&mut self, shop: Shop) {
        self.shop_before.push(std::mem::replace(&mut self.shop, shop));
        self.shop_changed = true;
    }

    /// Goes back to the last mark.
    pub fn roll_back(&mut self, mark: &Mark) {
        self.marks = self.marks.saturating_sub(1);
        if let Some(shop) = self.shop_before.drain(mark.shop..).next() {
            self.shop = shop;
        }
        let [o, p, bo, bp, ba, bc, h, s, c, cb, pt, pk, pd, g] = mark.rows;
        self.orders.roll_back(o);
        self.payments.roll_back(p);
        self.by_order.roll_back(bo);
        self.by_paypal_order.roll_back(bp);
        self.by_authorization.roll_back(ba);
        self.by_capture.roll_back(bc);
        self.holders.roll_back(h);
        self.stock.roll_back(s);
        self.coupons.roll_back(c);
        self.coupon_buyers.roll_back(cb);
        self.points.roll_back(pt);
        self.parked_keys.roll_back(pk);
        self.parked.roll_back(pd);
        self.groups.roll_back(g);
    }
}
