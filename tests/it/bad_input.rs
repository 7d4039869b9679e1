//! Bad input at every door: each gets the right status and a problem document that says what is wrong, is counted, and
//! changes nothing. An authentic callback is the exception: whatever its JSON, it is kept as `callback.unreadable`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http_api::Limits;
use serde_json::{Value, json};

use crate::served::{SHOP, Served, WEBHOOK_ID, body_of, placement};

fn short() -> Limits {
    Limits {
        // The server's clock for heads ticks twice a second.
        head_deadline: Duration::from_secs(2),
        body_deadline: Duration::from_millis(400),
        ..Limits::default()
    }
}

/// A request that is wrong, the status it gets, and the problem's code.
struct Row {
    what: &'static str,
    path: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
}

fn row(
    what: &'static str,
    path: &'static str,
    body: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
) -> Row {
    Row { what, path, body: body.into(), status, code, pointer }
}

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut body = placement("1042");
    change(&mut body);
    body.to_string()
}

fn command_rows() -> Vec<Row> {
    let long = "x".repeat(10_000);
    let deep = format!("{{\"order\":{}1{}}}", "[".repeat(4000), "]".repeat(4000));
    let mut utf8 = b"{\"order\":\"".to_vec();
    utf8.extend_from_slice(b"\xff\xfe\"}");
    let (orders, receive) = ("/v1/orders", "/v1/stock/tea/receive");
    let fields = "invalid_command";
    vec![
        row("malformed JSON", orders, "{\"order\":", 400, "malformed_json", None),
        row("wrong UTF-8", orders, utf8, 400, "malformed_json", None),
        row("deep nesting", orders, deep, 400, "malformed_json", None),
        row("a byte order mark", orders, "\u{feff}{}", 400, "malformed_json", None),
        row("bytes behind the end", orders, "{} {}", 400, "malformed_json", None),
        row("a list", orders, "[]", 422, fields, Some("")),
        row(
            "a NUL escape",
            orders,
            changed(|b| b["order"] = json!("10\u{0}42")),
            422,
            fields,
            Some("/order"),
        ),
        row("a lone surrogate", orders, r#"{"order":"\ud800"}"#, 400, "malformed_json", None),
        row("a name twice", receive, r#"{"id":"a","qty":1,"qty":2}"#, 422, fields, Some("/qty")),
        row(
            "an unknown field",
            receive,
            r#"{"id":"a","qty":1,"quantity":2}"#,
            422,
            fields,
            Some("/quantity"),
        ),
        row("a fraction", receive, r#"{"id":"a","qty":1.5}"#, 422, fields, Some("/qty")),
        row("an exponent", receive, r#"{"id":"a","qty":1e2}"#, 422, fields, Some("/qty")),
        row("a negative quantity", receive, r#"{"id":"a","qty":-1}"#, 422, fields, Some("/qty")),
        row("a quantity of 2^53", receive, r#"{"id":"a","qty":9007199254740992}"#, 422, fields, Some("/qty")),
        row(
            "a quantity of 2^64",
            receive,
            r#"{"id":"a","qty":18446744073709551616}"#,
            422,
            fields,
            Some("/qty"),
        ),
        row("a command without id", receive, r#"{"qty":1}"#, 422, fields, Some("/id")),
        row(
            "an id of 10,000 characters",
            receive,
            json!({"qty": 1, "id": long}).to_string(),
            422,
            fields,
            Some("/id"),
        ),
        row(
            "an order id of 10,000 characters",
            orders,
            changed(|b| b["order"] = json!(long)),
            422,
            fields,
            Some("/order"),
        ),
        row(
            "a name as buyer",
            orders,
            changed(|b| b["buyer"] = json!("Jane Doe")),
            422,
            fields,
            Some("/buyer"),
        ),
        row(
            "an unknown currency",
            orders,
            changed(|b| b["currency"] = json!("XXQ")),
            422,
            fields,
            Some("/currency"),
        ),
        row(
            "a lower-case currency",
            orders,
            changed(|b| b["currency"] = json!("usd")),
            422,
            fields,
            Some("/currency"),
        ),
        row(
            "a sum that is off",
            orders,
            changed(|b| b["total_minor"] = json!(1)),
            422,
            fields,
            Some("/total_minor"),
        ),
        row(
            "an amount with decimals",
            orders,
            changed(|b| b["total_minor"] = json!("10.00")),
            422,
            fields,
            Some("/total_minor"),
        ),
        row(
            "201 lines",
            orders,
            changed(|b| b["lines"] = vec![json!({"sku": "tea", "qty": 1, "unit_minor": 0}); 201].into()),
            422,
            fields,
            Some("/lines"),
        ),
        row(
            "11 coupons",
            orders,
            changed(|b| {
                b["coupons"] = (0..11).map(|n| json!({"code": format!("C{n}"), "minor": 0})).collect()
            }),
            422,
            fields,
            Some("/coupons"),
        ),
        row(
            "both of delta and on_hand",
            "/v1/stock/tea/adjust",
            r#"{"id":"a","delta":1,"on_hand":1}"#,
            422,
            fields,
            Some(""),
        ),
        row(
            "a validity that ends before it begins",
            "/v1/coupons/TEN/issue",
            r#"{"id":"a","valid_from":"2026-02-01T00:00:00Z","valid_until":"2026-01-01T00:00:00Z"}"#,
            422,
            fields,
            Some("/valid_until"),
        ),
        row(
            "a SKU in the path that is none",
            "/v1/stock/a%20b/receive",
            r#"{"id":"a","qty":1}"#,
            422,
            fields,
            Some("/sku"),
        ),
        row(
            "another SKU in the body",
            receive,
            r#"{"id":"a","qty":1,"sku":"milk"}"#,
            422,
            fields,
            Some("/sku"),
        ),
        row("a huge body", orders, vec![b' '; 2 * 1024 * 1024 + 1], 413, "too_large", None),
        row("an unknown path", "/v1/nothing", "{}", 404, "not_found", None),
        row("a method that the path does not know", "/v1/refunds-due", "{}", 405, "method_not_allowed", None),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_command_says_what_is_wrong_and_changes_nothing() {
    let served = Served::start(Limits::default()).await;
    let before = served.events().await;
    for row in command_rows() {
        let answer = served
            .client
            .post(served.url(row.path))
            .bearer_auth(&served.shop_key)
            .header("content-type", "application/json")
            .body(row.body)
            .send()
            .await
            .unwrap_or_else(|e| panic!("{}: {e:?}", row.what));
        assert_eq!(answer.status(), row.status, "{}", row.what);
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{}", row.what);
        let problem: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
        assert_eq!(problem["code"], row.code, "{}: {problem}", row.what);
        assert_eq!(problem["status"], row.status, "{}: {problem}", row.what);
        assert_eq!(problem["type"], format!("/docs/problems/{}", row.code), "{}", row.what);
        if let Some(pointer) = row.pointer {
            let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{}: {problem}", row.what));
            assert!(errors.iter().any(|e| e["pointer"] == pointer), "{}: {problem}", row.what);
        }
    }
    assert_eq!(served.events().await, before, "a bad command was written");
    let metrics = served.metrics().await;
    assert!(metrics.contains("counterfoil_commands_total{result=\"invalid\"} 2"), "{metrics}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_opens_its_own_shop_and_its_own_role_alone() {
    let served = Served::start(Limits::default()).await;
    let before = served.events().await;
    let post = |path: &str, key: Option<String>| {
        let request = served.client.post(served.url(path)).body(r#"{"id":"a","qty":1,"action":"close"}"#);
        match key {
            Some(key) => request.header("authorization", key),
            None => request,
        }
    };
    let tampered = {
        let mut key = served.shop_key.clone();
        let last = if key.ends_with('0') { "1" } else { "0" };
        key.replace_range(key.len() - 1.., last);
        key
    };
    let other_shop = served.shop_key.replacen(&format!("cf_{SHOP}_"), "cf_other_", 1);
    for (what, key, path, status) in [
        ("no key", None, "/v1/stock/tea/receive", 401),
        ("no scheme", Some(served.shop_key.clone()), "/v1/stock/tea/receive", 401),
        ("a tampered key", Some(format!("Bearer {tampered}")), "/v1/stock/tea/receive", 401),
        ("a key that names another shop", Some(format!("Bearer {other_shop}")), "/v1/stock/tea/receive", 401),
        ("a viewer's command", Some(format!("Bearer {}", served.viewer_key)), "/v1/stock/tea/receive", 403),
        ("a shop that resolves", Some(format!("Bearer {}", served.shop_key)), "/v1/orders/1/resolve", 403),
    ] {
        let answer = post(path, key).send().await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
        let problem: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
        assert_eq!(problem["status"], status, "{what}");
    }
    assert_eq!(served.events().await, before);
    // A key of one shop reads nothing of another's, even when both know the same order id.
    let other = served.add_shop("other").await;
    served.post("/v1/orders?", &served.shop_key, &placement("77")).await;
    let answer = served.client.get(served.url("/v1/orders/77")).bearer_auth(&other).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_not_authentic_changes_nothing() {
    let served = Served::start(Limits::default()).await;
    let before = served.events().await;
    let body = served.captured("1042", "10.00");
    let good = served.sign(&body);
    let with = |name: &str, value: &str| -> Vec<(String, String)> {
        good.iter()
            .map(|(n, v)| {
                (n.clone(), if n.eq_ignore_ascii_case(name) { value.to_owned() } else { v.clone() })
            })
            .collect()
    };
    let without = |name: &str| -> Vec<(String, String)> {
        good.iter().filter(|(n, _)| !n.eq_ignore_ascii_case(name)).cloned().collect()
    };
    let mut twice = good.clone();
    twice.push(good[0].clone());
    let mut tampered = body.clone();
    let at = tampered.iter().position(|b| *b == b'1').unwrap();
    tampered[at] = b'2';
    let reserialised = {
        let value: Value = serde_json::from_slice(&body).unwrap();
        serde_json::to_vec_pretty(&value).unwrap()
    };
    let url = &good.iter().find(|(n, _)| n.eq_ignore_ascii_case("paypal-cert-url")).unwrap().1.clone();
    let host = "api.sandbox.paypal.com";
    let elsewhere = |to: &str| with("paypal-cert-url", &url.replacen(host, to, 1));
    type Row<'a> = (&'a str, Vec<(String, String)>, Vec<u8>, u16);
    let rows: Vec<Row<'_>> = vec![
        ("no headers", Vec::new(), body.clone(), 400),
        ("no signature", without("paypal-transmission-sig"), body.clone(), 400),
        ("a header twice", twice, body.clone(), 400),
        (
            "a transmission id of 10,000",
            with("paypal-transmission-id", &"x".repeat(10_000)),
            body.clone(),
            400,
        ),
        ("SHA1", with("paypal-auth-algo", "SHA1withRSA"), body.clone(), 401),
        ("a tampered body", good.clone(), tampered, 401),
        ("a re-serialised body", good.clone(), reserialised, 401),
        ("an empty body", good.clone(), Vec::new(), 401),
        ("another time", with("paypal-transmission-time", "2026-01-01T00:00:00Z"), body.clone(), 401),
        ("a certificate elsewhere", elsewhere("evil.example"), body.clone(), 401),
        ("a host as user", elsewhere("api.sandbox.paypal.com@evil.example"), body.clone(), 401),
        ("a host as prefix", elsewhere("api.sandbox.paypal.com.evil.example"), body.clone(), 401),
        ("a port", elsewhere("api.sandbox.paypal.com:8443"), body.clone(), 401),
        ("the live host", elsewhere("api.paypal.com"), body.clone(), 401),
        ("no TLS", with("paypal-cert-url", &url.replacen("https", "http", 1)), body.clone(), 401),
        ("a query", with("paypal-cert-url", &format!("{url}?a=b")), body.clone(), 401),
        ("another webhook id", served.sign_for("WH-OTHER", &body), body.clone(), 401),
        ("a foreign authority", served.sign_by_another(&body), body.clone(), 401),
    ];
    let count = rows.len();
    for (what, headers, body, status) in rows {
        let answer = served.callback(SHOP, &headers, body).await;
        assert_eq!(answer.status(), status, "{what}");
        let problem: Value = serde_json::from_slice(&body_of(answer).await).unwrap();
        assert_eq!(problem["status"], status, "{what}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
    }
    let unknown = served.callback("nobody", &good, body.clone()).await;
    assert_eq!(unknown.status(), 404);
    let large = served.callback(SHOP, &good, vec![b' '; 256 * 1024 + 1]).await;
    assert_eq!(large.status(), 413);
    assert_eq!(served.events().await, before, "a callback that was refused is in the log");
    let metrics = served.metrics().await;
    let counted: u64 = ["malformed", "not_authentic"].iter().map(|r| served.counted(&metrics, r)).sum();
    assert_eq!(counted, count as u64, "{metrics}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authentic_callback_that_cannot_be_understood_is_kept_as_such() {
    let served = Served::start(Limits::default()).await;
    let captured = |value: &str, currency: &str| {
        // Another order for each, so that each is an event of its own.
        let text =
            String::from_utf8(served.captured(&format!("{}-{currency}", value.len()), "10.00")).unwrap();
        text.replace("\"10.00\"", &format!("\"{value}\""))
            .replace("\"USD\"", &format!("\"{currency}\""))
            .into_bytes()
    };
    let mut utf8 = served.captured("1042", "10.00");
    let at = utf8.windows(4).position(|w| w == b"1042").unwrap();
    utf8[at] = 0xff;
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("malformed JSON", b"{\"id\": \"WH-1\", ".to_vec()),
        ("wrong UTF-8", utf8),
        ("deep nesting", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes()),
        ("a list", b"[]".to_vec()),
        ("more digits than the currency has", captured("10.001", "USD")),
        ("decimals where there are none", captured("10.50", "JPY")),
        ("an unknown currency", captured("10.00", "XXQ")),
        ("an amount beyond all bounds", captured("99999999999999999999999999.00", "USD")),
    ];
    for (what, body) in rows {
        let before = served.events().await;
        let answer = served.callback(SHOP, &served.sign(&body), body).await;
        assert_eq!(answer.status(), 200, "{what}");
        assert!(body_of(answer).await.is_empty(), "{what}");
        let facts = served.facts_after(before).await;
        assert_eq!(facts, ["callback.unreadable"], "{what}");
    }
    served.stop().await;
}

/// Sends the parts and reads until the server closes.
fn raw(served: &Served, parts: &[&str]) -> (String, Duration) {
    tokio::task::block_in_place(|| send_raw(served, parts))
}

fn send_raw(served: &Served, parts: &[&str]) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for part in parts {
        stream.write_all(part.as_bytes()).unwrap();
    }
    let mut answer = String::new();
    // The end of the stream is what is waited for: the server closes.
    let _ = stream.read_to_string(&mut answer);
    (answer, started.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_sender_is_cut_off() {
    let served = Served::start(short()).await;
    let before = served.events().await;
    let head = "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n";
    for (what, parts) in [
        ("a slow head", vec![head]),
        ("a slow body", vec![head, "\r\n", "{\"id\""]),
        (
            "a slow chunked body behind an answer",
            vec!["POST /v1/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n"],
        ),
        (
            "a slow chunked body",
            vec![
                "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
            ],
        ),
    ] {
        let (answer, took) = raw(&served, &parts);
        let status = if what.ends_with("answer") { "401" } else { "408" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(took < Duration::from_secs(8), "{what} took {took:?}");
    }
    assert_eq!(served.events().await, before);
    assert_eq!(served.counted(&served.metrics().await, "timeout"), 2);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused() {
    let served = Served::start(short()).await;
    for (what, request, status) in [
        ("two lengths", "POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), "400"),
        (
            "a length and chunks",
            "POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "400",
        ),
        ("a header without end", format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(200_000)), "431"),
        ("a compressed body", "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx".to_owned(), "415"),
    ] {
        let (answer, _) = raw(&served, &[&request]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:.200}");
    }
    served.stop().await;
}

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
