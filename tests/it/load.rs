//! A shop and PayPal at work while things break, and the ledger of what they were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use database::{Client, Database, sql};
use domain::{Money, Position};
use event_log::{Filter, Kind};
use evidence::{CallbackEvidence, VerifiedBy};
use paypal_simulator::{EventKind, Ids, Story};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use test_support::wait_until;
use tokio::task::JoinHandle;

use crate::ground::{Ground, SHOP, WEBHOOK_ID, client, now};

pub(crate) const WORKERS: usize = 6;
/// So many callbacks are answered within a minute, whatever the machine and the fault.
const STEP: usize = 50;
/// A client that was refused comes back after so long.
const PAUSE: Duration = Duration::from_millis(10);
/// Where there are several instances, one that says nothing for so long is left for the next.
const IMPATIENT: Duration = Duration::from_secs(1);
const PATIENT: Duration = Duration::from_secs(10);

/// The load: it goes on until it is ended.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    addresses: Vec<SocketAddr>,
    ledger: Mutex<Ledger>,
    /// Where what was answered stands before it counts, should this process end too.
    journal: Option<Mutex<File>>,
    answered: AtomicUsize,
    told: Mutex<Told>,
    /// Who wakes from a long sleep takes a request that it has not read yet for one of a slow sender: 408.
    sleeps: AtomicBool,
    stop: AtomicBool,
}

/// What clients were told beside 2xx.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// 503, or 408 of one that has slept; every other answer fails the load.
    pub(crate) refused: usize,
    /// The connection was lost, or nothing came in time.
    pub(crate) unanswered: usize,
    /// The longest that an answer took, of whatever kind.
    pub(crate) slowest: Duration,
}

/// What was sent: the body and the headers it came with.
type Sent = (Vec<u8>, Vec<(String, String)>);

/// What was answered 2xx.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    /// By event id.
    callbacks: BTreeMap<String, Sent>,
    placed: BTreeSet<String>,
}

impl Load {
    pub(crate) fn start(ground: &Ground, addresses: &[SocketAddr]) -> Self {
        Self::start_with(ground, addresses, None)
    }

    /// The same, with a file in which each id stands, fsynced, before it counts as answered.
    pub(crate) fn start_journaled(ground: &Ground, addresses: &[SocketAddr], journal: &Path) -> Self {
        Self::start_with(ground, addresses, Some(File::create(journal).unwrap()))
    }

    fn start_with(ground: &Ground, addresses: &[SocketAddr], journal: Option<File>) -> Self {
        let shared = Arc::new(Shared {
            addresses: addresses.to_vec(),
            ledger: Mutex::default(),
            journal: journal.map(Mutex::new),
            answered: AtomicUsize::new(0),
            told: Mutex::default(),
            sleeps: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let start = |worker| tokio::spawn(Worker::new(ground, worker, &shared).run());
        Self { workers: (0..WORKERS).map(start).collect(), shared }
    }

    /// Waits until so many more callbacks are answered, as long as it takes while it goes on.
    pub(crate) async fn gets_through(&self, more: usize) {
        let enough = self.answered() + more;
        while self.answered() < enough {
            let next = enough.min(self.answered() + STEP);
            let goes_on = wait_until(Duration::from_secs(60), async || {
                assert!(!self.workers.iter().any(JoinHandle::is_finished), "a worker has failed");
                self.answered() >= next
            });
            assert!(goes_on.await, "the load does not get through");
        }
    }

    /// Where it goes to.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses
    }

    /// How many callbacks were answered 200.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// From here on, who answers may sleep for longer than a sender may take.
    pub(crate) fn heeds_sleep(&self) {
        self.shared.sleeps.store(true, Ordering::SeqCst);
    }

    /// What else clients were told so far.
    pub(crate) fn told(&self) -> Told {
        *self.shared.told.lock().unwrap()
    }

    /// What was answered so far.
    pub(crate) fn ledger(&self) -> Ledger {
        self.shared.ledger.lock().unwrap().clone()
    }

    /// Ends it; what it was answered.
    pub(crate) async fn end(self) -> Ledger {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.unwrap();
        }
        self.shared.ledger.lock().unwrap().clone()
    }
}

/// Places orders and pays for them, each again and again until it is answered: a shop, and PayPal.
struct Worker {
    number: usize,
    key: String,
    authority: Arc<paypal_simulator::Authority>,
    client: reqwest::Client,
    shared: Arc<Shared>,
    /// Which address has answered last.
    at: usize,
}

impl Worker {
    fn new(ground: &Ground, number: usize, shared: &Arc<Shared>) -> Self {
        let patience = if shared.addresses.len() > 1 { IMPATIENT } else { PATIENT };
        Self {
            number,
            key: ground.key.clone(),
            authority: Arc::clone(&ground.authority),
            client: client(patience),
            shared: Arc::clone(shared),
            at: number % shared.addresses.len(),
        }
    }

