//! The whole service on a port of its own: database, log, relay, API; with a development authority as PayPal.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use access::{ApiKeys, Identity, Role};
use actix_web::dev::ServerHandle;
use database::{Clock, Database, SystemClock};
use delivery::sinks::{Running, Sinks};
use delivery::{Consumers, Feed, Tail};
use domain::{Position, ShopId, Timestamp};
use event_log::{Appender, Filter, Guard, Keeping, Kind};
use evidence::{CallbackEvidence, KeyEncryptionKey, Vault};
use http_api::{Api, Build, Delivery, Limits, Parts};
use intake::{Intake, Postback, Trust, Trusts, When, shops};
use paypal::{Certificates, Environment, Sources};
use paypal_simulator::Authority;
use read_models::ReadModels;
use reconciliation::{Account, Accounts, Reconciler};
use relay::{Relay, RelayHandle};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};

/// The shop that is always there.
pub(crate) const SHOP: &str = "demo";
/// Its webhook id.
pub(crate) const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    pub(crate) shop_key: String,
    pub(crate) operator_key: String,
    pub(crate) viewer_key: String,
    pub(crate) feed_key: String,
    pub(crate) database: Database,
    authority: Arc<Authority>,
    keys: ApiKeys,
    vault: Vault,
    intake: Intake,
    sinks: Sinks,
    tail: Tail,
    relay: Option<RelayHandle>,
    pub(crate) reconciler: Option<Reconciler>,
    server: ServerHandle,
    _keeping: Keeping,
    // The last of those that stand on it drops it.
    test_database: Arc<TestDatabase>,
}

/// What an instance does beside answering.
struct Work {
    decides: bool,
    log: event_log::Options,
}

impl Default for Work {
    fn default() -> Self {
        Self { decides: true, log: event_log::Options::default() }
    }
}

/// How a shop is known at PayPal.
struct AtPaypal {
    accounts: Accounts,
    options: reconciliation::Options,
}

