//! Every event keeps the contract that is published of its type.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

use database::Database;
use delivery::contract::{self, Kind};
use domain::{MINOR_MAX, ShopId};
use jsonschema::Validator;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::led_shop::LedShop;
use crate::moving_in;

/// Of what this version writes, nothing goes beyond what is named.
static VALIDATORS: LazyLock<HashMap<&'static str, Validator>> = LazyLock::new(|| {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let build = |schema: &Value| options.build(schema).unwrap();
    contract::all()
        .iter()
        .map(|contract| (contract.path.as_str(), build(&contract.closed_schema())))
        .collect()
});

/// Holds every outbox row of the shop against the schema of its type; the paths of those that it met.
pub(crate) async fn assert_kept(database: &Database, shop: &ShopId) -> BTreeSet<&'static str> {
    let client = database.client().await.unwrap();
    let rows = "SELECT position, aggregatetype, type, payload FROM counterfoil.outbox WHERE shop_id = $1";
    let mut met = BTreeSet::new();
    for row in client.raw().query(rows, &[&shop.as_str()]).await.unwrap() {
        let (position, aggregate, type_name): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        let contract = contract::of(&aggregate, &type_name);
        let contract = contract.unwrap_or_else(|| panic!("{aggregate} {type_name} has no contract"));
        let payload: Value = serde_json::from_str(row.get(3)).unwrap();
        let wrong = VALIDATORS[contract.path.as_str()].iter_errors(&payload);
        let wrong: Vec<String> = wrong.map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{type_name} at {position} breaks its contract: {wrong:?}\n{payload:#}");
        met.insert(contract.path.as_str());
    }
    met
}

fn placement(order: &str) -> Value {
    json!({
        "order": order, "buyer": "bea", "currency": "EUR", "total_minor": 1800, "ship_to": "address-7",
        "lines": [{"sku": "A", "qty": 2, "unit_minor": 1000}], "shipping_minor": 0,
        "coupons": [{"code": "TEN", "minor": 100}], "points": {"spend": 10, "minor": 100, "earn": 18},
    })
}

fn capture(order: &str, id: &str, minor: i64) -> Value {
    json!({"capture": id, "order": order, "amount_minor": minor, "currency": "EUR", "fee_minor": 5, "net_minor": minor - 5})
}

fn refund(id: &str, capture: &str) -> Value {
    json!({"refund": id, "capture": capture, "amount_minor": 1800, "currency": "EUR"})
}

