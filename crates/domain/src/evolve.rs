//! The fold: state + outcome -> state. Mechanical on purpose: every judgement was made when the outcome was decided.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::decide::Undecided;
use crate::{
    Change, Context, Coupon, CouponMove, CouponTerms, Group, Key, MINOR_MAX, Member, Missing, Order,
    OutcomeType, Parked, Payment, PaymentKey, PaymentKind, PointsMove, Position, ReceivedFact, Shop, State,
    StockMove, Table,
};

/// Adds within what an entry can write.
fn add(a: i64, b: i64, what: &str) -> Result<i64, Undecided> {
    a.checked_add(b)
        .filter(|sum| (-MINOR_MAX..=MINOR_MAX).contains(sum))
        .ok_or_else(|| Undecided::Undecidable(format!("overflow: {what}")))
}

impl State {
    /// Folds one outcome into the state. `context` is its cause's.
    ///
    /// # Errors
    /// [`Undecided::Missing`] names a row that was not given; [`Undecided::Undecidable`] an overflow. The state is as it was.
    pub fn evolve(&mut self, context: &Context, kind: OutcomeType, change: &Change) -> Result<(), Undecided> {
        let mark = self.mark();
        let evolved = self.apply(context, kind, change);
        if evolved.is_ok() {
            self.keep()
        } else {
            self.roll_back(&mark)
        }
        evolved
    }

    /// Folds one outcome within a decision, which takes it back where it fails.
    pub(crate) fn apply(
        &mut self,
        context: &Context,
        kind: OutcomeType,
        change: &Change,
    ) -> Result<(), Undecided> {
        for payment in &change.payments {
            self.put_payment(context, payment)?;
        }
        if let Some(order) = &change.order {
            self.put_order(context, order)?;
        }
        // A coupon that is imported has been used.
        if let Some(terms) = &change.coupon {
            self.put_coupon(context, terms);
        }
        self.apply_moves(context, &change.stock, &change.coupons, change.points.as_ref())?;
        if let Some(code) = &change.voided
            && let Some(coupon) = self.coupons.read(code, || Missing::Coupon(code.clone()))?
        {
            let coupon = Coupon { voided: true, position: context.position, ..coupon.clone() };
            self.coupons.put(code.clone(), Some(coupon));
        }
        if let Some(settings) = &change.settings {
            self.put_shop(Shop { settings: settings.clone(), ..self.shop.clone() });
        }
        if let Some(rules) = change.rules {
            self.put_shop(Shop { rules, ..self.shop.clone() });
        }
        if let (OutcomeType::EventParked, Some(parked)) = (kind, &change.parked) {
            self.park_fact(context, parked)?;
        }
        if let (OutcomeType::EventUnparked, Some(unparked)) = (kind, &change.unparked) {
            self.unpark_facts(unparked.group, &[unparked.fact])?;
        }
        Ok(())
    }

    pub(crate) fn apply_moves(
        &mut self,
        context: &Context,
        stock: &[StockMove],
        coupons: &[CouponMove],
        points: Option<&PointsMove>,
    ) -> Result<(), Undecided> {
        for step in stock {
            let mut row =
                self.stock.read(&step.sku, || Missing::Stock(step.sku.clone()))?.copied().unwrap_or_default();
            row.received = add(row.received, step.received, "stock received")?;
            row.adjusted = add(row.adjusted, step.adjusted, "stock adjusted")?;
            row.settled = add(row.settled, step.settled, "stock settled")?;
            row.returned = add(row.returned, step.returned, "stock returned")?;
            row.held = add(row.held, step.held, "stock held")?;
            add(row.on_hand(), 0, "stock on hand")?;
            row.position = Some(context.position);
            self.stock.put(step.sku.clone(), Some(row));
        }
        for step in coupons {
            self.move_coupon(context, step)?;
        }
        if let Some(step) = points {
            let missing = || Missing::Points(step.buyer.clone());
            let mut row = self.points.read(&step.buyer, missing)?.copied().unwrap_or_default();
            row.granted = add(row.granted, step.granted, "points granted")?;
            row.earned = add(row.earned, step.earned, "points earned")?;
            row.revoked = add(row.revoked, step.revoked, "points revoked")?;
            row.spent = add(row.spent, step.spent, "points spent")?;
            row.returned = add(row.returned, step.returned, "points returned")?;
            row.expired = add(row.expired, step.expired, "points expired")?;
            row.held = add(row.held, step.held, "points held")?;
            add(row.balance(), 0, "points balance")?;
            row.position = Some(context.position);
            self.points.put(step.buyer.clone(), Some(row));
        }
        Ok(())
    }

