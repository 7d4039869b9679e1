//! What else a callback must have: a webhook id of the shop, a certificate of today, room in memory.

use http_api::Limits;
use serde_json::{Value, json};

use crate::served::{SHOP, Served, WEBHOOK_ID, body_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_id_is_checked_against_all_of_the_shop() {
    let served = Served::start(Limits::default()).await;
    served.add_webhook_id("WH-SECOND").await;
    for id in [WEBHOOK_ID, "WH-SECOND"] {
        let body = served.captured(&format!("order-{id}"), "10.00");
        assert_eq!(served.callback(SHOP, &served.sign_for(id, &body), body).await.status(), 200, "{id}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_bodies_together_are_bounded() {
    let served = Served::start(Limits { bodies_kib: 1, ..Limits::default() }).await;
    let before = served.events().await;
    let body = vec![b' '; 2_000];
    let answer = served.callback(SHOP, &served.sign(&body), body).await;
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(served.events().await, before);
    let (status, _) =
        served.post("/v1/stock/tea/receive", &served.shop_key, &json!({"id": "a", "qty": 1})).await;
    assert_eq!(status, 200, "what was held is free again");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_has_ended_or_not_begun_is_not_believed() {
    for (year, believed) in [(2010, false), (2090, true), (2150, false)] {
        let day = chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        let clock = database::SettableClock::new(day.and_utc());
        let served = Served::start_at(Limits::default(), std::sync::Arc::new(clock)).await;
        let before = served.events().await;
        let body = served.captured("1042", "10.00");
        let answer = served.callback(SHOP, &served.sign(&body), body).await;
        assert_eq!(answer.status().as_u16(), if believed { 200 } else { 401 }, "in {year}");
        if !believed {
            let problem: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains(if year == 2010 { "CertNotValidYet" } else { "CertExpired" }),
                "{problem}"
            );
            assert_eq!(served.events().await, before);
        }
        served.stop().await;
    }
}
