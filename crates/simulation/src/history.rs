//! What befalls a shop, by chance: of every kind, in any order, as often as it likes, with ids of others.

use std::time::Duration;

use domain::{Fact, MINOR_MAX, RULES_LATEST, Source};
use event_log::{Dedupe, NewFact, Transmission};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ground::BUG;
use crate::world::{Delivery, POISON};

/// So few of each, that what happens meets what has happened.
const ORDERS: u64 = 3;
/// All of it is sent within this time.
const SPAN_MS: u64 = 5_000;

/// So many facts, after what a shop begins with; each is sent at some time, some twice.
pub(crate) fn deliveries(chance: &mut Chance, facts: usize) -> Vec<Delivery> {
    let mut opening = vec![
        ("stock.received", json!({"sku": "A", "qty": 9})),
        ("coupon.issued", json!({"code": "TEN", "max_uses": 3, "max_per_buyer": 2})),
        ("points.granted", json!({"buyer": "bea", "points": 30})),
    ];
    if chance.in_thousand(750) {
        // By the first rules what is imported is parked.
        opening.push(("rules.activated", json!({"shop": "shop", "version": RULES_LATEST})));
        opening.push(("stock.imported", json!({"sku": "A", "on_hand": chance.below(5)})));
        opening.push(("points.imported", json!({"buyer": "bea", "balance": chance.below(20)})));
    }
    let (mut deliveries, begins_with) = (Vec::new(), opening.len());
    for (n, (type_name, data)) in opening.into_iter().enumerate() {
        deliveries.extend(delivery(type_name, &data, n, 0, Duration::ZERO));
    }
    for n in begins_with..facts + begins_with {
        let (type_name, data) = fact(chance);
        let due = chance.millis(SPAN_MS);
        deliveries.extend(delivery(type_name, &data, n, 0, due));
        // In another transmission, or the same once more.
        while chance.in_thousand(250) {
            let (transmission, due) = (chance.below(2), chance.millis(SPAN_MS));
            deliveries.extend(delivery(type_name, &data, n, transmission, due));
        }
    }
    deliveries
}

/// `None` for what is no fact, which nobody could send either.
fn delivery(type_name: &str, data: &Value, n: usize, transmission: u64, due: Duration) -> Option<Delivery> {
    let fact = Fact::from_data(type_name, &data.to_string()).ok()?;
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&u64::try_from(n).ok()?.to_be_bytes());
    let dedupe = match fact.source() {
        Source::Callback => Dedupe::Callback {
            event_key: format!("WH-{n}"),
            body_mac: digest,
            transmission: Some(Transmission { id: format!("T-{n}-{transmission}"), headers: Vec::new() }),
        },
        Source::Command | Source::Timer => Dedupe::Command { id: format!("c-{n}"), content_sha256: digest },
    };
    let fact = NewFact { fact, by: "test".to_owned(), dedupe, evidence: None, certificate: None };
    Some(Delivery { fact, due, acknowledged: None })
}

fn order(chance: &mut Chance) -> String {
    format!("o{}", chance.below(ORDERS))
}

/// One of two payments of an order.
fn capture_id(chance: &mut Chance) -> String {
    format!("C{}-{}", order(chance), chance.below(2))
}

fn fact(chance: &mut Chance) -> (&'static str, Value) {
    match chance.below(36) {
        0..=6 => (chance.of(&["order.placed", "order.placed", "order.revised"]), placement(chance)),
        7..=14 => ("payment.captured", capture(chance)),
        15..=16 => (chance.of(&["payment.pending", "payment.denied"]), capture(chance)),
        17..=19 => (chance.of(&["payment.refunded", "payment.refunded", "payment.reversed"]), refund(chance)),
        20..=22 => link(chance),
        23 => {
            let dispute = json!({"dispute": "D1", "captures": [capture_id(chance)], "outcome": "NONE"});
            (chance.of(&["dispute.opened", "dispute.updated", "dispute.resolved"]), dispute)
        }
        24 => ("order.cancelled", json!({"order": order(chance)})),
        25 => ("order.shipped", json!({"order": order(chance)})),
        26 => {
            let action = chance.of(&["accept", "retry", "close"]);
            ("order.resolved", json!({"order": order(chance), "action": action}))
        }
        27 => ("payment.resolved", json!({"capture": capture_id(chance), "assign": order(chance)})),
        28 => ("stock.adjusted", json!({"sku": "A", "on_hand": chance.below(6)})),
        29 => ("stock.returned", json!({"sku": chance.of(&["A", "B"]), "qty": 1})),
        30 => ("points.granted", json!({"buyer": "bea", "points": 5})),
        31 | 32 => ("order.imported", imported(chance)),
        _ => undecidable(chance),
    }
}