    async fn run(mut self) {
        let mut ids = Ids::seeded(self.number as u64 + 1);
        for n in 0.. {
            if self.shared.stop.load(Ordering::SeqCst) {
                return;
            }
            let (place, amount) = placement(self.number, n);
            let order = place["order"].as_str().unwrap().to_owned();
            let placed = self
                .until_answered(|client, address, key| {
                    client.post(format!("http://{address}/v1/orders")).bearer_auth(key).json(&place)
                })
                .await;
            if placed {
                self.shared.record("placed", &order);
                self.shared.ledger.lock().unwrap().placed.insert(order.clone());
            }
            let story = Story::new(&mut ids, &order, Money::parse(amount, "USD").unwrap(), now());
            let event_id = ids.event();
            self.deliver(&story, EventKind::CaptureCompleted, format!("{event_id}C")).await;
            if n.is_multiple_of(5) {
                self.deliver(&story, EventKind::CaptureRefunded, format!("{event_id}R")).await;
            }
        }
    }

    async fn deliver(&mut self, story: &Story, kind: EventKind, event_id: String) {
        let body = story.body(kind, &event_id).to_string().into_bytes();
        // The same transmission each time, as far as anybody knows: the signature is made once.
        let headers = paypal_simulator::sign(&self.authority, WEBHOOK_ID, &body, now());
        let answered = self
            .until_answered(|client, address, _| {
                let url = format!("http://{address}/webhooks/paypal/{SHOP}");
                let request = client.post(url).body(body.clone());
                headers.iter().fold(request, |request, (name, value)| request.header(name, value))
            })
            .await;
        if answered {
            self.shared.record("callback", &event_id);
            self.shared.ledger.lock().unwrap().callbacks.insert(event_id, (body, headers));
            self.shared.answered.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Tries here and there until there is a 2xx answer, or the load ends.
    async fn until_answered(
        &mut self,
        request: impl Fn(&reqwest::Client, SocketAddr, &str) -> RequestBuilder,
    ) -> bool {
        let addresses = self.shared.addresses.clone();
        while !self.shared.stop.load(Ordering::SeqCst) {
            let address = addresses[self.at % addresses.len()];
            let since = Instant::now();
            let answer = request(&self.client, address, &self.key).send().await;
            self.shared.told.lock().unwrap().note(answer.as_ref().ok(), since.elapsed());
            match answer {
                Ok(answer) if answer.status().is_success() => return true,
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let has_slept = status == 408 && self.shared.sleeps.load(Ordering::SeqCst);
                    assert!(
                        status == 503 || has_slept,
                        "{status}: {}",
                        answer.text().await.unwrap_or_default()
                    );
                }
                // Killed or stopped: PayPal tries again, and so does the shop.
                Err(_) => {}
            }
            self.at += 1;
            tokio::time::sleep(PAUSE).await;
        }
        false
    }
}

impl Shared {
    fn record(&self, what: &str, id: &str) {
        let Some(journal) = &self.journal else { return };
        let mut journal = journal.lock().unwrap();
        writeln!(journal, "{what} {id}").unwrap();
        journal.sync_data().unwrap();
    }
}

impl Told {
    fn note(&mut self, answer: Option<&reqwest::Response>, took: Duration) {
        match answer {
            None => self.unanswered += 1,
            Some(answer) => {
                self.refused += usize::from(matches!(answer.status().as_u16(), 408 | 503));
                self.slowest = self.slowest.max(took);
            }
        }
    }
}

/// An order of a worker, and what is to be paid for it. Each third has a coupon and points.
fn placement(worker: usize, n: usize) -> (Value, &'static str) {
    let mut place = json!({"order": format!("w{worker}-{n}"), "buyer": format!("w{worker}"), "currency": "USD",
        "total_minor": 1000, "lines": [{"sku": "tea", "qty": 2, "unit_minor": 500}]});
    if !n.is_multiple_of(3) {
        return (place, "10.00");
    }
    place["coupons"] = json!([{"code": "TEN", "minor": 100}]);
    place["points"] = json!({"spend": 10, "minor": 50, "earn": 8});
    place["total_minor"] = json!(850);
    (place, "8.50")
}

impl Ledger {
    pub(crate) fn len(&self) -> usize {
        self.callbacks.len()
    }

    /// The orders whose placement and whose payment were answered.
    pub(crate) fn paid(&self) -> BTreeSet<String> {
        let order = |(body, _): &Sent| -> Option<String> {
            let body: Value = serde_json::from_slice(body).unwrap();
            let is_capture = body["event_type"] == "PAYMENT.CAPTURE.COMPLETED";
            body["resource"]["custom_id"].as_str().filter(|_| is_capture).map(str::to_owned)
        };
        let captured: BTreeSet<String> = self.callbacks.values().filter_map(order).collect();
        captured.intersection(&self.placed).cloned().collect()
    }

