//! What a shop brings along: balances as they stand, orders that are open, and orders that were paid before.

use std::collections::BTreeMap;

use super::moves::Parts;
use super::orders::because;
use super::payments::{take_capture, take_refund, take_tender};
use super::settlement::{Drafts, Step};
use super::{Decision, Undecided};
use crate::{
    Change, CouponBuyerOpening, CouponMove, CouponOpening, Key, Missing, OpeningStatus, Order, OrderOpening,
    OutcomeType, Payment, PaymentKey, PaymentKind, PaymentState, PointsMove, PointsOpening, Reason,
    ShippedLine, Sku, Standing, StockMove, StockOpening, Terms,
};

const COMMAND: &str = "order.imported";

impl Decision<'_> {
    /// What Counterfoil has moved since stands beside it: a balance may come late.
    pub(crate) fn import_stock(&mut self, fact: &StockOpening) -> Result<(), Undecided> {
        let step = StockMove { received: fact.on_hand, ..StockMove::of(fact.sku.clone()) };
        let change = Change { stock: vec![step], ..Change::default() };
        self.emit(OutcomeType::StockImported, Key::Sku(fact.sku.clone()), change)
    }

    pub(crate) fn import_points(&mut self, fact: &PointsOpening) -> Result<(), Undecided> {
        let step = PointsMove { granted: fact.balance, ..PointsMove::of(fact.buyer.clone()) };
        let change = Change { points: Some(step), ..Change::default() };
        self.emit(OutcomeType::PointsImported, Key::Buyer(fact.buyer.clone()), change)
    }

    pub(crate) fn import_coupon(&mut self, fact: &CouponOpening) -> Result<(), Undecided> {
        let key = Key::Code(fact.code.clone());
        let mut reasons = Vec::new();
        if self.state.coupons.read(&fact.code, || Missing::Coupon(fact.code.clone()))?.is_some() {
            reasons.extend(because("coupon_exists", "a coupon is issued once"));
        }
        if !(0..=fact.max_uses).contains(&fact.used) {
            reasons.extend(because("coupon_used_up", "it was used more often than it may be"));
        }
        if !reasons.is_empty() {
            return self.reject(OutcomeType::CouponRejected, key, "coupon.imported", reasons);
        }
        let step = CouponMove { imported: fact.used, ..CouponMove::of(None, fact.code.clone()) };
        let change = Change {
            coupon: Some(fact.terms()),
            coupons: vec![step].into_iter().filter(|step| !step.is_nothing()).collect(),
            voided: fact.voided.then(|| fact.code.clone()),
            ..Change::default()
        };
        self.emit(OutcomeType::CouponImported, key, change)
    }

    /// The coupon's uses are in its own row: only whose they are is said here.
    pub(crate) fn import_coupon_buyer(&mut self, fact: &CouponBuyerOpening) -> Result<(), Undecided> {
        let code = &fact.code;
        let coupon = self.state.coupons.read(code, || Missing::Coupon(code.clone()))?;
        let reasons = match coupon {
            None => because("coupon_unknown", "it was never issued"),
            Some(coupon) if !coupon.limits_buyers() => {
                because("coupon_limits_no_buyers", "nobody asks who has used it")
            }
            Some(_) => Vec::new(),
        };
        let key = Key::Code(code.clone());
        if !reasons.is_empty() {
            return self.reject(OutcomeType::CouponRejected, key, "coupon.buyer_imported", reasons);
        }
        let theirs =
            CouponMove { imported: fact.used, ..CouponMove::of(Some(fact.buyer.clone()), code.clone()) };
        let before = CouponMove { imported: -fact.used, ..CouponMove::of(None, code.clone()) };
        let change = Change { coupons: vec![theirs, before], ..Change::default() };
        self.emit(OutcomeType::CouponBuyerImported, key, change)
    }

    pub(crate) fn import_order(&mut self, fact: &OrderOpening) -> Result<(), Undecided> {
        let id = &fact.placement.order;
        let mut reasons = Vec::new();
        if self.order(id)?.is_some() {
            reasons.extend(because("order_exists", "it is known here already"));
        }
        for row in self.imported_payments(fact)?.values() {
            reasons.extend(self.refused_payment(fact, row)?);
        }
        let terms = Terms {
            placed_at: fact.placed_at.unwrap_or(self.cx.fact_at).min(self.cx.fact_at),
            ..self.terms(&fact.placement)
        };
        if fact.status == OpeningStatus::Paid && terms.tracks.coupons {
            for coupon in &terms.coupons {
                let code = &coupon.code;
                if self.state.coupons.read(code, || Missing::Coupon(code.clone()))?.is_none() {
                    reasons.extend(because("coupon_unknown", format!("{code} was never issued")));
                }
            }
        }
        if !reasons.is_empty() {
            return self.reject_order(id, COMMAND, reasons);
        }
        let order = self.new_order(&fact.placement, terms.clone());
        match fact.status {
            OpeningStatus::Open => self.import_open(fact, order, &terms),
            OpeningStatus::Paid => self.import_paid(fact, order, &terms),
        }
    }

    /// Held by the rules, as if it were placed now: then come its payments, those that have waited for it among them.
    fn import_open(&mut self, fact: &OrderOpening, order: Order, terms: &Terms) -> Result<(), Undecided> {
        let reasons = self.shortfalls(terms, Parts::ALL, |_| 0)?;
        self.take_terms(order, OutcomeType::OrderImported, reasons)?;
        let payments = self.imported_payments(fact)?;
        self.settle_links(payments)
    }

    /// Settled before: what it took, and what had come back by its imported payments, is in the balances. What else is known
    /// of its payments comes on top, as it would have come behind it.
    fn import_paid(&mut self, fact: &OrderOpening, order: Order, terms: &Terms) -> Result<(), Undecided> {
        let mut step = Step { kind: Some(OutcomeType::OrderImported), ..Step::of(order) };
        step.order.paid_at = Some(fact.paid_at.unwrap_or(self.cx.at).min(self.cx.at));
        step.order.shipped = shipped(fact, terms);
        let mut drafts = self.imported_payments(fact)?;
        self.balance_import(&mut step, terms, &drafts)?;
        if let Some(paypal_order) = &terms.paypal_order_id {
            let mut row = self.paypal_order(&drafts, paypal_order)?;
            if row.order.is_none() {
                row.order = Some(step.order.order.clone());
            }
            drafts.insert(row.id.clone(), row);
        }
        self.spread(&mut drafts)?;
        self.advance(step, &mut drafts)?;
        self.settle_links(drafts)
    }

    /// Its payments as the shop has them, over what is known of them. The shop vouches for whose they are.
    fn imported_payments(&self, fact: &OrderOpening) -> Result<Drafts, Undecided> {
        let currency = fact.placement.currency;
        let mut rows = Drafts::new();
        for capture in &fact.captures {
            let id = PaymentKey::Capture(capture.capture.clone());
            let mut row = self.draft(&rows, &id, PaymentKind::Capture)?;
            let state = if capture.pending { PaymentState::Pending } else { PaymentState::Captured };
            take_capture(&mut row, &capture.as_told(currency), state);
            rows.insert(id, row);
        }
        for tender in &fact.tenders {
            let id = tender.capture().map_err(|error| Undecided::Undecidable(error.to_string()))?;
            let id = PaymentKey::Capture(id);
            let mut row = self.draft(&rows, &id, PaymentKind::Tender)?;
            take_tender(&mut row, tender.amount_minor, currency);
            rows.insert(id, row);
        }
        for row in rows.values_mut().filter(|row| row.standing != Standing::Refuted) {
            row.assigned = true;
            row.standing = Standing::Matched;
        }
        for refund in &fact.refunds {
            let id = PaymentKey::Refund(refund.refund.clone());
            let kind = if refund.reversal { PaymentKind::Reversal } else { PaymentKind::Refund };
            let mut row = self.draft(&rows, &id, kind)?;
            take_refund(&mut row, &refund.as_told(currency), kind);
            rows.insert(id, row);
        }
        for row in rows.values_mut() {
            row.order = Some(fact.placement.order.clone());
            row.other_order = None;
        }
        Ok(rows)
    }

    /// Why a payment cannot be the order's: it is another one's, or PayPal has no such capture.
    fn refused_payment(&self, fact: &OrderOpening, row: &Payment) -> Result<Option<Reason>, Undecided> {
        let id = &row.id;
        let Some(stored) = self.state.payments.read(id, || Missing::Payment(id.clone()))? else {
            return Ok(None);
        };
        if stored.standing == Standing::Refuted {
            let detail = format!("{}: PayPal has no such capture", id.id());
            return Ok(Some(Reason::new("payment_refuted", detail)));
        }
        let other = stored.order.as_ref().filter(|order| **order != fact.placement.order);
        let Some(other) = other else { return Ok(None) };
        let is_known = self.state.orders.read(other, || Missing::Order(other.clone()))?.is_some();
        let reason = || Reason::new("payment_of_another", format!("{} is a payment of {other}", id.id()));
        Ok(is_known.then(reason))
    }
}

/// What has left of it.
fn shipped(fact: &OrderOpening, terms: &Terms) -> Vec<ShippedLine> {
    let Some(shipment) = &fact.shipment else { return Vec::new() };
    let mut pieces: BTreeMap<Sku, i64> = BTreeMap::new();
    match &shipment.lines {
        None => pieces = terms.by_sku(),
        Some(lines) => lines.iter().for_each(|line| *pieces.entry(line.sku.clone()).or_default() += line.qty),
    }
    pieces.into_iter().map(|(sku, qty)| ShippedLine { sku, qty }).collect()
}
