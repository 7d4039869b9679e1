//! Entries and deduplication without a database.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use domain::{Cancellation, Fact, Ignored, OrderId, Position, ShopId, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::canonical::{as_it_comes, canonical_data};
use crate::entry::{Fields, Untimed};
use crate::fact::Prepared;
use crate::settle::{Known, Settled, settle};
use crate::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::new(DateTime::from_timestamp_micros(micros).unwrap())
}

fn shop() -> ShopId {
    ShopId::parse("shop").unwrap()
}

/// JSON within the profile of an entry.
fn profile() -> impl Strategy<Value = Value> {
    let text = "[^\u{0}]{0,12}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-((1_i64 << 53) - 1)..(1_i64 << 53)).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// JSON of any kind.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[\u{0}a\"\\\\é\u{10000}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[\u{0}ab\"é\u{e000}\u{10000}]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Members in any order, and a name may be there twice.
struct Unsorted(Vec<(String, Value)>);

impl serde::Serialize for Unsorted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

proptest! {
    /// The quick way writes what the slow way writes, or nothing.
    #[test]
    fn what_is_written_as_it_comes_is_canonical(data in prop_oneof![profile(), any_json()]) {
        prop_assert_eq!(canonical(&data), canonical_data(&data));
        if let Some(written) = as_it_comes(&data) {
            prop_assert_eq!(Ok(written), canonical_data(&data));
        }
    }

    #[test]
    fn members_that_come_in_another_order_are_sorted(
        members in prop::collection::vec(("[a-c]{0,2}", profile()), 0..5),
    ) {
        let data: Value = Value::Object(members.iter().cloned().collect());
        prop_assert_eq!(canonical(&Unsorted(members)), canonical_data(&data));
    }

    /// P6: what is hashed is what is stored, and any RFC 8785 library writes the same bytes.
    #[test]
    fn an_entry_is_canonical_and_reads_back_as_it_was_written(
        data in profile(),
        by in prop::option::of("[^\u{0}]{1,20}"),
        cause in prop::option::of((0..1_i64 << 53, 0..1000_u32)),
        answers in prop::option::of(0..1_i64 << 53),
        evidence in prop::option::of(any::<([u8; 32], [u8; 32])>()),
        order in "[A-Za-z0-9_.:-]{1,64}",
        micros in 0_i64..250_000_000_000_000_000,
        id in any::<u128>(),
    ) {
        let key = domain::Key::Order(OrderId::parse(&order).unwrap());
        let id = Uuid::from_u128(id);
        let data = canonical_data(&data).unwrap();
        let evidence = evidence.map(|(sha256, commitment)| EntryEvidence { sha256, commitment });
        let entry = Untimed::new(&Fields {
            id,
            type_name: "order.paid",
            key: &key,
            by: by.as_deref(),
            cause: cause.map(|(cause, _)| Position(cause)),
            n: cause.map(|(_, n)| n),
            answers: answers.map(Position),
            evidence,
            data: &data,
        }).unwrap();
        let (text, hash) = entry.at(at(micros));
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&serde_json_canonicalizer::to_string(&value).unwrap(), &text);
        prop_assert_eq!(hash, leaf_hash(&text));

        let event = Event::decode(Position(7), text.clone()).unwrap();
        prop_assert_eq!(event.data(), data);
        prop_assert_eq!((event.id, &event.key, event.at), (id, &key, at(micros)));
        prop_assert_eq!(&event.by, &by);
        prop_assert_eq!((event.cause.map(|p| p.0), event.n), (cause.map(|c| c.0), cause.map(|c| c.1)));
        prop_assert_eq!(event.answers.map(|p| p.0), answers);
        prop_assert_eq!(event.evidence(), evidence);
        prop_assert_eq!(event.kind, if cause.is_some() { Kind::Outcome } else { Kind::Note });
        prop_assert_eq!(event.entry, text);
    }
}

#[test]
fn an_entry_is_written_byte_for_byte_as_designed() {
    let new = command("c1", 1);
    let prepared = Prepared::new(&shop(), new).unwrap();
    let (entry, hash) = prepared.entry.at(at(1_700_000_000_000_001));
    assert_eq!(
        entry,
        format!(
            "{{\"at\":\"2023-11-14T22:13:20.000001Z\",\"by\":\"key1\",\"data\":{{\"order\":\"1042\"}},\"id\":\"{}\",\
             \"key\":\"order:1042\",\"type\":\"order.cancelled\",\"v\":1}}",
            prepared.id
        )
    );
    assert_eq!(prepared.id, fact_id("shop", "command", "order.cancelled:c1"));
    // Fixed for ever: ids and hashes of logs that exist depend on it.
    assert_eq!(prepared.id.to_string(), "ae61db45-be74-5a8f-a734-6187678c0759");
    assert_eq!(hash, leaf_hash(&entry));
    assert_eq!(Event::decode(Position(0), entry).unwrap().kind, Kind::Fact);
}

