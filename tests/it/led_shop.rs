//! A shop with a log and a relay, for tests that settle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit::verify;
use database::{Client, Database};
use domain::{Fact, Position, ShopId, Source};
use event_log::{AppendError, Appender, Dedupe, NewFact};
use read_models::ReadModels;
use read_models::query::orders::{self, OrderFilter};
use relay::{Options, Projection, Relay, RelayHandle};
use serde_json::Value;
use test_support::{TestDatabase, wait_until};

use crate::contract;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct LedShop {
    pub(crate) shop: ShopId,
    pub(crate) database: Database,
    pub(crate) appender: Appender,
    next: AtomicU64,
    // Dropped last: it takes the sessions of the others with it.
    pub(crate) test: TestDatabase,
}

impl LedShop {
    /// A shop with an empty log, which nobody leads yet.
    pub(crate) async fn create() -> Self {
        Self::on(TestDatabase::create().await).await
    }

    /// The same in a database of the caller's.
    pub(crate) async fn on(test: TestDatabase) -> Self {
        plant_shop(&test, "shop").await;
        let database = test.database();
        let appender = Appender::start(database.clone(), event_log::Options::default());
        Self { shop: ShopId::parse("shop").unwrap(), database, appender, next: AtomicU64::new(0), test }
    }

    pub(crate) fn lead(&self) -> RelayHandle {
        self.lead_with(ReadModels::default(), quick())
    }

    pub(crate) fn lead_with(&self, projection: impl Projection, options: Options) -> RelayHandle {
        Relay::start(self.database.clone(), self.appender.clone(), projection, options)
    }

    pub(crate) async fn append(&self, type_name: &str, data: Value) -> Position {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        append(&self.appender, &self.shop, new_fact(n, type_name, &data)).await
    }

    /// Appends, and waits until it is decided.
    pub(crate) async fn settle(&self, relay: &RelayHandle, type_name: &str, data: Value) -> Position {
        let position = self.append(type_name, data).await;
        applied(relay, &self.shop, position).await;
        position
    }

    pub(crate) async fn client(&self) -> Client {
        self.database.client().await.unwrap()
    }

    /// The names of the outcomes of a fact.
    pub(crate) async fn outcomes(&self, cause: Position) -> Vec<String> {
        let events = event_log::outcomes_of(&self.client().await, &self.shop, cause).await.unwrap();
        events.into_iter().map(|event| event.type_name).collect()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.test.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.test.superuser().await.batch_execute(sql).await.unwrap();
    }

    /// Every invariant holds, every decision is made again as it was, every row is as replay makes it, and every event
    /// keeps its contract.
    pub(crate) async fn assert_sound(&self) {
        assert_shop_sound(&self.database, &self.shop).await;
    }
}

pub(crate) async fn assert_shop_sound(database: &Database, shop: &ShopId) {
    let found = verify(database, shop).await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
    contract::assert_kept(database, shop).await;
    assert_each_is_listed_once(database, shop).await;
}

/// The list of the newest orders goes by the log, and has every row once.
async fn assert_each_is_listed_once(database: &Database, shop: &ShopId) {
    let client = database.client().await.unwrap();
    let everywhere = (Position(0), Position(i64::MAX));
    let newest = orders::newest(&client, shop, &OrderFilter::default(), everywhere, 100_000).await.unwrap();
    let mut listed: Vec<String> = newest.items.iter().map(|view| view.order.order.to_string()).collect();
    listed.sort_unstable();
    let by_id = orders::list(&client, shop, &OrderFilter::default(), None, 100_000).await.unwrap();
    let rows: Vec<String> = by_id.items.iter().map(|view| view.order.order.to_string()).collect();
    assert_eq!(listed, rows);
}

pub(crate) async fn plant_shop(test: &TestDatabase, shop: &str) {
    let sql = "INSERT INTO counterfoil.shops (shop_id, environment, hash_key_wrapped, kek_id) VALUES ($1, 'dev', '', '')";
    test.superuser().await.execute(sql, &[&shop]).await.unwrap();
}

/// A relay that looks for shops and timers often, so that tests need not wait.
pub(crate) fn quick() -> Options {
    Options {
        poll: Duration::from_millis(50),
        supervise: Duration::from_millis(50),
        timers: Duration::from_millis(50),
        ..Options::default()
    }
}

pub(crate) async fn applied(relay: &RelayHandle, shop: &ShopId, position: Position) {
    let mut applied = relay.applied(shop);
    let waited = tokio::time::timeout(DEADLINE, applied.wait_for(|applied| *applied >= position.0)).await;
    assert!(waited.is_ok(), "{position} was not decided in time");
}

pub(crate) fn new_fact(n: u64, type_name: &str, data: &Value) -> NewFact {
    let fact = Fact::from_data(type_name, &data.to_string()).unwrap();
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    let dedupe = match fact.source() {
        Source::Callback => {
            Dedupe::Callback { event_key: format!("WH-{n}"), body_mac: digest, transmission: None }
        }
        _ => Dedupe::Command { id: n.to_string(), content_sha256: digest },
    };
    NewFact { fact, by: "test".to_owned(), dedupe, evidence: None, certificate: None }
}

/// Appends, as often as it takes: the same ids make it once.
pub(crate) async fn append(appender: &Appender, shop: &ShopId, fact: NewFact) -> Position {
    let mut position = None;
    let appended = wait_until(DEADLINE, async || match appender.append(shop, fact.clone()).await {
        Ok(appended) => {
            position = Some(appended.position());
            true
        }
        Err(AppendError::Busy { .. } | AppendError::Unavailable(_)) => false,
        Err(error) => panic!("{error}"),
    })
    .await;
    assert!(appended, "it was not appended in time");
    position.unwrap()
}
