//! One order at a time: when somebody asks, and when it is old.

use std::time::Duration;

use paypal_simulator::{Delivery, EventKind, Fault};
use reconciliation::Options;
use serde_json::json;

use super::ground::{Ground, options};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_synced_at_once_by_its_event_or_else_by_its_capture() {
    let mut ground = Ground::start(options()).await;
    let key = ground.served.operator_key.clone();
    let story = ground.place("EVENT", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let (status, found) = ground.served.post("/v1/orders/EVENT/sync", &key, &json!({})).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["paypal_orders"][0]["captures"][0]["brought"], "event", "{found}");
    ground.wait_for_state("EVENT", "paid").await;

    let silent = ground.place("SILENT", 1_000).await;
    ground.paypal.happened_silently(&silent, EventKind::CaptureCompleted).unwrap();
    let (status, found) = ground.served.post("/v1/orders/SILENT/sync", &key, &json!({})).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["paypal_orders"][0]["captures"][0]["brought"], "capture", "{found}");
    ground.wait_for_state("SILENT", "paid").await;
    // The event comes after all: the capture is known, and counts no more.
    ground.paypal.happened(&silent, EventKind::CaptureCompleted).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;

    ground.place("NOTHING", 1_000).await;
    ground.served.settled().await;
    let head = ground.served.events().await;
    for (order, path) in [("EVENT", "captures/0/status"), ("NOTHING", "paypal_order")] {
        let (status, found) = ground
            .served
            .post(&format!("/v1/orders/{order}/sync"), &ground.served.shop_key, &json!({}))
            .await;
        assert_eq!(status, 200, "{found}");
        assert!(found.pointer(&format!("/paypal_orders/0/{path}")).is_some(), "{found}");
        assert!(!found.to_string().contains("brought"), "{found}");
    }
    assert_eq!(ground.served.events().await, head, "what is known adds nothing");
    let (status, _) = ground.served.post("/v1/orders/NO-SUCH/sync", &key, &json!({})).await;
    assert_eq!(status, 404);
    let nameless = json!({"order": "N", "currency": "USD", "total_minor": 1,
        "lines": [{"sku": "tea", "qty": 1, "unit_minor": 1}]});
    ground.served.post("/v1/orders", &ground.served.shop_key, &nameless).await;
    let (status, problem) = ground.served.post("/v1/orders/N/sync", &key, &json!({})).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/docs/problems/not_at_paypal")));
    let (status, _) =
        ground.served.post("/v1/orders/EVENT/sync", &ground.served.viewer_key, &json!({})).await;
    assert_eq!(status, 403);
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    let (status, _) = ground.served.post("/v1/orders/EVENT/sync", &key, &json!({})).await;
    assert_eq!(status, 503);
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaid_orders_are_looked_up_when_they_are_old_enough_and_once_for_each_age() {
    let ages = vec![Duration::from_secs(0), Duration::from_secs(3_600)];
    let mut ground = Ground::start(Options { lookup_ages: ages, ..options() }).await;
    // PayPal lists nothing of it.
    let silent = ground.place("SILENT", 1_000).await;
    ground.paypal.happened_silently(&silent, EventKind::CaptureCompleted).unwrap();
    for n in 0..3 {
        ground.place(&format!("OPEN-{n}"), 1_000).await;
    }
    let reconciling = ground.reconcile();
    ground.wait_for_state("SILENT", "paid").await;
    ground.wait_for("all are looked up", |s| s.looked_up == 4).await;
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().looked_up, 4);
    // An hour later the unpaid ones are due again, and a day later no more.
    let age = async |hours: i32| {
        let client = ground.served.test_superuser().await;
        let older = "UPDATE counterfoil.orders SET placed_at = placed_at - $1 * interval '1 hour'";
        client.execute(older, &[&f64::from(hours)]).await.unwrap();
        let before =
            "UPDATE counterfoil.order_lookups SET looked_up_at = looked_up_at - $1 * interval '1 hour'";
        client.execute(before, &[&f64::from(hours)]).await.unwrap();
    };
    age(2).await;
    ground.wait_for("they are looked up again", |s| s.looked_up == 7).await;
    age(48).await;
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().looked_up, 7);
    reconciling.stop().await;
    ground.served.stop().await;
}
