//! A shop moves in: balances as they stand, orders that are open or paid, and what comes behind them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{Log, capture, placement, refund, rows};
use crate::{Fulfilment, OrderState, RULES_LATEST};

/// A shop that decides by the newest rules, and has brought its balances along.
fn moved_in() -> Log {
    let mut log = Log::new();
    log.given("rules.activated", json!({"shop": "s", "version": RULES_LATEST}));
    for (name, data) in balances() {
        log.given(name, data);
    }
    log
}

fn balances() -> Vec<(&'static str, Value)> {
    vec![
        ("stock.imported", json!({"sku": "A", "on_hand": 10})),
        ("stock.imported", json!({"sku": "B", "on_hand": 10})),
        ("coupon.imported", json!({"code": "TEN", "max_uses": 9, "max_per_buyer": 5, "used": 3})),
        ("coupon.buyer_imported", json!({"code": "TEN", "buyer": "bea", "used": 2})),
        ("points.imported", json!({"buyer": "bea", "balance": 500})),
    ]
}

fn paid(order: &str) -> Value {
    json!({
        "status": "paid", "placement": placement(order), "paid_at": "2023-11-01T10:00:00Z",
        "captures": [{"capture": format!("C{order}"), "amount_minor": 4500}],
    })
}

fn open(order: &str) -> Value {
    json!({"status": "open", "placement": placement(order)})
}

/// On hand and held of A, held and used of the coupon, balance and held of the points.
fn stands(log: &Log) -> [i64; 6] {
    let (held, used) = log.coupon("TEN");
    let (stock, points) = (log.stock("A"), log.points("bea"));
    [stock.on_hand(), stock.held, held, used, points.balance(), points.held]
}

#[test]
fn balances_are_taken_as_they_stand() {
    let log = moved_in();
    assert_eq!(stands(&log), [10, 0, 0, 3, 500, 0]);
    let buyer = log.state.coupon_buyers.get(&("TEN".parse().unwrap(), "bea".parse().unwrap())).unwrap();
    assert_eq!((buyer.held, buyer.used), (0, 2));
}

#[test]
fn given_a_paid_order_when_it_is_imported_then_it_is_known_as_paid_and_moves_nothing() {
    let mut log = moved_in();
    assert_eq!(log.when("order.imported", paid("1")), ["order.imported"]);
    assert_eq!(stands(&log), [10, 0, 0, 3, 500, 0]);
    let order = log.order("1");
    assert_eq!((order.state, order.fulfilment), (OrderState::Paid, Fulfilment::Ship));
    assert_eq!(order.money.captured_minor, 4500);
    assert_eq!(order.paid_at.unwrap().to_string(), "2023-11-01T10:00:00.000000Z");
}

/// P3: the callback of a capture that was imported counts once, before and behind it.
#[test]
fn p3_a_capture_that_was_imported_counts_once_whenever_its_callback_comes() {
    let mut behind = moved_in();
    behind.given("order.imported", paid("1"));
    assert!(behind.when("payment.captured", capture("C1", "1", 4500)).is_empty());
    let mut before = moved_in();
    before.given("payment.captured", capture("C1", "1", 4500));
    before.given("order.imported", paid("1"));
    for log in [&behind, &before] {
        assert_eq!(log.order("1").money.captured_minor, 4500);
        assert_eq!(stands(log), [10, 0, 0, 3, 500, 0]);
    }
    assert_eq!(rows(&before.state, false), rows(&behind.state, false));
}

#[test]
fn given_an_imported_paid_order_when_it_is_refunded_then_all_of_it_comes_back() {
    let mut log = moved_in();
    log.given("order.imported", paid("1"));
    assert_eq!(log.when("payment.refunded", refund("R1", "C1", 4500)), ["order.refunded"]);
    // Two A, one use, and the 100 points that were spent less the 45 that were earned.
    assert_eq!(stands(&log), [12, 0, 0, 2, 555, 0]);
    assert_eq!(log.order("1").fulfilment, Fulfilment::Stop);
}

#[test]
fn given_a_refund_before_the_import_when_it_is_not_in_it_then_what_follows_from_it_still_comes() {
    let mut log = moved_in();
    log.given("payment.refunded", refund("R1", "C1", 4500));
    assert_eq!(log.when("order.imported", paid("1")), ["order.imported"]);
    assert_eq!(stands(&log), [12, 0, 0, 2, 555, 0]);
}

#[test]
fn given_a_refund_that_is_imported_when_its_callback_comes_then_nothing_moves_again() {
    let mut log = moved_in();
    let mut order = paid("1");
    order["refunds"] = json!([{"refund": "R1", "capture": "C1", "amount_minor": 1500}]);
    log.given("order.imported", order);
    assert_eq!(stands(&log), [10, 0, 0, 3, 500, 0]);
    assert_eq!(log.order("1").given_back.points_revoked, 15);
    assert!(log.when("payment.refunded", refund("R1", "C1", 1500)).is_empty());
    assert_eq!(log.when("payment.refunded", refund("R2", "C1", 3000)), ["order.refunded"]);
    assert_eq!(stands(&log), [12, 0, 0, 2, 570, 0], "30 of the 45 points were not revoked yet");
}

