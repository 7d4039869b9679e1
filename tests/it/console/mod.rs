//! The console as a browser without a script has it, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use access::Role;
use chrono::Timelike as _;
use database::{Clock as _, SystemClock};
use http_api::Limits;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::served::{SHOP, Served, placement};

mod acts;
pub(crate) mod audits;
mod orders;

/// A browser: it keeps cookies, and follows nothing by itself.
struct Browser<'s> {
    served: &'s Served,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
    language: &'static str,
}

/// A page as it came.
struct Page {
    status: u16,
    location: Option<String>,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Page {
    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The value of a field that is not shown.
    fn hidden(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&begin).unwrap_or_else(|| panic!("no {name} in {}", self.text)).1;
        rest.split_once('"').unwrap().0.to_owned()
    }
}

impl<'s> Browser<'s> {
    fn new(served: &'s Served) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { served, client, cookies: BTreeMap::new(), language: "en" }
    }

    /// One that has signed in.
    async fn signed_in(served: &'s Served, key: &str) -> Self {
        let mut browser = Self::new(served);
        let page = browser.post("/console/sign-in", &[("key", key), ("to", "/console")]).await;
        assert_eq!((page.status, page.location.as_deref()), (303, Some("/console")), "{}", page.text);
        browser
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.client.get(self.served.url(path));
        self.send(request).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(path, fields, &[]).await
    }

