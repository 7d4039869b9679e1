//! Commands for orders, and holds.

use serde_json::json;

use super::support::{Log, START, capture, placement, refund};
use crate::{Fulfilment, OrderState, OutcomeType, Timestamp};

#[test]
fn a_placement_holds_stock_coupon_and_points() {
    let mut log = Log::with_goods();
    assert_eq!(log.when("order.placed", placement("1")), ["order.placed"]);
    assert_eq!(
        (log.stock("A").held, log.stock("B").held, log.coupon("TEN"), log.points("bea").held),
        (2, 1, (1, 0), 100)
    );
    assert_eq!(log.order("1").fulfilment, Fulfilment::Wait);
    assert_eq!(log.order("1").reasons[0].code, "unpaid");
}

/// P4: none of the four changes when one does not suffice, and every reason is said.
#[test]
fn p4_an_order_that_cannot_be_had_holds_nothing_and_says_every_reason() {
    let mut log = Log::new();
    log.given("stock.received", json!({"sku": "A", "qty": 1}));
    log.given("points.granted", json!({"buyer": "bea", "points": 10}));
    let outcomes = log.decide("order.placed", placement("1"));
    let refusals = log.order("1").refusals;
    let codes: Vec<_> = refusals.iter().map(|r| r.code.as_str()).collect();
    assert_eq!(outcomes[0].kind.name(), "order.refused");
    assert_eq!(codes, ["stock_insufficient", "stock_insufficient", "coupon_unknown", "points_insufficient"]);
    assert_eq!((log.stock("A").held, log.points("bea").held), (0, 0));
    assert_eq!((log.order("1").state, log.order("1").fulfilment), (OrderState::Refused, Fulfilment::Stop));
    assert_eq!(log.order("1").reasons.len(), 1, "the row says them once");
}

#[test]
fn a_refused_order_is_tried_again_by_a_revision() {
    let mut log = Log::new();
    log.given("order.placed", placement("1"));
    let mut revision = placement("1");
    revision["revision"] = json!(1);
    assert_eq!(log.when("order.revised", revision.clone()), ["order.rejected"]);
    log.given("stock.received", json!({"sku": "A", "qty": 2}));
    log.given("stock.received", json!({"sku": "B", "qty": 2}));
    log.given("coupon.issued", json!({"code": "TEN"}));
    log.given("points.granted", json!({"buyer": "bea", "points": 100}));
    assert_eq!(log.when("order.revised", revision), ["order.revised"]);
    assert_eq!(log.order("1").state, OrderState::Open);
}

#[test]
fn a_revision_puts_the_new_holds_in_place_of_the_old_or_leaves_the_old() {
    let mut log = Log::new();
    log.given("stock.received", json!({"sku": "A", "qty": 3}));
    let order = |revision: i64, qty: i64| {
        json!({"order": "1", "revision": revision, "currency": "USD", "total_minor": 100 * qty,
               "lines": [{"sku": "A", "qty": qty, "unit_minor": 100}]})
    };
    log.given("order.placed", order(0, 2));
    assert_eq!(log.when("order.revised", order(1, 4)), ["order.rejected"]);
    assert_eq!(log.stock("A").held, 2);
    assert_eq!(
        log.when("order.revised", order(1, 3)),
        ["order.revised"],
        "its own hold does not stand in its way"
    );
    assert_eq!(log.stock("A").held, 3);
    assert_eq!(log.when("order.revised", order(1, 1)), ["order.rejected"], "a revision only goes up");
    log.given("payment.pending", capture("C1", "1", 300));
    assert_eq!(log.when("order.revised", order(2, 1)), ["order.rejected"], "the first payment fixes it");
}

#[test]
fn an_order_exists_once() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    assert_eq!(log.when("order.placed", placement("1")), ["order.rejected"]);
    assert_eq!(log.stock("A").held, 2);
}

#[test]
fn an_order_of_nothing_to_pay_settles_at_once() {
    let mut log = Log::with_goods();
    let free = json!({"order": "1", "currency": "USD", "total_minor": 0, "lines": [{"sku": "A", "qty": 1, "unit_minor": 0}]});
    assert_eq!(log.when("order.placed", free), ["order.placed", "order.paid"]);
    assert_eq!((log.stock("A").settled, log.order("1").fulfilment), (1, Fulfilment::Ship));
}

