//! Commands that are wrong, and keys that may not: each gets its status and a problem document that says what is wrong.

use http_api::Limits;
use serde_json::{Value, json};

use crate::served::{SHOP, Served, body_of, placement};

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