#[test]
fn values_beyond_the_profile_are_refused_with_their_place() {
    let table = [
        (json!({"a": null}), "null", "/a"),
        (json!({"a": [1, 1.5]}), "fraction", "/a/1"),
        (json!({"a": {"b": 9_007_199_254_740_992_u64}}), "integer beyond 2^53 - 1", "/a/b"),
        (json!({"a": -9_007_199_254_740_992_i64}), "integer beyond 2^53 - 1", "/a"),
        (json!({"a": "x\u{0}"}), "NUL character", "/a"),
        (json!({"a\u{0}": 1}), "NUL character", "/a\u{0}"),
    ];
    for (data, what, pointer) in table {
        let expected = EntryError::Profile { what, pointer: pointer.to_owned() };
        assert_eq!(canonical_data(&data).unwrap_err(), expected, "{data}");
    }
    assert!(
        canonical_data(&json!({"a": 9_007_199_254_740_991_u64, "b": -9_007_199_254_740_991_i64})).is_ok()
    );
}

#[test]
fn an_entry_has_at_most_sixty_thousand_bytes() {
    let of = |length: usize| {
        let data = Ignored { paypal_type: "x".repeat(length) };
        let dedupe = callback("WH-1", 1, None).dedupe;
        Prepared::new(
            &shop(),
            NewFact { fact: Fact::CallbackIgnored(data), dedupe, ..callback("WH-1", 1, None) },
        )
    };
    let longest = of(59_000).unwrap();
    assert!(longest.entry.at(at(0)).0.len() <= ENTRY_MAX_BYTES);
    let room = ENTRY_MAX_BYTES - longest.entry.at(at(0)).0.len();
    assert_eq!(of(59_000 + room).unwrap().entry.at(at(0)).0.len(), ENTRY_MAX_BYTES);
    assert_eq!(of(59_001 + room).unwrap_err(), AppendError::TooLarge { bytes: ENTRY_MAX_BYTES + 1 });
}

#[test]
fn a_fact_is_deduplicated_in_the_way_of_its_source() {
    let wrong = NewFact { dedupe: command("c", 1).dedupe, ..callback("WH-1", 1, None) };
    assert!(matches!(Prepared::new(&shop(), wrong), Err(AppendError::Invalid(_))));
    for id in ["", &"x".repeat(257)] {
        assert!(matches!(Prepared::new(&shop(), command(id, 1)), Err(AppendError::Invalid(_))));
    }
}

fn command(id: &str, content: u8) -> NewFact {
    NewFact {
        fact: Fact::OrderCancelled(Cancellation { order: OrderId::parse("1042").unwrap() }),
        by: "key1".to_owned(),
        dedupe: Dedupe::Command { id: id.to_owned(), content_sha256: [content; 32] },
        evidence: None,
        certificate: None,
    }
}

fn callback(event_key: &str, mac: u8, transmission: Option<&str>) -> NewFact {
    let transmission = transmission.map(|id| Transmission { id: id.to_owned(), headers: Vec::new() });
    NewFact {
        fact: Fact::CallbackIgnored(Ignored { paypal_type: "X".to_owned() }),
        by: "paypal".to_owned(),
        dedupe: Dedupe::Callback { event_key: event_key.to_owned(), body_mac: [mac; 32], transmission },
        evidence: Some(Arc::new(SealedEvidence {
            bytes: vec![mac],
            wrapped_key: vec![mac],
            kek_id: "k".to_owned(),
            sha256: [mac; 32],
            commitment: [mac; 32],
        })),
        certificate: None,
    }
}