    fn move_coupon(&mut self, context: &Context, step: &CouponMove) -> Result<(), Undecided> {
        let used = add(step.used, step.imported, "coupon used")?;
        if let Some(coupon) = self.coupons.read(&step.code, || Missing::Coupon(step.code.clone()))? {
            let mut coupon = coupon.clone();
            coupon.held = add(coupon.held, step.held, "coupon held")?;
            coupon.used = add(coupon.used, used, "coupon used")?;
            coupon.position = context.position;
            self.coupons.put(step.code.clone(), Some(coupon));
        }
        if let Some(buyer) = &step.buyer {
            let key = (step.code.clone(), buyer.clone());
            let missing = || Missing::CouponBuyer(key.0.clone(), key.1.clone());
            let mut row = self.coupon_buyers.read(&key, missing)?.copied().unwrap_or_default();
            row.held = add(row.held, step.held, "coupon held")?;
            row.used = add(row.used, used, "coupon used")?;
            self.coupon_buyers.put(key, Some(row));
        }
        Ok(())
    }

    fn put_coupon(&mut self, context: &Context, terms: &CouponTerms) {
        let coupon =
            Coupon { terms: terms.clone(), voided: false, held: 0, used: 0, position: context.position };
        self.coupons.put(terms.code.clone(), Some(coupon));
    }

    fn put_order(&mut self, context: &Context, order: &Order) -> Result<(), Undecided> {
        let before = self.orders.read(&order.order, || Missing::Order(order.order.clone()))?;
        let terms = order.terms.clone().or_else(|| before.and_then(|row| row.terms.clone()));
        let held_before = before.is_some_and(|row| row.held_until.is_some());
        let skus: Vec<_> = match (&terms, before.and_then(|row| row.terms.as_ref())) {
            (Some(new), Some(old)) => {
                new.lines.iter().chain(&old.lines).map(|line| line.sku.clone()).collect()
            }
            (Some(new), None) => new.lines.iter().map(|line| line.sku.clone()).collect(),
            _ => Vec::new(),
        };
        let row = Order { terms, position: context.position, at: Some(context.at), ..order.clone() };
        // Where all orders are known, whoever asks for holders looks through them.
        if !self.holders.is_complete() && (held_before || row.held_until.is_some()) {
            for sku in skus {
                if !self.holders.knows(&sku) {
                    continue;
                }
                let holds = row.held_until.is_some()
                    && row.terms.as_ref().is_some_and(|terms| {
                        terms.tracks.stock && terms.lines.iter().any(|line| line.sku == sku)
                    });
                let missing = Missing::Holders(sku.clone());
                index(&mut self.holders, sku, row.order.clone(), holds, missing)?;
            }
        }
        self.orders.put(row.order.clone(), Some(row));
        Ok(())
    }

    /// Writes a payment row and keeps the indexes over it.
    fn put_payment(&mut self, context: &Context, payment: &Payment) -> Result<(), Undecided> {
        let id = &payment.id;
        let before = self.payments.read(id, || Missing::Payment(id.clone()))?.cloned();
        if let Some(before) = &before {
            self.index_payment(before, false)?;
        }
        let row = Payment { position: context.position, at: Some(context.at), ..payment.clone() };
        self.index_payment(&row, true)?;
        self.payments.put(id.clone(), Some(row));
        Ok(())
    }

    fn index_payment(&mut self, row: &Payment, there: bool) -> Result<(), Undecided> {
        let id = row.id.clone();
        if let Some(order) = &row.order {
            let missing = Missing::PaymentsOfOrder(order.clone());
            index(&mut self.by_order, order.clone(), id.clone(), there, missing)?;
        }
        if let Some(paypal_order) = &row.paypal_order
            && row.kind != PaymentKind::PaypalOrder
        {
            let missing = Missing::PaymentsOfPaypalOrder(paypal_order.clone());
            index(&mut self.by_paypal_order, paypal_order.clone(), id.clone(), there, missing)?;
        }
        if let Some(authorization) = &row.authorization
            && row.kind != PaymentKind::Authorization
        {
            let missing = Missing::PaymentsOfAuthorization(authorization.clone());
            index(&mut self.by_authorization, authorization.clone(), id.clone(), there, missing)?;
        }
        for capture in &row.captures {
            let missing = Missing::PaymentsOfCapture(capture.clone());
            index(&mut self.by_capture, capture.clone(), id.clone(), there, missing)?;
        }
        Ok(())
    }

