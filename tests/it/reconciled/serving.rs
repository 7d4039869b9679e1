//! By the binary, with credentials in files.

use std::sync::Arc;
use std::time::Duration;

use domain::Money;
use paypal_simulator::{EventKind, Ids, PayPal, Story, Webhook};
use serde_json::json;
use test_support::wait_until;

use crate::binary::{self, said};
use crate::program::free_address;
use crate::{ground, soundness};

use super::ground::PATIENCE;

/// The binary: one file of credentials for each shop.
#[tokio::test(flavor = "multi_thread")]
async fn serve_reconciles_the_shop_whose_credentials_it_has_and_doctor_compares_its_webhook() {
    let mut ground = ground::Ground::prepare(test_support::TestDatabase::create().await).await;
    let paypal = PayPal::start(Arc::clone(&ground.authority), 3, ground::now).unwrap();
    let folder = ground.folder().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let client = paypal.client();
    let credentials = json!({
        "client_id": client.id, "client_secret": secrecy::ExposeSecret::expose_secret(&client.secret),
        "base_url": paypal.url(),
    });
    std::fs::write(folder.join(format!("{}.json", ground::SHOP)), credentials.to_string()).unwrap();
    let folder = folder.display().to_string();
    ground.tell(&["--paypal-credentials", &folder, "--reconcile-every", "1s"]);
    let address = free_address();
    let serving = ground.serve(address).await;
    ground.stock(address).await;
    let story = Story::new(&mut Ids::seeded(3), "A-1", Money::parse("10.00", "USD").unwrap(), ground::now());
    let placement = json!({
        "order": "A-1", "currency": "USD", "total_minor": 1_000, "paypal_order_id": story.paypal_order,
        "lines": [{"sku": "tea", "qty": 1, "unit_minor": 1_000}],
    });
    let http = ground::client(Duration::from_secs(20));
    let orders = format!("http://{address}/v1/orders");
    let answer = http.post(&orders).bearer_auth(&ground.key).json(&placement).send().await.unwrap();
    assert!(answer.status().is_success());
    paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let viewer = ground.key_of(access::Role::Viewer).await;
    let paid = wait_until(PATIENCE, async || {
        let order = http.get(format!("{orders}/A-1")).bearer_auth(&viewer).send().await.unwrap();
        order.text().await.unwrap().contains("\"state\":\"paid\"")
    });
    assert!(paid.await, "it is found");
    let metrics = http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("counterfoil_reconciled_missing_total{shop=\"faults\"} 1\n"), "{metrics}");

    let synced = binary::command(ground.folder())
        .args(["orders", "sync", "A-1", "-o", "json", "--url", &format!("http://{address}")])
        .env("COUNTERFOIL_KEY", &ground.key)
        .output()
        .unwrap();
    assert!(synced.status.success() && said(&synced).contains(&story.capture), "{}", said(&synced));

    let url = format!("https://127.0.0.1:1/webhooks/paypal/{}", ground::SHOP);
    let doctor = || {
        let owner = ground.test.url_owner();
        binary::command(ground.folder())
            .args(["doctor", "-o", "ndjson", "--paypal-credentials", &folder, "--kek-file", "kek"])
            .args(["--public-url", "https://127.0.0.1:1"])
            .env("MAINTENANCE_DATABASE_URL", secrecy::ExposeSecret::expose_secret(&owner))
            .output()
            .unwrap()
    };
    assert!(said(&doctor()).contains("there is no webhook"), "{}", said(&doctor()));
    paypal.subscribe(Webhook::new(ground::WEBHOOK_ID, &url)).unwrap();
    let well = doctor();
    assert!(well.status.success() && said(&well).contains(&format!("leads to {url}")), "{}", said(&well));
    let mut other = Webhook::new(ground::WEBHOOK_ID, "https://other.example/");
    other.event_types = vec!["CHECKOUT.ORDER.APPROVED".to_owned()];
    paypal.subscribe(other).unwrap();
    let wrong = doctor();
    assert_eq!(wrong.status.code(), Some(1), "{}", said(&wrong));
    assert!(said(&wrong).contains("PAYMENT.CAPTURE.COMPLETED") && said(&wrong).contains(&url));
    serving.kill();
    let database = ground.test.database();
    soundness::wait_until_decided(&database, &ground.shop).await;
    soundness::assert_sound(&database, &ground.shop).await;
}