impl Served {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_at(limits, Arc::new(SystemClock)).await
    }

    /// The same, with another idea of the time.
    pub(crate) async fn start_at(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::start_first(limits, clock, None).await
    }

    /// The same, believing others than its own authority, whose signatures are then worth nothing.
    pub(crate) async fn start_trusting(limits: Limits, trusts: Trusts) -> Self {
        Self::start_first(limits, Arc::new(SystemClock), Some(trusts)).await
    }

    async fn start_first(limits: Limits, clock: Arc<dyn Clock>, trusts: Option<Trusts>) -> Self {
        let test_database = TestDatabase::create().await;
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        let (database, shop) = (test_database.database(), ShopId::parse(SHOP).unwrap());
        shops::create(&database, &vault, &shop, Environment::Dev).await.unwrap();
        shops::add_webhook(&database, &shop, Environment::Dev, WEBHOOK_ID).await.unwrap();
        let authority = Arc::new(Authority::in_memory().unwrap());
        let trusts = trusts.unwrap_or_else(|| dev(&authority));
        Self::start_on(Arc::new(test_database), authority, trusts, limits, clock, Work::default(), None).await
    }

    /// The same, whose shop has an account at a simulated PayPal that signs by this authority.
    pub(crate) async fn start_at_paypal(
        authority: Arc<Authority>,
        account: Account,
        options: reconciliation::Options,
        postback: Option<When>,
    ) -> Self {
        let test_database = TestDatabase::create().await;
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        let (database, shop) = (test_database.database(), ShopId::parse(SHOP).unwrap());
        shops::create(&database, &vault, &shop, Environment::Dev).await.unwrap();
        shops::add_webhook(&database, &shop, Environment::Dev, WEBHOOK_ID).await.unwrap();
        let clients = [(shop.clone(), account.client.clone())].into();
        let postback = postback.map(|when| Arc::new(Postback::new(clients, when)));
        let trusts = Trusts { postback, ..dev(&authority) };
        let at_paypal = Some(AtPaypal { accounts: Accounts::new([(shop, account)].into()), options });
        let (test, clock) = (Arc::new(test_database), Arc::new(SystemClock));
        Self::start_on(test, authority, trusts, Limits::default(), clock, Work::default(), at_paypal).await
    }

    /// Another one who may reconcile the shop.
    pub(crate) fn reconciler_with(&self, account: Account, options: reconciliation::Options) -> Reconciler {
        let accounts = Accounts::new([(ShopId::parse(SHOP).unwrap(), account)].into());
        Reconciler::new(self.test_database.database(), self.intake.clone(), accounts, options)
    }

    /// Another instance on the same database, with an idea of the time of its own.
    pub(crate) async fn beside(&self, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let (test_database, authority) = (self.test_database.clone(), self.authority.clone());
        let trusts = dev(&authority);
        Self::start_on(test_database, authority, trusts, limits, clock, Work::default(), None).await
    }

    /// Another instance on the same database, which decides nothing.
    pub(crate) async fn beside_without_relay(&self, limits: Limits) -> Self {
        let (test_database, authority) = (self.test_database.clone(), self.authority.clone());
        let (trusts, clock) = (dev(&authority), Arc::new(SystemClock));
        Self::start_on(
            test_database,
            authority,
            trusts,
            limits,
            clock,
            Work { decides: false, ..Work::default() },
            None,
        )
        .await
    }

    /// Another instance on the same database, which decides nothing, with a queue of its own before the log.
    pub(crate) async fn beside_with_queue(&self, log: event_log::Options) -> Self {
        let (test_database, authority) = (self.test_database.clone(), self.authority.clone());
        let (trusts, clock, work) = (dev(&authority), Arc::new(SystemClock), Work { decides: false, log });
        Self::start_on(test_database, authority, trusts, Limits::default(), clock, work, None).await
    }

    async fn start_on(
        test_database: Arc<TestDatabase>,
        authority: Arc<Authority>,
        trusts: Trusts,
        limits: Limits,
        clock: Arc<dyn Clock>,
        Work { decides, log }: Work,
        at_paypal: Option<AtPaypal>,
    ) -> Self {
        let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
        let (database, shop) = (test_database.database(), ShopId::parse(SHOP).unwrap());
        let guard = Guard::default();
        let keeping = Keeping::start(guard.clone(), database.clone(), None).await.unwrap();
        let appender = Appender::start_guarded(database.clone(), log, guard);
        let intake = Intake::new(database.clone(), appender.clone(), vault.clone(), trusts, clock);
        let tail = Tail::start(database.clone(), appender.clone());
        let delivery = Delivery {
            feed: Feed::new(database.clone(), tail.clone()),
            consumers: Consumers::new(database.clone()),
            sinks: Sinks::new(database.clone(), vault.clone()),
        };
        let sinks = delivery.sinks.clone();
        let relay = decides.then(|| {
            Relay::start(database.clone(), appender, ReadModels::default(), relay::Options::default())
        });
        let keys = ApiKeys::new(database.clone());
        let shop_key = key(&keys, &shop, Role::Shop).await;
        let operator_key = key(&keys, &shop, Role::Operator).await;
        let viewer_key = key(&keys, &shop, Role::Viewer).await;
        let feed_key = key(&keys, &shop, Role::Feed).await;
        let reconciler = at_paypal.map(|AtPaypal { accounts, options }| {
            Reconciler::new(database.clone(), intake.clone(), accounts, options)
        });
        let api = Api::new(Parts {
            intake: intake.clone(),
            database: database.clone(),
            keys: keys.clone(),
            delivery,
            relay: relay.clone(),
            reconciler: reconciler.clone(),
            limits,
            build: Build { version: "0.0.0", commit: None },
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = http_api::server_with(
            api,
            listener,
            None,
            console::routes(vault.clone(), Vec::new(), None, None),
        )
        .unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(40)).build().unwrap();
        Self {
            address,
            client,
            shop_key,
            operator_key,
            viewer_key,
            feed_key,
            database,
            authority,
            keys,
            vault,
            intake,
            sinks,
            tail,
            relay,
            reconciler,
            server: handle,
            _keeping: keeping,
            test_database,
        }
    }

    /// The database as its owner has it.
    pub(crate) fn owner(&self) -> Database {
        self.test_database.database_owner()
    }

    /// How its owner reaches the database.
    pub(crate) fn url_owner(&self) -> SecretString {
        self.test_database.url_owner()
    }

    /// The authority's root, PEM.
    pub(crate) fn root_pem(&self) -> &str {
        self.authority.root_pem()
    }

    /// The same, as text.
    pub(crate) fn owner_url(&self) -> String {
        self.test_database.url_owner().expose_secret().to_owned()
    }

    /// What it stands on.
    pub(crate) fn test(&self) -> &TestDatabase {
        &self.test_database
    }

    /// A session that may break things.
    pub(crate) async fn test_superuser(&self) -> tokio_postgres::Client {
        self.test_database.superuser().await
    }

    /// Delivers to the sinks, until it is stopped.
    pub(crate) fn run_sinks(&self) -> Running {
        Running::start(self.sinks.clone(), self.tail.clone(), delivery::sinks::Options::default())
    }

    /// Hands the leases over, and goes on without deciding.
    pub(crate) async fn stop_relay(&self) {
        if let Some(relay) = &self.relay {
            let stopped = tokio::time::timeout(Duration::from_secs(30), relay.stop()).await;
            stopped.expect("the relay stops");
        }
    }

    pub(crate) async fn stop(self) {
        // A deadline, so that a test fails where it would hang.
        let deadline = Duration::from_secs(30);
        tokio::time::timeout(deadline, self.server.stop(true)).await.expect("the server stops");
        self.stop_relay().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A shop in an environment, with one webhook id.
    pub(crate) async fn add_shop_in(&self, name: &str, environment: Environment, webhook_id: &str) {
        let shop = ShopId::parse(name).unwrap();
        shops::create(&self.database, &self.vault, &shop, environment).await.unwrap();
        shops::add_webhook(&self.database, &shop, environment, webhook_id).await.unwrap();
    }

    /// Another shop, and a key of it.
    pub(crate) async fn add_shop(&self, name: &str) -> String {
        let shop = ShopId::parse(name).unwrap();
        shops::create(&self.database, &self.vault, &shop, Environment::Dev).await.unwrap();
        key(&self.keys, &shop, Role::Shop).await
    }

    /// A key of the shop that has all these roles.
    pub(crate) async fn key_with(&self, roles: impl IntoIterator<Item = Role>) -> String {
        let shop = ShopId::parse(SHOP).unwrap();
        let made = self.keys.create(&shop, "a test", roles.into_iter().collect()).await;
        made.unwrap().0.expose().to_owned()
    }

    /// Lets a key be refused from now on.
    pub(crate) async fn revoke(&self, key: &str) {
        let Identity { shop, key_id, .. } = self.identity(key).await;
        let revoked = self.keys.revoke(&event_log::Operator::named("a test"), &shop, &key_id).await;
        assert!(revoked.unwrap());
    }

    /// Whose key this is.
    pub(crate) async fn identity(&self, key: &str) -> Identity {
        self.keys.authenticate(key).await.unwrap()
    }

    pub(crate) async fn add_webhook_id(&self, id: &str) {
        let shop = ShopId::parse(SHOP).unwrap();
        shops::add_webhook(&self.database, &shop, Environment::Dev, id).await.unwrap();
        self.intake.forget_shop(&shop).await;
    }

    /// A POST with `Prefer: wait`, its status and its document.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .client
            .post(self.url(path))
            .bearer_auth(key)
            .header("prefer", "wait=20")
            .json(body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&body_of(answer).await).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> (u16, Value) {
        let answer = self.client.get(self.url(path)).bearer_auth(key).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&body_of(answer).await).unwrap_or_default())
    }

    pub(crate) async fn callback(
        &self,
        shop: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> reqwest::Response {
        let mut request = self.client.post(self.url(&format!("/webhooks/paypal/{shop}"))).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }

    /// Signs a body, delivers it, and sees that it was taken.
    pub(crate) async fn deliver(&self, body: &Value) {
        let body = body.to_string().into_bytes();
        let answer = self.callback(SHOP, &self.sign(&body), body).await;
        assert_eq!(answer.status().as_u16(), 200);
    }

    pub(crate) fn sign(&self, body: &[u8]) -> Vec<(String, String)> {
        self.sign_for(WEBHOOK_ID, body)
    }

    pub(crate) fn sign_for(&self, webhook_id: &str, body: &[u8]) -> Vec<(String, String)> {
        sign(&self.authority, webhook_id, body)
    }

    /// A PAYMENT.CAPTURE.COMPLETED for an order of the shop.
    pub(crate) fn captured(&self, order: &str, value: &str) -> Vec<u8> {
        captured_body(order, value)
    }

    /// What a fact rests on.
    pub(crate) async fn evidence(&self, position: Position) -> CallbackEvidence {
        let client = self.database.client().await.unwrap();
        let row = evidence::load(&client, SHOP, position.0).await.unwrap().expect("it has evidence");
        let (_, wrapped) = row.key.expect("its key is there");
        CallbackEvidence::decode(&self.vault.open(SHOP, &row.sealed, &wrapped).unwrap()).unwrap()
    }

    /// The last position of the shop's log.
    pub(crate) async fn events(&self) -> i64 {
        let client = self.database.client().await.unwrap();
        let head = event_log::head(&client, &ShopId::parse(SHOP).unwrap()).await.unwrap();
        head.map_or(-1, |(position, _)| position.0)
    }

    /// The types of the facts behind a position.
    pub(crate) async fn facts_after(&self, position: i64) -> Vec<String> {
        let client = self.database.client().await.unwrap();
        let filter = Filter { kinds: vec![Kind::Fact], ..Filter::default() };
        let shop = ShopId::parse(SHOP).unwrap();
        let (mut types, mut after) = (Vec::new(), Position(position));
        loop {
            let page = event_log::read(&client, &shop, after, 1000, &filter).await.unwrap();
            let Some(last) = page.last() else { return types };
            after = last.position;
            types.extend(page.into_iter().map(|event| event.type_name));
        }
    }

    /// Waits until every fact of the shop is decided.
    pub(crate) async fn settled(&self) {
        let (relay, shop) = (self.relay.clone().expect("it decides"), ShopId::parse(SHOP).unwrap());
        let done = wait_until(Duration::from_secs(20), async || {
            // A statement of its own: the lock behind it must not be held while the facts are read.
            let applied = *relay.applied(&shop).borrow();
            self.facts_after(applied).await.is_empty()
        });
        assert!(done.await, "the relay does not come to an end");
    }

    pub(crate) async fn metrics(&self) -> String {
        String::from_utf8(body_of(self.client.get(self.url("/metrics")).send().await.unwrap()).await).unwrap()
    }

    /// A counter of callbacks in the metrics' text.
    pub(crate) fn counted(&self, metrics: &str, result: &str) -> u64 {
        let name = format!("counterfoil_callbacks_total{{result=\"{result}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
    }
}

async fn key(keys: &ApiKeys, shop: &ShopId, role: Role) -> String {
    let (text, _) = keys.create(shop, "a test", role.into()).await.unwrap();
    text.expose().to_owned()
}

fn dev(authority: &Authority) -> Trusts {
    Trusts { paypal: None, dev: Some(trust(authority)), postback: None }
}

fn trust(authority: &Authority) -> Trust {
    let given = [(authority.certificate_id().to_owned(), authority.leaf_pem().as_bytes().to_vec())];
    let sources = Sources { given: given.into(), ..Sources::default() };
    Trust {
        anchors: Arc::new(authority.anchors().unwrap()),
        certificates: Certificates::new(sources).unwrap(),
    }
}

fn sign(authority: &Authority, webhook_id: &str, body: &[u8]) -> Vec<(String, String)> {
    paypal_simulator::sign(authority, webhook_id, body, Timestamp::new(SystemClock.now()))
}

pub(crate) fn captured_body(order: &str, value: &str) -> Vec<u8> {
    json!({
        "id": format!("WH-{order}-{value}"),
        "event_version": "1.0",
        "create_time": "2026-11-22T10:00:00.000Z",
        "resource_type": "capture",
        "resource_version": "2.0",
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "summary": format!("Payment completed for USD {value}"),
        "resource": {
            "id": format!("CAP-{order}"),
            "status": "COMPLETED",
            "amount": {"currency_code": "USD", "value": value},
            "final_capture": true,
            "custom_id": order,
        },
    })
    .to_string()
    .into_bytes()
}

/// A placement of two teas for 10.00 USD.
pub(crate) fn placement(order: &str) -> Value {
    json!({"order": order, "currency": "USD", "total_minor": 1000,
        "lines": [{"sku": "tea", "qty": 2, "unit_minor": 500}]})
}

pub(crate) async fn body_of(answer: reqwest::Response) -> Vec<u8> {
    answer.bytes().await.unwrap().to_vec()
}
