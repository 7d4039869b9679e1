//! From facts to settled read models: all of it moves together, once, whatever the batches.

use audit::verify;
use domain::{Position, ShopId};
use event_log::Appender;
use read_models::ReadModels;
use read_models::query::{coupons, orders, payments, points, stock};
use relay::{Options, Relay};
use serde_json::{Value, json};

use crate::led_shop::{LedShop, append, applied, assert_shop_sound, new_fact, plant_shop, quick};

fn placement(order: &str, sku: &str) -> Value {
    json!({
        "order": order, "buyer": "bea", "currency": "EUR", "total_minor": 1800,
        "lines": [{"sku": sku, "qty": 2, "unit_minor": 1000}],
        "coupons": [{"code": "TEN", "minor": 100}], "points": {"spend": 10, "minor": 100, "earn": 18},
    })
}

fn capture(order: &str, id: &str, minor: i64) -> Value {
    json!({"capture": id, "order": order, "paypal_order": format!("P{order}"), "amount_minor": minor, "currency": "EUR"})
}

async fn with_goods(shop: &LedShop) {
    shop.append("stock.received", json!({"sku": "A", "qty": 10})).await;
    shop.append("coupon.issued", json!({"code": "TEN", "max_uses": 5, "max_per_buyer": 5})).await;
    shop.append("points.granted", json!({"buyer": "bea", "points": 50})).await;
}

