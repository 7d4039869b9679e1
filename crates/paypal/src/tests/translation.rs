//! Tests of the translation with bodies of our own: the rules of the table, and everything that can be odd.

use domain::{Capture, Fact};
use serde_json::{Value, json};

use crate::translate::summary;
use crate::{Translation, translate};

fn read(body: impl AsRef<[u8]>) -> Translation {
    translate(body.as_ref(), &|text| format!("h{}", text.len()))
}

fn event(kind: &str, version: &str, resource: &Value) -> Translation {
    let mut body = json!({"id": "WH-A-1", "event_type": kind, "resource": resource});
    if version == "2.0" {
        body["resource_version"] = json!(version);
    }
    read(body.to_string())
}

fn capture(change: &[(&str, Value)]) -> Value {
    let mut resource = json!({
        "id": "CAPTURE0000000001",
        "status": "COMPLETED",
        "amount": {"currency_code": "USD", "value": "12.30"},
        "custom_id": "S-1",
    });
    for (name, value) in change {
        resource[*name] = value.clone();
    }
    resource
}

fn captured(change: &[(&str, Value)]) -> Capture {
    match event("PAYMENT.CAPTURE.COMPLETED", "2.0", &capture(change)).fact {
        Fact::PaymentCaptured(capture) => capture,
        other => panic!("{other:?}"),
    }
}

