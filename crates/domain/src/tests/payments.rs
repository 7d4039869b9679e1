//! Payment facts: what counts, what does not, and what goes together.

use serde_json::json;

use super::support::{Log, capture, placement, refund};
use crate::{Fulfilment, OrderState, PaymentKey, Standing};

fn placed() -> Log {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    log
}

/// P4: order, stock, coupon and points change together for one payment.
#[test]
fn p4_a_payment_settles_all_four_in_one_outcome() {
    let mut log = placed();
    let outcomes = log.decide("payment.captured", capture("C1", "1", 4500));
    assert_eq!(outcomes.len(), 1);
    let change = &outcomes[0].change;
    assert_eq!((change.stock.len(), change.coupons.len(), change.payments.len()), (2, 1, 1));
    assert!(change.order.as_ref().unwrap().terms.is_some(), "it is enough to act on alone");
    assert_eq!((log.stock("A").on_hand(), log.stock("A").held, log.coupon("TEN")), (998, 0, (0, 1)));
    assert_eq!((log.points("bea").balance(), log.points("bea").held), (945, 0));
    assert_eq!((log.order("1").state, log.order("1").fulfilment), (OrderState::Paid, Fulfilment::Ship));
}

/// P3: a capture takes effect once, through whichever callback it comes.
#[test]
fn p3_a_capture_counts_once() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 4500));
    assert!(log.when("payment.captured", capture("C1", "1", 4500)).is_empty());
    assert!(log.when("payment.pending", capture("C1", "1", 4500)).is_empty(), "states only rise");
    assert!(log.when("payment.denied", capture("C1", "1", 4500)).is_empty());
    assert_eq!(log.order("1").money.captured_minor, 4500);
}

/// P3: refunds are a set, by id.
#[test]
fn p3_a_refund_counts_once() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 4500));
    assert_eq!(log.when("payment.refunded", refund("R1", "C1", 1500)), ["order.refunded"]);
    assert!(log.when("payment.refunded", refund("R1", "C1", 1500)).is_empty());
    assert_eq!(log.points("bea").revoked, 15, "a third of the earned points");
    log.given("payment.refunded", refund("R2", "C1", 3000));
    let order = log.order("1");
    assert_eq!((order.money.refunded_minor, order.fulfilment), (4500, Fulfilment::Stop));
    assert_eq!(
        (log.stock("A").on_hand(), log.coupon("TEN"), log.points("bea").balance()),
        (1000, (0, 0), 1000)
    );
}

#[test]
fn approval_is_never_money() {
    let mut log = placed();
    assert_eq!(
        log.when("payment.approved", json!({"paypal_order": "P1", "order": "1"})),
        ["order.payment_noted"]
    );
    assert_eq!(log.order("1").state, OrderState::Open);
}

