//! A fresh Debian to install something in, and the order that shows that what was installed works.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use domain::Money;
use paypal_simulator::{Authority, EventKind, Ids, Story};
use serde_json::{Value, json};
use test_support::{skip, wait_until};

use crate::binary;
use crate::ground::{client, now};

const DEADLINE: Duration = Duration::from_secs(60);

/// The root of a Debian of the same release as this one, with these packages, made once under that name: the program wants
/// the libraries that it was built with. None: skip the test, it was said why.
pub(crate) async fn fresh_debian(name: &'static str, packages: &'static str) -> Option<PathBuf> {
    tokio::task::spawn_blocking(move || make(name, packages)).await.unwrap()
}

fn make(name: &str, packages: &str) -> Option<PathBuf> {
    let needed = ["debootstrap", "unshare"];
    let has = |program: &&str| Command::new(program).arg("--version").output().is_ok();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let release = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(str::to_owned);
    let (Some(release), true) = (release, needed.iter().all(has)) else {
        skip("no debootstrap, or no Debian", "apt-get install debootstrap");
        return None;
    };
    let base = binary::profile_dir().parent().unwrap().join(name);
    let mark = base.join("made-of");
    let made_of = format!("{release} {packages}");
    let root = base.join("root");
    if std::fs::read_to_string(&mark).is_ok_and(|made| made == made_of) {
        return Some(root);
    }
    let _ = std::fs::remove_dir_all(&base);
    std::fs::create_dir_all(&base).unwrap();
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.arg("--variant=minbase");
    if !packages.is_empty() {
        debootstrap.arg(format!("--include={packages}"));
    }
    run(debootstrap.arg(&release).arg(&root));
    run(Command::new("sh")
        .args([
            "-c",
            "rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/locale usr/share/doc/*",
        ])
        .current_dir(&root));
    std::fs::write(mark, made_of).unwrap();
    Some(root)
}

/// Goods are received, an order is placed and paid by a signed callback, and all of it is settled.
pub(crate) async fn settle_an_order(
    url: &str,
    (shop, webhook_id): (&str, &str),
    key: &str,
    authority: &Authority,
) {
    let client = client(Duration::from_secs(10));
    let command = async |path: &str, body: Value| {
        let request = client.post(format!("{url}/v1/{path}")).bearer_auth(key).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    };
    command("stock/tea/receive", json!({"id": "first", "qty": 10})).await;
    let lines = json!([{"sku": "tea", "qty": 2, "unit_minor": 500}]);
    let order =
        json!({"order": "o-1", "buyer": "b-1", "currency": "EUR", "total_minor": 1000, "lines": lines});
    command("orders", order).await;

    let mut ids = Ids::seeded(1);
    let event = ids.event();
    let story = Story::new(&mut ids, "o-1", Money::parse("10.00", "EUR").unwrap(), now());
    let body = story.body(EventKind::CaptureCompleted, &event).to_string().into_bytes();
    let request = client.post(format!("{url}/webhooks/paypal/{shop}")).body(body.clone());
    let headers = paypal_simulator::sign(authority, webhook_id, &body, now());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());

    let mut seen = Value::Null;
    let paid = wait_until(DEADLINE, async || {
        let read = client.get(format!("{url}/v1/orders/o-1")).bearer_auth(key).send().await.unwrap();
        seen = read.json().await.unwrap();
        seen["state"] == "paid"
    });
    assert!(paid.await, "{seen}");
    let stock = client.get(format!("{url}/v1/stock/tea")).bearer_auth(key).send().await.unwrap();
    assert_eq!(stock.json::<Value>().await.unwrap()["on_hand"], 8);
}

/// Runs it to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", binary::said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