#[test]
fn what_is_not_tracked_is_neither_held_nor_deducted() {
    let mut log = Log::new();
    let tracks =
        json!({"shop": "s", "settings": {"tracks": {"stock": false, "coupons": false, "points": false}}});
    assert_eq!(log.when("shop.configured", tracks), ["shop.configured"]);
    assert_eq!(log.when("order.placed", placement("1")), ["order.placed"]);
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.paid"]);
    assert_eq!(log.stock("A").settled, 0);
}

#[test]
fn a_hold_runs_out_at_its_own_deadline_only() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    let deadline = log.order("1").held_until.unwrap();
    let earlier = Timestamp::new(chrono::DateTime::from_timestamp(START, 0).unwrap());
    assert!(log.when("order.expired", json!({"order": "1", "deadline": earlier})).is_empty());
    assert_eq!(log.when("order.expired", json!({"order": "1", "deadline": deadline})), ["order.expired"]);
    assert_eq!((log.stock("A").held, log.order("1").state), (0, OrderState::Expired));
}

#[test]
fn a_pending_payment_keeps_the_hold_and_a_denied_one_releases_it() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    let deadline = log.order("1").held_until.unwrap();
    assert_eq!(log.when("payment.pending", capture("C1", "1", 4500)), ["order.payment_pending"]);
    assert!(log.when("order.expired", json!({"order": "1", "deadline": deadline})).is_empty());
    assert_eq!(log.when("payment.denied", capture("C1", "1", 4500)), ["order.released"]);
    assert_eq!(log.stock("A").held, 0);
    assert_eq!(
        log.when("payment.pending", capture("C2", "1", 4500)),
        ["order.held"],
        "a second try takes it again"
    );
}

#[test]
fn a_late_payment_takes_the_goods_again_or_is_unfulfillable() {
    let mut log = Log::with_goods();
    for order in ["1", "2"] {
        log.given("order.placed", placement(order));
        let deadline = log.order(order).held_until.unwrap();
        log.given("order.expired", json!({"order": order, "deadline": deadline}));
    }
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.paid"]);
    log.given("stock.adjusted", json!({"sku": "A", "on_hand": 1}));
    assert_eq!(log.when("payment.captured", capture("C2", "2", 4500)), ["order.unfulfillable"]);
    let order = log.order("2");
    assert_eq!((order.state, order.money.refund_due_minor), (OrderState::Unfulfillable, 4500));
    assert_eq!((log.stock("A").settled, log.coupon("TEN"), log.points("bea").spent), (2, (0, 1), 100), "P4");
    log.given("stock.received", json!({"sku": "A", "qty": 5}));
    assert_eq!(log.when("order.resolved", json!({"order": "2", "action": "retry"})), ["order.paid"]);
    assert_eq!(log.order("2").money.refund_due_minor, 0);
}

#[test]
fn a_cancelled_order_releases_and_a_payment_after_it_is_due_back() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    assert_eq!(log.when("order.cancelled", json!({"order": "1"})), ["order.cancelled"]);
    assert_eq!(log.stock("A").held, 0);
    assert_eq!(log.when("order.cancelled", json!({"order": "1"})), ["order.rejected"]);
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.unfulfillable"]);
    assert_eq!(log.order("1").money.refund_due_minor, 4500);
    assert_eq!(log.stock("A").settled, 0);
}

#[test]
fn a_paid_order_that_is_cancelled_stops_and_is_due_back() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1")).given("payment.captured", capture("C1", "1", 4500));
    assert_eq!(log.order("1").fulfilment, Fulfilment::Ship);
    log.given("order.cancelled", json!({"order": "1"}));
    let order = log.order("1");
    assert_eq!(
        (order.state, order.fulfilment, order.money.refund_due_minor),
        (OrderState::Paid, Fulfilment::Stop, 4500)
    );
    log.given("payment.refunded", refund("R1", "C1", 4500));
    assert_eq!(log.order("1").money.refund_due_minor, 0);
    assert_eq!(log.stock("A").on_hand(), 1000);
}