    fn park_fact(&mut self, context: &Context, parked: &Parked) -> Result<(), Undecided> {
        let mut group = self.group(parked.group)?.unwrap_or_default();
        for absorbed in &parked.absorbs {
            let other = self.group(*absorbed)?.unwrap_or_default();
            for (position, member) in other.members {
                self.parked.put(position, Some(parked.group));
                group.members.insert(position, member);
            }
            group.attempts = group.attempts.max(other.attempts);
            self.groups.put(*absorbed, None);
        }
        let known = group.members.remove(&parked.fact);
        let parked_at = known.as_ref().map_or(context.at, |member| member.parked_at);
        if let Some(error) = &parked.error {
            group.attempts += u32::from(known.is_some());
            group.error.clone_from(error);
            group.failed_at = Some(context.at);
        }
        let member = Member {
            fact: known.and_then(|member| member.fact),
            keys: parked.keys.clone(),
            error: parked.error.clone(),
            parked_at,
        };
        group.members.insert(parked.fact, member);
        self.parked.put(parked.fact, Some(parked.group));
        self.put_group(parked.group, group);
        Ok(())
    }

    /// Takes facts out of their group. Each call copies the group, so a redrive makes one for all that it decided.
    pub(crate) fn unpark_facts(&mut self, id: Position, facts: &[Position]) -> Result<(), Undecided> {
        let mut group = self.group(id)?.unwrap_or_default();
        for fact in facts {
            group.members.remove(fact);
            self.parked.put(*fact, None);
        }
        // It gets on: what is left has all its attempts before it.
        group.attempts = 0;
        self.put_group(id, group);
        Ok(())
    }

    pub(crate) fn group(&self, id: Position) -> Result<Option<Group>, Undecided> {
        Ok(self.groups.read(&id, || Missing::Group(id))?.cloned())
    }

    /// Writes a group, and the keys that lead into it: those of the facts that are in it still.
    fn put_group(&mut self, id: Position, mut group: Group) {
        let keys: BTreeSet<Key> =
            group.members.values().flat_map(|member| member.keys.iter().cloned()).collect();
        for gone in group.keys.difference(&keys) {
            self.parked_keys.put(gone.clone(), None);
        }
        for key in &keys {
            self.parked_keys.put(key.clone(), Some(id));
        }
        group.keys = keys;
        let empty = group.members.is_empty();
        self.groups.put(id, (!empty).then_some(group));
    }

    /// Gives a parked fact to the group it waits in: a fold knows only where it stands.
    pub fn attach(&mut self, fact: &Arc<ReceivedFact>) {
        let Some(id) = self.parked.get(&fact.position).copied() else { return };
        let Some(group) = self.groups.get(&id) else { return };
        let mut group = group.clone();
        if let Some(member) = group.members.get_mut(&fact.position) {
            member.fact = Some(Arc::clone(fact));
        }
        self.groups.put(id, Some(group));
    }
}

/// Keeps one entry of an index. The set must have been given: one that is loaded later would lack this row.
fn index<K: Clone + Eq + Hash, V: Clone + Ord>(
    table: &mut Table<K, BTreeSet<V>>,
    key: K,
    value: V,
    there: bool,
    missing: Missing,
) -> Result<(), Missing> {
    let mut set = table.read(&key, || missing)?.cloned().unwrap_or_default();
    if if there { set.insert(value) } else { set.remove(&value) } {
        table.put(key, Some(set));
    }
    Ok(())
}

impl PaymentKey {
    /// The id as text, without its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::PaypalOrder(id) => id.as_str(),
            Self::Authorization(id) => id.as_str(),
            Self::Capture(id) => id.as_str(),
            Self::Refund(id) => id.as_str(),
            Self::Dispute(id) => id.as_str(),
        }
    }
}
