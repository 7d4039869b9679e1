//! Payment facts: rows keyed by PayPal's own ids, whose state only rises.

use super::settlement::{Drafts, Step};
use super::{Decision, Undecided};
use crate::{
    Approval, Authorization, Capture, Change, Currency, Dispute, Key, Minor, Missing, OutcomeType, Payment,
    PaymentKey, PaymentKind, PaymentResolution, PaymentState, Reason, Refund, Standing, Tender, Void,
};

impl Decision<'_> {
    pub(crate) fn approved(&mut self, fact: &Approval) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let mut row = self.paypal_order(&drafts, &fact.paypal_order)?;
        row.state = row.state.max(PaymentState::Approved);
        name_order(&mut row, fact.order.as_ref());
        drafts.insert(row.id.clone(), row);
        self.settle_links(drafts)
    }

    pub(crate) fn paypal_order(
        &self,
        drafts: &Drafts,
        id: &crate::PaypalOrderId,
    ) -> Result<Payment, Undecided> {
        self.draft(drafts, &PaymentKey::PaypalOrder(id.clone()), PaymentKind::PaypalOrder)
    }

    pub(crate) fn authorized(&mut self, fact: &Authorization) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let id = PaymentKey::Authorization(fact.authorization.clone());
        let mut row = self.draft(&drafts, &id, PaymentKind::Authorization)?;
        row.state = row.state.max(PaymentState::Authorized);
        row.amount_minor = fact.amount_minor;
        row.currency = Some(fact.currency);
        row.paypal_order = row.paypal_order.or_else(|| fact.paypal_order.clone());
        name_order(&mut row, fact.order.as_ref());
        drafts.insert(id, row);
        self.settle_links(drafts)
    }

    pub(crate) fn voided(&mut self, fact: &Void) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let mut row = match (&fact.authorization, &fact.paypal_order) {
            (Some(authorization), _) => {
                let id = PaymentKey::Authorization(authorization.clone());
                let mut row = self.draft(&drafts, &id, PaymentKind::Authorization)?;
                row.paypal_order = row.paypal_order.or_else(|| fact.paypal_order.clone());
                row
            }
            (None, Some(paypal_order)) => self.paypal_order(&drafts, paypal_order)?,
            (None, None) => return Err(Undecided::Undecidable("payment.voided names nothing".into())),
        };
        row.state = row.state.max(PaymentState::Voided);
        name_order(&mut row, fact.order.as_ref());
        drafts.insert(row.id.clone(), row);
        self.settle_links(drafts)
    }

    pub(crate) fn capture(&mut self, fact: &Capture, state: PaymentState) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let id = PaymentKey::Capture(fact.capture.clone());
        let mut row = self.draft(&drafts, &id, PaymentKind::Capture)?;
        take_capture(&mut row, fact, state);
        name_order(&mut row, fact.order.as_ref());
        drafts.insert(id, row);
        self.settle_links(drafts)
    }

    pub(crate) fn refund(&mut self, fact: &Refund, kind: PaymentKind) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let id = PaymentKey::Refund(fact.refund.clone());
        let mut row = self.draft(&drafts, &id, kind)?;
        take_refund(&mut row, fact, kind);
        if row.order.is_none() {
            row.order.clone_from(&fact.order);
        }
        drafts.insert(id, row);
        self.settle_links(drafts)
    }

    pub(crate) fn dispute(&mut self, fact: &Dispute, state: PaymentState) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        let id = PaymentKey::Dispute(fact.dispute.clone());
        let mut row = self.draft(&drafts, &id, PaymentKind::Dispute)?;
        row.state = row.state.max(state);
        row.captures.extend(fact.captures.iter().cloned());
        row.amount_minor = fact.amount_minor.unwrap_or(row.amount_minor);
        row.currency = fact.currency.or(row.currency);
        row.outcome = fact.outcome.clone().or(row.outcome);
        if row.order.is_none() {
            row.order.clone_from(&fact.order);
        }
        drafts.insert(id, row);
        self.settle_links(drafts)
    }

    pub(crate) fn tender(&mut self, fact: &Tender) -> Result<(), Undecided> {
        if fact.provider.as_str().contains(':') {
            // Else two tenders could have one id.
            let reasons = vec![Reason::new("provider", "must not contain a colon")];
            let key = Key::Order(fact.order.clone());
            return self.reject(OutcomeType::PaymentRejected, key, "payment.recorded", reasons);
        }
        let mut drafts = Drafts::new();
        let capture = fact.capture().map_err(|e| Undecided::Undecidable(e.to_string()))?;
        let id = PaymentKey::Capture(capture);
        let mut row = self.draft(&drafts, &id, PaymentKind::Tender)?;
        take_tender(&mut row, fact.amount_minor, fact.currency);
        name_order(&mut row, Some(&fact.order));
        drafts.insert(id, row);
        self.settle_links(drafts)
    }

    pub(crate) fn resolve_payment(&mut self, fact: &PaymentResolution) -> Result<(), Undecided> {
        let id = PaymentKey::Capture(fact.capture.clone());
        let key = Key::Capture(fact.capture.clone());
        let refuse = |code: &str, detail: &str| vec![Reason::new(code, detail)];
        let rejected = OutcomeType::PaymentRejected;
        let Some(row) = self.state.payments.read(&id, || Missing::Payment(id.clone()))?.cloned() else {
            return self.reject(
                rejected,
                key,
                "payment.resolved",
                refuse("payment_unknown", "no such capture"),
            );
        };
        let known = match &row.order {
            Some(order) => self.state.orders.read(order, || Missing::Order(order.clone()))?.is_some(),
            None => false,
        };
        if known && row.standing == Standing::Matched {
            let reasons = refuse("payment_matched", "it counts for its order already");
            return self.reject(rejected, key, "payment.resolved", reasons);
        }
        if fact.assign.is_some() && row.standing == Standing::Refuted {
            let detail = "PayPal has no such capture: dismiss it, and record what was paid";
            return self.reject(rejected, key, "payment.resolved", refuse("payment_refuted", detail));
        }
        let mut row = row;
        let Some(order) = &fact.assign else {
            row.standing = Standing::Dismissed;
            let owner = row.order.clone();
            let change = Change { payments: vec![row], ..Change::default() };
            self.emit(OutcomeType::PaymentDismissed, key, change)?;
            return match owner.and_then(|order| self.state.orders.get(&order).cloned()) {
                Some(order) => self.advance(Step::of(order), &mut Drafts::new()),
                None => Ok(()),
            };
        };
        if self.state.orders.read(order, || Missing::Order(order.clone()))?.is_none() {
            return self.reject(rejected, key, "payment.resolved", refuse("order_unknown", "no such order"));
        }
        row.order = Some(order.clone());
        row.other_order = None;
        row.assigned = true;
        row.standing = Standing::Unmatched;
        self.settle_links(Drafts::from([(id, row)]))
    }
}