/// One A or two for 10.00 each, with a coupon of 1.00 or 10 points for 1.00 or both.
fn placement(chance: &mut Chance) -> Value {
    let qty = chance.of(&[1, 1, 2]);
    let mut total = 1_000 * qty;
    let lines = json!([{"sku": "A", "qty": qty, "unit_minor": 1_000}]);
    let mut placement = json!({"order": order(chance), "buyer": "bea", "currency": "EUR", "lines": lines});
    placement["revision"] = json!(chance.below(3));
    if chance.in_thousand(400) {
        placement["coupons"] = json!([{"code": "TEN", "minor": 100}]);
        total -= 100;
    }
    if chance.in_thousand(400) {
        placement["points"] = json!({"spend": 10, "minor": 100, "earn": 7});
        total -= 100;
    }
    if chance.in_thousand(300) {
        placement["hold_s"] = json!(chance.of(&[1, 3]));
    }
    placement["total_minor"] = json!(total);
    placement
}

/// An order that the shop has brought along, with one of its payments.
fn imported(chance: &mut Chance) -> Value {
    let placement = placement(chance);
    let order = placement["order"].as_str().unwrap_or_default().to_owned();
    let capture = format!("C{order}-{}", chance.below(2));
    let minor = chance.of(&[300, 900, 1_000, 2_000]);
    let mut opening = json!({"status": chance.of(&["open", "paid"]), "placement": placement});
    opening["captures"] = json!([{"capture": capture, "amount_minor": minor}]);
    if chance.in_thousand(300) {
        opening["refunds"] =
            json!([{"refund": format!("R{capture}"), "capture": capture, "amount_minor": 300}]);
    }
    opening
}

fn capture(chance: &mut Chance) -> Value {
    let minor = chance.of(&[300, 800, 900, 1_000, 1_000, 2_000]);
    let order = order(chance);
    let capture = format!("C{order}-{}", chance.below(2));
    let mut body = json!({"capture": capture, "amount_minor": minor, "currency": "EUR"});
    match chance.below(6) {
        0 => body["paypal_order"] = json!(format!("P{order}")),
        1 => body["authorization"] = json!(format!("A{order}")),
        2 => body["currency"] = json!("USD"),
        _ => body["order"] = json!(order),
    }
    body
}

fn refund(chance: &mut Chance) -> Value {
    let capture = capture_id(chance);
    let minor = chance.of(&[300, 900, 1_000]);
    json!({"refund": format!("R{capture}"), "capture": capture, "amount_minor": minor, "currency": "EUR"})
}

fn link(chance: &mut Chance) -> (&'static str, Value) {
    let (order, whose) = (order(chance), order(chance));
    match chance.below(3) {
        0 => ("payment.approved", json!({"paypal_order": format!("P{order}"), "order": whose})),
        1 => (
            "payment.authorized",
            json!({"authorization": format!("A{order}"), "order": whose, "amount_minor": 1_000, "currency": "EUR"}),
        ),
        _ => ("payment.voided", json!({"authorization": format!("A{order}")})),
    }
}

/// What cannot be stored, what meets a bug, what overflows, what waits behind them, and the ways past it.
fn undecidable(chance: &mut Chance) -> (&'static str, Value) {
    let received = |sku: &str, qty: i64| ("stock.received", json!({"sku": sku, "qty": qty}));
    match chance.below(8) {
        0 | 1 => received("B", POISON),
        2 => received("C", BUG),
        3 => received("FULL", MINOR_MAX),
        4 => received(chance.of(&["B", "C", "FULL"]), 1),
        5 => {
            let mut capture = capture(chance);
            capture["amount_minor"] = json!(MINOR_MAX);
            ("payment.captured", capture)
        }
        6 => ("event.redriven", json!({"of": chance.below(30)})),
        _ => ("event.dismissed", json!({"of": chance.below(30)})),
    }
}
