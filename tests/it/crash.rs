//! kill -9 in a loop under load: what was answered 2xx is on disk, and everything still agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use access::{ApiKeys, Role};
use database::{Clock, Database, SystemClock, sql};
use domain::{Money, Position, ShopId, Timestamp};
use event_log::{Filter, Kind};
use evidence::{CallbackEvidence, KeyEncryptionKey, Vault, VerifiedBy};
use intake::shops;
use paypal::Environment;
use paypal_simulator::{Authority, EventKind, Ids, Story};
use serde_json::json;
use test_support::{TestDatabase, wait_until};

use crate::audit;
use crate::binary::TempDir;
use crate::program::{Serving, free_address};

const SHOP: &str = "crash";
const WEBHOOK_ID: &str = "7CR00000000000001";
const WORKERS: usize = 6;
/// So many kills in `make test`; `COUNTERFOIL_KILLS` asks for more.
const KILLS: usize = 6;
const ANSWERS_BETWEEN_KILLS: usize = 60;

/// What was answered 2xx: the body and the headers it came with.
type Answered = (Vec<u8>, Vec<(String, String)>);
/// All of it, by event id.
type Ledger = Arc<Mutex<BTreeMap<String, Answered>>>;

/// P1, P2, P3, P5, P6: whatever moment it dies in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_what_was_answered_survives_kill_9() {
    let test_database = TestDatabase::create().await;
    let folder = TempDir::new();
    let ground = Ground::prepare(&test_database, folder.path()).await;
    let ledger = Ledger::default();
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));

    let mut serving = ground.serve().await;
    ground.stock(&serving).await;
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| tokio::spawn(ground.work(worker, ledger.clone(), stop.clone(), answered.clone())))
        .collect();
    for _ in 0..kills() {
        let enough = answered.load(Ordering::SeqCst) + ANSWERS_BETWEEN_KILLS;
        let more = wait_until(Duration::from_secs(60), async || answered.load(Ordering::SeqCst) >= enough);
        assert!(more.await, "the load does not get through");
        serving.kill();
        serving = ground.serve().await;
    }
    stop.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let database = test_database.database();
    audit::wait_until_decided(&database, &ground.shop).await;
    assert_eq!(serving.terminate(), Some(0), "it ends in order when it is asked to");

    ground.check_ledger(&database, &ledger).await;
    audit::assert_sound(&database, &ground.shop).await;
}