#[test]
fn an_authorisation_keeps_the_hold_until_it_is_voided() {
    let mut log = placed();
    let authorized = json!({"authorization": "A1", "order": "1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    log.given("payment.authorized", authorized);
    assert!(log.order("1").flags.live);
    assert_eq!(log.when("payment.voided", json!({"authorization": "A1"})), ["order.released"]);
    assert_eq!(log.stock("A").held, 0);
}

#[test]
fn a_voided_paypal_order_ends_what_was_authorised_under_it() {
    let mut log = placed();
    let authorized = json!({"authorization": "A1", "order": "1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    log.given("payment.authorized", authorized);
    assert_eq!(log.when("payment.voided", json!({"paypal_order": "P1"})), ["order.released"]);
}

#[test]
fn partial_captures_settle_when_they_reach_the_total() {
    let mut log = placed();
    assert_eq!(log.when("payment.captured", capture("C1", "1", 2000)), ["order.partially_paid"]);
    assert_eq!(log.stock("A").settled, 0);
    assert_eq!(log.when("payment.captured", capture("C2", "1", 2500)), ["order.paid"]);
    assert_eq!(log.when("payment.captured", capture("C3", "1", 100)), ["order.overpaid"]);
    let order = log.order("1");
    assert!(order.flags.overpaid);
    assert_eq!((order.money.refund_due_minor, log.stock("A").settled), (100, 2));
}

#[test]
fn a_final_capture_below_the_total_is_for_review_and_may_be_accepted() {
    let mut log = placed();
    let mut last = capture("C1", "1", 3000);
    last["final"] = json!(true);
    log.given("payment.captured", last);
    assert!(log.order("1").flags.review);
    assert_eq!(log.when("order.resolved", json!({"order": "1", "action": "accept"})), ["order.paid"]);
    assert_eq!((log.stock("A").settled, log.points("bea").revoked), (2, 15));
}

#[test]
fn another_currency_or_payee_is_recorded_and_not_counted() {
    let mut log = placed();
    log.given("shop.configured", json!({"shop": "s", "settings": {"payee": "OURS"}}));
    let mut euro = capture("C1", "1", 4500);
    euro["currency"] = json!("EUR");
    assert_eq!(log.when("payment.captured", euro), ["order.payment_mismatched"]);
    let mut theirs = capture("C2", "1", 4500);
    theirs["payee"] = json!("THEIRS");
    log.given("payment.captured", theirs);
    let order = log.order("1");
    assert_eq!(
        (order.state, order.money.captured_minor, order.flags.mismatched),
        (OrderState::Open, 0, true)
    );
    assert_eq!(log.when("payment.resolved", json!({"capture": "C2", "assign": "1"})), ["order.paid"]);
    assert_eq!(log.when("payment.resolved", json!({"capture": "C1"}))[0], "payment.dismissed");
    assert!(!log.order("1").flags.mismatched);
}

#[test]
fn ids_that_name_two_orders_do_not_count() {
    let mut log = placed();
    log.given("order.placed", placement("2"));
    log.given("payment.approved", json!({"paypal_order": "P1", "order": "2"}));
    let mut both = capture("C1", "1", 4500);
    both["paypal_order"] = json!("P1");
    log.given("payment.captured", both);
    assert_eq!((log.order("1").state, log.order("2").state), (OrderState::Open, OrderState::Open));
    assert!(log.order("1").flags.mismatched);
    assert_eq!(log.when("payment.resolved", json!({"capture": "C1", "assign": "2"}))[0], "order.paid");
    assert_eq!(log.order("2").state, OrderState::Paid);
    assert!(!log.order("1").flags.mismatched);
}

#[test]
fn money_for_an_unknown_order_waits_for_it() {
    let mut log = Log::with_goods();
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["payment.unmatched"]);
    assert_eq!(log.when("order.placed", placement("1")), ["order.placed", "order.paid"]);
    let payment = log.state.payments.get(&PaymentKey::Capture("C1".parse().unwrap())).unwrap();
    assert_eq!(payment.standing, Standing::Matched);
}

#[test]
fn money_of_another_shop_is_foreign() {
    let mut log = Log::with_goods();
    log.given("shop.configured", json!({"shop": "s", "settings": {"order_prefix": "ours-"}}));
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["payment.foreign"]);
    let nameless = json!({"capture": "C2", "amount_minor": 100, "currency": "USD"});
    assert_eq!(log.when("payment.captured", nameless), ["payment.unmatched"]);
}

#[test]
fn a_capture_finds_its_order_through_the_paypal_order() {
    let mut log = placed();
    let nameless = json!({"capture": "C1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    assert_eq!(log.when("payment.captured", nameless), ["payment.unmatched"]);
    assert_eq!(log.when("payment.approved", json!({"paypal_order": "P1", "order": "1"})), ["order.paid"]);
}

#[test]
fn a_capture_finds_its_order_through_its_authorisation() {
    let mut log = placed();
    let nameless = json!({"capture": "C1", "authorization": "A1", "amount_minor": 4500, "currency": "USD"});
    log.given("payment.captured", nameless);
    log.given("payment.approved", json!({"paypal_order": "P1", "order": "1"}));
    let authorized =
        json!({"authorization": "A1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    assert_eq!(log.when("payment.authorized", authorized), ["order.paid"]);
}

#[test]
fn a_placement_that_names_the_paypal_order_links_it() {
    let mut log = Log::with_goods();
    let nameless = json!({"capture": "C1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    log.given("payment.captured", nameless);
    let mut order = placement("1");
    order["paypal_order_id"] = json!("P1");
    assert_eq!(log.when("order.placed", order), ["order.placed", "order.paid"]);
}

#[test]
fn a_reversal_takes_the_money_but_not_the_stock_back() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 4500));
    assert_eq!(log.when("payment.reversed", refund("R1", "C1", 4500)), ["order.reversed"]);
    assert_eq!(
        (log.stock("A").on_hand(), log.coupon("TEN"), log.order("1").fulfilment),
        (998, (0, 0), Fulfilment::Stop)
    );
}

#[test]
fn a_dispute_stops_fulfilment_while_it_is_open() {
    let mut log = placed();
    assert_eq!(
        log.when("dispute.opened", json!({"dispute": "PP-D-1", "captures": ["C1"]})),
        ["payment.noted"]
    );
    assert_eq!(log.when("payment.captured", capture("C1", "1", 4500)), ["order.paid"]);
    assert_eq!(log.order("1").fulfilment, Fulfilment::Stop);
    assert_eq!(
        log.when("dispute.resolved", json!({"dispute": "PP-D-1", "captures": ["C1"]})),
        ["order.dispute_resolved"]
    );
    assert_eq!(log.order("1").fulfilment, Fulfilment::Ship);
    assert!(log.when("dispute.updated", json!({"dispute": "PP-D-1", "captures": ["C1"]})).is_empty());
}

#[test]
fn what_came_back_is_taken_again_when_more_money_comes() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 4500))
        .given("payment.refunded", refund("R1", "C1", 4500));
    assert_eq!(log.stock("A").on_hand(), 1000);
    log.given("payment.captured", capture("C2", "1", 4500));
    assert_eq!(
        (log.stock("A").on_hand(), log.coupon("TEN"), log.points("bea").balance()),
        (998, (0, 1), 945)
    );
    assert_eq!(log.order("1").fulfilment, Fulfilment::Ship);
}

#[test]
fn what_came_back_and_is_gone_makes_the_order_unfulfillable() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 4500))
        .given("payment.refunded", refund("R1", "C1", 4500));
    log.given("stock.adjusted", json!({"sku": "A", "on_hand": 0}));
    assert_eq!(log.when("payment.captured", capture("C2", "1", 4500)), ["order.unfulfillable"]);
    assert_eq!(log.order("1").money.refund_due_minor, 4500);
    assert_eq!(log.coupon("TEN"), (0, 0), "P4: none of it");
    log.given("stock.received", json!({"sku": "A", "qty": 2}));
    log.given("order.resolved", json!({"order": "1", "action": "retry"}));
    assert_eq!((log.stock("A").on_hand(), log.order("1").fulfilment), (0, Fulfilment::Ship));
}

