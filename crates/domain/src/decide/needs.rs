//! A guess of the rows that a fact will need, so that a whole batch is loaded in a few round trips.
//!
//! It looks through the rows that are there already: called again after each load, until it asks for nothing more. A row
//! that it forgets costs a round trip, never a wrong decision.

use std::collections::BTreeSet;

use super::parking::REDRIVEN_MAX;
use crate::{Fact, Missing, OrderId, PaymentKey, Placement, ReceivedFact, State, Terms};

struct Needs<'a> {
    state: &'a State,
    missing: BTreeSet<Missing>,
    orders: BTreeSet<OrderId>,
    payments: BTreeSet<PaymentKey>,
}

impl State {
    /// What must be loaded before the fact is decided; empty when all of it is here.
    #[must_use]
    pub fn needs(&self, fact: &ReceivedFact) -> Vec<Missing> {
        let mut needs = Needs {
            state: self,
            missing: BTreeSet::new(),
            orders: BTreeSet::new(),
            payments: BTreeSet::new(),
        };
        if let Ok(fact) = &fact.fact {
            needs.fact(fact);
        }
        needs.missing.into_iter().collect()
    }
}

impl Needs<'_> {
    fn ask(&mut self, known: bool, missing: impl FnOnce() -> Missing) {
        if !known {
            self.missing.insert(missing());
        }
    }

    fn fact(&mut self, fact: &Fact) {
        let (keys, payments) = fact.names();
        for key in keys {
            if let crate::Key::Order(order) = key {
                self.order(&order);
            }
        }
        for payment in payments {
            self.payment(&payment);
        }
        match fact {
            Fact::CallbackRetranslated(f) => {
                if let Ok(inner) = f.fact()
                    && !matches!(inner, Fact::CallbackRetranslated(_))
                {
                    self.fact(&inner);
                }
            }
            Fact::OrderPlaced(f) | Fact::OrderRevised(f) => self.placement(f),
            Fact::OrderImported(f) => self.placement(&f.placement),
            Fact::OrderCancelled(f) => self.order(&f.order),
            Fact::OrderShipped(f) => self.order(&f.order),
            Fact::OrderResolved(f) => self.order(&f.order),
            Fact::OrderExpired(f) => self.order(&f.order),
            Fact::StockReceived(f) | Fact::StockReturned(f) => {
                self.ask(self.state.stock.knows(&f.sku), || Missing::Stock(f.sku.clone()));
            }
            Fact::StockImported(f) => {
                self.ask(self.state.stock.knows(&f.sku), || Missing::Stock(f.sku.clone()));
            }
            Fact::StockAdjusted(f) => {
                self.ask(self.state.stock.knows(&f.sku), || Missing::Stock(f.sku.clone()));
                self.ask(self.state.holders.knows(&f.sku), || Missing::Holders(f.sku.clone()));
            }
            Fact::CouponIssued(f) => self.coupon(&f.code, None),
            Fact::CouponVoided(f) => self.coupon(&f.code, None),
            Fact::CouponImported(f) => self.coupon(&f.code, None),
            Fact::CouponBuyerImported(f) => self.coupon(&f.code, Some(&f.buyer)),
            Fact::PointsImported(f) => {
                self.ask(self.state.points.knows(&f.buyer), || Missing::Points(f.buyer.clone()));
            }
            Fact::PointsGranted(f) | Fact::PointsExpired(f) => {
                self.ask(self.state.points.knows(&f.buyer), || Missing::Points(f.buyer.clone()));
            }
            Fact::EventRedriven(f) => self.parked(f.of),
            Fact::EventDismissed(f) => self.parked(f.of),
            _ => {}
        }
    }

    fn placement(&mut self, f: &Placement) {
        for line in &f.lines {
            self.ask(self.state.stock.knows(&line.sku), || Missing::Stock(line.sku.clone()));
        }
        for coupon in &f.coupons {
            self.coupon(&coupon.code, f.buyer.as_ref());
        }
        if let (Some(buyer), true) = (&f.buyer, f.points.is_some()) {
            self.ask(self.state.points.knows(buyer), || Missing::Points(buyer.clone()));
        }
    }

    fn parked(&mut self, of: crate::Position) {
        self.ask(self.state.parked.knows(&of), || Missing::Parked(of));
        let Some(id) = self.state.parked.get(&of).copied() else { return };
        self.ask(self.state.groups.knows(&id), || Missing::Group(id));
        let state = self.state;
        let members = state.groups.get(&id).into_iter().flat_map(|group| group.members.values());
        // A dismissal takes one out before.
        for fact in members.take(REDRIVEN_MAX + 1).filter_map(|member| member.fact.as_ref()) {
            if let Ok(fact) = &fact.fact
                && !matches!(fact, Fact::EventRedriven(_) | Fact::EventDismissed(_))
            {
                self.fact(fact);
            }
        }
    }

    fn coupon(&mut self, code: &crate::CouponCode, buyer: Option<&crate::BuyerId>) {
        self.ask(self.state.coupons.knows(code), || Missing::Coupon(code.clone()));
        let is_counted = self.state.shop.rules < 3
            || self.state.coupons.get(code).is_some_and(crate::Coupon::limits_buyers);
        if let Some(buyer) = buyer.filter(|_| is_counted) {
            let key = (code.clone(), buyer.clone());
            self.ask(self.state.coupon_buyers.knows(&key), || {
                Missing::CouponBuyer(key.0.clone(), key.1.clone())
            });
        }
    }

    fn terms(&mut self, terms: &Terms) {
        for line in &terms.lines {
            self.ask(self.state.stock.knows(&line.sku), || Missing::Stock(line.sku.clone()));
        }
        for coupon in &terms.coupons {
            self.coupon(&coupon.code, terms.buyer.as_ref());
        }
        if let (Some(buyer), true) = (&terms.buyer, terms.points.is_some()) {
            self.ask(self.state.points.knows(buyer), || Missing::Points(buyer.clone()));
        }
    }

    fn order(&mut self, id: &OrderId) {
        if !self.orders.insert(id.clone()) {
            return;
        }
        self.ask(self.state.orders.knows(id), || Missing::Order(id.clone()));
        self.ask(self.state.by_order.knows(id), || Missing::PaymentsOfOrder(id.clone()));
        if let Some(terms) = self.state.orders.get(id).and_then(|order| order.terms.clone()) {
            self.terms(&terms);
        }
        for payment in self.state.by_order.get(id).cloned().into_iter().flatten() {
            self.payment(&payment);
        }
    }

    fn payment(&mut self, id: &PaymentKey) {
        if !self.payments.insert(id.clone()) {
            return;
        }
        self.ask(self.state.payments.knows(id), || Missing::Payment(id.clone()));
        let children = match id {
            PaymentKey::PaypalOrder(p) => {
                self.ask(self.state.by_paypal_order.knows(p), || Missing::PaymentsOfPaypalOrder(p.clone()));
                self.state.by_paypal_order.get(p)
            }
            PaymentKey::Authorization(a) => {
                self.ask(self.state.by_authorization.knows(a), || {
                    Missing::PaymentsOfAuthorization(a.clone())
                });
                self.state.by_authorization.get(a)
            }
            PaymentKey::Capture(c) => {
                self.ask(self.state.by_capture.knows(c), || Missing::PaymentsOfCapture(c.clone()));
                self.state.by_capture.get(c)
            }
            PaymentKey::Refund(_) | PaymentKey::Dispute(_) => None,
        };
        for child in children.cloned().into_iter().flatten() {
            self.payment(&child);
        }
        let Some(row) = self.state.payments.get(id).cloned() else { return };
        for order in row.order.iter().chain(&row.other_order) {
            self.order(order);
        }
        if let Some(paypal_order) = row.paypal_order {
            self.payment(&PaymentKey::PaypalOrder(paypal_order));
        }
        if let Some(authorization) = row.authorization {
            self.payment(&PaymentKey::Authorization(authorization));
        }
        for capture in row.captures {
            self.payment(&PaymentKey::Capture(capture));
        }
    }
}
