//! A translation on one line, for the command line: the same names for every fact, null where there is none.

use domain::{CaptureId, Currency, Fact, Minor, OrderId};
use serde_json::{Value, json};

use super::Translation;

#[derive(Default)]
struct Names<'a> {
    order: Option<&'a OrderId>,
    paypal_order: Option<&'a str>,
    authorization: Option<&'a str>,
    captures: &'a [CaptureId],
    refund: Option<&'a str>,
    dispute: Option<&'a str>,
    amount: Option<(Minor, Currency)>,
}

fn names(fact: &Fact) -> Names<'_> {
    let none = Names::default();
    match fact {
        Fact::PaymentApproved(f) => {
            Names { order: f.order.as_ref(), paypal_order: Some(f.paypal_order.as_str()), ..none }
        }
        Fact::PaymentAuthorized(f) => Names {
            order: f.order.as_ref(),
            paypal_order: f.paypal_order.as_ref().map(|id| id.as_str()),
            authorization: Some(f.authorization.as_str()),
            amount: Some((f.amount_minor, f.currency)),
            ..none
        },
        Fact::PaymentVoided(f) => Names {
            order: f.order.as_ref(),
            paypal_order: f.paypal_order.as_ref().map(|id| id.as_str()),
            authorization: f.authorization.as_ref().map(|id| id.as_str()),
            ..none
        },
        Fact::PaymentPending(f) | Fact::PaymentCaptured(f) | Fact::PaymentDenied(f) => Names {
            order: f.order.as_ref(),
            paypal_order: f.paypal_order.as_ref().map(|id| id.as_str()),
            authorization: f.authorization.as_ref().map(|id| id.as_str()),
            captures: std::slice::from_ref(&f.capture),
            amount: Some((f.amount_minor, f.currency)),
            ..none
        },
        Fact::PaymentRefunded(f) | Fact::PaymentReversed(f) => Names {
            order: f.order.as_ref(),
            captures: std::slice::from_ref(&f.capture),
            refund: Some(f.refund.as_str()),
            amount: Some((f.amount_minor, f.currency)),
            ..none
        },
        Fact::DisputeOpened(f) | Fact::DisputeUpdated(f) | Fact::DisputeResolved(f) => Names {
            order: f.order.as_ref(),
            captures: &f.captures,
            dispute: Some(f.dispute.as_str()),
            amount: f.amount_minor.zip(f.currency),
            ..none
        },
        _ => none,
    }
}

/// The translation as one JSON object. `capture` is also a v1 sale, and the first of a dispute's `captures`.
#[must_use]
pub fn summary(translation: &Translation) -> Value {
    let names = names(&translation.fact);
    let why = match &translation.fact {
        Fact::CallbackUnreadable(fact) => Some(fact.why.as_str()),
        _ => None,
    };
    json!({
        "event_id": translation.event_id,
        "paypal_type": translation.paypal_type,
        "fact": translation.fact.type_name(),
        "order": names.order,
        "paypal_order": names.paypal_order,
        "authorization": names.authorization,
        "capture": names.captures.first(),
        "captures": names.captures,
        "refund": names.refund,
        "dispute": names.dispute,
        "amount_minor": names.amount.map(|(minor, _)| minor),
        "currency": names.amount.map(|(_, currency)| currency),
        "why": why,
    })
}
