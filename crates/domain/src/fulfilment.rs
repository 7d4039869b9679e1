//! "May I ship?" in one word, with every reason why not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Order, Reason};

/// May the order be shipped?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    /// Not yet.
    Wait,
    /// Yes.
    Ship,
    /// No, or no longer.
    Stop,
    /// All of it has left.
    Shipped,
}

/// The answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The answer.
    pub fulfilment: Fulfilment,
    /// Every reason against shipping.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// Judges an order by its row alone. Why a placement was refused stands in the row's `refusals`.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        let mut stops = Vec::new();
        let mut waits = Vec::new();
        let flags = &order.flags;
        let mut stop = |when: bool, code: &str, detail: &str| {
            if when {
                stops.push(Reason::new(code, detail));
            }
        };
        stop(flags.cancelled, "cancelled", "the shop cancelled it");
        stop(flags.closed, "closed", "an operator closed it");
        stop(flags.unfulfillable, "unfulfillable", "paid, but the goods were not to be had: a refund is due");
        stop(flags.disputed, "disputed", "a dispute is open");
        let (money, settled) = (&order.money, order.paid_at.is_some());
        let kept = (money.captured_minor - money.refunded_minor).clamp(0, order.total_minor);
        // What was settled had been paid: where none of it counts any more, nothing may leave.
        let gone = settled && order.total_minor > 0;
        stop(gone && kept == 0, "refunded", "nothing of the money is kept");
        stop(
            gone && kept > 0 && kept < order.total_minor && money.reversed_minor > 0,
            "reversed",
            "PayPal took money back",
        );
        stop(order.given_back.stock && kept > 0, "refunded", "the stock went back at a refund");
        if !settled {
            if flags.refused {
                let detail = format!("its placement was refused, for {} reasons", order.refusals.len());
                stops.push(Reason::new("refused", detail));
            }
            let mut wait = |when: bool, code: &str, detail: &str| {
                if when {
                    waits.push(Reason::new(code, detail));
                }
            };
            let paid_in_part = money.captured_minor > 0;
            let under_way = flags.pending || flags.awaiting;
            wait(!paid_in_part && !under_way && !flags.refused, "unpaid", "no payment has come in");
            wait(flags.pending, "payment_pending", "a payment is under way");
            wait(flags.awaiting, "awaiting_confirmation", "PayPal is asked whether it has the capture");
            wait(paid_in_part, "partially_paid", "the payments do not reach the total");
            wait(flags.review, "review", "PayPal says no more comes: accept, or close");
            wait(flags.mismatched, "mismatched", "a payment names this order that does not count");
            wait(flags.expired, "expired", "the hold has run out");
        }
        let all_shipped = settled && order.has_shipped_all();
        let fulfilment = match (all_shipped, stops.is_empty(), settled) {
            (true, _, _) => Fulfilment::Shipped,
            (false, false, _) => Fulfilment::Stop,
            (false, true, true) => Fulfilment::Ship,
            (false, true, false) => Fulfilment::Wait,
        };
        stops.append(&mut waits);
        Self { fulfilment, reasons: stops }
    }
}
