//! What a shop is promised, seen from outside: through the HTTP door, with signed callbacks, over a real database.

use std::time::Duration;

use domain::{Money, ShopId, Timestamp};
use futures_util::future::join_all;
use http_api::Limits;
use paypal_simulator::{EventKind, Ids, Payer, Story};
use serde_json::{Value, json};
use test_support::wait_until;

use crate::served::{SHOP, Served};
use crate::soundness;

const TIMES: usize = 50;

async fn with_goods() -> Served {
    let served = Served::start(Limits::default()).await;
    let key = served.shop_key.clone();
    for (path, body) in [
        ("/v1/stock/tea/receive", json!({"id": "1", "qty": 100})),
        ("/v1/coupons/TEN/issue", json!({"id": "2", "max_uses": 10})),
        ("/v1/points/bea/grant", json!({"id": "3", "points": 500})),
    ] {
        let (status, answer) = served.post(path, &key, &body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    served
}

fn placement(order: &str) -> Value {
    json!({"order": order, "buyer": "bea", "currency": "USD", "total_minor": 3000,
        "lines": [{"sku": "tea", "qty": 2, "unit_minor": 2000}],
        "coupons": [{"code": "TEN", "minor": 500}], "points": {"spend": 100, "minor": 500, "earn": 30}})
}

fn story(order: &str) -> Story {
    let at = Timestamp::new(chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    Story::new(&mut Ids::seeded(7), order, Money::parse("30.00", "USD").unwrap(), at)
}

/// The same callback, many times at once, each time as a transmission of its own; every answer.
async fn deliver(served: &Served, body: &[u8], times: usize) -> Vec<u16> {
    let sends = (0..times).map(|_| async {
        let headers = served.sign(body);
        served.callback(SHOP, &headers, body.to_vec()).await.status().as_u16()
    });
    join_all(sends).await
}

/// Everything but positions and times.
async fn read_models(served: &Served) -> Vec<Value> {
    let mut documents = Vec::new();
    for path in ["/v1/orders", "/v1/stock", "/v1/coupons", "/v1/points", "/v1/payments", "/v1/refunds-due"] {
        let (status, mut document) = served.get(path, &served.viewer_key).await;
        assert_eq!(status, 200, "{path}: {document}");
        strip(&mut document);
        documents.push(document);
    }
    documents
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !(name == "position" || name == "at" || name.ends_with("_at") || name == "held_until")
            });
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// P3: a paid order's callback fifty times at once, its refund before it, the placement after both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_however_often_and_in_whatever_order_the_read_models_end_the_same() {
    let story = story("1001");
    let captured = story.body(EventKind::CaptureCompleted, "WH-1-CAPTURED").to_string().into_bytes();
    let refunded = story.body(EventKind::CaptureRefunded, "WH-1-REFUNDED").to_string().into_bytes();

    let natural = with_goods().await;
    let key = natural.shop_key.clone();
    assert_eq!(natural.post("/v1/orders", &key, &placement("1001")).await.0, 200);
    assert_eq!(deliver(&natural, &captured, 1).await, [200]);
    assert_eq!(deliver(&natural, &refunded, 1).await, [200]);
    natural.settled().await;

    let odd = with_goods().await;
    let before = odd.events().await;
    assert_eq!(deliver(&odd, &refunded, TIMES).await, [200; TIMES]);
    assert_eq!(deliver(&odd, &captured, TIMES).await, [200; TIMES]);
    let key = odd.shop_key.clone();
    assert_eq!(odd.post("/v1/orders", &key, &placement("1001")).await.0, 200);
    odd.settled().await;
    assert_eq!(odd.facts_after(before).await, ["payment.refunded", "payment.captured", "order.placed"]);

    let (expected, found) = (read_models(&natural).await, read_models(&odd).await);
    assert_eq!(expected, found);
    assert_eq!(found[0]["data"][0]["state"], "paid", "{}", found[0]);
    for served in [natural, odd] {
        soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
        served.stop().await;
    }
}

/// P4: what does not suffice changes none of the four, and every reason is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_an_order_that_cannot_be_had_changes_nothing_and_says_why() {
    let served = with_goods().await;
    let key = served.shop_key.clone();
    let before = read_models(&served).await;
    let mut greedy = placement("1002");
    greedy["lines"][0]["qty"] = json!(101);
    greedy["lines"][0]["unit_minor"] = json!(0);
    greedy["coupons"] = json!([{"code": "GONE", "minor": 0}]);
    greedy["points"] = json!({"spend": 501, "minor": 0, "earn": 0});
    greedy["total_minor"] = json!(0);
    let (status, answer) = served.post("/v1/orders", &key, &greedy).await;
    assert_eq!(status, 200, "{answer}");
    let (_, order) = served.get("/v1/orders/1002", &key).await;
    assert_eq!((&order["state"], &order["fulfilment"]), (&json!("refused"), &json!("stop")), "{order}");
    let codes: Vec<&str> =
        order["reasons"].as_array().unwrap().iter().filter_map(|r| r["code"].as_str()).collect();
    for reason in ["stock_insufficient", "coupon_unknown", "points_insufficient"] {
        assert!(codes.contains(&reason), "{codes:?}");
    }
    let after = read_models(&served).await;
    assert_eq!(before[1..], after[1..], "stock, coupons, points and payments are as they were");
    served.stop().await;
}

