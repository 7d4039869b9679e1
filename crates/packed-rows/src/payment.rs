//! A payment's row, and what it hangs on.

use domain::{Payment, PaymentKey, PaymentKind, PaymentState, Standing};

use crate::code::{Pack, Reader, Writer};
use crate::entities::Kind;

const KINDS: [PaymentKind; 7] = [
    PaymentKind::PaypalOrder,
    PaymentKind::Authorization,
    PaymentKind::Capture,
    PaymentKind::Tender,
    PaymentKind::Refund,
    PaymentKind::Reversal,
    PaymentKind::Dispute,
];

const STATES: [PaymentState; 10] = [
    PaymentState::Named,
    PaymentState::Approved,
    PaymentState::Authorized,
    PaymentState::Voided,
    PaymentState::Pending,
    PaymentState::Denied,
    PaymentState::Captured,
    PaymentState::Refunded,
    PaymentState::Open,
    PaymentState::Resolved,
];

const STANDINGS: [Standing; 7] = [
    Standing::Matched,
    Standing::Unmatched,
    Standing::Foreign,
    Standing::Mismatched,
    Standing::Awaiting,
    Standing::Refuted,
    Standing::Dismissed,
];

/// The kind of thing that a payment's key is of.
pub(crate) fn kind_of(key: &PaymentKey) -> Kind {
    match key {
        PaymentKey::PaypalOrder(_) => Kind::PaypalOrder,
        PaymentKey::Authorization(_) => Kind::Authorization,
        PaymentKey::Capture(_) => Kind::Capture,
        PaymentKey::Refund(_) => Kind::Refund,
        PaymentKey::Dispute(_) => Kind::Dispute,
    }
}

/// All kinds of things that have payments for rows.
pub(crate) const PAYMENTS: [Kind; 5] =
    [Kind::PaypalOrder, Kind::Authorization, Kind::Capture, Kind::Refund, Kind::Dispute];

/// The key of a payment, by what it is of; `None` for what is no payment.
pub(crate) fn key_of(kind: u8, id: &str) -> Option<PaymentKey> {
    let kind = PAYMENTS.into_iter().find(|known| *known as u8 == kind)?;
    Some(match kind {
        Kind::PaypalOrder => PaymentKey::PaypalOrder(id.parse().ok()?),
        Kind::Authorization => PaymentKey::Authorization(id.parse().ok()?),
        Kind::Capture => PaymentKey::Capture(id.parse().ok()?),
        Kind::Refund => PaymentKey::Refund(id.parse().ok()?),
        _ => PaymentKey::Dispute(id.parse().ok()?),
    })
}

/// What a payment is found through, as the state's sets have it: its order, its PayPal order, its authorisation, its captures.
pub(crate) fn hangs_on(payment: &Payment) -> Vec<(Kind, &str)> {
    let order = payment.order.iter().map(|id| (Kind::Order, id.as_str()));
    let paypal_order = payment.paypal_order.iter().filter(|_| payment.kind != PaymentKind::PaypalOrder);
    let authorization = payment.authorization.iter().filter(|_| payment.kind != PaymentKind::Authorization);
    let captures = payment.captures.iter().map(|id| (Kind::Capture, id.as_str()));
    order
        .chain(paypal_order.map(|id| (Kind::PaypalOrder, id.as_str())))
        .chain(authorization.map(|id| (Kind::Authorization, id.as_str())))
        .chain(captures)
        .collect()
}

impl Pack for Payment {
    fn pack(&self, writer: &mut Writer<'_>) {
        writer.payment(self);
    }
}

impl Writer<'_> {
    fn payment(&mut self, payment: &Payment) {
        self.flags([
            payment.order.is_some(),
            payment.paypal_order.is_some(),
            payment.currency.is_some(),
            payment.at.is_some(),
            payment.fee_minor.is_some(),
            payment.net_minor.is_some(),
            payment.is_final,
            payment.authorization.is_some(),
            payment.payee.is_some(),
            !payment.captures.is_empty(),
            payment.other_order.is_some(),
            payment.outcome.is_some(),
            payment.assigned,
        ]);
        let at = |found: Option<usize>| found.unwrap_or_default();
        let kind = at(KINDS.iter().position(|kind| *kind == payment.kind));
        let state = at(STATES.iter().position(|state| *state == payment.state));
        let standing = at(STANDINGS.iter().position(|standing| *standing == payment.standing));
        self.number((standing << 7 | kind << 4 | state) as u64);
        self.signed(payment.amount_minor);
        payment.order.iter().for_each(|id| self.id(Kind::Order, id.as_str()));
        payment.paypal_order.iter().for_each(|id| self.id(Kind::PaypalOrder, id.as_str()));
        payment.currency.into_iter().for_each(|currency| self.currency(currency));
        self.position(payment.position);
        payment.at.into_iter().for_each(|at| self.time(at));
        payment.fee_minor.into_iter().for_each(|fee| self.signed(fee));
        payment.net_minor.into_iter().for_each(|net| self.signed(net));
        payment.authorization.iter().for_each(|id| self.id(Kind::Authorization, id.as_str()));
        payment.payee.iter().for_each(|id| self.id(Kind::Payee, id.as_str()));
        if !payment.captures.is_empty() {
            self.number(payment.captures.len() as u64);
            payment.captures.iter().for_each(|id| self.id(Kind::Capture, id.as_str()));
        }
        payment.other_order.iter().for_each(|id| self.id(Kind::Order, id.as_str()));
        payment.outcome.iter().for_each(|outcome| self.text(outcome));
    }
}

impl Reader<'_> {
    pub(crate) fn payment(&mut self, id: PaymentKey) -> Option<Payment> {
        let [
            has_order,
            has_paypal_order,
            has_currency,
            has_at,
            has_fee,
            has_net,
            is_final,
            has_authorization,
            has_payee,
            has_captures,
            has_other_order,
            has_outcome,
            assigned,
        ] = self.flags()?;
        let kinds = self.length()?;
        let amount_minor = self.signed()?;
        let order = self.optional(has_order, Self::id)?;
        let paypal_order = self.optional(has_paypal_order, Self::id)?;
        let currency = self.optional(has_currency, Self::currency)?;
        let position = self.position()?;
        let at = self.optional(has_at, Self::time)?;
        let fee_minor = self.optional(has_fee, Self::signed)?;
        let net_minor = self.optional(has_net, Self::signed)?;
        let authorization = self.optional(has_authorization, Self::id)?;
        let payee = self.optional(has_payee, Self::id)?;
        let captures = self.optional(has_captures, |reader| reader.many(Self::id))?.unwrap_or_default();
        let other_order = self.optional(has_other_order, Self::id)?;
        let outcome = self.optional(has_outcome, Self::text)?;
        Some(Payment {
            amount_minor,
            assigned,
            authorization,
            captures,
            currency,
            fee_minor,
            is_final,
            id,
            kind: *KINDS.get(kinds >> 4 & 7)?,
            net_minor,
            order,
            other_order,
            outcome,
            payee,
            paypal_order,
            standing: *STANDINGS.get(kinds >> 7)?,
            state: *STATES.get(kinds & 15)?,
            position,
            at,
        })
    }
}