#[test]
fn only_what_may_be_shipped_is_shipped() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    assert_eq!(log.when("order.shipped", json!({"order": "1"})), ["order.rejected"]);
    log.given("payment.captured", capture("C1", "1", 4500));
    let part = json!({"order": "1", "lines": [{"sku": "A", "qty": 1}]});
    assert_eq!(log.when("order.shipped", part), ["order.shipped"]);
    assert_eq!(log.order("1").fulfilment, Fulfilment::Ship);
    let more = json!({"order": "1", "lines": [{"sku": "A", "qty": 2}]});
    assert_eq!(log.when("order.shipped", more), ["order.rejected"]);
    assert_eq!(log.when("order.cancelled", json!({"order": "1"})), ["order.rejected"]);
    assert_eq!(log.when("order.shipped", json!({"order": "1"})), ["order.shipped"]);
    assert_eq!(log.order("1").fulfilment, Fulfilment::Shipped);
    assert_eq!(log.when("order.shipped", json!({"order": "1"})), ["order.rejected"]);
}

#[test]
fn shipped_stock_comes_back_only_when_it_is_returned() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1")).given("payment.captured", capture("C1", "1", 4500));
    log.given("order.shipped", json!({"order": "1", "lines": [{"sku": "A", "qty": 1}]}));
    log.given("payment.refunded", refund("R1", "C1", 4500));
    assert_eq!((log.stock("A").on_hand(), log.stock("B").on_hand()), (999, 1000));
    log.given("stock.returned", json!({"sku": "A", "qty": 1}));
    assert_eq!(log.stock("A").on_hand(), 1000);
}

#[test]
fn a_count_below_what_is_held_says_so_for_each_order() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1")).given("order.placed", placement("2"));
    let adjusted = log.when("stock.adjusted", json!({"sku": "A", "on_hand": 3}));
    assert_eq!(adjusted, ["stock.adjusted", "stock.short", "stock.short"]);
    assert_eq!(log.when("order.placed", placement("3")), ["order.refused"]);
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.paid"]);
    assert_eq!(log.when("payment.captured", capture("C2", "2", 4500)), ["order.unfulfillable"]);
    log.given("stock.adjusted", json!({"sku": "B", "delta": -5000}));
    assert_eq!(log.stock("B").on_hand(), 0, "never below nothing");
}

