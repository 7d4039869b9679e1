//! Gives a state the rows that it lacks, as they are at rest.

use std::collections::BTreeSet;

use domain::{BuyerId, Change, CouponUse, Fact, Line, Missing, OrderId, PaymentKey, Position, Sku, State};

use crate::entities::{Kind, Number};
use crate::{PackedRows, order, payment};

impl PackedRows {
    /// A state with what every decision needs.
    #[must_use]
    pub fn open(&self) -> State {
        let mut state = State::partial(self.shop.clone());
        for (key, group) in &self.parked_keys {
            state.parked_keys.give(key.clone(), Some(*group));
        }
        state
    }

    /// Gives what is missing, and what is likely to be missed next; what is not there as absent. Rows that the state knows
    /// stay as they are. What is found through others ([`Missing::rests_on_others`]) is given as of what was stored last.
    pub fn load(&self, state: &mut State, missing: &Missing) {
        match missing {
            Missing::Order(id) | Missing::PaymentsOfOrder(id) => self.load_order(state, id),
            Missing::Payment(key) => self.load_payment(state, key),
            Missing::PaymentsOfPaypalOrder(id) => {
                self.load_payment(state, &PaymentKey::PaypalOrder(id.clone()));
            }
            Missing::PaymentsOfAuthorization(id) => {
                self.load_payment(state, &PaymentKey::Authorization(id.clone()));
            }
            Missing::PaymentsOfCapture(id) => self.load_payment(state, &PaymentKey::Capture(id.clone())),
            Missing::Holders(sku) => state.holders.give(sku.clone(), Some(self.holders(sku))),
            Missing::Stock(sku) => state.stock.give(sku.clone(), self.stock(sku)),
            Missing::Coupon(code) => state.coupons.give(code.clone(), self.coupon(code)),
            Missing::CouponBuyer(code, buyer) => {
                let row = self.coupon_buyer(code, buyer);
                state.coupon_buyers.give((code.clone(), buyer.clone()), row);
            }
            Missing::Points(buyer) => state.points.give(buyer.clone(), self.points(buyer)),
            Missing::Parked(fact) => state.parked.give(*fact, self.parked.get(fact).copied()),
            Missing::Group(id) => self.load_group(state, *id),
        }
    }

    /// Gives what the commonest facts need, so that they are decided at once. What is forgotten here is missed, and loaded.
    pub(crate) fn load_for_fact(&self, state: &mut State, fact: &Fact) {
        match fact {
            Fact::OrderPlaced(placement) => {
                if !state.orders.knows(&placement.order) {
                    self.load_order(state, &placement.order);
                }
                let (buyer, points) = (placement.buyer.as_ref(), placement.points.is_some());
                self.load_goods(state, &placement.lines, &placement.coupons, (buyer, points));
            }
            Fact::PaymentCaptured(capture) | Fact::PaymentPending(capture) | Fact::PaymentDenied(capture) => {
                if let Some(order) = capture.order.as_ref().filter(|order| !state.orders.knows(order)) {
                    self.load_order(state, order);
                }
                if let Some(paypal_order) = capture.paypal_order.clone().map(PaymentKey::PaypalOrder)
                    && !state.payments.knows(&paypal_order)
                {
                    self.load_payment(state, &paypal_order);
                }
                let capture = PaymentKey::Capture(capture.capture.clone());
                if !state.payments.knows(&capture) {
                    self.load_payment(state, &capture);
                }
            }
            _ => {}
        }
    }

    /// Gives what the fold of a change reads.
    pub(crate) fn load_for_change(&self, state: &mut State, change: &Change) {
        let load = |state: &mut State, knows: bool, missing: &dyn Fn() -> Missing| {
            if !knows {
                self.load(state, &missing());
            }
        };
        for payment in &change.payments {
            load(state, state.payments.knows(&payment.id), &|| Missing::Payment(payment.id.clone()));
            if let Some(id) = &payment.order {
                load(state, state.by_order.knows(id), &|| Missing::PaymentsOfOrder(id.clone()));
            }
            if let Some(id) = &payment.paypal_order {
                let missing = || Missing::PaymentsOfPaypalOrder(id.clone());
                load(state, state.by_paypal_order.knows(id), &missing);
            }
        }
        if let Some(order) = &change.order {
            load(state, state.orders.knows(&order.order), &|| Missing::Order(order.order.clone()));
        }
        for step in &change.stock {
            load(state, state.stock.knows(&step.sku), &|| Missing::Stock(step.sku.clone()));
        }
        for step in &change.coupons {
            load(state, state.coupons.knows(&step.code), &|| Missing::Coupon(step.code.clone()));
            if let Some(buyer) = &step.buyer {
                let key = (step.code.clone(), buyer.clone());
                let knows = state.coupon_buyers.knows(&key);
                load(state, knows, &|| Missing::CouponBuyer(step.code.clone(), buyer.clone()));
            }
        }
        if let Some(step) = &change.points {
            load(state, state.points.knows(&step.buyer), &|| Missing::Points(step.buyer.clone()));
        }
    }