#[expect(clippy::disallowed_methods, reason = "a longer round is asked for from outside")]
fn kills() -> usize {
    std::env::var("COUNTERFOIL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

struct Ground {
    shop: ShopId,
    key: String,
    vault: Vault,
    authority: Arc<Authority>,
    address: std::net::SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Ground {
    async fn prepare(test_database: &TestDatabase, folder: &std::path::Path) -> Self {
        use secrecy::ExposeSecret;
        let database = test_database.database_owner();
        let kek = folder.join("kek");
        std::fs::write(&kek, "07".repeat(32)).unwrap();
        let certs = folder.join("paypal");
        let authority = Authority::load_or_create(&certs).unwrap();
        let roots = folder.join("roots");
        std::fs::create_dir(&roots).unwrap();
        std::fs::copy(certs.join("root.pem"), roots.join("root.pem")).unwrap();

        let shop = ShopId::parse(SHOP).unwrap();
        let vault = Vault::new(KeyEncryptionKey::from_file(&kek).unwrap());
        shops::create(&database, &vault, &shop, Environment::Sandbox).await.unwrap();
        shops::add_webhook(&database, &shop, Environment::Sandbox, WEBHOOK_ID).await.unwrap();
        let (key, _) = ApiKeys::new(database).create(&shop, "a test", Role::Shop.into()).await.unwrap();
        Self {
            shop,
            key: key.expose().to_owned(),
            vault,
            authority: Arc::new(authority),
            address: free_address(),
            arguments: vec![
                "--roots".into(),
                roots.display().to_string(),
                "--certs".into(),
                certs.display().to_string(),
            ],
            environment: vec![
                ("DATABASE_URL", test_database.url_service().expose_secret().to_owned()),
                ("COUNTERFOIL_KEK_FILE", kek.display().to_string()),
            ],
        }
    }

    async fn serve(&self) -> Serving {
        Serving::start(self.address, &self.arguments, &self.environment).await
    }

    async fn stock(&self, serving: &Serving) {
        let url = format!("http://{}/v1/stock/tea/receive", serving.address);
        let body = json!({"id": "first", "qty": 100_000});
        let answer = client().post(url).bearer_auth(&self.key).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Places orders and pays for them, each again and again until it is answered: a shop, and PayPal.
    fn work(
        &self,
        worker: usize,
        ledger: Ledger,
        stop: Arc<AtomicBool>,
        answered: Arc<AtomicUsize>,
    ) -> impl Future<Output = ()> + 'static {
        let (authority, key, address) = (Arc::clone(&self.authority), self.key.clone(), self.address);
        async move {
            let client = client();
            let mut ids = Ids::seeded(worker as u64 + 1);
            let amount = Money::parse("10.00", "USD").unwrap();
            for n in 0.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let order = format!("w{worker}-{n}");
                let place = json!({"order": order, "currency": "USD", "total_minor": 1000,
                    "lines": [{"sku": "tea", "qty": 2, "unit_minor": 500}]});
                let url = format!("http://{address}/v1/orders");
                until_answered(&stop, client.post(url).bearer_auth(&key).json(&place)).await;
                let story = Story::new(&mut ids, &order, amount, now());
                let event_id = ids.event();
                let kinds = [EventKind::CaptureCompleted, EventKind::CaptureRefunded];
                for kind in &kinds[..1 + usize::from(n % 5 == 0)] {
                    let event_id = format!("{event_id}{}", &kind.name()[16..17]);
                    let body = story.body(*kind, &event_id).to_string().into_bytes();
                    // The same transmission each time, as far as anybody knows: the signature is made once.
                    let headers = paypal_simulator::sign(&authority, WEBHOOK_ID, &body, now());
                    let url = format!("http://{address}/webhooks/paypal/{SHOP}");
                    let mut request = client.post(url).body(body.clone());
                    for (name, value) in &headers {
                        request = request.header(name, value);
                    }
                    let is_answered = until_answered(&stop, request).await;
                    if is_answered {
                        ledger.lock().unwrap().insert(event_id, (body, headers));
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        }
    }

    /// P1: byte for byte, with its headers and the certificate that signed it.
    async fn check_ledger(&self, database: &Database, ledger: &Ledger) {
        let ledger = ledger.lock().unwrap().clone();
        assert!(ledger.len() >= kills() * ANSWERS_BETWEEN_KILLS, "{} answers", ledger.len());
        let client = database.client().await.unwrap();
        let keys: Vec<&str> = ledger.keys().map(String::as_str).collect();
        let rows = client.query(&sql::event_log::FIND_CALLBACKS, &[&SHOP, &keys]).await.unwrap();
        let positions: BTreeMap<String, i64> =
            rows.iter().map(|row| (row.get("event_key"), row.get("position"))).collect();
        let mut certificates = BTreeSet::new();
        for (event_id, (body, headers)) in &ledger {
            let position =
                positions.get(event_id).unwrap_or_else(|| panic!("{event_id} was answered and is lost"));
            let row = evidence::load(&client, SHOP, *position).await.unwrap().expect("it has evidence");
            let (_, wrapped) = row.key.expect("its key is there");
            let plain = self.vault.open(SHOP, &row.sealed, &wrapped).unwrap();
            let kept = CallbackEvidence::decode(&plain).unwrap();
            assert_eq!(&kept.body, body, "{event_id} is kept byte for byte");
            assert_eq!(kept.verified_by, VerifiedBy::Signature);
            let sent = |name: &str| headers.iter().find(|(sent, _)| sent == name).map(|(_, value)| value);
            assert!(kept.headers.len() >= 5, "the five headers are kept");
            for (name, value) in &kept.headers {
                assert_eq!(Some(value), sent(&name.to_lowercase()), "{event_id}: {name} is kept as it came");
            }
            certificates.insert(kept.certificate_sha256);
        }
        let signed_by =
            "SELECT encode(sha256, 'hex') FROM counterfoil.certificates WHERE sha256 = sha256(der)";
        let rows = client.raw().query(signed_by, &[]).await.unwrap();
        let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(certificates, stored, "the certificate that signed them is kept");
        let facts = Filter { kinds: vec![Kind::Fact], types: vec!["payment.*".into()], ..Filter::default() };
        let facts = event_log::read(&client, &self.shop, Position(-1), 100_000, &facts).await.unwrap();
        assert!(facts.len() >= ledger.len(), "one fact for each callback");
    }
}

/// Tries until there is a 2xx answer, or the test ends.
async fn until_answered(stop: &AtomicBool, request: reqwest::RequestBuilder) -> bool {
    while !stop.load(Ordering::SeqCst) {
        match request.try_clone().unwrap().send().await {
            Ok(answer) if answer.status().is_success() => return true,
            Ok(answer) => {
                let status = answer.status().as_u16();
                assert!(status == 503, "{status}: {}", answer.text().await.unwrap_or_default());
            }
            // Killed: PayPal tries again, and so does the shop.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    false
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

fn now() -> Timestamp {
    Timestamp::new(SystemClock.now())
}
