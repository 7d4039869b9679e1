//! A service whose database was restored to an earlier state, from the outside.

use std::process::Output;
use std::time::Duration;

use access::{ApiKeys, Role};
use domain::ShopId;
use evidence::{KeyEncryptionKey, Vault};
use http_api::Limits;
use intake::shops;
use paypal::Environment;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};

use crate::binary::{self, TempDir, said};
use crate::led_shop::{DEADLINE, assert_shop_sound};
use crate::program::{Serving, free_address};
use crate::published::{entries, publish_as};
use crate::served::{Served, body_of, placement};

#[tokio::test(flavor = "multi_thread")]
async fn the_door_answers_503_when_the_log_has_forked_and_says_what_to_do() {
    let served = Served::start(Limits::default()).await;
    let path = format!("/v1/orders/{}", "A-1");
    let (status, _) = served.post("/v1/orders", &served.shop_key, &placement("A-1")).await;
    assert!(status < 300, "{status}");
    served.settled().await;
    let backup = served.test().back_up().await;
    let captured = served.captured("A-1", "10.00");
    let headers = served.sign(&captured);
    let shop = crate::served::SHOP;
    let answered = async |body: &[u8]| {
        let answer = served.callback(shop, &headers, body.to_vec()).await;
        let (status, retry) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
        let document: Value = serde_json::from_slice(&body_of(answer).await).unwrap_or_default();
        (status, retry, document)
    };
    let taken = wait_until(DEADLINE, async || answered(&captured).await.0 == 200);
    assert!(taken.await);
    served.test().restore(&backup).await;

    let forked = wait_until(DEADLINE, async || {
        let (status, retry, document) = answered(&captured).await;
        assert_eq!(status, 503, "{document}");
        document["code"] == "log_forked" && retry.is_some_and(|retry| retry == "30")
    });
    assert!(forked.await);
    let (status, document) = served.post("/v1/orders", &served.shop_key, &placement("A-2")).await;
    assert_eq!((status, &document["code"]), (503, &json!("log_forked")), "{document}");
    assert!(document["detail"].as_str().unwrap().contains("counterfoil shops recover"), "{document}");
    let (status, ready) = served.get("/readyz", "").await;
    assert_eq!(status, 503, "{ready}");
    assert!(ready["forked"][0].as_str().unwrap().contains(shop), "{ready}");
    assert!(served.metrics().await.contains(&format!("counterfoil_log_forked{{shop=\"{shop}\"}} 1")));
    // What is known can be read.
    assert_eq!(served.get(&path, &served.viewer_key).await.0, 200);

    let shop_id = ShopId::parse(shop).unwrap();
    event_log::fork(&served.owner(), &shop_id, "a test").await.unwrap();
    let ready = wait_until(DEADLINE, async || served.get("/readyz", "").await.0 == 200);
    assert!(ready.await);
    assert_eq!(answered(&captured).await.0, 200);
    served.settled().await;
    let (_, order) = served.get(&path, &served.viewer_key).await;
    assert_eq!(order["money"]["captured_minor"], 1000, "{order}");
    served.stop().await;
}

/// A shop that is served by processes, with a folder of state files.
struct Ground {
    dir: TempDir,
    shop: ShopId,
    key: String,
    test: TestDatabase,
}

impl Ground {
    async fn prepare() -> Self {
        let (dir, test, shop) =
            (TempDir::new(), TestDatabase::create().await, ShopId::parse("shop").unwrap());
        std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
        let vault = Vault::new(KeyEncryptionKey::from_file(&dir.path().join("kek")).unwrap());
        let owner = test.database_owner();
        shops::create(&owner, &vault, &shop, Environment::Sandbox).await.unwrap();
        let (key, _) = ApiKeys::new(owner).create(&shop, "a test", Role::Shop.into()).await.unwrap();
        Self { dir, shop, key: key.expose().to_owned(), test }
    }

    fn spawn(&self) -> Serving {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, arguments: &[&str]) -> Serving {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let environment = [
            ("DATABASE_URL", self.test.url_service().expose_secret().to_owned()),
            ("COUNTERFOIL_KEK_FILE", path("kek")),
            ("COUNTERFOIL_STATE_DIR", path("state")),
        ];
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Serving::spawn(binary::path(), free_address(), &arguments, &environment)
    }

    async fn ready(&self) -> Serving {
        let mut serving = self.spawn();
        serving.is_ready().await;
        serving
    }

    async fn receive(&self, serving: &Serving, id: &str) -> u16 {
        let url = format!("http://{}/v1/stock/tea/receive", serving.address);
        let request = client().post(url).bearer_auth(&self.key).header("prefer", "wait=20");
        let answer = request.json(&json!({"id": id, "qty": 1})).send().await.unwrap();
        answer.status().as_u16()
    }

    /// A verb of the owner's.
    fn run(&self, arguments: &[&str]) -> Output {
        binary::command(self.dir.path())
            .args(arguments)
            .env("MAINTENANCE_DATABASE_URL", self.test.url_owner().expose_secret())
            .env("COUNTERFOIL_STATE_DIR", self.dir.path().join("state"))
            .env("COUNTERFOIL_KEK_FILE", self.dir.path().join("kek"))
            .output()
            .unwrap()
    }