#[test]
fn another_tender_counts_like_a_capture() {
    let mut log = placed();
    log.given("payment.captured", capture("C1", "1", 2500));
    let gift = json!({"order": "1", "provider": "giftcard", "payment": "77", "amount_minor": 2000, "currency": "USD"});
    assert_eq!(log.when("payment.recorded", gift.clone()), ["order.paid"]);
    assert!(log.when("payment.recorded", gift).is_empty());
}

#[test]
fn a_retranslated_callback_is_decided_as_what_it_is_now() {
    let mut log = placed();
    log.given("callback.unreadable", json!({"why": "resource.amount"}));
    let again = json!({"of": 5, "type": "payment.captured", "data": capture("C1", "1", 4500)});
    assert_eq!(log.when("callback.retranslated", again), ["order.paid"]);
}

#[test]
fn a_refund_of_a_capture_that_does_not_count_does_not_count_either() {
    let mut log = placed();
    log.given("shop.configured", json!({"shop": "s", "settings": {"payee": "OURS"}}));
    let mut theirs = capture("C1", "1", 4500);
    theirs["payee"] = json!("THEIRS");
    log.given("payment.captured", theirs).given("payment.refunded", refund("R1", "C1", 4500));
    assert_eq!(log.order("1").money.refunded_minor, 0);
    log.given("payment.captured", capture("C2", "1", 4500));
    assert_eq!((log.order("1").money.refunded_minor, log.order("1").fulfilment), (0, Fulfilment::Ship));
}