/// P4.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_moves_order_stock_coupon_and_points_together() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    with_goods(&shop).await;
    let placed = shop.settle(&relay, "order.placed", placement("1", "A")).await;
    assert_eq!(shop.outcomes(placed).await, ["order.placed"]);
    let client = shop.client().await;
    let article = stock::get(&client, &shop.shop, &"A".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((article.on_hand, article.held, article.available), (10, 2, 8));

    let paid = shop.settle(&relay, "payment.captured", capture("1", "C1", 1800)).await;
    assert_eq!(shop.outcomes(paid).await, ["order.paid"]);
    let order = orders::get(&client, &shop.shop, &"1".parse().unwrap()).await.unwrap().unwrap();
    let shown = serde_json::to_value(&order).unwrap();
    assert_eq!(shown["state"], "paid");
    assert_eq!(shown["fulfilment"], "ship");
    assert_eq!(shown["currency"], "EUR");
    assert_eq!(shown["money"]["captured_minor"], 1800);
    assert_eq!(shown["position"], paid.0);
    assert_eq!(shown["payments"][0]["id"], "C1");
    let article = stock::get(&client, &shop.shop, &"A".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((article.on_hand, article.held, article.position), (8, 0, Some(paid)));
    let coupon = coupons::get(&client, &shop.shop, &"TEN".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((coupon.used, coupon.held, coupon.available), (1, 0, 4));
    let account = points::get(&client, &shop.shop, &"bea".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((account.balance, account.spent, account.earned), (58, 10, 18));

    shop.settle(
        &relay,
        "payment.refunded",
        json!({"refund": "R1", "capture": "C1", "amount_minor": 1800, "currency": "EUR"}),
    )
    .await;
    let article = stock::get(&client, &shop.shop, &"A".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(article.on_hand, 10);
    let account = points::get(&client, &shop.shop, &"bea".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(account.balance, 50);
    relay.stop().await;
    shop.assert_sound().await;
}

/// P3.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_before_its_capture_and_a_capture_before_its_order_settle_alike() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    with_goods(&shop).await;
    let refund = json!({"refund": "R1", "capture": "C1", "amount_minor": 500, "currency": "EUR"});
    shop.append("payment.refunded", refund).await;
    let unmatched = shop
        .settle(
            &relay,
            "payment.captured",
            json!({"capture": "C1", "paypal_order": "P1", "amount_minor": 1800, "currency": "EUR"}),
        )
        .await;
    assert_eq!(shop.outcomes(unmatched).await, ["payment.unmatched"]);
    let client = shop.client().await;
    let filter = payments::PaymentFilter {
        standing: Some("unmatched".into()),
        kind: Some("capture".into()),
        ..Default::default()
    };
    let page = payments::list(&client, &shop.shop, &filter, None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let mut placement = placement("1", "A");
    placement["paypal_order_id"] = json!("P1");
    shop.settle(&relay, "order.placed", placement).await;
    let order = orders::get(&client, &shop.shop, &"1".parse().unwrap()).await.unwrap().unwrap();
    let money = order.order.order.money;
    assert_eq!((money.captured_minor, money.refunded_minor), (1800, 500));
    assert_eq!(order.payments.iter().filter(|payment| payment.id == "R1").count(), 1);
    relay.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_where_the_page_before_ended() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    shop.append("stock.received", json!({"sku": "A", "qty": 100})).await;
    let mut last = Position(0);
    for n in 0..5 {
        let order = format!("o{n}");
        let lines = json!([{"sku": "A", "qty": 1, "unit_minor": 5}]);
        let placement = json!({"order": order, "currency": "EUR", "total_minor": 5, "lines": lines});
        shop.append("order.placed", placement).await;
        last = shop.append("payment.captured", capture(&order, &format!("C{n}"), 9)).await;
    }
    applied(&relay, &shop.shop, last).await;
    let client = shop.client().await;
    let filter = orders::OrderFilter {
        state: Some("paid".into()),
        flag: Some("overpaid".into()),
        ..Default::default()
    };
    let first = orders::list(&client, &shop.shop, &filter, None, 3).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("o2"));
    let second = orders::list(&client, &shop.shop, &filter, first.next.as_deref(), 3).await.unwrap();
    assert_eq!((second.items.len(), second.next), (2, None));
    assert_eq!(orders::refunds_due(&client, &shop.shop, None, 10).await.unwrap().items.len(), 5);
    let captures = payments::PaymentFilter { kind: Some("capture".into()), ..Default::default() };
    let page = payments::list(&client, &shop.shop, &captures, None, 2).await.unwrap();
    let rest = payments::list(&client, &shop.shop, &captures, page.next.as_deref(), 10).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len()), (2, 3));
    assert_eq!(stock::list(&client, &shop.shop, None, 10).await.unwrap().items.len(), 1);
    assert!(coupons::list(&client, &shop.shop, None, 10).await.unwrap().items.is_empty());
    assert!(points::list(&client, &shop.shop, None, 10).await.unwrap().items.is_empty());
    relay.stop().await;
}

/// Facts of every kind, mixed up: orders that are paid, overpaid, refunded before they are captured, revised, cancelled,
/// disputed.
pub(crate) fn mixed(count: usize) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("coupon.issued", json!({"code": "TEN", "max_uses": 150, "max_per_buyer": 150})),
        ("points.granted", json!({"buyer": "bea", "points": 2000})),
    ];
    let skus = ["A", "B", "C"];
    facts.extend(skus.map(|sku| ("stock.received", json!({"sku": sku, "qty": 250}))));
    for n in 0.. {
        let (order, id) = (format!("o{n}"), format!("C{n}"));
        let sku = skus[n % 3];
        let refund = |minor: i64| json!({"refund": format!("R{n}-{minor}"), "capture": id, "amount_minor": minor, "currency": "EUR"});
        let authorization = json!({"authorization": format!("A{n}"), "paypal_order": format!("Po{n}"), "amount_minor": 1800, "currency": "EUR"});
        facts.push(("order.placed", placement(&order, sku)));
        match n % 12 {
            0 => facts.push(("payment.captured", capture(&order, &id, 1800))),
            1 => facts.extend([("payment.refunded", refund(700)), ("payment.captured", capture(&order, &id, 1800)), ("payment.refunded", refund(1100))]),
            2 => facts.extend([("payment.captured", capture(&order, &id, 900)), ("payment.captured", capture(&order, &format!("D{n}"), 1200))]),
            3 => facts.push(("order.cancelled", json!({"order": order}))),
            4 => facts.extend([("payment.pending", capture(&order, &id, 1800)), ("payment.denied", capture(&order, &id, 1800))]),
            5 => facts.extend([("payment.approved", json!({"paypal_order": format!("Po{n}"), "order": order})), ("payment.authorized", authorization),
                ("payment.voided", json!({"authorization": format!("A{n}")}))]),
            6 => facts.extend([("payment.captured", capture(&order, &id, 1800)), ("dispute.opened", json!({"dispute": format!("X{n}"), "captures": [id]})),
                ("payment.reversed", refund(1800)), ("dispute.resolved", json!({"dispute": format!("X{n}"), "captures": [id]}))]),
            7 => facts.push(("stock.adjusted", json!({"sku": sku, "delta": -5}))),
            8 => facts.extend([("payment.captured", capture(&order, &id, 1800)), ("order.shipped", json!({"order": order})), ("stock.returned", json!({"sku": sku, "qty": 2}))]),
            9 => facts.extend([("payment.recorded", json!({"order": order, "provider": "cash", "payment": format!("T{n}"), "amount_minor": 1800, "currency": "EUR"})),
                ("callback.ignored", json!({"paypal_type": "X"}))]),
            10 => {
                let mut revised = placement(&order, skus[(n + 1) % 3]);
                revised["revision"] = json!(1);
                facts.extend([("order.revised", revised), ("payment.captured", capture(&order, &id, 1800))]);
            }
            _ => facts.push(("stock.received", json!({"sku": sku, "qty": 7}))),
        }
        if facts.len() >= count {
            facts.truncate(count);
            break;
        }
    }
    // Every other fact changes places with its neighbour, so that much comes in the wrong order.
    for pair in facts[5..].chunks_exact_mut(3) {
        pair.swap(1, 2);
    }
    facts
}