fn why(translation: &Translation) -> &str {
    match &translation.fact {
        Fact::CallbackUnreadable(fact) => &fact.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn type_and_status_decide_together() {
    let rows = [
        ("CAPTURE.COMPLETED", "COMPLETED", "", "payment.captured"),
        ("CAPTURE.COMPLETED", "PARTIALLY_REFUNDED", "", "payment.captured"),
        ("CAPTURE.COMPLETED", "REFUNDED", "", "payment.captured"),
        ("SALE.COMPLETED", "partially_refunded", "", "payment.captured"),
        ("CAPTURE.COMPLETED", "PENDING", "", "payment.pending"),
        ("SALE.COMPLETED", "completed", "HELD", "payment.pending"),
        ("CAPTURE.COMPLETED", "REFUNDED", "held", "payment.pending"),
        ("SALE.COMPLETED", "completed", "RELEASED", "payment.captured"),
        ("CAPTURE.COMPLETED", "DECLINED", "", "payment.denied"),
        ("CAPTURE.COMPLETED", "DENIED", "HELD", "payment.denied"),
        ("CAPTURE.COMPLETED", "FAILED", "", "payment.denied"),
        ("CAPTURE.COMPLETED", "SOMETHING_NEW", "", "callback.unreadable"),
        ("CAPTURE.COMPLETED", "", "", "callback.unreadable"),
        ("CAPTURE.PENDING", "PENDING", "", "payment.pending"),
        ("SALE.PENDING", "completed", "HELD", "payment.pending"),
        ("CAPTURE.DENIED", "DECLINED", "", "payment.denied"),
        ("CAPTURE.DECLINED", "DECLINED", "", "payment.denied"),
        ("SALE.DENIED", "denied", "", "payment.denied"),
    ];
    for (kind, status, hold, fact) in rows {
        let name = if kind.starts_with("SALE") { "state" } else { "status" };
        let mut resource = capture(&[("status", Value::Null), ("payment_hold_status", json!(hold))]);
        resource[name] = json!(status);
        let found = event(&format!("PAYMENT.{kind}"), "2.0", &resource);
        assert_eq!(found.fact.type_name(), fact, "{kind} {status} {hold}");
    }
}

#[test]
fn refunds_count_when_they_are_complete_and_reversals_always() {
    let refund = |status: &str, up: &str| {
        json!({"id": "REFUND00000000001", "status": status, "amount": {"currency_code": "USD", "value": "2"},
            "links": [{"rel": "up", "href": format!("https://api.paypal.com/v2/payments/{up}/CAPTURE1?x=1")}]})
    };
    for (kind, resource, fact) in [
        ("PAYMENT.CAPTURE.REFUNDED", refund("COMPLETED", "captures"), "payment.refunded"),
        ("PAYMENT.CAPTURE.REFUNDED", refund("PENDING", "captures"), "callback.ignored"),
        ("PAYMENT.CAPTURE.REFUNDED", refund("FAILED", "captures"), "callback.ignored"),
        ("PAYMENT.CAPTURE.REFUNDED", refund("COMPLETED", "nothing"), "callback.unreadable"),
        ("PAYMENT.REFUND.PENDING", refund("PENDING", "captures"), "callback.ignored"),
        ("PAYMENT.CAPTURE.REVERSED", refund("COMPLETED", "captures"), "payment.reversed"),
        ("PAYMENT.CAPTURE.REVERSED", refund("", "captures"), "payment.reversed"),
        ("PAYMENT.CAPTURE.REVERSED", refund("COMPLETED", "nothing"), "callback.unreadable"),
    ] {
        let found = event(kind, "2.0", &resource);
        assert_eq!(found.fact.type_name(), fact, "{kind} {resource}");
        if let Fact::PaymentRefunded(refund) | Fact::PaymentReversed(refund) = found.fact {
            assert_eq!((refund.refund.as_str(), refund.capture.as_str()), ("REFUND00000000001", "CAPTURE1"));
            assert_eq!(refund.amount_minor, 200);
        }
    }
}

#[test]
fn the_first_version_counts_refunds_below_zero_and_reverses_the_sale_itself() {
    let mut resource = json!({"id": "THING1", "state": "completed", "custom": "S-1", "sale_id": "SALE1",
        "amount": {"total": "-4.05", "currency": "EUR"}});
    let found = summary(&event("PAYMENT.SALE.REFUNDED", "", &resource));
    assert_eq!(found["refund"], "THING1");
    assert_eq!(found["capture"], "SALE1");
    assert_eq!(found["amount_minor"], 405);
    assert_eq!(found["order"], "S-1");

    resource["sale_id"] = Value::Null;
    resource["links"] = json!([{"rel": "self", "href": "https://api.paypal.com/v1/payments/refund/REFUND1"}]);
    let found = summary(&event("PAYMENT.SALE.REVERSED", "", &resource));
    assert_eq!((&found["capture"], &found["refund"]), (&json!("THING1"), &json!("REFUND1")));
    resource["links"] = json!([]);
    assert!(why(&event("PAYMENT.SALE.REVERSED", "", &resource)).contains("resource.links"));
}

#[test]
fn an_order_counts_as_money_only_with_exactly_one_complete_capture() {
    let unit = |order: &str, statuses: &[&str]| {
        let captures = statuses.iter().map(|s| capture(&[("status", json!(s)), ("custom_id", json!(""))]));
        json!({"custom_id": order, "reference_id": "default", "payee": {"merchant_id": "PAYEE1"},
            "payments": {"captures": captures.collect::<Vec<_>>()}})
    };
    let order = |units: Vec<Value>| json!({"id": "ORDER1", "status": "COMPLETED", "purchase_units": units});
    for (units, fact) in [
        (vec![unit("S-1", &["COMPLETED"])], "payment.captured"),
        (vec![unit("S-1", &["DECLINED", "COMPLETED"])], "payment.captured"),
        (vec![unit("S-1", &[]), unit("S-2", &["COMPLETED"])], "payment.captured"),
        (vec![unit("S-1", &["COMPLETED", "COMPLETED"])], "callback.ignored"),
        (vec![unit("S-1", &["COMPLETED"]), unit("S-2", &["COMPLETED"])], "callback.ignored"),
        (vec![unit("S-1", &["PENDING"])], "callback.ignored"),
        (vec![unit("S-1", &[])], "callback.ignored"),
        (vec![], "callback.ignored"),
    ] {
        let found = event("CHECKOUT.ORDER.COMPLETED", "2.0", &order(units.clone()));
        assert_eq!(found.fact.type_name(), fact, "{units:?}");
        let approved = event("CHECKOUT.ORDER.APPROVED", "2.0", &order(units));
        assert_eq!(approved.fact.type_name(), "payment.approved");
    }
    let two = order(vec![unit("S-1", &[]), unit("S-2", &["COMPLETED"])]);
    let Fact::PaymentCaptured(capture) = event("CHECKOUT.ORDER.COMPLETED", "2.0", &two).fact else {
        panic!()
    };
    assert_eq!(capture.order.unwrap().as_str(), "S-2");
    assert_eq!(capture.paypal_order.unwrap().as_str(), "ORDER1");
    assert_eq!(capture.payee.unwrap().as_str(), "PAYEE1");
    // Units that name two orders say nothing about the whole.
    let approved = summary(&event("CHECKOUT.ORDER.APPROVED", "2.0", &two));
    assert_eq!(approved["order"], Value::Null);
}

#[test]
fn the_shops_order_is_the_first_id_with_the_shape_of_one() {
    let long = "x".repeat(65);
    for (custom, invoice, order, odd) in [
        (json!("S-1"), json!("I-1"), Some("S-1"), None),
        (json!(""), json!("I-1"), Some("I-1"), None),
        (Value::Null, json!("I-1"), Some("I-1"), None),
        (json!("robin@example.test"), json!("I-1"), Some("I-1"), Some("h18")),
        (json!("Robin Vale"), json!("a b"), None, Some("h10")),
        (json!("\u{0}"), Value::Null, None, Some("h1")),
        (json!(long), Value::Null, None, Some("h65")),
        (json!(1042), Value::Null, Some("1042"), None),
        (json!(""), json!(""), None, None),
    ] {
        let found =
            captured(&[("custom_id", custom.clone()), ("invoice_id", invoice), ("reference_id", json!("R"))]);
        assert_eq!(found.order.as_ref().map(|id| id.as_str()), order, "{custom}");
        assert_eq!(found.odd_id.as_deref(), odd, "{custom}");
    }
}

#[test]
fn payments_name_their_order_and_authorisation_in_any_of_three_places() {
    let link = |path: &str| {
        json!([{"rel": "self", "href": "https://x/v2/checkout/orders/SELF"},
        {"rel": "up", "href": format!("https://api-m.paypal.com{path}")}])
    };
    let related = json!({"related_ids": {"order_id": "ORDER1", "authorization_id": "AUTH1"}});
    for (change, paypal_order, authorization) in [
        (vec![("supplementary_data", related)], Some("ORDER1"), Some("AUTH1")),
        (vec![("links", link("/v2/checkout/orders/ORDER2"))], Some("ORDER2"), None),
        (vec![("links", link("/v2/payments/authorizations/AUTH2/"))], None, Some("AUTH2")),
        (vec![("parent_payment", json!("PAY-3"))], Some("PAY-3"), None),
        (vec![("supplementary_data", json!({})), ("links", json!([{}]))], None, None),
        (vec![("supplementary_data", json!([]))], None, None),
    ] {
        let found = captured(&change);
        assert_eq!(found.paypal_order.as_ref().map(|id| id.as_str()), paypal_order, "{change:?}");
        assert_eq!(found.authorization.as_ref().map(|id| id.as_str()), authorization, "{change:?}");
    }
}

#[test]
fn amounts_are_exact_or_unreadable() {
    let amount = |value: Value, currency: &str| {
        event(
            "PAYMENT.CAPTURE.COMPLETED",
            "2.0",
            &capture(&[("amount", json!({"value": value, "currency_code": currency}))]),
        )
    };
    for (value, currency, minor) in [
        (json!("12.30"), "USD", 1230),
        (json!("12.3"), "USD", 1230),
        (json!("100"), "USD", 10_000),
        (json!(".5"), "USD", 50),
        (json!("0.00"), "USD", 0),
        (json!("1500"), "JPY", 1500),
        (json!("1500"), "HUF", 1500),
        (json!("1500"), "TWD", 1500),
        (json!("1.234"), "TND", 1234),
        (json!("90071992547409.91"), "USD", 9_007_199_254_740_991_i64),
        (json!(7), "USD", 700),
    ] {
        assert_eq!(summary(&amount(value.clone(), currency))["amount_minor"], minor, "{value} {currency}");
    }
    for (value, currency) in [
        (json!("1.234"), "USD"),
        (json!("15.00"), "JPY"),
        (json!("15.5"), "HUF"),
        (json!("90071992547409.92"), "USD"),
        (json!("99999999999999999999999999"), "USD"),
        (json!("1e3"), "USD"),
        (json!(1e300), "USD"),
        (json!("1,000.00"), "USD"),
        (json!("-5"), "USD"),
        (json!("+5"), "USD"),
        (json!(" 5"), "USD"),
        (json!("5."), "USD"),
        (json!("\u{0665}"), "USD"),
        (json!("NaN"), "USD"),
        (json!(""), "USD"),
        (json!(null), "USD"),
        (json!(["5"]), "USD"),
        (json!("5"), "usd"),
        (json!("5"), "ZZZ"),
        (json!("5"), ""),
    ] {
        let found = amount(value.clone(), currency);
        assert!(why(&found).starts_with("resource.amount"), "{value} {currency}: {}", why(&found));
    }
}

#[test]
fn fee_and_net_are_told_where_they_are_in_the_same_currency() {
    let part = |value: &str, currency: &str| json!({"value": value, "currency_code": currency});
    let both = json!({"paypal_fee": part("0.50", "USD"), "net_amount": part("-0.20", "USD")});
    let found = captured(&[("seller_receivable_breakdown", both)]);
    assert_eq!((found.fee_minor, found.net_minor), (Some(50), Some(-20)));
    let odd = json!({"paypal_fee": part("0.50", "EUR"), "net_amount": part("0.001", "USD")});
    let found = captured(&[("seller_receivable_breakdown", odd)]);
    assert_eq!((found.amount_minor, found.fee_minor, found.net_minor), (1230, None, None));
    let first = captured(&[("transaction_fee", json!({"value": "0.31", "currency": "USD"}))]);
    assert_eq!(first.fee_minor, Some(31));
    assert!(captured(&[("final_capture", json!(true))]).is_final);
    assert!(!captured(&[("final_capture", json!(false))]).is_final);
}

#[test]
fn a_dispute_names_every_capture_once() {
    let transaction = |capture: &str, order: &str| json!({"seller_transaction_id": capture, "custom": order});
    let mut resource = json!({"dispute_id": "PP-D-1", "status": "UNDER_REVIEW",
        "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"},
        "dispute_amount": {"value": "3.00", "currency_code": "USD"},
        "disputed_transactions": [transaction("C1", "S-1"), transaction("C2", "S-1"), transaction("C1", "")]});
    for (kind, fact) in [("CREATED", "opened"), ("UPDATED", "updated"), ("RESOLVED", "resolved")] {
        let found = event(&format!("CUSTOMER.DISPUTE.{kind}"), "", &resource);
        assert_eq!(found.fact.type_name(), format!("dispute.{fact}"));
        let (Fact::DisputeOpened(dispute) | Fact::DisputeUpdated(dispute) | Fact::DisputeResolved(dispute)) =
            found.fact
        else {
            panic!()
        };
        assert_eq!(dispute.captures.len(), 2);
        assert_eq!(dispute.order.unwrap().as_str(), "S-1");
        assert_eq!(dispute.status.as_deref(), Some("UNDER_REVIEW"));
        assert_eq!(dispute.outcome.as_deref(), Some("RESOLVED_BUYER_FAVOUR"));
    }
    resource["status"] = json!("written by hand: robin@example.test");
    let Fact::DisputeOpened(dispute) = event("CUSTOMER.DISPUTE.CREATED", "", &resource).fact else {
        panic!()
    };
    assert_eq!(dispute.status, None);
    resource["dispute_id"] = Value::Null;
    assert_eq!(why(&event("CUSTOMER.DISPUTE.CREATED", "", &resource)), "resource.dispute_id is missing");
}

#[test]
fn whatever_is_not_ours_is_ignored_whatever_it_holds() {
    for kind in [
        "BILLING.PLAN.CREATED",
        "VAULT.PAYMENT-TOKEN.CREATED",
        "RISK.DISPUTE.CREATED",
        "payment.capture.completed",
        "?",
    ] {
        for resource in [json!(null), json!([1, 2]), json!("text"), json!({"amount": "x"})] {
            assert_eq!(event(kind, "", &resource).fact.type_name(), "callback.ignored", "{kind}");
        }
    }
    let odd = format!("A\u{0}\u{e9}{}", "B".repeat(100));
    let found = event(&odd, "", &json!({}));
    assert_eq!(found.paypal_type, Some(format!("A{}", "B".repeat(63))));
}

#[test]
fn bodies_that_cannot_be_understood_are_facts_too() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let whole = |inner: &str| {
        format!(r#"{{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{inner}}}"#)
    };
    let bodies: Vec<Vec<u8>> = vec![
        vec![],
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{".to_vec(),
        b"{}".to_vec(),
        b"{} {}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"id\":\"\xff\"}".to_vec(),
        b"{\"event_type\":5,\"event_type\":6}".to_vec(),
        b"{\"event_type\":[]}".to_vec(),
        b"{\"event_type\":\"\\ud800\"}".to_vec(),
        deep(200_000).into_bytes(),
        "[".repeat(200_000).into_bytes(),
        whole("null").into_bytes(),
        whole("[]").into_bytes(),
        whole("{}").into_bytes(),
        whole("\"x\"").into_bytes(),
        whole(&deep(100_000)).into_bytes(),
        whole(r#"{"id":"C1","status":"COMPLETED","amount":{"value":"1","value":"2","currency_code":"USD"}}"#)
            .into(),
        whole(r#"{"id":"C1","id":"C2","status":"COMPLETED","amount":{"value":"1","currency_code":"USD"}}"#)
            .into(),
        whole(r#"{"id":"C 1","status":"COMPLETED","amount":{"value":"1","currency_code":"USD"}}"#).into(),
        whole(r#"{"id":"C1","status":{},"amount":{"value":"1","currency_code":"USD"}}"#).into(),
        whole(r#"{"id":"C1","status":"COMPLETED","amount":{"value":1e400,"currency_code":"USD"}}"#).into(),
        whole(r#"{"id":"C1","status":"COMPLETED","amount":5}"#).into(),
        whole(r#"{"id":"C1","status":"COMPLETED","links":5,"amount":{"value":"1","currency_code":"USD"}}"#)
            .into(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let found = read(&body);
        assert_eq!(found.fact.type_name(), "callback.unreadable", "{shown}");
        assert!(why(&found).len() < 100, "{shown}");
    }
    let found = read(whole("{}"));
    assert_eq!(found.event_id.as_deref(), Some("WH-1"));
    assert_eq!(found.paypal_type.as_deref(), Some("PAYMENT.CAPTURE.COMPLETED"));
}

#[test]
fn depth_and_size_in_fields_that_nobody_reads_do_no_harm() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","deep":{deep},"resource":{{"deep":{deep},"id":"C1",
        "status":"COMPLETED","amount":{{"value":"1","currency_code":"USD"}},"huge":1e999,"odd":"\ud800"}}}}"#
    );
    assert_eq!(read(body).fact.type_name(), "payment.captured");
}

#[test]
fn reasons_repeat_nothing_of_the_body() {
    let secret = "robin@example.test";
    for field in ["id", "status", "amount", "links"] {
        let found = event("PAYMENT.CAPTURE.COMPLETED", "2.0", &capture(&[(field, json!(secret))]));
        assert!(!why(&found).contains("robin"), "{}", why(&found));
    }
    let found = event(
        "PAYMENT.CAPTURE.COMPLETED",
        "2.0",
        &capture(&[("amount", json!({"value": secret, "currency_code": secret}))]),
    );
    assert!(!why(&found).contains("robin"), "{}", why(&found));
}

#[test]
fn an_event_id_is_used_only_when_it_can_tell_events_apart() {
    for (id, usable) in [
        (json!("WH-58D329510W468432D-8HN650336L201105X"), true),
        (json!("8PT597110X687430LKGECATA"), true),
        (json!("a b"), true),
        (json!("x".repeat(64)), true),
        (json!("x".repeat(65)), false),
        (json!(""), false),
        (json!("a\u{0}"), false),
        (json!("\u{e9}"), false),
        (json!({}), false),
        (Value::Null, false),
    ] {
        let body = json!({"id": id, "event_type": "X"}).to_string();
        assert_eq!(read(body).event_id.is_some(), usable, "{id}");
    }
}

#[test]
fn facts_survive_the_log() {
    let resources = capture(&[("invoice_id", json!("a b")), ("final_capture", json!(true))]);
    let fact = event("PAYMENT.CAPTURE.COMPLETED", "2.0", &resources).fact;
    let data = fact.to_data().unwrap().to_string();
    assert_eq!(Fact::from_data(fact.type_name(), &data), Ok(fact));
}