/// No name, address or e-mail of a callback is in any table but the sealed evidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_personal_data_leaves_the_evidence() {
    let served = with_goods().await;
    let payer = Payer {
        email: "canary-mail@example.test".into(),
        given_name: "Canarygiven".into(),
        surname: "Canarysurname".into(),
        street: "1 Canarystreet".into(),
        town: "Canarytown".into(),
        postal_code: "CANARY-1".into(),
        country: "GB".into(),
    };
    let mut story = Story { payer, ..story("1003") };
    for (n, kind) in EventKind::ALL.iter().enumerate() {
        // A custom id of another shape could be a name: a keyed hash stands for it.
        story.order = (n % 2 == 0).then(|| "1003".to_owned()).or(Some("Canary Customid".to_owned()));
        let body = story.body(*kind, &format!("WH-CANARY-{n}")).to_string().into_bytes();
        assert_eq!(deliver(&served, &body, 1).await, [200], "{}", kind.name());
    }
    served.settled().await;
    // As somebody who may read everything.
    let client = served.test_superuser().await;
    let tables = client
        .query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'counterfoil'", &[])
        .await
        .unwrap();
    let mut rows_read = 0;
    for table in tables {
        let table: String = table.get(0);
        if table == "schema_history" {
            continue;
        }
        let query = format!("SELECT t::text FROM counterfoil.{table} t");
        for row in client.query(&query, &[]).await.unwrap() {
            rows_read += 1;
            let text: String = row.get(0);
            assert!(!text.to_lowercase().contains("canary-mail"), "{table}: {text}");
            // The event ids above carry the word too; nothing else may.
            let text = text.replace("WH-CANARY-", "").replace("body:", "");
            assert!(!text.to_lowercase().contains("canary"), "{table}: {text}");
            for word in ["canary", "Canary", "CANARY"] {
                let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
                assert!(!text.contains(&hex), "{table} has it as bytes: {text}");
            }
        }
    }
    assert!(rows_read > 50, "{rows_read} rows were looked at");
    drop(client);
    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}

/// P9: a fact that cannot be decided parks its key only, is redriven or dismissed, and replay agrees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_an_undecidable_fact_parks_its_key_only() {
    let served = with_goods().await;
    let (shop, operator) = (served.shop_key.clone(), served.operator_key.clone());
    let full = json!({"id": "full", "qty": 9_007_199_254_740_991_i64});
    assert_eq!(served.post("/v1/stock/sand/receive", &shop, &full).await.0, 200);
    let (_, parked) = served.post("/v1/stock/sand/receive", &shop, &json!({"id": "more", "qty": 1})).await;
    assert_eq!(parked["outcomes"][0]["type"], "event.parked", "{parked}");
    served.post("/v1/stock/sand/adjust", &shop, &json!({"id": "less", "delta": -5})).await;
    let (_, letters) = served.get("/v1/dead-letters", &operator).await;
    assert_eq!(letters["data"].as_array().map(Vec::len), Some(2), "{letters}");
    let (_, order) = served.post("/v1/orders", &shop, &placement("1004")).await;
    assert_eq!(order["outcomes"][0]["type"], "order.placed", "others flow on: {order}");

    let position = letters["data"][0]["position"].clone();
    let position = position.as_str().map_or_else(|| position.to_string(), str::to_owned);
    let redrive = format!("/v1/dead-letters/{position}/redrive");
    let (_, again) = served.post(&redrive, &operator, &json!({"id": "try"})).await;
    assert_eq!(again["outcomes"][0]["type"], "event.parked", "{again}");
    let dismiss = format!("/v1/dead-letters/{position}/dismiss");
    let (_, gone) = served.post(&dismiss, &operator, &json!({"id": "out", "reason": "a typing error"})).await;
    let types: Vec<_> =
        gone["outcomes"].as_array().unwrap().iter().map(|o| o["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["event.unparked", "stock.adjusted", "event.unparked"], "{gone}");
    let empty = wait_until(Duration::from_secs(5), async || {
        served.get("/v1/dead-letters", &operator).await.1["data"].as_array().is_some_and(Vec::is_empty)
    });
    assert!(empty.await);
    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}