/// P6.
#[tokio::test(flavor = "multi_thread")]
async fn p6_the_same_thousand_facts_in_batches_of_1_7_and_500_give_the_same_rows() {
    let shop = LedShop::create().await;
    let facts = mixed(1_000);
    // Rows are kept for all facts, for a few batches, or for none but the next one.
    for (size, facts_kept) in [(1, 2_000), (500, 2_000), (7, 40), (7, 1)] {
        let id = ShopId::parse(&format!("by-{size}-{facts_kept}")).unwrap();
        plant_shop(&shop.test, id.as_str()).await;
        append_all(&shop.appender, &id, &facts).await;
        let options = Options { batch_max: size, facts_kept, ..quick() };
        let relay =
            Relay::start(shop.database.clone(), shop.appender.clone(), ReadModels::default(), options);
        applied(&relay, &id, Position(999)).await;
        relay.stop().await;
        assert_shop_sound(&shop.database, &id).await;
    }
    let paid = shop.number("SELECT count(*) FROM counterfoil.orders WHERE state = 'paid'").await;
    assert!(paid >= 300, "{paid} orders are paid");
    let superuser = shop.test.superuser().await;
    for table in
        ["orders", "payments", "payment_captures", "stock", "coupons", "coupon_buyers", "points", "parked"]
    {
        let sql = format!(
            "SELECT shop_id, md5(string_agg(row::text, ';' ORDER BY row::text)), count(*)
             FROM (SELECT shop_id, to_jsonb(t) - 'shop_id' - 'at' - 'paid_at' - 'held_until' - 'placed_at' AS row
                   FROM counterfoil.{table} t) rows GROUP BY shop_id"
        );
        let rows = superuser.query(&sql, &[]).await.unwrap();
        let sums: std::collections::BTreeSet<(String, i64)> =
            rows.iter().map(|row| (row.get(1), row.get(2))).collect();
        let is_empty = table == "parked";
        assert_eq!((rows.len(), sums.len()), if is_empty { (0, 0) } else { (4, 1) }, "{table}: {sums:?}");
    }
}

async fn append_all(appender: &Appender, shop: &ShopId, facts: &[(&'static str, Value)]) {
    for (n, (type_name, data)) in (0..).zip(facts) {
        let position = append(appender, shop, new_fact(n, type_name, data)).await;
        assert_eq!(position.0, i64::try_from(n).unwrap());
    }
}

/// P6. What is loaded of an article's holders is what a replay has of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_finds_no_holder_whose_stock_the_shop_keeps_itself() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    with_goods(&shop).await;
    let tracks = |stock: bool| json!({"shop": shop.shop.as_str(), "settings": {"tracks": {"stock": stock, "coupons": true, "points": true}}});
    shop.append("shop.configured", tracks(false)).await;
    shop.append("order.placed", placement("1", "A")).await;
    shop.append("shop.configured", tracks(true)).await;
    shop.settle(&relay, "order.placed", placement("2", "A")).await;
    relay.stop().await;
    // It has seen neither order.
    let relay = shop.lead();
    let counted = shop.settle(&relay, "stock.adjusted", json!({"sku": "A", "on_hand": 1})).await;
    relay.stop().await;
    assert_eq!(shop.outcomes(counted).await, ["stock.adjusted", "stock.short"]);
    shop.assert_sound().await;
}

/// P6. What checks everything must see what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_by_hand_is_found() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    with_goods(&shop).await;
    shop.append("order.placed", placement("1", "A")).await;
    shop.append("order.placed", placement("2", "A")).await;
    shop.settle(&relay, "payment.captured", capture("1", "C1", 1800)).await;
    relay.stop().await;
    shop.assert_sound().await;
    let tampered = [
        ("orders", "captured_minor = captured_minor - 1 WHERE order_id = '1'", "read-models/check_money"),
        ("orders", "paid_at = NULL, state = 'open' WHERE order_id = '1'", "read-models/check_paid"),
        ("stock", "held = held + 1", "read-models/check_stock"),
        ("coupons", "used = used + 1", "read-models/check_coupons"),
        ("points", "earned = earned + 1", "read-models/check_points"),
        ("payments", "amount_minor = 1 WHERE id = 'C1'", "read-models/check_money"),
        ("checkpoints", "position = 0", "read-models/check_checkpoint"),
    ];
    for (table, change, rule) in tampered {
        shop.run(&format!(
            "CREATE TABLE kept AS TABLE counterfoil.{table}; UPDATE counterfoil.{table} SET {change}"
        ))
        .await;
        let found = verify(&shop.database, &shop.shop).await.unwrap();
        assert!(found.violations.iter().any(|violation| violation.rule == rule), "{change}: {found:#?}");
        if table != "checkpoints" {
            assert!(
                found.differences.iter().any(|difference| difference.table == table),
                "{change}: {found:#?}"
            );
        }
        shop.run(&format!(
            "TRUNCATE counterfoil.{table}; INSERT INTO counterfoil.{table} TABLE kept; DROP TABLE kept"
        ))
        .await;
    }
    shop.assert_sound().await;
}