/// What a shop's day may bring, without what the clock brings.
pub(crate) fn day(shop: &ShopId) -> Vec<(&'static str, Value)> {
    let dispute = json!({"dispute": "X1", "captures": ["C1"], "amount_minor": 1800, "currency": "EUR", "status": "OPEN"});
    let mut revised = placement("9");
    revised["revision"] = json!(1);
    let mut euro = capture("10", "C10", 1800);
    euro["currency"] = json!("USD");
    let tender = |provider: &str| json!({"order": "9", "provider": provider, "payment": "T1", "amount_minor": 1800, "currency": "EUR"});
    let mut facts = vec![
        ("shop.configured", json!({"shop": shop, "settings": {"order_prefix": "1"}})),
        ("payment.captured", capture("foreign", "C0", 5)),
        ("shop.configured", json!({"shop": shop, "settings": {"payee": "OURS"}})),
        ("rules.activated", json!({"shop": shop, "version": 1})),
        ("stock.received", json!({"sku": "A", "qty": 100})),
        ("coupon.issued", json!({"code": "TEN", "max_uses": 50, "valid_until": "2100-01-01T00:00:00Z"})),
        ("coupon.issued", json!({"code": "TEN"})),
        ("points.granted", json!({"buyer": "bea", "points": 500})),
        ("points.expired", json!({"buyer": "bea", "points": 900})),
        ("points.expired", json!({"buyer": "bea", "points": 100})),
        ("coupon.issued", json!({"code": "OLD"})),
        ("coupon.voided", json!({"code": "OLD"})),
    ];
    facts.extend((1..=10).map(|order| ("order.placed", placement(&order.to_string()))));
    facts.extend([
        ("order.placed", placement("1")),
        ("payment.captured", capture("1", "C1", 1800)),
        ("dispute.opened", dispute.clone()),
        ("dispute.updated", dispute.clone()),
        ("dispute.resolved", dispute),
        ("order.shipped", json!({"order": "1", "lines": [{"sku": "A", "qty": 1}]})),
        ("payment.refunded", refund("R1", "C1")),
        ("stock.returned", json!({"sku": "A", "qty": 1})),
        ("payment.captured", capture("2", "C2", 900)),
        ("payment.captured", capture("2", "D2", 1000)),
        ("payment.captured", capture("2", "E2", 1)),
        ("payment.reversed", refund("R2", "C2")),
        ("payment.pending", capture("3", "C3", 1800)),
        ("payment.denied", capture("3", "C3", 1800)),
        ("payment.pending", capture("3", "D3", 1800)),
        ("order.cancelled", json!({"order": "4"})),
        ("payment.captured", capture("4", "C4", 1800)),
        ("order.resolved", json!({"order": "5", "action": "close"})),
        ("payment.approved", json!({"paypal_order": "P6", "order": "6"})),
        ("payment.authorized", json!({"authorization": "A6", "paypal_order": "P6", "amount_minor": 1800, "currency": "EUR"})),
        ("payment.voided", json!({"authorization": "A6", "odd_id": "0f"})),
        ("payment.captured", capture("unknown", "C7", 7)),
        ("payment.captured", json!({"capture": "C8", "order": "no-1", "paypal_order": "P8", "amount_minor": 7, "currency": "EUR"})),
        ("payment.approved", json!({"paypal_order": "P8", "order": "no-2"})),
        ("payment.resolved", json!({"capture": "C7"})),
        ("payment.resolved", json!({"capture": "none"})),
        ("payment.refunded", refund("R3", "none")),
        ("order.revised", revised),
        ("payment.recorded", tender("a:b")),
        ("payment.recorded", tender("cash")),
        ("payment.captured", euro),
        ("order.placed", json!({"order": "11", "currency": "EUR", "total_minor": 1, "lines": [{"sku": "none", "qty": 1, "unit_minor": 1}]})),
        ("callback.ignored", json!({"paypal_type": "BILLING.PLAN.CREATED"})),
        ("callback.unreadable", json!({"paypal_type": "PAYMENT.CAPTURE.COMPLETED", "why": "resource.amount"})),
        ("callback.revised", json!({"of": 1})),
        ("callback.retranslated", json!({"of": 1, "type": "payment.captured", "data": capture("7", "C9", 1800)})),
        ("shop.configured", json!({"shop": shop, "settings": {"payee": "OURS", "confirm_above": [{"currency": "EUR", "minor": 2000}]}})),
        ("order.placed", placement("13")),
        ("payment.captured", capture("13", "C13", 2500)),
        ("capture.refuted", json!({"capture": "C13", "reasons": [{"code": "amount", "detail": "PayPal has 1.00 EUR"}]})),
        ("order.placed", placement("14")),
        ("payment.captured", capture("14", "C14", 2500)),
        ("capture.confirmed", json!({"capture": "C14", "amount_minor": 2500, "currency": "EUR"})),
        ("stock.adjusted", json!({"sku": "A", "on_hand": 1})),
        ("stock.received", json!({"sku": "FULL", "qty": MINOR_MAX})),
    ]);
    facts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_day_keeps_its_contract() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    for (type_name, data) in day(&shop.shop) {
        shop.append(type_name, data).await;
    }
    let parked = shop.settle(&relay, "stock.received", json!({"sku": "FULL", "qty": 1})).await;
    assert_eq!(shop.outcomes(parked).await, ["event.parked"]);
    shop.append("event.redriven", json!({"of": parked})).await;
    shop.append("event.dismissed", json!({"of": parked})).await;
    shop.settle(&relay, "event.dismissed", json!({"of": parked})).await;
    let mut hasty = placement("12");
    (hasty["hold_s"], hasty["lines"]) = (json!(1), json!([{"sku": "B", "qty": 1, "unit_minor": 2000}]));
    shop.append("stock.received", json!({"sku": "B", "qty": 1})).await;
    shop.append("order.placed", hasty).await;
    for (type_name, data) in moving_in::history(&shop.shop) {
        shop.append(type_name, data).await;
    }
    let expired =
        "SELECT count(*) FROM counterfoil.outbox WHERE type = 'order.expired' AND aggregatetype = 'order'";
    assert!(wait_until(Duration::from_secs(20), async || shop.number(expired).await == 1).await);
    relay.stop().await;
    shop.assert_sound().await;

    let met = assert_kept(&shop.database, &shop.shop).await;
    // Notes come from elsewhere than decisions, and have tests of their own.
    let missing: Vec<&str> = contract::all()
        .iter()
        .filter(|contract| contract.kind != Kind::Note)
        .map(|contract| contract.path.as_str())
        .filter(|path| !met.contains(path))
        .collect();
    // No rule refuses a command for stock so far.
    assert_eq!(missing, ["stock.rejected.json"]);
}
