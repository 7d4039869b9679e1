//! A callback's body, to the fact that it is, and to what is decided of it: nothing panics, nothing is parked, the fact is
//! the same from its entry, and no personal data finds a way into it.
#![no_main]

use std::sync::OnceLock;

use domain::{Fact, OutcomeType, Position, ReceivedFact, State, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Stands for ids that are none.
const PSEUDONYM: &str = "p.0123456789abcdef";

fuzz_target!(|body: &[u8]| {
    let translation = paypal::translate(body, &|_: &str| PSEUDONYM.to_owned());
    if let Some(id) = &translation.event_id {
        assert!((1..=64).contains(&id.len()) && id.bytes().all(|b| (b' '..=b'~').contains(&b)));
    }
    let fact = translation.fact;
    let data = fact.to_data().expect("it is plain JSON");
    match event_log::canonical_data(&data) {
        Ok(text) => assert_eq!(Fact::from_data(fact.type_name(), &text), Ok(fact.clone())),
        // The door then keeps it as unreadable, which must always be possible.
        Err(error) => {
            assert!(!matches!(fact, Fact::CallbackUnreadable(_)), "{error}");
            return;
        }
    }
    let mut state = before().clone();
    let received = ReceivedFact {
        position: Position(10),
        at: at(10),
        key: fact.key(translation.event_id.as_deref().unwrap_or("body:0")),
        fact: Ok(fact),
    };
    let outcomes = state.decide(&received).expect("the state is whole");
    assert!(outcomes.iter().all(|outcome| outcome.kind != OutcomeType::EventParked), "{received:?} is parked");
});

fn at(second: i64) -> Timestamp {
    serde_json::from_value(json!(format!("2026-11-22T10:00:{second:02}.000000Z"))).expect("a time")
}

/// A shop with goods, an order that waits for its money and one that has it.
fn before() -> &'static State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(|| {
        let placed = |order: &str| {
            json!({"order": order, "revision": 0, "currency": "USD", "total_minor": 1000, "paypal_order_id": format!("PO{order}"),
                "lines": [{"sku": "tea", "qty": 2, "unit_minor": 500}]})
        };
        let facts: [(&str, Value); 4] = [
            ("stock.received", json!({"sku": "tea", "qty": 1000})),
            ("order.placed", placed("1042")),
            ("order.placed", placed("1043")),
            ("payment.captured", json!({"capture": "C1043", "order": "1043", "amount_minor": 1000, "currency": "USD", "final": true})),
        ];
        let mut state = State::empty();
        for (position, (name, data)) in (0..).zip(facts) {
            let fact = Fact::from_data(name, &data.to_string());
            let key = fact.as_ref().expect("a fact").key("event");
            let received = ReceivedFact { position: Position(position), at: at(position), key, fact };
            let outcomes = state.decide(&received).expect("the state is whole");
            assert!(outcomes.iter().all(|outcome| outcome.kind != OutcomeType::EventParked), "{outcomes:?}");
        }
        state
    })
}