#[test]
fn given_an_imported_paid_order_when_its_capture_is_disputed_and_reversed_then_both_are_seen() {
    let mut log = moved_in();
    let mut order = paid("1");
    order["shipment"] = json!({"lines": [{"sku": "A", "qty": 1}]});
    log.given("order.imported", order);
    assert_eq!(log.when("dispute.opened", json!({"dispute": "D1", "captures": ["C1"]})), ["order.disputed"]);
    assert_eq!(log.when("payment.reversed", refund("R1", "C1", 4500)), ["order.reversed"]);
    assert_eq!(stands(&log)[0], 10, "a reversal brings no goods back");
    assert_eq!(log.order("1").shipped_of(&"A".parse().unwrap()), 1);
}

#[test]
fn given_an_open_order_when_it_is_imported_then_it_holds_and_its_payment_settles_it() {
    let mut log = moved_in();
    assert_eq!(log.when("order.imported", open("1")), ["order.imported"]);
    assert_eq!(stands(&log), [10, 2, 1, 3, 500, 100]);
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.paid"]);
    assert_eq!(stands(&log), [8, 0, 0, 4, 445, 0]);
}

#[test]
fn given_an_open_order_whose_payment_came_before_when_it_is_imported_then_it_is_settled() {
    let mut log = moved_in();
    log.given("payment.captured", capture("C1", "1", 4500));
    assert_eq!(log.when("order.imported", open("1")), ["order.imported", "order.paid"]);
    assert_eq!(stands(&log), [8, 0, 0, 4, 445, 0]);
}

#[test]
fn an_open_order_brings_what_was_paid_of_it() {
    let mut log = moved_in();
    let mut order = open("1");
    order["captures"] = json!([
        {"capture": "C1", "amount_minor": 2000}, {"capture": "C2", "amount_minor": 2500, "pending": true},
    ]);
    order["tenders"] = json!([{"provider": "cash", "payment": "7", "amount_minor": 500}]);
    log.given("order.imported", order);
    assert_eq!(
        (log.order("1").state, log.order("1").money.captured_minor),
        (OrderState::PartiallyPaid, 2500)
    );
    assert!(log.order("1").flags.pending);
    assert_eq!(log.when("payment.captured", capture("C2", "1", 2500)), ["order.paid"]);
}

#[test]
fn an_open_order_that_cannot_be_held_is_known_and_says_why() {
    let mut log = moved_in();
    let mut order = open("1");
    order["placement"]["lines"][0] = json!({"sku": "A", "qty": 20, "unit_minor": 200});
    log.given("order.imported", order);
    assert_eq!((log.order("1").state, log.order("1").refusals.len()), (OrderState::Refused, 1));
    assert_eq!(stands(&log), [10, 0, 0, 3, 500, 0]);
}

#[test]
fn what_cannot_be_imported_says_every_reason_and_changes_nothing() {
    let mut log = moved_in();
    log.given("order.placed", placement("1"));
    log.given("payment.captured", capture("C1", "1", 4500));
    let before = rows(&log.state, true);
    let mut theirs = paid("2");
    theirs["captures"][0]["capture"] = json!("C1");
    theirs["placement"]["coupons"][0]["code"] = json!("NONE");
    for (name, data, reasons) in [
        ("order.imported", open("1"), vec!["order_exists"]),
        ("order.imported", theirs, vec!["payment_of_another", "coupon_unknown"]),
        (
            "coupon.imported",
            json!({"code": "TEN", "max_uses": 1, "used": 2}),
            vec!["coupon_exists", "coupon_used_up"],
        ),
        ("coupon.buyer_imported", json!({"code": "NONE", "buyer": "bea", "used": 1}), vec!["coupon_unknown"]),
    ] {
        let outcomes = log.decide(name, data);
        let [outcome] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert!(outcome.kind.name().ends_with(".rejected"));
        assert_eq!(outcome.change.reasons.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), reasons);
    }
    assert_eq!(rows(&log.state, true), before);
}

#[test]
fn by_rules_before_4_what_is_imported_is_parked_and_decided_once_they_are_activated() {
    let mut log = Log::new();
    log.given("rules.activated", json!({"shop": "s", "version": 3}));
    assert_eq!(log.when("stock.imported", json!({"sku": "A", "on_hand": 10})), ["event.parked"]);
    log.given("rules.activated", json!({"shop": "s", "version": 4}));
    assert_eq!(log.when("event.redriven", json!({"of": 1})), ["stock.imported", "event.unparked"]);
    assert_eq!(log.stock("A").on_hand(), 10);
}