/// Runs the checks for the facts as one batch, and again one by one: the rules are the same.
fn in_one_batch_and_one_by_one(facts: &[NewFact], check: impl Fn(&[Appended], &[usize; 5])) {
    let prepared: Vec<Prepared> =
        facts.iter().map(|fact| Prepared::new(&shop(), fact.clone()).unwrap()).collect();
    for size in [facts.len(), 1] {
        let mut known = Known {
            epoch: 0,
            has_reimported: false,
            reimported: HashMap::new(),
            next: 0,
            at: at(0),
            transmissions: HashMap::new(),
            callbacks: HashMap::new(),
            commands: HashMap::new(),
        };
        let (mut answers, mut counts) = (Vec::new(), [0; 5]);
        for batch in prepared.chunks(size) {
            let batch: Vec<&Prepared> = batch.iter().collect();
            let Settled { answers: settled, rows, alarms } = settle(&mut known, &batch);
            answers.extend(settled.into_iter().map(Result::unwrap));
            counts[0] += rows.events.positions.len();
            counts[1] += rows.transmission_ids.len();
            counts[2] += rows.conflict_ids.len();
            counts[3] += rows.evidence_positions.len();
            counts[4] += alarms.len();
        }
        check(&answers, &counts);
    }
}

fn known(position: i64) -> Appended {
    Appended::Known { position: Position(position) }
}

fn revised(position: i64, of: i64) -> Appended {
    Appended::Revised { position: Position(position), of: Position(of) }
}

#[test]
fn a_delivery_is_new_known_revised_or_refused() {
    let facts = [
        callback("WH-1", 1, Some("t1")),
        callback("WH-1", 1, Some("t1")), // the same transmission: nothing is added
        callback("WH-1", 1, Some("t2")), // another with the same bytes: its row alone
        callback("WH-1", 2, Some("t3")), // other bytes: a revision, with an alarm
        callback("WH-1", 2, Some("t4")), // those bytes again: known where the revision is
        callback("WH-1", 3, Some("t1")), // a known transmission with other bytes: refused, with an alarm
        callback("WH-1", 2, Some("t3")), // a repetition of the revision
        callback("WH-2", 1, Some("t5")), // another callback
    ];
    in_one_batch_and_one_by_one(&facts, |answers, counts| {
        assert!(matches!(answers[0], Appended::New { position: Position(0), .. }));
        let conflict = Appended::Conflict { position: Position(0), what: Conflict::Transmission };
        assert_eq!(answers[1..7], [known(0), known(0), revised(1, 0), known(1), conflict, known(1)]);
        assert!(matches!(answers[7], Appended::New { position: Position(2), .. }));
        // events, transmissions, conflicts, evidence, alarms
        assert_eq!(counts, &[3, 5, 1, 3, 2]);
    });
}

#[test]
fn a_copy_from_the_api_is_never_compared() {
    let facts = [
        callback("WH-1", 1, None),
        callback("WH-1", 2, None),       // adds nothing
        callback("WH-1", 3, Some("t1")), // the first signed delivery: a revision without alarm
        callback("WH-1", 3, Some("t2")),
        callback("WH-1", 4, Some("t3")), // and now other bytes are a surprise
        callback("WH-1", 5, None),
    ];
    in_one_batch_and_one_by_one(&facts, |answers, counts| {
        assert_eq!(answers[1..], [known(0), revised(1, 0), known(1), revised(2, 0), known(0)]);
        assert_eq!(counts, &[3, 3, 0, 3, 1]);
    });
}

#[test]
fn a_command_is_known_by_type_and_id_and_its_content_is_compared() {
    let facts = [command("c1", 1), command("c1", 1), command("c1", 2), command("c2", 2)];
    in_one_batch_and_one_by_one(&facts, |answers, counts| {
        let conflict = Appended::Conflict { position: Position(0), what: Conflict::Command };
        assert_eq!(answers[1..3], [known(0), conflict]);
        assert!(matches!(answers[3], Appended::New { position: Position(1), .. }));
        assert_eq!(counts, &[2, 0, 0, 0, 0]);
    });
}

#[test]
fn a_revision_has_its_own_key_id_and_evidence() {
    let facts = [callback("WH-1", 1, Some("t1")), callback("WH-1", 2, Some("t2"))];
    let prepared: Vec<Prepared> = facts.map(|fact| Prepared::new(&shop(), fact).unwrap()).into();
    let mut nothing = Known {
        epoch: 0,
        has_reimported: false,
        reimported: HashMap::new(),
        next: 5,
        at: at(0),
        transmissions: HashMap::new(),
        callbacks: HashMap::new(),
        commands: HashMap::new(),
    };
    let rows = settle(&mut nothing, &prepared.iter().collect::<Vec<_>>()).rows;
    let event = Event::decode(Position(6), rows.events.entries[1].clone()).unwrap();
    let key = format!("WH-1/{}", hex::encode([2; 32]));
    assert_eq!(event.type_name, "callback.revised");
    assert_eq!(event.key.to_string(), format!("callback:{key}"));
    assert_eq!(event.id, fact_id("shop", "callback", &key));
    assert_eq!(event.data(), "{\"of\":5}");
    assert_eq!(event.evidence().unwrap().sha256, [2; 32]);
    assert_eq!(rows.callback_keys, ["WH-1".to_owned(), key]);
}

