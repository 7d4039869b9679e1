//! P9: a failing event holds back its own key, never the others, and never for ever.

use serde_json::json;

use super::support::{Log, at, capture, placement};
use crate::{Key, MINOR_MAX, OrderState, Position, ReceivedFact, Shop, State, UnknownFact};

fn full_stock() -> Log {
    let mut log = Log::with_goods();
    log.given("stock.received", json!({"sku": "FULL", "qty": MINOR_MAX}));
    log
}

#[test]
fn p9_an_overflow_parks_its_key_alone() {
    let mut log = full_stock();
    assert_eq!(log.when("stock.received", json!({"sku": "FULL", "qty": 1})), ["event.parked"]);
    assert_eq!(log.stock("FULL").received, MINOR_MAX);
    assert_eq!(log.when("stock.received", json!({"sku": "A", "qty": 1})), ["stock.received"]);
    assert_eq!(
        log.when("stock.adjusted", json!({"sku": "FULL", "delta": -1})),
        ["event.parked"],
        "it waits behind"
    );
    let order = json!({"order": "1", "currency": "USD", "total_minor": 0, "lines": [{"sku": "FULL", "qty": 5, "unit_minor": 0}]});
    assert_eq!(log.when("order.placed", order), ["order.placed", "order.paid"], "orders go on");
}

#[test]
fn p9_a_redrive_decides_the_group_in_order_and_stops_at_the_next_failure() {
    let mut log = full_stock();
    let first = log.next;
    log.given("stock.received", json!({"sku": "FULL", "qty": 1}));
    log.given("stock.adjusted", json!({"sku": "FULL", "delta": -1}));
    let outcomes = log.decide("event.redriven", json!({"of": first}));
    assert_eq!(outcomes.iter().map(|o| o.kind.name()).collect::<Vec<_>>(), ["event.parked"]);
    assert_eq!(outcomes[0].answers, Some(Position(first)));
    assert_eq!(log.state.groups.get(&Position(first)).unwrap().attempts, 1);

    let outcomes = log.decide("event.dismissed", json!({"of": first}));
    let names: Vec<_> = outcomes.iter().map(|o| o.kind.name()).collect();
    assert_eq!(names, ["event.unparked", "stock.adjusted", "event.unparked"]);
    assert!(outcomes[0].change.unparked.as_ref().unwrap().dismissed);
    assert_eq!(log.stock("FULL").on_hand(), MINOR_MAX - 1);
    assert!(log.state.parked_keys.is_empty());
    assert_eq!(
        log.when("stock.adjusted", json!({"sku": "FULL", "delta": -1})),
        ["stock.adjusted"],
        "it flows again"
    );
}

#[test]
fn p9_a_redrive_after_the_cause_is_gone_decides() {
    let mut log = full_stock();
    let first = log.next;
    log.given(
        "order.placed",
        json!({"order": "9", "currency": "USD", "total_minor": 100,
        "lines": [{"sku": "FULL", "qty": 5, "unit_minor": 20}]}),
    );
    log.given("stock.returned", json!({"sku": "FULL", "qty": 2}));
    assert!(!log.state.parked_keys.is_empty());
    assert_eq!(log.when("payment.captured", capture("C9", "9", 100)), ["order.paid"]);
    let redriven = log.when("event.redriven", json!({"of": first + 1}));
    assert_eq!(redriven, ["stock.returned", "event.unparked"]);
    assert_eq!(log.when("event.redriven", json!({"of": first + 1})), ["event.rejected"]);
}

#[test]
fn p9_a_fact_from_the_future_parks_all_that_resolves_to_its_order() {
    let mut log = Log::with_goods();
    log.given("order.placed", placement("1"));
    log.given("payment.approved", json!({"paypal_order": "P1", "order": "1"}));
    let position = Position(log.next);
    let fact = ReceivedFact {
        position,
        at: at(log.next),
        key: Key::Order("1".parse().unwrap()),
        fact: Err(UnknownFact("no fact has the type order.blessed".into())),
    };
    assert_eq!(log.receive(fact)[0].kind.name(), "event.parked");
    let nameless = json!({"capture": "C1", "paypal_order": "P1", "amount_minor": 4500, "currency": "USD"});
    assert_eq!(log.when("payment.captured", nameless), ["event.parked"], "it resolves to the order");
    let refund = json!({"refund": "R1", "capture": "C1", "amount_minor": 100, "currency": "USD"});
    assert_eq!(log.when("payment.refunded", refund), ["event.parked"], "it names what is parked now");
    assert_eq!(log.when("order.placed", placement("2")), ["order.placed"]);
    log.given("event.dismissed", json!({"of": position}));
    let order = log.order("1");
    assert_eq!((order.state, order.money.refunded_minor), (OrderState::Paid, 100));
}

