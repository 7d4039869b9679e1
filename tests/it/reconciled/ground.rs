//! A shop that is served, and its account at a simulated PayPal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use database::{Clock as _, SystemClock};
use domain::{Money, ShopId, Timestamp};
use intake::When;
use paypal::Environment;
use paypal::rest::{self, Client, Credentials};
use paypal_simulator::{Authority, Ids, PayPal, Story, Webhook};
use reconciliation::{Account, Options, Reconciling, Standing};
use serde_json::{Value, json};
use test_support::wait_until;

use crate::served::{SHOP, Served, WEBHOOK_ID};
use crate::soundness;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// As often as it can, so that a test waits for nothing; and it gives up at the first trouble.
pub(super) fn options() -> Options {
    let ms = Duration::from_millis;
    Options {
        every: ms(50),
        poll: ms(20),
        lookups_every: ms(50),
        // Only where a test asks for it.
        lookup_ages: vec![Duration::from_secs(86_400)],
        before_hold_ends: Duration::from_secs(1),
        tries: 1,
        pauses: (ms(5), ms(20)),
        backoff: (ms(20), ms(100)),
        supervise: ms(50),
        ..Options::new("a test".to_owned())
    }
}

/// A shop that is served, and its account at a simulated PayPal.
pub(super) struct Ground {
    pub(super) served: Served,
    pub(super) paypal: PayPal,
    pub(super) ids: Ids,
    pub(super) shop: ShopId,
}

impl Ground {
    pub(super) async fn start(options: Options) -> Self {
        Self::start_asking(options, None).await
    }

    /// The same, which asks PayPal about callbacks too.
    pub(super) async fn start_asking(options: Options, postback: Option<When>) -> Self {
        let authority = Arc::new(Authority::in_memory().unwrap());
        let now = || Timestamp::new(SystemClock.now());
        let paypal = PayPal::start(Arc::clone(&authority), 7, now).unwrap();
        let served = Served::start_at_paypal(authority, account(&paypal), options, postback).await;
        let url = served.url(&format!("/webhooks/paypal/{SHOP}"));
        paypal.subscribe(Webhook::new(WEBHOOK_ID, url)).unwrap();
        let shop = ShopId::parse(SHOP).unwrap();
        let ground = Self { served, paypal, ids: Ids::seeded(11), shop };
        let key = ground.served.shop_key.clone();
        let stock = json!({"id": "first", "qty": 1_000_000});
        let (status, _) = ground.served.post("/v1/stock/tea/receive", &key, &stock).await;
        assert_eq!(status, 200);
        ground
    }

    /// Has captures above so much confirmed.
    pub(super) async fn confirms_above(&self, minor: i64, currency: &str) {
        let settings = json!({"confirm_above": [{"currency": currency, "minor": minor}]});
        let answer = self
            .served
            .client
            .put(self.served.url("/v1/settings"))
            .bearer_auth(&self.served.operator_key)
            .header("idempotency-key", format!("above-{minor}"))
            .header("prefer", "wait=20")
            .json(&settings)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }

    /// Places an order of tea, and what is to happen to it at PayPal.
    pub(super) async fn place(&mut self, order: &str, minor: i64) -> Story {
        let money = format!("{}.{:02}", minor / 100, minor % 100);
        let at = Timestamp::new(SystemClock.now());
        let story = Story::new(&mut self.ids, order, Money::parse(&money, "USD").unwrap(), at);
        let placement = json!({
            "order": order, "currency": "USD", "total_minor": minor, "paypal_order_id": story.paypal_order,
            "lines": [{"sku": "tea", "qty": 1, "unit_minor": minor}],
        });
        let key = self.served.shop_key.clone();
        let (status, answer) = self.served.post("/v1/orders", &key, &placement).await;
        assert_eq!(status, 200, "{answer}");
        story
    }

    pub(super) fn reconcile(&self) -> Reconciling {
        Reconciling::start(self.served.reconciler.clone().unwrap())
    }

    pub(super) async fn standing(&self) -> Option<Standing> {
        reconciliation::standings(&self.served.database).await.unwrap().into_iter().next()
    }

    pub(super) async fn wait_for(&self, what: &str, is_so: impl Fn(&Standing) -> bool) -> Standing {
        let so =
            wait_until(PATIENCE, async || self.standing().await.is_some_and(|standing| is_so(&standing)));
        assert!(so.await, "{what}: {:?}", self.standing().await);
        self.standing().await.unwrap()
    }

    /// Waits until everything that PayPal has listed by now was listed once more.
    pub(super) async fn wait_for_another_listing(&self) {
        let listed_through = self.served.database.now().await.unwrap();
        self.wait_for("another listing", |s| s.listed_through.is_some_and(|at| at > listed_through)).await;
    }

    pub(super) async fn order(&self, order: &str) -> Value {
        let key = self.served.viewer_key.clone();
        let (status, document) = self.served.get(&format!("/v1/orders/{order}"), &key).await;
        assert_eq!(status, 200, "{document}");
        document
    }

    pub(super) async fn wait_for_state(&self, order: &str, state: &str) {
        let so = wait_until(PATIENCE, async || self.order(order).await["state"] == state);
        assert!(so.await, "{order} is not {state}: {}", self.order(order).await);
    }

    /// PayPal's ids of the events that the log has.
    pub(super) async fn event_keys(&self) -> BTreeSet<String> {
        let client = self.served.test_superuser().await;
        let rows = client.query("SELECT event_key FROM counterfoil.callbacks", &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).filter(|key| !key.contains('/')).collect()
    }

    pub(super) async fn assert_sound(&self) {
        soundness::wait_until_decided(&self.served.database, &self.shop).await;
        soundness::assert_sound(&self.served.database, &self.shop).await;
    }
}

pub(super) fn account(paypal: &PayPal) -> Account {
    let credentials =
        Credentials { client_id: paypal.client().id.clone(), secret: paypal.client().secret.clone() };
    let options = rest::Options { base_url: Some(paypal.url().to_owned()), ..rest::Options::default() };
    Account { client: Client::new(Environment::Dev, credentials, &options).unwrap() }
}
