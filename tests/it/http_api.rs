//! The API as clients see it: from a placement to a settled order, and what stands between.

use http_api::Limits;
use serde_json::{Value, json};

use crate::served::{SHOP, Served, body_of, placement};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_paid_and_shipped() {
    let served = Served::start(Limits::default()).await;
    let (shop, operator) = (served.shop_key.clone(), served.operator_key.clone());
    let (status, answer) = served.post("/v1/stock/tea/receive", &shop, &json!({"id": "r1", "qty": 5})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["stock"]["available"], 5, "{answer}");
    let (status, answer) = served.post("/v1/orders", &shop, &placement("1042")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["order"]["fulfilment"], "wait", "{answer}");
    assert_eq!(answer["outcomes"][0]["type"], "order.placed", "{answer}");

    let body = served.captured("1042", "10.00");
    let answer = served.callback(SHOP, &served.sign(&body), body).await;
    assert_eq!(answer.status(), 200);
    assert!(body_of(answer).await.is_empty());
    served.settled().await;

    let (status, order) = served.get("/v1/orders/1042", &operator).await;
    assert_eq!(
        (status, &order["state"], &order["fulfilment"]),
        (200, &json!("paid"), &json!("ship")),
        "{order}"
    );
    let (status, answer) = served.post("/v1/orders/1042/ship", &shop, &json!({"id": "s1"})).await;
    assert_eq!((status, &answer["order"]["fulfilment"]), (200, &json!("shipped")), "{answer}");
    let (_, stock) = served.get("/v1/stock/tea", &shop).await;
    assert_eq!(stock["on_hand"], 3, "{stock}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_again_has_the_same_answer_and_other_content_is_a_conflict() {
    let served = Served::start(Limits::default()).await;
    let key = served.shop_key.clone();
    let (_, first) = served.post("/v1/stock/tea/receive", &key, &json!({"id": "r1", "qty": 5})).await;
    let (status, again) = served.post("/v1/stock/tea/receive", &key, &json!({"id": "r1", "qty": 5})).await;
    assert_eq!(status, 200);
    assert_eq!((&again["position"], &again["event_id"]), (&first["position"], &first["event_id"]));
    let (status, problem) = served.post("/v1/stock/tea/receive", &key, &json!({"id": "r1", "qty": 6})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("command_conflict")), "{problem}");
    let (_, stock) = served.get("/v1/stock/tea", &key).await;
    assert_eq!(stock["on_hand"], 5);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_preference_a_command_is_accepted_and_its_location_tells_what_came_of_it() {
    let served = Served::start(Limits::default()).await;
    let answer = served
        .client
        .post(served.url("/v1/orders"))
        .bearer_auth(&served.shop_key)
        .header("request-id", "my-request")
        .json(&placement("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["request-id"], "my-request");
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    served.settled().await;
    let (status, event) = served.get(&location, &served.viewer_key).await;
    assert_eq!(status, 200, "{event}");
    assert_eq!(event["type"], "order.placed");
    assert_eq!(event["applied"], true);
    // There is no stock: refused, with the reason.
    assert_eq!(event["outcomes"][0]["type"], "order.refused", "{event}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_comes_fifty_times_at_once_is_one_event() {
    let served = Served::start(Limits::default()).await;
    let body = served.captured("1042", "10.00");
    let headers = served.sign(&body);
    let all = (0..50).map(|_| served.callback(SHOP, &headers, body.clone()));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(served.facts_after(-1).await, ["payment.captured"]);
    let metrics = served.metrics().await;
    assert_eq!((served.counted(&metrics, "new"), served.counted(&metrics, "duplicate")), (1, 49));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_stock_names_its_bad_lines_and_takes_the_others_once() {
    let served = Served::start(Limits::default()).await;
    let mut lines: Vec<String> = (0..1000)
        .map(|n| {
            json!({"op": "receive", "sku": format!("sku-{n}"), "qty": 1, "id": format!("b-{n}")}).to_string()
        })
        .collect();
    let good = lines.join("\n");
    lines.insert(2, json!({"op": "receive", "sku": "x", "qty": -1, "id": "bad"}).to_string());
    let post = |body: String| {
        let request = served.client.post(served.url("/v1/stock:batch")).bearer_auth(&served.shop_key);
        request.header("content-type", "application/x-ndjson").header("prefer", "wait=20").body(body).send()
    };
    let answer = post(lines.join("\n")).await.unwrap();
    assert_eq!(answer.status(), 422);
    let problem: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
    assert_eq!((&problem["accepted"], &problem["refused"]), (&json!(1000), &json!(1)), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/3/qty", "{problem}");
    let answer = post(good).await.unwrap();
    assert_eq!(answer.status(), 200);
    let document: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
    assert_eq!((&document["accepted"], &document["known"]), (&json!(0), &json!(1000)), "{document}");
    assert_eq!(document["applied"], true);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_and_rows_have_etags() {
    let served = Served::start(Limits::default()).await;
    let key = served.shop_key.clone();
    for n in 0..5 {
        let path = format!("/v1/stock/sku-{n}/receive");
        assert_eq!(served.post(&path, &key, &json!({"id": n.to_string(), "qty": 1})).await.0, 200);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = served.get(&format!("/v1/stock?limit=2{cursor}"), &key).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["sku"].clone()));
        if page["has_more"] == false {
            break;
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, ["sku-0", "sku-1", "sku-2", "sku-3", "sku-4"].map(Value::from));
    let get = |etag: Option<String>| {
        let request = served.client.get(served.url("/v1/stock/sku-0")).bearer_auth(&key);
        match etag {
            Some(etag) => request.header("if-none-match", etag),
            None => request,
        }
        .send()
    };
    let etag = get(None).await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(get(Some(etag)).await.unwrap().status(), 304);
    for (path, status) in [
        ("/v1/stock?limit=0", 400),
        ("/v1/stock?limit=1001", 400),
        ("/v1/stock?colour=red", 400),
        ("/v1/orders?state=odd", 400),
        ("/v1/events?after=7-0", 409),
        ("/v1/events?after=soon", 400),
        ("/v1/stock/none", 404),
        ("/v1/dead-letters/0-0", 404),
    ] {
        let (got, problem) = served.get(path, &key).await;
        assert_eq!(got, status, "{path}: {problem}");
        assert_eq!(problem["status"], status, "{path}: {problem}");
    }
    for path in [
        "/v1/orders",
        "/v1/coupons",
        "/v1/points",
        "/v1/payments",
        "/v1/payments?standing=unmatched",
        "/v1/refunds-due",
        "/v1/dead-letters",
        "/v1/settings",
        "/v1/events?kind=outcome&type=stock.*",
        "/v1/events?key=sku:sku-0",
    ] {
        let (status, page) = served.get(path, &served.operator_key).await;
        assert_eq!(status, 200, "{path}: {page}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_configured_by_an_operator() {
    let served = Served::start(Limits::default()).await;
    let put = |key: &str| {
        let body = json!({"id": "c1", "hold_s": 60, "tracks": {"points": false}, "reason": "for Jane Doe"});
        served
            .client
            .put(served.url("/v1/settings"))
            .bearer_auth(key)
            .header("prefer", "wait=20")
            .json(&body)
            .send()
    };
    assert_eq!(put(&served.shop_key).await.unwrap().status(), 403);
    assert_eq!(put(&served.operator_key).await.unwrap().status(), 200);
    let (_, settings) = served.get("/v1/settings", &served.viewer_key).await;
    assert_eq!(
        (&settings["hold_s"], &settings["tracks"]["points"]),
        (&json!(60), &json!(false)),
        "{settings}"
    );
    let (_, page) = served.get("/v1/events", &served.viewer_key).await;
    assert!(!page.to_string().contains("Jane"), "a reason stands in the log");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_read_again_says_the_same() {
    let served = Served::start(Limits::default()).await;
    let body = served.captured("1042", "10.00");
    assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status(), 200);
    let before = served.events().await;
    let (status, answer) = served.post("/v1/events/0-0/retranslate", &served.operator_key, &json!({})).await;
    assert_eq!((status, &answer["changed"]), (200, &json!(false)), "{answer}");
    served.settled().await;
    assert!(served.facts_after(before).await.is_empty());
    let (status, _) = served.post("/v1/events/0-99/retranslate", &served.operator_key, &json!({})).await;
    assert_eq!(status, 404);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_whether_it_lives_and_is_ready() {
    let served = Served::start(Limits::default()).await;
    for path in ["/livez", "/readyz", "/metrics", "/docs/problems/invalid_command"] {
        assert_eq!(served.client.get(served.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_and_an_epoch_beyond_all_are_refused_wherever_they_stand() {
    let served = Served::start(Limits::default()).await;
    let operator = served.operator_key.clone();
    for path in ["/v1/stock?cursor=%00", "/v1/payments?order=a%00", "/v1/events?key=callback:%00"] {
        let (status, problem) = served.get(path, &operator).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_query")), "{path}: {problem}");
    }
    for path in ["/v1/consumers/%00", "/v1/sinks/a%00b", "/v1/sinks/%00/undelivered"] {
        let (status, problem) = served.get(path, &operator).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{path}: {problem}");
    }
    let target = json!({ "brokers": "127.0.0.1:9", "topic_prefix": "\0" });
    let sink = json!({ "name": "books", "kind": "kafka", "target": target });
    let (status, problem) = served.post("/v1/sinks", &operator, &sink).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_command")), "{problem}");

    let moved = json!({ "cursor": "0-start", "was": "2147483648-0" });
    let answer = served.client.put(served.url("/v1/consumers/books")).bearer_auth(&operator).json(&moved);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 422);
    served.stop().await;
}