#[test]
fn the_facts_and_outcomes_of_a_payment_are_written_as_they_come() {
    let fact = json!({
        "capture": "3C6", "order": "A-1", "paypal_order": "5O1", "authorization": "A1", "amount_minor": 895,
        "currency": "USD", "fee_minor": 1, "net_minor": 894, "payee": "P", "final": true, "odd_id": "x",
    });
    let fact = Fact::from_data("payment.captured", &fact.to_string()).unwrap();
    assert!(as_it_comes(&domain::FactData(&fact)).is_some());
    let change = json!({
        "order": {
            "order": "A-1", "currency": "USD", "total_minor": 895, "state": "paid", "fulfilment": "ship",
            "reasons": [{"code": "a", "detail": "b"}], "refusals": [{"code": "a", "detail": "b"}],
            "flags": {
                "refused": true, "cancelled": true, "expired": true, "accepted": true, "closed": true, "live": true,
                "unfulfillable": true, "review": true, "overpaid": true, "mismatched": true, "disputed": true,
                "pending": true,
            },
            "money": {"captured_minor": 895, "refunded_minor": 0, "reversed_minor": 0, "refund_due_minor": 0},
            "held_until": "2026-11-22T22:00:00.000000Z", "paid_at": "2026-11-22T22:00:00.000000Z",
            "given_back": {"points_revoked": 1, "points": true, "coupons": true, "stock": true},
            "shipped": [{"sku": "S", "qty": 1}],
            "terms": {
                "revision": 0, "buyer": "b", "lines": [{"sku": "S", "qty": 1, "unit_minor": 1000}],
                "coupons": [{"code": "C", "minor": 100}], "points": {"spend": 5, "minor": 5, "earn": 9},
                "paypal_order_id": "5O1", "ship_to": "s", "hold_s": 60, "placed_at": "2026-11-22T22:00:00.000000Z",
                "tracks": {"stock": true, "coupons": true, "points": true},
            },
        },
        "payments": [{
            "id": {"capture": "3C6"}, "kind": "capture", "state": "captured", "standing": "matched", "order": "A-1",
            "other_order": "A-2", "assigned": true, "paypal_order": "5O1", "authorization": "A1", "captures": ["C"],
            "amount_minor": 895, "currency": "USD", "fee_minor": 1, "net_minor": 894, "payee": "P", "final": true,
            "outcome": "x",
        }],
        "stock": [{"sku": "S", "held": -1, "received": 1, "adjusted": 1, "settled": 1, "returned": 1}],
        "coupons": [{"code": "C", "buyer": "b", "held": -1, "used": 1}],
        "points": {"buyer": "b", "held": -5, "granted": 1, "earned": 9, "revoked": 1, "spent": 5, "returned": 1,
            "expired": 1},
        "reasons": [{"code": "a", "detail": "b"}], "command": "x", "voided": "C", "rules": 1,
    });
    let decoded: domain::Change = serde_json::from_value(change.clone()).unwrap();
    assert_eq!(as_it_comes(&decoded), canonical_data(&change).ok());
}

/// A replay takes what is written as it comes for the same; anything else is written out and compared.
#[test]
fn given_data_when_a_text_is_what_it_is_written_as_then_that_is_told_and_of_no_other_text() {
    let data = json!({"a": [1, "x\n\"", true], "b": {"c": -7}});
    let written = crate::canonical(&data).unwrap();
    assert!(crate::is_written_as(&data, &written));
    for at in 0..written.len() {
        assert!(!crate::is_written_as(&data, &written[..at]), "{at}");
        let mut other = written.clone().into_bytes();
        other[at] ^= 1;
        assert!(!crate::is_written_as(&data, &String::from_utf8(other).unwrap()), "{at}");
    }
    assert!(!crate::is_written_as(&data, &format!("{written} ")));
}