/// What is said of a capture: its state only rises, and goes along with what was said then.
pub(super) fn take_capture(row: &mut Payment, fact: &Capture, state: PaymentState) {
    if state > row.state {
        row.state = state;
        row.amount_minor = fact.amount_minor;
        row.currency = Some(fact.currency);
        row.fee_minor = fact.fee_minor.or(row.fee_minor);
        row.net_minor = fact.net_minor.or(row.net_minor);
        row.payee = fact.payee.clone().or(row.payee.take());
        row.is_final = fact.is_final;
    } else if state == row.state {
        // The same step through another callback may say more of it.
        row.is_final |= fact.is_final;
        row.payee = row.payee.take().or_else(|| fact.payee.clone());
        row.fee_minor = row.fee_minor.or(fact.fee_minor);
        row.net_minor = row.net_minor.or(fact.net_minor);
    }
    row.paypal_order = row.paypal_order.take().or_else(|| fact.paypal_order.clone());
    row.authorization = row.authorization.take().or_else(|| fact.authorization.clone());
}

/// What is said of a refund or a reversal.
pub(super) fn take_refund(row: &mut Payment, fact: &Refund, kind: PaymentKind) {
    if row.state < PaymentState::Refunded {
        row.state = PaymentState::Refunded;
        row.kind = kind;
        row.amount_minor = fact.amount_minor;
        row.currency = Some(fact.currency);
        row.captures.insert(fact.capture.clone());
    }
    if kind == PaymentKind::Reversal {
        // Told as both, it is the graver one, whichever came first.
        row.kind = kind;
    }
}

/// What is said of another tender.
pub(super) fn take_tender(row: &mut Payment, amount_minor: Minor, currency: Currency) {
    if row.state < PaymentState::Captured {
        row.state = PaymentState::Captured;
        row.kind = PaymentKind::Tender;
        row.amount_minor = amount_minor;
        row.currency = Some(currency);
    }
}

/// Takes the order that the body itself names. A second one is kept beside the first.
fn name_order(row: &mut Payment, order: Option<&crate::OrderId>) {
    match (order, &row.order) {
        (Some(order), None) => row.order = Some(order.clone()),
        (Some(order), Some(known)) if known != order && !row.assigned && row.other_order.is_none() => {
            row.other_order = Some(order.clone());
        }
        _ => {}
    }
}
