//! Given a log, when a buyer is traced, then these facts are theirs.

use domain::{BuyerId, Position};
use serde_json::{Value, json};

use super::{ErasedPositions, Trace};
use crate::story::Story;

/// Every fact rests on evidence here.
fn tell(story: &mut Story, type_name: &str, data: Value) -> Position {
    let digest = "0".repeat(64);
    let evidence = json!({"sha256": digest, "commitment": digest});
    story.tell_with(type_name, data, json!({"by": "a test", "evidence": evidence}))
}

fn traced(story: &Story, buyer: &str) -> Trace {
    let mut trace = Trace::of(buyer.parse().unwrap());
    loop {
        let before = trace.size();
        trace = story.give(trace);
        if trace.size() == before {
            return trace;
        }
    }
}

fn sealed(story: &Story, buyer: &str) -> Vec<i64> {
    traced(story, buyer).sealed.iter().map(|position| position.0).collect()
}

fn placement(order: &str, buyer: &str, paypal_order: Option<&str>) -> Value {
    let mut placement = json!({"order": order, "buyer": buyer, "currency": "USD", "total_minor": 1000,
        "lines": [{"sku": "A", "qty": 1, "unit_minor": 1000}]});
    if let Some(id) = paypal_order {
        placement["paypal_order_id"] = json!(id);
    }
    placement
}

fn capture(id: &str, more: Value) -> Value {
    let mut capture = json!({"capture": id, "amount_minor": 1000, "currency": "USD"});
    capture.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    capture
}

fn a_shop() -> Story {
    let mut story = Story::begin("2026-11-25T08:00:00Z");
    story.tell(
        "shop.configured",
        json!({"shop": "s", "settings": {"tracks": {"stock": false, "coupons": false, "points": false}}}),
    );
    story
}

#[test]
fn every_fact_that_hangs_on_an_order_is_its_buyers_whatever_comes_first() {
    let mut story = a_shop();
    let mut bea = Vec::new();
    // Nothing says whose these are until much later.
    bea.push(tell(
        &mut story,
        "payment.refunded",
        json!({"refund": "R1", "capture": "C1", "amount_minor": 5, "currency": "USD"}),
    ));
    bea.push(tell(&mut story, "payment.captured", capture("C1", json!({"authorization": "A1"}))));
    bea.push(tell(
        &mut story,
        "payment.authorized",
        json!({"authorization": "A1", "paypal_order": "P1", "amount_minor": 1000, "currency": "USD"}),
    ));
    let unreadable = tell(&mut story, "callback.unreadable", json!({"why": "resource.amount"}));
    let ann = tell(&mut story, "order.placed", placement("2", "ann", None));
    bea.push(tell(&mut story, "order.placed", placement("1", "bea", Some("P1"))));
    tell(&mut story, "payment.captured", capture("C2", json!({"order": "2"})));
    bea.push(tell(&mut story, "payment.voided", json!({"paypal_order": "P1"})));
    bea.push(tell(&mut story, "dispute.opened", json!({"dispute": "D1", "captures": ["C1"]})));
    bea.push(tell(&mut story, "dispute.resolved", json!({"dispute": "D1"})));
    bea.push(tell(&mut story, "callback.revised", json!({"of": bea[1]})));
    let again = json!({"of": unreadable, "type": "payment.pending", "data": capture("C3", json!({"paypal_order": "P1"}))});
    bea.push(tell(&mut story, "callback.retranslated", again));
    bea.push(unreadable);
    bea.push(tell(&mut story, "order.cancelled", json!({"order": "1"})));
    bea.push(tell(&mut story, "points.granted", json!({"buyer": "bea", "points": 5})));
    bea.push(tell(&mut story, "payment.captured", capture("C9", json!({}))));
    bea.push(tell(&mut story, "payment.resolved", json!({"capture": "C9", "assign": "1"})));
    tell(&mut story, "callback.ignored", json!({"paypal_type": "BILLING.PLAN.CREATED"}));
    tell(&mut story, "stock.received", json!({"sku": "A", "qty": 1}));
    let mut expected: Vec<i64> = bea.iter().map(|position| position.0).collect();
    expected.sort_unstable();
    assert_eq!(sealed(&story, "bea"), expected);
    assert_eq!(sealed(&story, "ann").first(), Some(&ann.0));
    assert_eq!(sealed(&story, "ann").len(), 2);
    assert_eq!(sealed(&story, "nobody"), [0; 0]);
}

#[test]
fn an_order_that_was_imported_is_its_buyers_with_its_payments() {
    let mut story = a_shop();
    story.tell("rules.activated", json!({"shop": "s", "version": domain::RULES_LATEST}));
    let refund = json!({"refund": "R1", "capture": "C1", "amount_minor": 5, "currency": "USD"});
    let before = tell(&mut story, "payment.refunded", refund);
    let opening = json!({
        "status": "paid", "placement": placement("1", "bea", Some("P1")),
        "captures": [{"capture": "C1", "amount_minor": 1000}],
    });
    let imported = tell(&mut story, "order.imported", opening);
    let again = tell(&mut story, "payment.captured", capture("C1", json!({})));
    let other = json!({"status": "open", "placement": placement("2", "ann", None)});
    let ann = tell(&mut story, "order.imported", other);
    assert_eq!(sealed(&story, "bea"), [before.0, imported.0, again.0]);
    assert_eq!(sealed(&story, "ann"), [ann.0]);
}

#[test]
fn an_order_is_erased_with_whoever_ever_was_its_buyer_and_others_stay() {
    let mut story = a_shop();
    let placed = tell(&mut story, "order.placed", placement("1", "bea", None));
    let mut revised = placement("1", "ann", None);
    revised["revision"] = json!(1);
    let revised = tell(&mut story, "order.revised", revised);
    let other = tell(&mut story, "order.placed", placement("2", "cid", None));
    tell(&mut story, "payment.captured", capture("C1", json!({"order": "1"})));
    tell(&mut story, "payment.captured", capture("C2", json!({"order": "2"})));
    let dispute = tell(&mut story, "dispute.opened", json!({"dispute": "D1", "captures": ["C1", "C2"]}));
    let bea = traced(&story, "bea");
    for theirs in [placed, revised, dispute] {
        assert!(bea.sealed.contains(&theirs), "{theirs}");
    }
    assert!(!bea.sealed.contains(&other), "a dispute about both makes nobody the buyer of the other order");
    let buyers: Vec<&str> = bea.buyers.iter().map(BuyerId::as_str).collect();
    assert_eq!(buyers, ["ann", "bea", "cid"], "a hold on any of them keeps what they share");
}

#[test]
fn what_the_log_says_was_erased_is_accounted_for_and_nothing_else() {
    let mut story = a_shop();
    let placed = tell(&mut story, "order.placed", placement("1", "bea", None));
    let data =
        json!({"buyer": "bea", "basis": "x", "orders": 1, "keys_destroyed": 1, "positions": [placed, 999]});
    let note = story.push("subject.erased", "buyer:bea", &data, json!({"by": "a test"}));
    story.push("subject.erased", "buyer:bea", &json!({"positions": "all"}), json!({"by": "a test"}));
    let erased = story.give(ErasedPositions::default());
    assert_eq!(erased.note_of(placed), Some(note));
    assert_eq!(erased.iter().collect::<Vec<_>>(), [placed], "a note erases nothing that comes after it");
    assert!(!erased.accounts_for(Position(0)));
}
