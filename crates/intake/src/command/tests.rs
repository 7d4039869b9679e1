use domain::{Fact, ShopId};
use serde_json::{Value, json};

use super::{CommandKind, InvalidCommand, content_sha256, read};

fn shop() -> ShopId {
    ShopId::parse("demo").unwrap()
}

fn problems(
    kind: CommandKind,
    subject: Option<&str>,
    body: &str,
    key: Option<&str>,
) -> Vec<(String, String)> {
    match read(kind, &shop(), subject.map(Value::from), body.as_bytes(), key) {
        Err(InvalidCommand::Fields(problems)) => {
            problems.into_iter().map(|p| (p.pointer, p.detail)).collect()
        }
        other => panic!("{body}: {other:?}"),
    }
}

fn placement() -> Value {
    json!({"order": "1042", "currency": "USD", "total_minor": 2500,
        "lines": [{"sku": "tea", "qty": 2, "unit_minor": 1000}], "shipping_minor": 500})
}

#[test]
fn a_placement_names_itself_by_order_and_revision() {
    let body = placement().to_string();
    let command = read(CommandKind::OrderPlace, &shop(), None, body.as_bytes(), None).unwrap();
    assert_eq!(command.id, "1042/0");
    assert!(matches!(command.fact, Fact::OrderPlaced(_)));
}

#[test]
fn every_problem_is_said_at_once_with_its_pointer() {
    let found = problems(
        CommandKind::OrderPlace,
        None,
        r#"{"order": "a b", "currency": "XYZ", "total_minor": 1.5, "lines": [{"sku": "x", "qty": -1, "unit_minor": 1},
            {"sku": "x", "qty": 1}], "colour": "red", "hold_s": 0, "hold_s": 0, "reason": 5}"#,
        None,
    );
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    for expected in [
        "/total_minor",
        "/hold_s",
        "/reason",
        "/colour",
        "/order",
        "/currency",
        "/lines/0/qty",
        "/lines/1/unit_minor",
    ] {
        assert!(pointers.contains(&expected), "{expected} is not in {pointers:?}");
    }
}

#[test]
fn a_sum_that_is_off_is_named() {
    let mut body = placement();
    body["total_minor"] = json!(2501);
    let found = problems(CommandKind::OrderPlace, None, &body.to_string(), None);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "/total_minor");
    assert!(found[0].1.contains("2501") && found[0].1.contains("2500"), "{}", found[0].1);
}

#[test]
fn bad_commands_are_named_by_field() {
    use CommandKind as K;
    let long = "x".repeat(10_000);
    type Row<'a> = (CommandKind, Option<&'a str>, String, Option<&'a str>, &'a str);
    let rows: &[Row<'_>] = &[
        (K::StockReceive, Some("tea"), r#"{"qty": 5}"#.into(), None, "/id"),
        (K::StockReceive, Some("tea"), r#"{"qty": -5, "id": "a"}"#.into(), None, "/qty"),
        (K::StockReceive, Some("tea"), r#"{"qty": 9007199254740992, "id": "a"}"#.into(), None, "/qty"),
        (K::StockReceive, Some("tea"), r#"{"qty": 18446744073709551616, "id": "a"}"#.into(), None, "/qty"),
        (K::StockReceive, Some("tea"), r#"{"qty": "5", "id": "a"}"#.into(), None, "/qty"),
        (K::StockReceive, Some("tea"), r#"{"qty": 5, "id": "a"}"#.into(), Some("b"), "/id"),
        (K::StockReceive, Some("tea"), r#"{"qty": 5, "sku": "milk", "id": "a"}"#.into(), None, "/sku"),
        (K::StockReceive, Some(&long), r#"{"qty": 5, "id": "a"}"#.into(), None, "/sku"),
        (K::StockReceive, Some("tea"), format!(r#"{{"qty": 5, "id": "{long}"}}"#), None, "/id"),
        (K::StockReceive, Some("tea"), r#"{"qty": 5, "id": "\u0000"}"#.into(), None, "/id"),
        (K::StockAdjust, Some("tea"), r#"{"id": "a"}"#.into(), None, ""),
        (K::StockAdjust, Some("tea"), r#"{"delta": 1, "on_hand": 1, "id": "a"}"#.into(), None, ""),
        (K::PaymentResolve, Some("c"), r#"{"id": "a"}"#.into(), None, ""),
        (K::PaymentResolve, Some("c"), r#"{"id": "a", "assign": "1", "dismiss": true}"#.into(), None, ""),
        (
            K::CouponIssue,
            Some("TEN"),
            r#"{"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z", "id": "a"}"#.into(),
            None,
            "/valid_until",
        ),
        (K::PointsGrant, Some("b"), r#"{"points": 0, "id": "a"}"#.into(), None, "/points"),
        (K::PaymentRecord, None, r#"{"order": "1", "provider": "cash", "payment": "p", "amount_minor": 1, "currency": "usd", "id": "a"}"#.into(), None, "/currency"),
        (K::Configure, None, r#"{"hold_s": 0, "id": "a"}"#.into(), None, "/hold_s"),
        (K::OrderShip, Some("1"), r#"{"lines": [], "id": "a"}"#.into(), None, "/lines"),
        (K::OrderCancel, Some("1"), "[]".into(), None, ""),
        (K::OrderCancel, Some("1"), String::new(), None, "/id"),
    ];
    for (kind, subject, body, key, pointer) in rows {
        let found = problems(*kind, *subject, body, *key);
        assert!(found.iter().any(|(p, _)| p == pointer), "{kind:?} {body:.80}: {found:?}");
    }
}

#[test]
fn what_is_not_json_is_told_apart() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let bodies: [&[u8]; 5] = [b"{", b"{\"id\": \"\xff\"}", deep.as_bytes(), b"{} x", b"\xef\xbb\xbf{}"];
    for body in bodies {
        let answer = read(CommandKind::OrderCancel, &shop(), Some("1".into()), body, Some("k"));
        assert!(matches!(answer, Err(InvalidCommand::NotJson(_))), "{answer:?}");
    }
}

#[test]
fn an_idempotency_key_is_another_spelling_of_the_id() {
    for key in ["k-1", "\"k-1\""] {
        let command = read(CommandKind::OrderCancel, &shop(), Some("1".into()), b"", Some(key)).unwrap();
        assert_eq!(command.id, "k-1");
    }
}

#[test]
fn the_same_content_has_the_same_hash_however_it_is_written() {
    let hash = |body: &str| {
        let command =
            read(CommandKind::StockReceive, &shop(), Some("tea".into()), body.as_bytes(), None).unwrap();
        content_sha256(&command.fact).unwrap()
    };
    assert_eq!(
        hash(r#"{"qty":5,"id":"a"}"#),
        hash(r#"{ "id": "b", "sku": "tea", "reason": "new", "qty": 5 }"#)
    );
    assert_ne!(hash(r#"{"qty":5,"id":"a"}"#), hash(r#"{"qty":6,"id":"a"}"#));
}

#[test]
fn null_is_the_same_as_absent() {
    let mut body = placement();
    body["points"] = Value::Null;
    body["buyer"] = Value::Null;
    assert!(read(CommandKind::OrderPlace, &shop(), None, body.to_string().as_bytes(), None).is_ok());
}
