//! What an operator does by the console, and what the log says of it.

use http_api::Limits;
use serde_json::json;

use super::{Browser, day, last, link};
use crate::served::Served;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unmatched_payment_is_resolved_with_who_and_why_and_once() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    served.post("/v1/stock/tea/receive", &served.shop_key, &json!({"id": "r2", "qty": 9})).await;
    let cheap = json!({"order": "1044", "currency": "USD", "total_minor": 750,
        "lines": [{"sku": "tea", "qty": 1, "unit_minor": 750}]});
    served.post("/v1/orders", &served.shop_key, &cheap).await;
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    assert!(browser.get("/console/payments").await.has("/console/payments/CAP-9999/resolve"));
    let page = browser.get("/console/payments/CAP-9999/resolve").await;
    let (token, id) = (page.hidden("token"), page.hidden("id"));
    let path = "/console/payments/CAP-9999/resolve";
    let no_reason =
        browser.post(path, &[("token", &token), ("id", &id), ("action", "assign"), ("order", "1044")]).await;
    assert_eq!(no_reason.status, 422, "{}", no_reason.text);
    let fields = [
        ("token", token.as_str()),
        ("id", &id),
        ("action", "assign"),
        ("order", "1044"),
        ("reason", "the buyer wrote to us"),
    ];
    let done = browser.post(path, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(done.location.as_deref().unwrap().starts_with("/console/payments?done=resolved&at="));
    let head = served.events().await;
    assert_eq!(browser.post(path, &fields).await.status, 303, "a form that is sent twice takes effect once");
    assert_eq!(served.events().await, head);
    let (_, order) = served.get("/v1/orders/1044", &served.operator_key).await;
    assert_eq!(order["state"], "paid", "{order}");
    let event = last(&served, "payment.resolved").await;
    assert_eq!(event["by"], served.identity(&served.operator_key).await.key_id.as_str());
    // Why stands in the evidence, which an operator opens, and that they did stands in the log.
    let position = event["position"].as_str().unwrap().to_owned();
    assert!(!event.to_string().contains("wrote to us"));
    let page = browser.get(&format!("/console/events/{position}")).await;
    assert!(page.has("id=\"open-evidence\"") && !page.has("wrote to us"));
    let fields = [("token", token.as_str()), ("reason", "an audit")];
    let page = browser.post(&format!("/console/events/{position}/evidence"), &fields).await;
    assert!(page.status == 200 && page.has("the buyer wrote to us"), "{}", page.text);
    let opened = last(&served, "evidence.opened").await;
    assert_eq!(format!("0-{}", opened["data"]["of"]), position);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_of_a_callback_is_opened_by_an_operator_and_verified_again_step_by_step() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let captured = last(&served, "payment.captured").await;
    let path = format!("/console/events/{}", captured["position"].as_str().unwrap());
    let mut viewer = Browser::signed_in(&served, &served.viewer_key).await;
    let token = viewer.get("/console").await.hidden("token");
    let fields = [("token", token.as_str()), ("reason", "curious")];
    assert_eq!(viewer.post(&format!("{path}/evidence"), &fields).await.status, 403);
    let mut operator = Browser::signed_in(&served, &served.operator_key).await;
    let token = operator.get("/console").await.hidden("token");
    let fields = [("token", token.as_str()), ("reason", "the buyer asks")];
    let page = operator.post(&format!("{path}/evidence"), &fields).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.has("paypal-transmission-sig") && page.has("PAYMENT.CAPTURE.COMPLETED"));
    let checks = page.text.split_once("id=\"checks\"").unwrap().1.split_once("</ol>").unwrap().0;
    assert!(
        checks.matches("<li class=\"good\">").count() == 7 && !checks.contains("class=\"bad\""),
        "{checks}"
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_and_a_form_from_elsewhere_change_nothing() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let head = served.events().await;
    let path = "/console/payments/CAP-9999/resolve";
    let mut viewer = Browser::signed_in(&served, &served.viewer_key).await;
    let token = viewer.get("/console").await.hidden("token");
    assert!(!viewer.get(path).await.has("<fieldset>"), "a viewer is offered what they may not do");
    let fields = [("token", token.as_str()), ("action", "dismiss"), ("reason", "x")];
    assert_eq!(viewer.post(path, &fields).await.status, 403);
    let mut operator = Browser::signed_in(&served, &served.operator_key).await;
    let own = operator.get("/console").await.hidden("token");
    for token in ["", "0000", token.as_str()] {
        let page = operator.post(path, &[("token", token), ("action", "dismiss"), ("reason", "x")]).await;
        assert_eq!(page.status, 403, "{token}: {}", page.text);
    }
    let fields = [("token", own.as_str()), ("action", "dismiss"), ("reason", "x")];
    for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        assert_eq!(operator.post_with(path, &fields, &[header]).await.status, 403, "{header:?}");
    }
    assert_eq!(served.events().await, head);
    assert_eq!(operator.post_with(path, &fields, &[("sec-fetch-site", "same-origin")]).await.status, 303);
    served.stop().await;
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_parked_is_filtered_counted_redriven_and_dismissed_with_who_and_why() {
    let served = Served::start(Limits::default()).await;
    let most = domain::MINOR_MAX;
    for (sku, id) in [("tea", "a"), ("tea", "b"), ("mug", "c"), ("mug", "d")] {
        // The second one is more than can be counted.
        let (client, body) = (&served.client, json!({"id": id, "qty": most}));
        let url = served.url(&format!("/v1/stock/{sku}/receive"));
        let answer = client.post(url).bearer_auth(&served.shop_key).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    served.settled().await;
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let overview = browser.get("/console").await;
    assert!(
        overview.has("Facts that could not be decided") && overview.has("id=\"needs\""),
        "{}",
        overview.text
    );
    let page = browser.get("/console/parked").await;
    assert!(page.has("sku:tea") && page.has("sku:mug") && page.has("overflow"), "{}", page.text);
    let page = browser.get("/console/parked?key=sku:tea&error=OVERFLOW").await;
    assert!(page.has("sku:tea") && !page.has("sku:mug"), "{}", page.text);
    let one = link(&page.text, "<a href=\"/console/parked/");
    let (token, path) = (page.hidden("token"), format!("/console/parked/{one}"));

    // All that match are counted before anything is done.
    let head = served.events().await;
    let page = browser.get("/console/parked/redrive?type=stock.*").await;
    assert!(page.has("Groups that would be tried again: 2"), "{}", page.text);
    assert_eq!(served.events().await, head);
    let fields = [("token", token.as_str()), ("type", "stock.*"), ("reason", "after the upgrade")];
    let done = browser.post("/console/parked/redrive", &fields).await;
    assert_eq!(done.location.as_deref(), Some("/console/parked?done=redriven-all&at=2"), "{}", done.text);
    let by = served.identity(&served.operator_key).await.key_id;
    assert_eq!(last(&served, "event.redriven").await["by"], by.as_str());

    let page = browser.get(&path).await;
    assert!(
        page.has("id=\"redrive\"") && page.has("id=\"dismiss\"") && page.has("overflow"),
        "{}",
        page.text
    );
    let fields = [("token", token.as_str()), ("reason", "a slip of the pen")];
    assert_eq!(browser.post(&format!("{path}/dismiss"), &fields).await.status, 303);
    let dismissed = last(&served, "event.dismissed").await;
    assert_eq!(dismissed["by"], by.as_str(), "{dismissed}");
    let page = browser.get("/console/parked").await;
    assert!(!page.has("sku:tea") && page.has("sku:mug"), "{}", page.text);
    // Parked no longer: its page is the event's.
    assert_eq!(browser.get(&path).await.location, Some(format!("/console/events/{one}")));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_is_paused_resumed_and_moved_and_the_log_says_who() {
    let served = Served::start(Limits::default()).await;
    let sink = json!({"name": "books", "kind": "nats", "target": {"servers": "127.0.0.1:9"}});
    let (status, made) = served.post("/v1/sinks", &served.operator_key, &sink).await;
    assert_eq!(status, 201, "{made}");
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let token = browser.get("/console/sinks").await.hidden("token");
    let why = [("token", token.as_str()), ("reason", "the broker moves")];
    let page = browser.post("/console/sinks/books/pause", &why).await;
    assert_eq!(page.location.as_deref(), Some("/console/sinks?done=paused&at=0"), "{}", page.text);
    let page = browser.get("/console/sinks").await;
    assert!(page.has("the broker moves") && page.has("/console/sinks/books/resume"), "{}", page.text);
    assert!(browser.get("/console").await.has("books is paused"));
    assert!(browser.get("/console/sinks/books?type=order.*").await.has("id=\"empty\""));
    assert_eq!(browser.get("/console/sinks/none").await.status, 404);
    assert_eq!(browser.post("/console/sinks/books/redrive", &why).await.status, 303);
    assert_eq!(browser.post("/console/sinks/books/resume", &why).await.status, 303);
    // To be moved it must be confirmed, and led somewhere.
    let move_to = |to: &'static str, confirm: &'static str| {
        [("token", token.clone()), ("reason", "again".into()), ("to", to.into()), ("confirm", confirm.into())]
    };
    for (to, confirm, status) in [("start", "", 422), ("nowhere", "yes", 422), ("start", "yes", 303)] {
        let fields = move_to(to, confirm);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = browser.post("/console/sinks/books/reset", &fields).await;
        assert_eq!(page.status, status, "{to} {confirm}: {}", page.text);
    }
    assert_eq!(browser.post("/console/sinks/none/pause", &why).await.status, 404);
    let changed = last(&served, "sink.changed").await;
    assert_eq!(changed["data"]["change"], "reset", "{changed}");
    assert_eq!(changed["by"], served.identity(&served.operator_key).await.key_id.as_str());
    served.stop().await;
}