    async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = self.client.post(self.served.url(path)).body(encoded(fields));
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("cookie", cookies.join("; ")).header("accept-language", self.language);
        let answer = request.send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let text = set.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Page { status, location, headers, text: answer.text().await.unwrap() }
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let byte = |b: u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

/// A shop with an order that is paid, one that was refused, and money that belongs to none.
async fn day(served: &Served) {
    let shop = &served.shop_key;
    served.post("/v1/stock/tea/receive", shop, &json!({"id": "r1", "qty": 2})).await;
    served.post("/v1/orders", shop, &placement("1042")).await;
    served.post("/v1/orders", shop, &placement("1043")).await;
    for (order, value) in [("1042", "10.00"), ("9999", "7.50")] {
        let body = served.captured(order, value);
        let answer = served.callback(SHOP, &served.sign(&body), body).await;
        assert_eq!(answer.status(), 200);
    }
    served.settled().await;
}

/// The last event of a type, as the log has it.
async fn last(served: &Served, type_name: &str) -> Value {
    let (status, page) =
        served.get(&format!("/v1/events?type={type_name}&limit=1000"), &served.operator_key).await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().unwrap().last().cloned().unwrap_or_default()
}

const PAGES: [&str; 17] = [
    "/console",
    "/console?window=24h",
    "/console/events",
    "/console/events?type=order.*",
    "/console/events?paypal=CAP-1042",
    "/console/events/0",
    "/console/orders",
    "/console/orders/1042",
    "/console/payments",
    "/console/payments?view=all",
    "/console/payments?view=refunds",
    "/console/payments/CAP-9999/resolve",
    "/console/parked",
    "/console/stock",
    "/console/sinks",
    "/console/log",
    "/console/settings",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_stands_in_both_languages_and_lets_a_browser_do_nothing_else() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    for (language, tag, word) in
        [("en", "lang=\"en\"", "Overview"), ("zh-CN,zh;q=0.9", "lang=\"zh-CN\"", "总览")]
    {
        browser.language = language;
        for path in PAGES.iter().chain(&["/console/coupons", "/console/points", "/console/nowhere"]) {
            let page = browser.get(path).await;
            let expected = if *path == "/console/nowhere" { 404 } else { 200 };
            assert_eq!(page.status, expected, "{path}: {}", page.text);
            assert!(page.has(tag) && page.has(word) && page.has("id=\"main\""), "{path}");
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            for part in
                ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
            {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(page.headers["cache-control"], "no-store");
            assert_eq!(page.headers["x-content-type-options"], "nosniff");
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
            // No script and no style within the page, and nothing from elsewhere.
            assert!(!page.has(" style=") && !page.has("<style") && !page.has(" onclick="), "{path}");
            assert_eq!(
                page.text.matches("<script").count(),
                page.text.matches("<script src=\"/console/assets/").count()
            );
            assert!(!page.has("src=\"http") && !page.has("href=\"http"), "{path}");
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anything_before_they_have_signed_in_and_nothing_after_they_have_signed_out() {
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::new(&served);
    for path in PAGES {
        let page = browser.get(path).await;
        let to = page.location.unwrap_or_default();
        assert!(page.status == 303 && to.starts_with("/console/sign-in?to=%2Fconsole"), "{path}: {to}");
    }
    for (key, said) in [("cf_demo_000000000000_00", 401), (served.feed_key.as_str(), 403)] {
        let page = browser.post("/console/sign-in", &[("key", key)]).await;
        assert!(page.status == said && page.has("sign-in-error"), "{}", page.text);
        assert!(browser.cookies.is_empty());
    }
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let page = browser.get("/console").await;
    assert_eq!(page.status, 200);
    assert!(!page.has(&served.viewer_key), "a key stands in a page");
    let token = page.hidden("token");
    let page = browser.post("/console/sign-out", &[("token", &token)]).await;
    assert_eq!(page.status, 303);
    assert_eq!(browser.get("/console").await.status, 303);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_path_does_not_know_is_said_by_a_page_in_its_language() {
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    for (language, words) in [("en", "Nothing can be done here in this way"), ("zh", "此处不支持这种操作")]
    {
        browser.language = language;
        for (method, path, allowed) in [
            ("GET", "/console/sign-out", Some("POST")),
            ("DELETE", "/console/sign-in", Some("GET, POST")),
            ("POST", "/console/orders", Some("GET")),
            ("PUT", "/console/orders/1042/resolve", Some("POST")),
            ("POST", "/console", None),
        ] {
            let request = browser.client.request(method.parse().unwrap(), served.url(path));
            let page = browser.send(request).await;
            assert_eq!(page.status, 405, "{method} {path}: {}", page.text);
            assert!(page.has(words) && page.has("id=\"main\""), "{method} {path}: {}", page.text);
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
            let allow = page.headers.get("allow").map(|value| value.to_str().unwrap());
            assert!(allowed.is_none() || allow == allowed, "{method} {path}: {allow:?}");
        }
    }
    assert_eq!(browser.get("/console").await.status, 200, "the session goes on");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_ends_its_sessions() {
    let served = Served::start(Limits::default()).await;
    let key = served.key_with([Role::Operator]).await;
    let mut browser = Browser::signed_in(&served, &key).await;
    assert_eq!(browser.get("/console/orders").await.status, 200);
    served.revoke(&key).await;
    let page = browser.get("/console/orders").await;
    assert_eq!(page.status, 303);
    assert!(browser.cookies.is_empty(), "the cookie is taken away");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_keys_that_are_none_shut_the_way_to_sign_in_and_not_the_one_of_who_has() {
    let limits = Limits { failures: access::Rate::new(1, 3), ..Limits::default() };
    let served = Served::start(limits).await;
    let mut known = Browser::signed_in(&served, &served.viewer_key).await;
    let mut stranger = Browser::new(&served);
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(stranger.post("/console/sign-in", &[("key", "cf_demo_000000000000_00")]).await.status);
    }
    assert!(answers.contains(&401) && answers.contains(&429), "{answers:?}");
    assert_eq!(known.get("/console").await.status, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_found_by_each_of_its_ids_at_paypal() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let body = served.captured("9998", "3.00");
    let headers = served.sign(&body);
    assert_eq!(served.callback(SHOP, &headers, body).await.status(), 200);
    served.settled().await;
    let transmission = headers.iter().find(|(name, _)| name == "paypal-transmission-id").unwrap().1.clone();
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    for id in [transmission.as_str(), "WH-9998-3.00", "CAP-9998"] {
        let page = browser.get(&format!("/console/events?paypal={id}")).await;
        assert!(page.has("payment.captured") && page.has("3.00 USD"), "{id}: {}", page.text);
        assert!(!page.has("7.50 USD"), "{id} finds another payment");
    }
    assert!(browser.get("/console/events?paypal=NONE").await.has("id=\"empty\""));
    // The other filters hold beside it.
    for (more, is_there) in [
        ("kind=fact", true),
        ("kind=outcome", false),
        ("type=payment.*", true),
        ("type=order.*", false),
        ("from=2026-01-01", true),
        ("to=2026-01-01", false),
        ("key=9998", true),
        ("key=1042", false),
    ] {
        let page = browser.get(&format!("/console/events?paypal=CAP-9998&{more}")).await;
        assert_eq!(page.has("payment.captured"), is_there, "{more}: {}", page.text);
    }
    // One field finds whatever has one meaning.
    for (text, place) in [("1042", "/console/orders/1042"), ("CAP-1042", "/console/events?paypal=CAP-1042")] {
        let page = browser.get(&format!("/console/find?q={text}")).await;
        assert_eq!(page.location.as_deref(), Some(place), "{}", page.text);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_stand_in_the_address_and_pages_lead_both_ways() {
    let served = Served::start(Limits::default()).await;
    for n in 0..70 {
        let body = json!({"id": format!("r{n}"), "qty": 1});
        served.post(&format!("/v1/stock/sku-{n}/receive"), &served.shop_key, &body).await;
    }
    served.settled().await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let first = browser.get("/console/events?type=stock.*&kind=fact").await;
    assert!(
        first.has("value=\"stock.*\"") && first.has("sku:sku-69") && !first.has("sku:sku-0<"),
        "{}",
        first.text
    );
    let older = link(&first.text, "rel=\"next\" href=\"");
    let second = browser.get(&older).await;
    assert!(second.has("sku:sku-0<") && !second.has("sku:sku-69<"), "{older}");
    let newer = link(&second.text, "rel=\"prev\" href=\"");
    let again = browser.get(&newer).await;
    assert!(again.has("sku:sku-69<"), "{newer}");
    for bad in ["type=%3Cscript%3E", "key=a%20b", "from=yesterday"] {
        let page = browser.get(&format!("/console/events?{bad}")).await;
        assert!(page.status == 422 && page.has("filter-error"), "{bad}: {}", page.status);
    }
    // What is new since a position, for the list that goes on by itself.
    let head = served.events().await;
    assert_eq!(browser.get(&format!("/console/events/newer?newest={head}")).await.status, 204);
    let rows = browser.get(&format!("/console/events/newer?newest={}", head - 2)).await;
    assert!(rows.has("sku:sku-69") && rows.has(&format!("value=\"{head}\"")), "{}", rows.text);
    served.stop().await;
}

fn link(text: &str, before: &str) -> String {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once('"').unwrap().0.replace("&amp;", "&").replace("&#38;", "&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orders_story_says_why_it_was_refused_and_what_to_do() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let page = browser.get("/console/orders/1043").await;
    for text in ["id=\"story\"", "order.refused", "Not enough stock", "tea", "id=\"advice\"", "revise"] {
        assert!(page.has(text), "{text} in {}", page.text);
    }
    // All of it in the language of the page, its figures too.
    browser.language = "zh";
    for path in ["/console/orders/1043", "/console/orders", "/console/events?type=order.refused"] {
        let page = browser.get(path).await;
        assert!(page.has("库存不足") && !page.has("wanted") && !page.has("was refused"), "{}", page.text);
    }
    assert!(browser.get("/console/orders/1043").await.has("tea：需要 2，可用 0"));
    browser.language = "en";
    let page = browser.get("/console/orders/1042").await;
    for text in ["Money came in", "payment.captured", "10.00 USD", "Ship it"] {
        assert!(page.has(text), "{text} in {}", page.text);
    }
    assert!(browser.get("/console/orders?state=refused").await.has("/console/orders/1043"));
    assert!(!browser.get("/console/orders?state=refused").await.has("/console/orders/1042"));
    let refused = last(&served, "order.refused").await;
    let position = refused["position"].as_str().unwrap();
    let page = browser.get(&format!("/console/events/{position}")).await;
    for text in ["id=\"why\"", "Not enough stock", "id=\"changed\"", "id=\"timeline\"", "id=\"proof\""] {
        assert!(page.has(text), "{text} in {}", page.text);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hostile_in_a_payload_is_shown_and_never_run() {
    let served = Served::start(Limits::default()).await;
    let hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>";
    let body = json!({"id": "WH-EVIL", "event_type": format!("X.{hostile}"), "summary": hostile,
        "resource": {"id": hostile, "custom_id": hostile}});
    served.deliver(&body).await;
    served.settled().await;
    let event = served.events().await;
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let token = browser.get("/console").await.hidden("token");
    let mut pages = vec![browser.get("/console/events").await, browser.get("/console").await];
    for position in 0..=event {
        pages.push(browser.get(&format!("/console/events/{position}")).await);
        let fields = [("token", token.as_str()), ("reason", hostile)];
        pages.push(browser.post(&format!("/console/events/{position}/evidence"), &fields).await);
    }
    for path in
        ["find?q=", "events?paypal=", "events?type=", "parked?error=", "stock?id=", "orders?id=", "nowhere?"]
    {
        pages.push(
            browser
                .get(&format!("/console/{path}{}", encoded(&[("", hostile)]).trim_start_matches('=')))
                .await,
        );
    }
    assert!(
        pages.iter().any(|page| page.has("&#60;script") || page.has("&lt;script")),
        "nothing of it is shown"
    );
    for page in &pages {
        assert!(!page.has("<script>alert") && !page.has("<img"), "{}", page.text);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_are_kept_for_ever_under_the_name_of_their_bytes() {
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::new(&served);
    let page = browser.get("/console/sign-in").await;
    for part in page.text.split("\"/console/assets/").skip(1) {
        let path = format!("/console/assets/{}", part.split_once('"').unwrap().0);
        let asset = browser.get(&path).await;
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
    }
    assert_eq!(browser.get("/console/assets/x/Cargo.toml").await.status, 404);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_says_what_is_wrong_and_counts_todays_money() {
    all_of_it_is_of_one_day().await;
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let page = browser.get("/console").await;
    assert!(
        page.has("verdict good") && page.has("Money flows.") && !page.has("id=\"needs\""),
        "{}",
        page.text
    );
    day(&served).await;
    let page = browser.get("/console").await;
    assert!(page.has("verdict warn") && page.has("Payments that belong to no order, or do not count: 1"));
    assert!(page.has("17.50 USD") && page.has("0.00 USD"), "10.00 and 7.50 came in: {}", page.text);
    assert!(page.has("Not enough stock"), "the last failure");
    // The same series for a script.
    let chart: Value =
        serde_json::from_str(&browser.get("/console/chart.json?window=1h").await.text).unwrap();
    let events: i64 = chart["events"].as_array().unwrap().iter().filter_map(Value::as_i64).sum();
    assert_eq!(events, served.events().await + 1, "{chart}");
    assert_eq!(chart["times"].as_array().unwrap().len(), 60);
    served.stop().await;
}

/// Shortly before midnight, UTC, it waits for the next day: what is counted begins anew there.
async fn all_of_it_is_of_one_day() {
    let is_late = || SystemClock.now().num_seconds_from_midnight() >= 24 * 60 * 60 - 120;
    assert!(wait_until(Duration::from_secs(180), async || !is_late()).await);
}

/// What a page does not wait for is counted behind it, and no payment twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn todays_money_is_counted_to_the_end_however_long_the_day() {
    all_of_it_is_of_one_day().await;
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let mut lines = String::new();
    for number in 0..4_000 {
        let line = json!({"op": "receive", "sku": "cups", "qty": 1, "id": format!("b{number}")});
        lines += &format!("{line}\n");
    }
    let batch = served.client.post(served.url("/v1/stock:batch")).bearer_auth(&served.shop_key);
    let answer = batch.header("content-type", "application/x-ndjson").body(lines).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    day(&served).await;
    // The same capture, as another event says.
    let body = String::from_utf8(served.captured("9999", "7.50")).unwrap().replace("WH-9999", "WH-again");
    let answer = served.callback(SHOP, &served.sign(body.as_bytes()), body.into_bytes()).await;
    assert_eq!(answer.status(), 200);
    served.settled().await;
    let page = browser.get("/console").await;
    assert!(page.has("Still counting: 1\u{202f}999 of "), "{}", page.text);
    let (mut whole, mut looks) = (None, 1);
    let is_counted = wait_until(Duration::from_secs(20), async || {
        let page = browser.get("/console").await;
        looks += 1;
        let is_whole = !page.has("Still counting");
        whole = Some(page);
        is_whole
    });
    assert!(is_counted.await);
    // Each look counts 2,000 events: nobody looked as often as that.
    let events = served.events().await;
    assert!(looks * 2_000 < events, "{looks} looks at {events} events: nothing was counted in between");
    let page = whole.unwrap();
    assert!(page.has("17.50 USD") && page.has("0.00 USD"), "10.00 and 7.50 came in: {}", page.text);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn language_colours_and_times_are_chosen_and_kept() {
    let served = Served::start(Limits::default()).await;
    let mut browser = Browser::new(&served);
    let page = browser.get("/console/look?lang=zh&to=/console/sign-in").await;
    assert_eq!(page.status, 303);
    browser.get("/console/look?theme=dark&clock=relative").await;
    let page = browser.get("/console/sign-in").await;
    assert!(
        page.has("lang=\"zh-CN\" data-theme=\"dark\" data-clock=\"relative\"") && page.has("登录"),
        "{}",
        page.text
    );
    let page = browser.get("/console/look?lang=en&to=//evil.example").await;
    assert_eq!(page.location.as_deref(), Some("/console"));
    served.stop().await;
}