    /// How many of the callbacks are not in the log: none, but for who looks whether a loss is seen.
    pub(crate) async fn lost(&self, client: &tokio_postgres::Client) -> usize {
        let keys: Vec<&str> = self.callbacks.keys().map(String::as_str).collect();
        let lost = "SELECT count(*) FROM unnest($1::text[]) AS k (event_key)
            WHERE NOT EXISTS (SELECT FROM counterfoil.callbacks AS c WHERE c.event_key = k.event_key)";
        let lost: i64 = client.query_one(lost, &[&keys]).await.unwrap().get(0);
        usize::try_from(lost).unwrap()
    }

    /// What the journal of a load holds is what counted, and nothing else.
    pub(crate) fn assert_journaled(&self, journal: &Path) {
        let text = std::fs::read_to_string(journal).unwrap();
        let kept: BTreeSet<&str> = text.lines().collect();
        let counted = |what: &str, id: &String| format!("{what} {id}");
        let callbacks = self.callbacks.keys().map(|id| counted("callback", id));
        let placed = self.placed.iter().map(|id| counted("placed", id));
        for line in callbacks.chain(placed) {
            assert!(kept.contains(line.as_str()), "{line} counted, and is not in the journal");
        }
        assert_eq!(kept.len(), self.callbacks.len() + self.placed.len());
    }

    /// P1: all of it is in the log; callbacks byte for byte, with headers and the certificate that signed them.
    pub(crate) async fn check(&self, ground: &Ground, database: &Database) {
        let client = database.client().await.unwrap();
        let keys: Vec<&str> = self.callbacks.keys().map(String::as_str).collect();
        // No revision is asked for: no body has this mac.
        let macs = vec![&b"none"[..]; keys.len()];
        let rows = client.query(&sql::event_log::FIND_CALLBACKS, &[&SHOP, &keys, &macs]).await.unwrap();
        let positions: BTreeMap<String, i64> =
            rows.iter().map(|row| (row.get("event_key"), row.get("position"))).collect();
        let mut certificates = BTreeSet::new();
        for event_id in self.callbacks.keys() {
            let position =
                positions.get(event_id).unwrap_or_else(|| panic!("{event_id} was answered and is lost"));
            let kept = evidence_at(ground, &client, *position).await;
            self.check_callback(event_id, &kept);
            certificates.insert(kept.certificate_sha256);
        }
        let signed_by =
            "SELECT encode(sha256, 'hex') FROM counterfoil.certificates WHERE sha256 = sha256(der)";
        let rows = client.raw().query(signed_by, &[]).await.unwrap();
        let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(certificates, stored, "the certificate that signed them is kept");
        let facts = Filter { kinds: vec![Kind::Fact], types: vec!["payment.*".into()], ..Filter::default() };
        let facts = event_log::read(&client, &ground.shop, Position(-1), 10_000_000, &facts).await.unwrap();
        assert!(facts.len() >= self.len(), "one fact for each callback");
        self.check_placed(&client).await;
    }

    fn check_callback(&self, event_id: &str, kept: &CallbackEvidence) {
        let (body, headers) = &self.callbacks[event_id];
        assert_eq!(&kept.body, body, "{event_id} is kept byte for byte");
        assert_eq!(kept.verified_by, VerifiedBy::Signature);
        let sent = |name: &str| headers.iter().find(|(sent, _)| sent == name).map(|(_, value)| value);
        assert!(kept.headers.len() >= 5, "the five headers are kept");
        for (name, value) in &kept.headers {
            assert_eq!(Some(value), sent(&name.to_lowercase()), "{event_id}: {name} is kept as it came");
        }
    }

    async fn check_placed(&self, client: &Client) {
        let placed =
            "SELECT substr(key, 7) FROM counterfoil.events WHERE kind = 'fact' AND type = 'order.placed'";
        let rows = client.raw().query(placed, &[]).await.unwrap();
        let kept: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let lost: Vec<_> = self.placed.difference(&kept).collect();
        assert!(lost.is_empty(), "placements that were answered and are lost: {lost:?}");
        assert_eq!(rows.len(), kept.len(), "each order is placed once");
    }
}

async fn evidence_at(ground: &Ground, client: &Client, position: i64) -> CallbackEvidence {
    let row = evidence::load(client, SHOP, position).await.unwrap().expect("it has evidence");
    let (_, wrapped) = row.key.expect("its key is there");
    CallbackEvidence::decode(&ground.vault.open(SHOP, &row.sealed, &wrapped).unwrap()).unwrap()
}
