//! Captures above the confirmation amount.

use serde_json::{Value, json};

use super::support::Log;
use crate::{Fulfilment, OrderState, PaymentKey, Standing};

fn capture(id: &str, minor: i64) -> Value {
    json!({"capture": id, "order": "O", "amount_minor": minor, "currency": "USD"})
}

fn confirmed(id: &str, minor: i64) -> Value {
    json!({"capture": id, "amount_minor": minor, "currency": "USD"})
}

fn refuted(id: &str) -> Value {
    json!({"capture": id, "reasons": [{"code": "amount", "detail": "PayPal has 1.00 USD"}]})
}

/// An order of 50.00 USD, in a shop that asks PayPal above 40.00.
fn given() -> Log {
    let mut log = Log::with_goods();
    let above = json!([{"currency": "EUR", "minor": 1}, {"currency": "USD", "minor": 4000}]);
    log.given("shop.configured", json!({"shop": "s", "settings": {"confirm_above": above}}));
    let lines = json!([{"sku": "A", "qty": 2, "unit_minor": 2500}]);
    log.given("order.placed", json!({"order": "O", "currency": "USD", "total_minor": 5000, "lines": lines}));
    log
}

fn standing(log: &Log, id: &str) -> Standing {
    log.state.payments.get(&PaymentKey::Capture(id.parse().unwrap())).unwrap().standing
}

#[test]
fn a_capture_above_the_amount_counts_when_paypal_has_confirmed_it() {
    let mut log = given();
    assert_eq!(log.when("payment.captured", capture("C", 5000)), ["order.payment_awaiting_confirmation"]);
    let order = log.order("O");
    assert_eq!((order.state, order.fulfilment), (OrderState::Open, Fulfilment::Wait));
    assert!(order.held_until.is_some() && order.flags.awaiting && order.flags.live);
    assert_eq!(order.reasons[0].code, "awaiting_confirmation");
    assert_eq!(log.when("capture.confirmed", confirmed("C", 5000)), ["order.paid"]);
    let order = log.order("O");
    assert_eq!((order.state, order.fulfilment), (OrderState::Paid, Fulfilment::Ship));
    assert!(!order.flags.awaiting);
    assert_eq!(log.when("capture.confirmed", confirmed("C", 5000)), ["payment.rejected"]);
    assert_eq!(log.when("capture.refuted", refuted("C")), ["payment.rejected"]);
    assert_eq!(standing(&log, "C"), Standing::Matched);
}

#[test]
fn a_capture_of_the_amount_itself_or_of_another_currency_is_not_asked_for() {
    let mut log = given();
    assert_eq!(log.when("payment.captured", capture("C1", 4000)), ["order.partially_paid"]);
    assert_eq!(log.when("payment.captured", capture("C2", 1000)), ["order.paid"]);
    let euros = json!({"capture": "C3", "order": "O", "amount_minor": 5000, "currency": "EUR"});
    log.given("payment.captured", euros);
    assert_eq!(standing(&log, "C3"), Standing::Mismatched);
}

#[test]
fn what_paypal_refuted_never_counts_and_is_flagged() {
    let mut log = given();
    log.given("payment.captured", capture("C", 5000));
    assert_eq!(log.when("capture.refuted", refuted("C")), ["order.payment_refuted"]);
    let order = log.order("O");
    assert!(order.flags.mismatched && !order.flags.awaiting && order.paid_at.is_none());
    assert_eq!(order.money.captured_minor, 0);
    assert_eq!(log.when("capture.confirmed", confirmed("C", 5000)), ["payment.rejected"]);
    let assigned = json!({"capture": "C", "assign": "O"});
    assert_eq!(log.when("payment.resolved", assigned), ["payment.rejected"]);
    log.given("payment.captured", capture("C", 5000));
    assert_eq!(log.order("O").state, OrderState::Open);
    log.given("payment.resolved", json!({"capture": "C"}));
    assert!(!log.order("O").flags.mismatched);
}

#[test]
fn a_confirmation_of_another_amount_confirms_nothing() {
    let mut log = given();
    log.given("payment.captured", capture("C", 5000));
    assert_eq!(log.when("capture.confirmed", confirmed("C", 100)), ["payment.rejected"]);
    assert_eq!(standing(&log, "C"), Standing::Awaiting);
}

#[test]
fn an_operator_may_vouch_for_what_awaits() {
    let mut log = given();
    log.given("payment.captured", capture("C", 5000));
    assert_eq!(log.when("payment.resolved", json!({"capture": "C", "assign": "O"})), ["order.paid"]);
}

#[test]
fn what_waited_for_its_order_awaits_confirmation_when_that_is_placed() {
    let mut log = given();
    let other = json!({"capture": "C", "order": "P", "amount_minor": 5000, "currency": "USD"});
    assert_eq!(log.when("payment.captured", other), ["payment.unmatched"]);
    let lines = json!([{"sku": "A", "qty": 2, "unit_minor": 2500}]);
    log.given("order.placed", json!({"order": "P", "currency": "USD", "total_minor": 5000, "lines": lines}));
    assert!(log.order("P").flags.awaiting);
    assert_eq!(log.when("capture.confirmed", confirmed("C", 5000)), ["order.paid"]);
}

#[test]
fn a_setting_that_comes_later_puts_nothing_in_doubt_that_counts() {
    let mut log = given();
    log.given("shop.configured", json!({"shop": "s", "settings": {}}));
    assert_eq!(log.when("payment.captured", capture("C", 5000)), ["order.paid"]);
    let above = json!([{"currency": "USD", "minor": 1}]);
    log.given("shop.configured", json!({"shop": "s", "settings": {"confirm_above": above}}));
    let refund = json!({"refund": "R", "capture": "C", "amount_minor": 100, "currency": "USD"});
    assert_eq!(log.when("payment.refunded", refund), ["order.refunded"]);
    assert_eq!(standing(&log, "C"), Standing::Matched);
}
