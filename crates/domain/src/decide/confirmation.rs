//! Captures above the shop's confirmation amount: they count once PayPal, asked, has confirmed them.

use super::settlement::{Drafts, Step};
use super::{Decision, Undecided};
use crate::{
    CaptureId, Confirmation, Key, Missing, Order, OutcomeType, Payment, PaymentKey, Reason, Refutation,
    Standing,
};

impl Decision<'_> {
    pub(crate) fn confirm_capture(&mut self, fact: &Confirmation) -> Result<(), Undecided> {
        const COMMAND: &str = "capture.confirmed";
        let Some((mut row, order)) = self.awaiting(&fact.capture, COMMAND)? else { return Ok(()) };
        if (row.amount_minor, row.currency) != (fact.amount_minor, Some(fact.currency)) {
            let detail = "what was confirmed is another amount than the capture's";
            return self.not_confirmed(&fact.capture, COMMAND, Reason::new("amount", detail));
        }
        row.standing = Standing::Matched;
        self.confirmed = Some(row.id.clone());
        let advanced = self.advance(Step::of(order), &mut Drafts::from([(row.id.clone(), row)]));
        self.confirmed = None;
        advanced
    }

    pub(crate) fn refute_capture(&mut self, fact: &Refutation) -> Result<(), Undecided> {
        let Some((mut row, order)) = self.awaiting(&fact.capture, "capture.refuted")? else { return Ok(()) };
        row.standing = Standing::Refuted;
        let step = Step { kind: Some(OutcomeType::OrderPaymentRefuted), ..Step::of(order) };
        self.advance(step, &mut Drafts::from([(row.id.clone(), row)]))
    }

    /// The capture and its order, if it awaits this; else the fact is refused.
    fn awaiting(
        &mut self,
        capture: &CaptureId,
        command: &str,
    ) -> Result<Option<(Payment, Order)>, Undecided> {
        let id = PaymentKey::Capture(capture.clone());
        let row = self.state.payments.read(&id, || Missing::Payment(id.clone()))?.cloned();
        if let Some(row) = row.filter(|row| row.standing == Standing::Awaiting)
            && let Some(order) = row.order.clone()
            && let Some(order) = self.state.orders.read(&order, || Missing::Order(order.clone()))?.cloned()
        {
            return Ok(Some((row, order)));
        }
        let reason = Reason::new("not_awaiting", "it awaits no confirmation");
        self.not_confirmed(capture, command, reason)?;
        Ok(None)
    }

    fn not_confirmed(&mut self, capture: &CaptureId, command: &str, reason: Reason) -> Result<(), Undecided> {
        self.reject(OutcomeType::PaymentRejected, Key::Capture(capture.clone()), command, vec![reason])
    }
}
