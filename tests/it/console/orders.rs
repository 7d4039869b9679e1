//! The list of orders.

use domain::{Position, ShopId};
use http_api::Limits;
use read_models::query::orders::{self, OrderFilter};
use serde_json::json;

use super::{Browser, Page, link};
use crate::served::{SHOP, Served, placement};

/// The orders of a page, in its order.
fn listed(page: &Page) -> Vec<String> {
    let rows = page.text.split("<td><a href=\"/console/orders/").skip(1);
    rows.map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_stand_newest_first_and_each_once_while_others_come_and_change() {
    let served = Served::start(Limits::default()).await;
    let shop = &served.shop_key;
    // Half of them are refused, for want of tea.
    served.post("/v1/stock/tea/receive", shop, &json!({"id": "r1", "qty": 60})).await;
    let id = |n: i32| format!("N-{n:03}");
    for n in 0..60 {
        served.post("/v1/orders", shop, &placement(&id(n))).await;
    }
    served.settled().await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let first = browser.get("/console/orders").await;
    let expected: Vec<String> = (10..60).rev().map(id).collect();
    assert_eq!(listed(&first), expected);

    // Between two pages one comes, one that was shown is paid, and one that was not.
    served.post("/v1/orders", shop, &placement(&id(60))).await;
    for n in [3, 20] {
        let body = served.captured(&id(n), "10.00");
        assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status(), 200);
    }
    served.settled().await;
    let second = browser.get(&link(&first.text, "rel=\"next\" href=\"")).await;
    let expected: Vec<String> = (0..10).rev().map(id).collect();
    assert_eq!(listed(&second), expected);
    assert!(!second.has("rel=\"next\""), "it is the last page");
    assert_eq!(listed(&browser.get("/console/orders").await)[0], id(60));

    // With a filter, and by ids.
    let refused = listed(&browser.get("/console/orders?state=refused").await);
    assert_eq!((refused.len(), &refused[0], &refused[30]), (31, &id(60), &id(30)));
    let by_id = listed(&browser.get("/console/orders?id=N-03").await);
    assert_eq!((&by_id[0], &by_id[1]), (&id(30), &id(31)));

    // No further back than is said.
    let client = served.database.client().await.unwrap();
    let (shop, all) = (ShopId::parse(SHOP).unwrap(), OrderFilter::default());
    let head = Position(served.events().await + 1);
    let whole = orders::newest(&client, &shop, &all, (Position(0), head), 100).await.unwrap();
    assert_eq!((whole.items.len(), whole.next), (61, None));
    let page = orders::newest(&client, &shop, &all, (Position(0), head), 60).await.unwrap();
    let last = page.next.expect("one more");
    let part = orders::newest(&client, &shop, &all, (last, head), 100).await.unwrap();
    assert_eq!(part.items, whole.items[..60]);
    served.stop().await;
}