#[test]
fn a_dispute_about_two_orders_stops_both() {
    let mut log = placed();
    log.given("order.placed", placement("2"));
    log.given("payment.captured", capture("C1", "1", 4500))
        .given("payment.captured", capture("C2", "2", 4500));
    let dispute = json!({"dispute": "PP-D-1", "captures": ["C1", "C2"]});
    assert_eq!(log.when("dispute.opened", dispute.clone()), ["order.disputed", "order.disputed"]);
    assert_eq!((log.order("1").fulfilment, log.order("2").fulfilment), (Fulfilment::Stop, Fulfilment::Stop));
    log.given("dispute.resolved", dispute);
    assert_eq!((log.order("1").fulfilment, log.order("2").fulfilment), (Fulfilment::Ship, Fulfilment::Ship));
}

#[test]
fn a_new_setting_neither_uncounts_money_nor_takes_back_what_came_back() {
    let mut log = placed();
    log.given("shop.configured", json!({"shop": "s", "settings": {"payee": "M1"}}));
    let mut ours = capture("C1", "1", 4500);
    ours["payee"] = json!("M1");
    log.given("payment.captured", ours);
    log.given("shop.configured", json!({"shop": "s", "settings": {"payee": "M2"}}));
    log.given("payment.refunded", refund("R1", "C1", 4500));
    let order = log.order("1");
    assert_eq!((order.money.refunded_minor, order.fulfilment), (4500, Fulfilment::Stop));
    log.given("shop.configured", json!({"shop": "s", "settings": {"returns": {"stock": false}}}));
    log.given("dispute.opened", json!({"dispute": "PP-D-1", "captures": ["C1"]}));
    assert_eq!(log.stock("A").on_hand(), 1000);
}

#[test]
fn a_settled_order_whose_money_counts_no_more_is_not_shipped() {
    let mut log = placed();
    let mut first = capture("C1", "1", 4500);
    first["paypal_order"] = json!("P1");
    log.given("payment.captured", first);
    let mut second = placement("2");
    second["paypal_order_id"] = json!("P1");
    log.given("order.placed", second);
    log.given("payment.resolved", json!({"capture": "C1", "assign": "2"}));
    assert_eq!((log.order("1").fulfilment, log.order("2").fulfilment), (Fulfilment::Stop, Fulfilment::Ship));
}

#[test]
fn what_is_told_twice_of_one_id_does_not_depend_on_which_comes_first() {
    let mut last = capture("C1", "1", 4000);
    last["final"] = json!(true);
    for captures in [[last.clone(), capture("C1", "1", 4000)], [capture("C1", "1", 4000), last]] {
        let mut log = placed();
        captures.into_iter().for_each(|body| drop(log.when("payment.captured", body)));
        assert!(log.order("1").flags.review);
    }
    for kinds in [["payment.refunded", "payment.reversed"], ["payment.reversed", "payment.refunded"]] {
        let mut log = placed();
        log.given("payment.captured", capture("C1", "1", 4500));
        kinds.into_iter().for_each(|kind| drop(log.when(kind, refund("R1", "C1", 4500))));
        assert_eq!((log.order("1").money.reversed_minor, log.stock("A").on_hand()), (4500, 998));
    }
}

#[test]
fn two_tenders_never_have_one_id() {
    let mut log = placed();
    let gift =
        json!({"order": "1", "provider": "a:b", "payment": "c", "amount_minor": 2000, "currency": "USD"});
    assert_eq!(log.when("payment.recorded", gift), ["payment.rejected"]);
}