    async fn is_forked(&self, serving: &Serving) -> bool {
        let url = format!("http://{}/readyz", serving.address);
        wait_until(DEADLINE, async || {
            let Ok(answer) = client().get(&url).send().await else { return false };
            let document: Value = serde_json::from_slice(&body_of(answer).await).unwrap_or_default();
            document["forked"].as_array().is_some_and(|forked| !forked.is_empty())
        })
        .await
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_starts_again_and_one_over_a_restored_database_waits_for_the_operator() {
    let ground = Ground::prepare().await;
    let serving = ground.ready().await;
    assert!(ground.receive(&serving, "1").await < 300);
    // kill -9, whatever of it the state file knows.
    serving.kill();
    let serving = ground.ready().await;
    assert!(ground.receive(&serving, "2").await < 300);
    serving.terminate().await;
    let backup = ground.test.back_up().await;
    let serving = ground.ready().await;
    assert!(ground.receive(&serving, "3").await < 300);
    serving.terminate().await;
    let whole = entries(&ground.test, &ground.shop).await;
    publish_as("x.example/shop", &whole, &ground.dir.path().join("log"));
    ground.test.restore(&backup).await;

    let mut serving = ground.spawn();
    assert!(ground.is_forked(&serving).await);
    assert_eq!(ground.receive(&serving, "4").await, 503);
    let output = ground.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("has forked"), "{}", said(&output));

    let output = ground.run(&["shops", "recover", "shop"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let vkey = crate::published::key("x.example/shop").verifier().to_string();
    let other = crate::published::key("y.example/shop").verifier().to_string();
    let from = ["shops", "recover", "shop", "--from", "log", "--vkey"];
    let output = ground.run(&[&from[..], &[&other]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cannot be believed"), "{}", said(&output));
    let output = ground.run(&[&from[..], &[&vkey, "-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["brought_back"], &told["through"]), (&json!(2), &json!(whole.len() - 1)), "{told}");
    serving.is_ready().await;
    for id in ["3", "4"] {
        assert!(ground.receive(&serving, id).await < 300);
    }
    let received = "SELECT received FROM counterfoil.stock";
    let received: i64 = ground.test.superuser().await.query_one(received, &[]).await.unwrap().get(0);
    assert_eq!(received, 4, "what came back counts once");

    // Without the published log.
    serving.terminate().await;
    ground.test.restore(&backup).await;
    let mut serving = ground.spawn();
    assert!(ground.is_forked(&serving).await);
    let output = ground.run(&[&from[..], &[&vkey]].concat());
    assert_eq!(output.status.code(), Some(1), "the state file knows more: {}", said(&output));
    assert!(said(&output).contains("--new-epoch"), "{}", said(&output));
    let output = ground.run(&["shops", "recover", "shop", "--new-epoch", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serving.is_ready().await;
    for id in ["1", "2", "3", "4"] {
        assert!(ground.receive(&serving, id).await < 300);
    }
    serving.terminate().await;
    assert_shop_sound(&ground.test.database(), &ground.shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_day_is_closed_in_a_log_that_has_forked_and_it_is_when_the_log_is_mended() {
    let ground = Ground::prepare().await;
    let serving = ground.ready().await;
    assert!(ground.receive(&serving, "1").await < 300);
    serving.terminate().await;
    let backup = ground.test.back_up().await;
    let serving = ground.ready().await;
    assert!(ground.receive(&serving, "2").await < 300);
    serving.terminate().await;
    let whole = entries(&ground.test, &ground.shop).await;
    publish_as("x.example/shop", &whole, &ground.dir.path().join("log"));
    ground.test.restore(&backup).await;
    let restored = entries(&ground.test, &ground.shop).await;

    // Every second a day ends.
    let mut serving = ground.spawn_with(&["--digest-every", "1s"]);
    assert!(ground.is_forked(&serving).await);
    let database = ground.test.database();
    let began = database.now().await.unwrap();
    let ended = wait_until(DEADLINE, async || {
        (database.now().await.unwrap() - began).to_std().unwrap() > Duration::from_secs(4)
    });
    assert!(ended.await);
    assert_eq!(entries(&ground.test, &ground.shop).await, restored, "nothing is appended");
    let output = ground.run(&["digest"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("counterfoil shops recover"), "{}", said(&output));
    let output = ground.run(&["legal-hold", "place", "--buyer", "bea", "--case", "7-O-1"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(entries(&ground.test, &ground.shop).await, restored, "nothing is appended by verbs");

    let vkey = crate::published::key("x.example/shop").verifier().to_string();
    let output = ground.run(&["shops", "recover", "shop", "--from", "log", "--vkey", &vkey]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serving.is_ready().await;
    let closed = wait_until(DEADLINE, async || {
        let now = entries(&ground.test, &ground.shop).await;
        assert_eq!(now[..whole.len()], whole);
        now.iter().skip(whole.len()).any(|entry| entry.contains("projection.digest"))
    });
    assert!(closed.await);
    serving.terminate().await;
    assert_shop_sound(&ground.test.database(), &ground.shop).await;
}