    /// An order with its payments, and with what it may move.
    fn load_order(&self, state: &mut State, id: &OrderId) {
        let number = self.find(Kind::Order, id.as_str());
        if !state.orders.knows(id) {
            let row = number.and_then(|number| self.reader(number)?.order(id.clone()));
            if let Some(terms) = row.as_ref().and_then(|order| order.terms.as_ref()) {
                let points = terms.points.is_some();
                self.load_goods(state, &terms.lines, &terms.coupons, (terms.buyer.as_ref(), points));
            }
            state.orders.give(id.clone(), row);
        }
        let payments = self.load_all_on(state, number);
        state.by_order.give(id.clone(), Some(payments));
    }

    fn load_goods(
        &self,
        state: &mut State,
        lines: &[Line],
        coupons: &[CouponUse],
        (buyer, points): (Option<&BuyerId>, bool),
    ) {
        for line in lines {
            if !state.stock.knows(&line.sku) {
                state.stock.give(line.sku.clone(), self.stock(&line.sku));
            }
        }
        for coupon in coupons {
            if !state.coupons.knows(&coupon.code) {
                state.coupons.give(coupon.code.clone(), self.coupon(&coupon.code));
            }
            let Some(buyer) = buyer else { continue };
            let key = (coupon.code.clone(), buyer.clone());
            if !state.coupon_buyers.knows(&key) {
                let row = self.coupon_buyer(&key.0, &key.1);
                state.coupon_buyers.give(key, row);
            }
        }
        if let Some(buyer) = buyer.filter(|_| points)
            && !state.points.knows(buyer)
        {
            state.points.give(buyer.clone(), self.points(buyer));
        }
    }

    /// A payment with those that hang on it.
    fn load_payment(&self, state: &mut State, key: &PaymentKey) {
        let number = self.find(payment::kind_of(key), key.id());
        if !state.payments.knows(key) {
            let row = number.and_then(|number| self.reader(number)?.payment(key.clone()));
            state.payments.give(key.clone(), row);
        }
        match key {
            PaymentKey::PaypalOrder(id) => {
                let payments = self.load_all_on(state, number);
                state.by_paypal_order.give(id.clone(), Some(payments));
            }
            PaymentKey::Authorization(id) => {
                let payments = self.load_all_on(state, number);
                state.by_authorization.give(id.clone(), Some(payments));
            }
            PaymentKey::Capture(id) => {
                let payments = self.load_all_on(state, number);
                state.by_capture.give(id.clone(), Some(payments));
            }
            PaymentKey::Refund(_) | PaymentKey::Dispute(_) => {}
        }
    }

    fn load_all_on(&self, state: &mut State, number: Option<Number>) -> BTreeSet<PaymentKey> {
        let mut keys = BTreeSet::new();
        for number in number.into_iter().flat_map(|number| self.entities.on(number)) {
            let (kind, id) = self.entities.id(number);
            let Some(key) = std::str::from_utf8(id).ok().and_then(|id| payment::key_of(kind, id)) else {
                continue;
            };
            if !state.payments.knows(&key) {
                let row = self.reader(number).and_then(|mut reader| reader.payment(key.clone()));
                state.payments.give(key.clone(), row);
            }
            keys.insert(key);
        }
        keys
    }

    /// The orders that hold an article. All are looked through: a count that finds too little is rare.
    fn holders(&self, sku: &Sku) -> BTreeSet<OrderId> {
        let holds = |number: Number| {
            self.entities.row(number).filter(|row| order::may_hold(row))?;
            let order = self.reader(number)?.order(self.typed(number)?)?;
            let terms =
                order.terms.as_ref().filter(|terms| terms.tracks.stock && order.held_until.is_some())?;
            terms.lines.iter().any(|line| line.sku == *sku).then_some(order.order)
        };
        self.entities.with_rows(Kind::Order).filter_map(holds).collect()
    }

    fn load_group(&self, state: &mut State, id: Position) {
        let group = self.groups.get(&id).cloned();
        for fact in group.iter().flat_map(|group| group.members.keys()) {
            state.parked.give(*fact, Some(id));
        }
        state.groups.give(id, group);
    }
}