#[test]
fn what_is_decided_in_shadow_is_marked_and_nothing_else_differs() {
    let shadow = |on: bool| json!({"shop": "s", "settings": {"shadow": on}});
    let (mut log, mut other) = (moved_in(), moved_in());
    assert!(!log.decide("shop.configured", shadow(true))[0].change.shadow);
    other.given("shop.configured", shadow(false));
    for (name, data) in [
        ("order.placed", placement("1")),
        ("payment.captured", capture("C1", "1", 4500)),
        ("event.redriven", json!({"of": 0})),
    ] {
        let (marked, bare) = (log.decide(name, data.clone()), other.decide(name, data));
        assert!(!marked.is_empty() && marked.iter().all(|outcome| outcome.change.shadow), "{name}");
        assert!(bare.iter().all(|outcome| !outcome.change.shadow), "{name}");
    }
    assert_eq!(rows(&log.state, true), rows(&other.state, true));
    log.given("shop.configured", shadow(false));
    assert!(
        log.decide("order.cancelled", json!({"order": "1"})).iter().all(|outcome| !outcome.change.shadow)
    );
}

#[test]
fn by_rules_before_4_no_shop_is_in_shadow() {
    let mut log = Log::new();
    assert_eq!(
        log.when("shop.configured", json!({"shop": "s", "settings": {"shadow": true, "hold_s": 7}})),
        ["shop.rejected"]
    );
    assert_eq!((log.state.shop.settings.shadow, log.state.shop.settings.hold_s), (false, 3600));
}

/// What a shop brings along: enough for all of it.
fn brought() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let order = (any::<bool>(), 0_i64..=4500, any::<bool>());
    prop::collection::vec(order, 0..4).prop_map(|orders| {
        let mut all = balances();
        for (n, (is_paid, back, reversed)) in orders.into_iter().enumerate() {
            let mut order = if is_paid { paid(&n.to_string()) } else { open(&n.to_string()) };
            if is_paid && back > 0 {
                let refund =
                    json!({"refund": format!("R{n}"), "capture": format!("C{n}"), "amount_minor": back, "reversal": reversed});
                order["refunds"] = json!([refund]);
            }
            all.push(("order.imported", order));
        }
        all
    })
}

/// Callbacks about these orders: of captures and refunds that are imported, and of others.
fn callbacks() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let callback = (0_u8..4, 0_u8..4, prop::sample::select(vec![1500_i64, 4500]));
    prop::collection::vec(callback, 0..6).prop_map(|all| {
        let tell = |(what, n, minor): (u8, u8, i64)| match what {
            0 | 1 => ("payment.captured", capture(&format!("C{n}"), &n.to_string(), 4500)),
            2 => ("payment.refunded", refund(&format!("S{n}-{minor}"), &format!("C{n}"), minor)),
            _ => ("dispute.opened", json!({"dispute": format!("D{n}"), "captures": [format!("C{n}")]})),
        };
        all.into_iter().map(tell).collect()
    })
}

fn rank(name: &str) -> u8 {
    match name {
        "order.imported" => 2,
        "coupon.buyer_imported" => 1,
        _ => 0,
    }
}

fn shuffled() -> impl Strategy<Value = [Vec<(&'static str, Value)>; 4]> {
    (brought(), callbacks()).prop_flat_map(|(lines, calls)| {
        [
            Just(lines.clone()).boxed(),
            Just(lines).prop_shuffle().boxed(),
            Just(calls.clone()).boxed(),
            Just(calls).prop_shuffle().boxed(),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Lines stand in a file in any order and come twice, for balances go first and each counts once; callbacks come before,
    /// between or behind them.
    #[test]
    fn p3_importing_in_any_order_and_twice_with_callbacks_between_ends_the_same(
        [lines, others, calls, other_calls] in shuffled(), cut in 0_usize..6
    ) {
        let run = |lines: &[(&'static str, Value)], calls: &[(&'static str, Value)], cut: usize| {
            let mut log = Log::new();
            log.given("rules.activated", json!({"shop": "s", "version": RULES_LATEST}));
            let (before, behind) = calls.split_at(cut.min(calls.len()));
            for (name, data) in before {
                log.given(name, data.clone());
            }
            let (mut sorted, mut seen) = ([lines, lines].concat(), Vec::new());
            sorted.sort_by_key(|(name, _)| rank(name));
            for line in sorted {
                if !seen.contains(&line) {
                    log.given(line.0, line.1.clone());
                    seen.push(line);
                }
            }
            for (name, data) in behind {
                log.given(name, data.clone());
            }
            log
        };
        let one = run(&lines, &calls, 0);
        let other = run(&others, &other_calls, cut);
        prop_assert_eq!(rows(&one.state, false), rows(&other.state, false));
    }
}