#[test]
fn p9_a_fact_that_names_two_groups_joins_them() {
    let mut log = Log::with_goods();
    let mut poison = |order: &str| {
        let position = Position(log.next);
        let key = Key::Order(order.parse().unwrap());
        log.receive(ReceivedFact { position, at: at(position.0), key, fact: Err(UnknownFact("?".into())) });
        position
    };
    let (one, two) = (poison("1"), poison("2"));
    let mut both = capture("C1", "1", 100);
    both["paypal_order"] = json!("P1");
    log.given("payment.captured", both);
    assert!(log.state.groups.get(&two).is_some());
    log.given("payment.approved", json!({"paypal_order": "P1", "order": "2"}));
    assert!(log.state.groups.get(&two).is_none());
    assert_eq!(log.state.groups.get(&one).unwrap().members.len(), 4);
}

#[test]
fn rules_from_the_future_are_parked() {
    let mut log = Log::with_goods();
    assert_eq!(log.when("rules.activated", json!({"shop": "s", "version": 99})), ["event.parked"]);
    assert_eq!(log.when("rules.activated", json!({"shop": "t", "version": 1})), ["rules.activated"]);
}

#[test]
fn p9_a_fact_that_fails_half_way_leaves_no_trace_at_first_and_when_redriven() {
    let mut log = Log::with_goods();
    log.given("payment.captured", capture("C1", "1", MINOR_MAX))
        .given("payment.captured", capture("C2", "1", MINOR_MAX));
    let position = log.next;
    assert_eq!(
        log.when("order.placed", placement("1")),
        ["event.parked"],
        "the sum of its payments overflows"
    );
    assert_eq!((log.stock("A").held, log.state.orders.iter().count()), (0, 0));
    assert_eq!(log.when("event.redriven", json!({"of": position})), ["event.parked"]);
    assert_eq!((log.stock("A").held, log.state.orders.iter().count()), (0, 0));
    assert_eq!(log.when("order.placed", placement("2")), ["order.placed"]);
}

#[test]
fn p9_a_redrive_that_cannot_be_carried_out_counts_as_an_attempt() {
    let mut log = full_stock();
    let first = log.next;
    log.given("stock.received", json!({"sku": "FULL", "qty": 1}));
    let fact = crate::Fact::from_data("event.redriven", &json!({"of": first}).to_string());
    let key = Key::Event(first);
    let received = ReceivedFact { position: Position(log.next), at: at(log.next), key, fact };
    let outcomes = log.state.park(&received, "it panicked").unwrap();
    assert_eq!(outcomes.iter().map(|o| o.kind.name()).collect::<Vec<_>>(), ["event.parked"]);
    let group = log.state.groups.get(&Position(first)).unwrap();
    assert_eq!((group.attempts, group.error.as_str(), group.members.len()), (1, "it panicked", 1));
}

#[test]
fn p9_a_redrive_of_a_large_group_goes_in_bounded_steps() {
    let mut log = full_stock();
    let first = log.next;
    log.given("stock.received", json!({"sku": "FULL", "qty": 1}));
    for _ in 0..250 {
        log.given("stock.adjusted", json!({"sku": "FULL", "delta": -1}));
    }
    let dismissed = log.when("event.dismissed", json!({"of": first}));
    assert_eq!(dismissed.len(), 1 + 2 * 200, "the door waits no longer than that");
    assert_eq!(log.when("event.redriven", json!({"of": first + 250})).len(), 2 * 50);
    assert!(log.state.parked_keys.is_empty());
    assert_eq!(log.stock("FULL").on_hand(), MINOR_MAX - 250);
}

#[test]
fn a_row_that_was_not_given_has_not_changed_when_its_decision_is_rolled_back() {
    let mut state = State::partial(Shop::default());
    let mark = state.mark();
    state.parked.put(Position(7), Some(Position(3)));
    state.roll_back(&mark);
    assert_eq!(state.parked.changes().count(), 0, "else it would be taken for removed");
    let mark = state.mark();
    state.parked.give(Position(7), Some(Position(3)));
    state.parked.put(Position(7), None);
    state.roll_back(&mark);
    let changed: Vec<_> = state.parked.changes().map(|changed| (changed.stored, changed.now)).collect();
    assert_eq!(changed, [(Some(&Position(3)), Some(&Position(3)))], "it is as it is stored");
}