#[test]
fn a_count_says_nothing_of_orders_whose_stock_the_shop_keeps_itself() {
    let mut log = Log::with_goods();
    let tracks = |stock: bool| json!({"shop": "s", "settings": {"tracks": {"stock": stock, "coupons": true, "points": true}}});
    log.given("shop.configured", tracks(false)).given("order.placed", placement("1"));
    log.given("shop.configured", tracks(true)).given("order.placed", placement("2"));
    let adjusted = log.decide("stock.adjusted", json!({"sku": "A", "on_hand": 0}));
    let short: Vec<_> = adjusted.iter().filter_map(|outcome| outcome.change.short.as_ref()).collect();
    assert_eq!(short.iter().map(|short| short.order.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn a_coupon_is_bound_by_its_terms() {
    let mut log = Log::with_goods();
    let with = |order: &str, code: &str| {
        json!({"order": order, "buyer": "bea", "currency": "USD", "total_minor": 0,
               "lines": [{"sku": "A", "qty": 1, "unit_minor": 100}], "coupons": [{"code": code, "minor": 100}]})
    };
    log.given("coupon.issued", json!({"code": "ONCE"}));
    assert_eq!(log.when("coupon.issued", json!({"code": "ONCE"})), ["coupon.rejected"]);
    log.given("coupon.issued", json!({"code": "MINE", "max_uses": 9, "max_per_buyer": 1}));
    log.given("coupon.issued", json!({"code": "LATE", "valid_from": "2100-01-01T00:00:00Z"}));
    log.given("coupon.issued", json!({"code": "GONE", "valid_until": "2000-01-01T00:00:00Z"}));
    log.given("coupon.issued", json!({"code": "VOID"})).given("coupon.voided", json!({"code": "VOID"}));
    assert_eq!(log.when("order.placed", with("1", "ONCE"))[1], "order.paid");
    let mut refusal = |order: &str, code: &str| {
        log.given("order.placed", with(order, code));
        log.order(order).refusals[0].code.clone()
    };
    assert_eq!(refusal("2", "ONCE"), "coupon_used_up");
    assert_eq!(refusal("3", "LATE"), "coupon_not_yet_valid");
    assert_eq!(refusal("4", "GONE"), "coupon_expired");
    assert_eq!(refusal("5", "VOID"), "coupon_voided");
    assert_eq!(log.when("order.placed", with("6", "MINE"))[0], "order.placed");
    log.given("order.placed", with("7", "MINE"));
    assert_eq!(log.order("7").refusals[0].code, "coupon_used_by_buyer");
}

#[test]
fn points_that_are_held_do_not_expire() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    assert_eq!(log.when("points.expired", json!({"buyer": "bea", "points": 901})), ["points.rejected"]);
    assert_eq!(log.when("points.expired", json!({"buyer": "bea", "points": 900})), ["points.expired"]);
    assert_eq!(log.points("bea").available(), 0);
}

/// By the first rules the holds stayed with the first buyer; by the second ones nothing of that order moves.
#[test]
fn given_coupons_or_points_are_held_when_a_revision_names_another_buyer_then_it_is_refused() {
    let mut log = Log::with_goods();
    log.given("points.granted", json!({"buyer": "bob", "points": 1000}));
    log.given("rules.activated", json!({"shop": "s", "version": 2}));
    log.given("order.placed", placement("1"));
    let before = log.state.clone();
    let mut another = placement("1");
    (another["revision"], another["buyer"]) = (json!(1), json!("bob"));
    let outcomes = log.decide("order.revised", another.clone());
    assert_eq!(outcomes[0].kind, OutcomeType::OrderRejected);
    assert_eq!(outcomes[0].change.reasons[0].code, "buyer_changed");
    let order = "1".parse().unwrap();
    assert_eq!(log.state.orders.get(&order), before.orders.get(&order));
    // Where nothing is held for anybody, an order may have another buyer.
    let mut plain = placement("2");
    for absent in ["coupons", "points"] {
        plain.as_object_mut().unwrap().remove(absent);
    }
    plain["total_minor"] = json!(5500);
    assert_eq!(log.when("order.placed", plain.clone()), ["order.placed"]);
    (plain["revision"], plain["buyer"]) = (json!(1), json!("bob"));
    assert_eq!(log.when("order.revised", plain), ["order.revised"]);
}

/// By the rules before every use of every coupon was counted for its buyer.
#[test]
fn given_rules_3_when_coupons_are_used_then_a_buyer_is_named_only_where_the_coupon_limits_buyers() {
    let mut log = Log::with_goods();
    let with = |order: &str, code: &str| {
        json!({"order": order, "buyer": "bea", "currency": "USD", "total_minor": 100,
               "lines": [{"sku": "A", "qty": 1, "unit_minor": 200}], "coupons": [{"code": code, "minor": 100}]})
    };
    let paid = |order: &str| json!({"order": order, "capture": format!("CAP{order}"), "amount_minor": 100, "currency": "USD"});
    let uses = |log: &Log, code: &str| {
        let row = log.state.coupon_buyers.get(&(code.parse().unwrap(), "bea".parse().unwrap()));
        row.map(|row| (row.held, row.used))
    };
    log.given("coupon.issued", json!({"code": "ALL", "max_uses": 9}));
    log.given("coupon.issued", json!({"code": "MINE", "max_uses": 9, "max_per_buyer": 1}));
    log.given("order.placed", with("1", "ALL"));
    assert_eq!(uses(&log, "ALL"), Some((1, 0)));
    log.given("rules.activated", json!({"shop": "s", "version": 3}));
    for (order, code) in [("2", "ALL"), ("3", "MINE")] {
        log.given("order.placed", with(order, code));
        let outcomes = log.decide("payment.captured", paid(order));
        assert_eq!(outcomes[0].kind, OutcomeType::OrderPaid);
        assert_eq!(outcomes[0].change.coupons[0].buyer.is_some(), code == "MINE");
    }
    assert_eq!((uses(&log, "ALL"), uses(&log, "MINE")), (Some((1, 0)), Some((0, 1))));
    log.given("order.placed", with("4", "MINE"));
    assert_eq!(log.order("4").refusals[0].code, "coupon_used_by_buyer");
    // One that was held by the rules before is settled by these.
    log.given("payment.captured", paid("1"));
    let coupon = log.state.coupons.get(&"ALL".parse().unwrap()).unwrap();
    assert_eq!((coupon.held, coupon.used), (0, 2));
}
