//! P3: whatever the order of arrival, and however often each comes, the read models end the same.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{Log, capture, placement, refund, rows};

type Happening = (&'static str, Value);

/// One order's placement and callbacks: captures that reach the total or do not, refunds, reversals, denials, disputes,
/// voids; some name the order, some only what hangs on it.
fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let captures = prop::collection::vec(
        (1_i64..=5000, 0_u8..4, any::<bool>(), prop::option::of(1_i64..=5000), any::<bool>(), any::<bool>()),
        0..4,
    );
    (captures, any::<bool>(), any::<bool>(), 0_u8..3).prop_map(|(captures, approved, voided, dispute)| {
        let mut all: Vec<Happening> = vec![("order.placed", placement("1"))];
        if approved || captures.iter().any(|c| !c.2) {
            all.push(("payment.approved", json!({"paypal_order": "P1", "order": "1"})));
        }
        if voided {
            let mut authorized = json!({"authorization": "A1", "amount_minor": 4500, "currency": "USD"});
            authorized["order"] = json!("1");
            all.push(("payment.authorized", authorized));
            all.push(("payment.voided", json!({"authorization": "A1"})));
        }
        for (n, (minor, state, named, back, reversed, whole)) in captures.iter().enumerate() {
            let id = format!("C{n}");
            let minor = if *whole { 4500 } else { *minor };
            let mut body = capture(&id, "1", minor);
            if !named {
                body["paypal_order"] = json!("P1");
                body.as_object_mut().unwrap().remove("order");
            }
            if *state >= 1 {
                all.push(("payment.pending", body.clone()));
            }
            match state {
                3 => all.push(("payment.denied", body)),
                _ => all.push(("payment.captured", body)),
            }
            if let Some(back) = back {
                let kind = if *reversed { "payment.reversed" } else { "payment.refunded" };
                let back = if *whole { minor } else { (*back).min(minor) };
                all.push((kind, refund(&format!("R{n}"), &id, back)));
            }
        }
        if dispute > 0 {
            all.push(("dispute.opened", json!({"dispute": "PP-1", "captures": ["C0"]})));
        }
        if dispute > 1 {
            all.push(("dispute.resolved", json!({"dispute": "PP-1", "captures": ["C0"]})));
        }
        all
    })
}

fn shuffled() -> impl Strategy<Value = (Vec<Happening>, Vec<Happening>)> {
    happenings().prop_flat_map(|all| {
        let doubled: Vec<Happening> = all.iter().chain(all.iter()).cloned().collect();
        let length = doubled.len();
        (Just(all), Just(doubled).prop_shuffle(), 0..=length / 2).prop_map(|(all, doubled, spare)| {
            // Each comes at least once; some come twice.
            let mut order: Vec<Happening> = Vec::new();
            let mut spare = spare;
            for happening in doubled {
                if !order.contains(&happening) {
                    order.push(happening);
                } else if spare > 0 {
                    spare -= 1;
                    order.push(happening);
                }
            }
            (all, order)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn p3_any_order_of_arrival_with_duplicates_ends_the_same((natural, arrived) in shuffled()) {
        let (mut one, mut other) = (Log::with_goods(), Log::with_goods());
        for (name, data) in natural {
            one.given(name, data);
        }
        let mut placed = false;
        for (name, data) in arrived {
            // A placement again is a command with the same id, which never reaches the log twice.
            if name == "order.placed" && std::mem::replace(&mut placed, true) {
                continue;
            }
            other.given(name, data);
        }
        prop_assert_eq!(rows(&one.state, false), rows(&other.state, false));
    }
}

#[test]
fn p3_a_refund_before_its_capture_and_the_placement_after_both() {
    let natural: [Happening; 3] = [
        ("order.placed", placement("1")),
        ("payment.captured", capture("C1", "1", 4500)),
        ("payment.refunded", refund("R1", "C1", 4500)),
    ];
    let (mut one, mut other) = (Log::with_goods(), Log::with_goods());
    for (name, data) in natural.clone() {
        one.given(name, data);
    }
    for (name, data) in natural.into_iter().rev() {
        other.given(name, data);
    }
    assert_eq!(rows(&one.state, false), rows(&other.state, false));
}
