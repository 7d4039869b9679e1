//! The console in a real browser: an operator's stories from end to end, in both languages, with and without a script, on a
//! desk and on a phone; and every page judged by axe-core.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use audit::tree::{Growing, LogKeys, Options, Trees};
use domain::ShopId;
use event_log::Appender;
use http_api::Limits;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::{foreign, wait_until};
use tokio::io::AsyncWriteExt;

use crate::binary::{TempDir, profile_dir, said};
use crate::console::audits::Unpacked;
use crate::led_shop::DEADLINE;
use crate::served::{SHOP, Served, placement};
use crate::soundness::assert_sound;
use crate::tree_ground::ORIGIN;

const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// So often the stories are told: in each language, with and without a script, on a desk and on a phone.
const TELLINGS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and node: make test-all"]
async fn an_operator_does_their_work_in_a_browser_in_both_languages_and_every_page_is_for_everybody() {
    let Some(chromium) = foreign::chromium() else { return };
    let Some(modules) = foreign::node_modules(&PACKAGES).await else { return };
    let served = Served::start(Limits::default()).await;
    let folder = TempDir::new();
    let growing = grow(&served, folder.path());
    let mut told = seed(&served).await;
    published(&served).await;
    told["chromium"] = json!(chromium);
    told["modules"] = json!(modules);
    told["screenshots"] = json!(screenshots());
    told["bundles"] = json!(folder.path());

    let output = tell(&told).await;
    assert!(output.status.success(), "{}", said(&output));

    // Whatever was done by a page stands in the log, in the name of who did it, as often as it was done.
    served.settled().await;
    let by = served.identity(&served.operator_key).await.key_id;
    let types =
        ["payment.resolved", "event.redriven", "log.verified", "log.replayed", "evidence.handed_over"];
    for type_name in types {
        let path = format!("/v1/events?type={type_name}&limit=1000");
        let (_, page) = served.get(&path, &served.viewer_key).await;
        let events = page["data"].as_array().unwrap().iter();
        // The relay tries again by itself as well.
        let done = events.filter(|event| event["by"] == by.as_str()).count();
        assert_eq!(done, TELLINGS, "{type_name}: {page}");
    }
    // What was fetched is what an auditor unpacks, and verifies without the service.
    for number in 0..TELLINGS {
        let zip = std::fs::read(folder.path().join(format!("{number}.zip"))).unwrap();
        let verified = Unpacked::new(&zip).holds(&served, "verify");
        let opened = verified["evidence"]["opened"].as_u64().unwrap();
        assert_eq!(opened > 0, number % 2 == 1, "the keys were asked for by every other one: {verified}");
    }
    growing.stop().await;
    assert_sound(&served.owner(), &shop()).await;
    served.stop().await;
}

pub(crate) fn shop() -> ShopId {
    ShopId::parse(SHOP).unwrap()
}

/// Where what the pages look like is kept, for people.
fn screenshots() -> PathBuf {
    profile_dir().parent().unwrap().join("console-screenshots")
}

/// Signs the log, so that events have proofs.
pub(crate) fn grow(served: &Served, folder: &Path) -> Growing {
    let key_file = folder.join("log.pem");
    std::fs::write(&key_file, LogKeys::generate().unwrap().to_pem().expose_secret()).unwrap();
    let options = Options {
        every: Duration::from_millis(20),
        publish_every: Duration::from_millis(100),
        supervise: Duration::from_millis(100),
        ..Options::new("a test".to_owned(), ORIGIN.parse().unwrap(), key_file)
    };
    let appender = Appender::start(served.database.clone(), event_log::Options::default());
    Growing::start(served.database.clone(), appender, options)
}

/// Waits until all that is in the log is under a checkpoint.
pub(crate) async fn published(served: &Served) {
    let trees = Trees::new(served.database.clone());
    let done = wait_until(DEADLINE, async || {
        let (head, published) = (served.events().await, trees.published(&shop()).await.unwrap());
        published.is_some_and(|published| i64::try_from(published.size).unwrap() > head)
    });
    assert!(done.await, "the log is not published");
}

/// A shop at the end of a day, and what the stories are about.
async fn seed(served: &Served) -> Value {
    let shop = &served.shop_key;
    served.post("/v1/stock/tea/receive", shop, &json!({"id": "r1", "qty": 2})).await;
    served.post("/v1/orders", shop, &placement("1042")).await;
    // The two are sold.
    deliver(served, "1042", "10.00").await;
    served.post("/v1/orders", shop, &placement("1043")).await;
    let sink = json!({"name": "books", "kind": "nats", "target": {"servers": "127.0.0.1:9"}});
    served.post("/v1/sinks", &served.operator_key, &sink).await;

    // One more than there are tellings: what is left over is what the pages show in the end.
    let (mut unmatched, mut parked, mut arriving) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..=TELLINGS {
        let (sku, order, stray) = (format!("cup-{n}"), format!("2{n}"), format!("stray-{n}"));
        served.post(&format!("/v1/stock/{sku}/receive"), shop, &json!({"id": sku, "qty": 9})).await;
        let cheap = json!({"order": order, "currency": "USD", "total_minor": 750,
            "lines": [{"sku": sku, "qty": 1, "unit_minor": 750}]});
        served.post("/v1/orders", shop, &cheap).await;
        deliver(served, &stray, "7.50").await;
        unmatched.push(json!({"payment": format!("CAP-{stray}"), "order": order}));
        parked.push(park(served, n).await);
        for at in ["a", "b"] {
            arriving.push(callback(served, &format!("late-{n}{at}")));
        }
    }
    served.settled().await;
    json!({
        "url": served.url(""), "key": served.operator_key,
        "paid": {"order": "1042", "payment": "CAP-1042", "event": "WH-1042-10.00", "amount": "10.00 USD"},
        "refused": {"order": "1043", "sku": "tea"},
        "unmatched": unmatched, "parked": parked, "arriving": arriving,
    })
}

async fn deliver(served: &Served, order: &str, value: &str) {
    let body = served.captured(order, value);
    assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status(), 200);
}

/// Receives more than can be counted, and says of which article.
async fn park(served: &Served, n: usize) -> Value {
    let sku = format!("mug-{n}");
    for id in ["a", "b"] {
        let url = served.url(&format!("/v1/stock/{sku}/receive"));
        let body = json!({"id": format!("{sku}-{id}"), "qty": domain::MINOR_MAX});
        let answer = served.client.post(url).bearer_auth(&served.shop_key).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    json!(sku)
}

/// A signed callback, for the script to deliver while somebody looks.
fn callback(served: &Served, order: &str) -> Value {
    let body = served.captured(order, "3.00");
    let headers: serde_json::Map<_, _> =
        served.sign(&body).into_iter().map(|(name, value)| (name, json!(value))).collect();
    json!({
        "path": format!("/webhooks/paypal/{SHOP}"), "order": order,
        "headers": headers, "body": String::from_utf8(body).unwrap(),
    })
}

/// Runs the script: what it is told comes by its standard input, where nobody else reads the key.
async fn tell(told: &Value) -> std::process::Output {
    let mut node = tokio::process::Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/console.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    stdin.write_all(told.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    node.wait_with_output().await.unwrap()
}
