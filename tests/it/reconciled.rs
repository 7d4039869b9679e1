//! Reconciliation with PayPal, against a simulated one that loses, forges, and has trouble.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use database::{Clock as _, SystemClock};
use domain::{Money, ShopId, Timestamp};
use intake::When;
use paypal::Environment;
use paypal::rest::{self, Client, Credentials};
use paypal_simulator::{
    Authority, Delivery, Endpoint, EventKind, Fault, Ids, PayPal, Story, Webhook, forge_amount, sign,
};
use reconciliation::{Account, Options, Reconciling, Standing};
use serde_json::{Value, json};
use test_support::wait_until;

use crate::binary::{self, said};
use crate::program::free_address;
use crate::served::{SHOP, Served, WEBHOOK_ID};
use crate::{ground, soundness};

const PATIENCE: Duration = Duration::from_secs(60);

/// As often as it can, so that a test waits for nothing; and it gives up at the first trouble.
fn options() -> Options {
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
struct Ground {
    served: Served,
    paypal: PayPal,
    ids: Ids,
    shop: ShopId,
}

impl Ground {
    async fn start(options: Options) -> Self {
        Self::start_asking(options, None).await
    }

    /// The same, which asks PayPal about callbacks too.
    async fn start_asking(options: Options, postback: Option<When>) -> Self {
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
    async fn confirms_above(&self, minor: i64, currency: &str) {
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
    async fn place(&mut self, order: &str, minor: i64) -> Story {
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

    fn reconcile(&self) -> Reconciling {
        Reconciling::start(self.served.reconciler.clone().unwrap())
    }

    async fn standing(&self) -> Option<Standing> {
        reconciliation::standings(&self.served.database).await.unwrap().into_iter().next()
    }

    async fn wait_for(&self, what: &str, is_so: impl Fn(&Standing) -> bool) -> Standing {
        let so =
            wait_until(PATIENCE, async || self.standing().await.is_some_and(|standing| is_so(&standing)));
        assert!(so.await, "{what}: {:?}", self.standing().await);
        self.standing().await.unwrap()
    }

    /// Waits until everything that PayPal has listed by now was listed once more.
    async fn wait_for_another_listing(&self) {
        let listed_through = self.served.database.now().await.unwrap();
        self.wait_for("another listing", |s| s.listed_through.is_some_and(|at| at > listed_through)).await;
    }

    async fn order(&self, order: &str) -> Value {
        let key = self.served.viewer_key.clone();
        let (status, document) = self.served.get(&format!("/v1/orders/{order}"), &key).await;
        assert_eq!(status, 200, "{document}");
        document
    }

    async fn wait_for_state(&self, order: &str, state: &str) {
        let so = wait_until(PATIENCE, async || self.order(order).await["state"] == state);
        assert!(so.await, "{order} is not {state}: {}", self.order(order).await);
    }

    /// PayPal's ids of the events that the log has.
    async fn event_keys(&self) -> BTreeSet<String> {
        let client = self.served.test_superuser().await;
        let rows = client.query("SELECT event_key FROM counterfoil.callbacks", &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, String>(0)).filter(|key| !key.contains('/')).collect()
    }

    async fn assert_sound(&self) {
        soundness::wait_until_decided(&self.served.database, &self.shop).await;
        soundness::assert_sound(&self.served.database, &self.shop).await;
    }
}

fn account(paypal: &PayPal) -> Account {
    let credentials =
        Credentials { client_id: paypal.client().id.clone(), secret: paypal.client().secret.clone() };
    let options = rest::Options { base_url: Some(paypal.url().to_owned()), ..rest::Options::default() };
    Account { client: Client::new(Environment::Dev, credentials, &options).unwrap() }
}

#[expect(clippy::print_stdout, reason = "a test that fails has said its seed")]
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test that failed is run again with its seed")]
    let seed = std::env::var("COUNTERFOIL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(1);
    println!("COUNTERFOIL_SEED={seed}");
    seed
}

/// Show 4: "A simulated PayPal that loses 1 % of its deliveries for good: after reconciliation the log is complete."
#[tokio::test(flavor = "multi_thread")]
async fn what_paypal_lost_for_good_is_found_and_the_log_is_complete() {
    let mut ground = Ground::start(options()).await;
    let mut happened = BTreeSet::new();
    let orders: Vec<String> = (0..220).map(|n| format!("A-{n}")).collect();
    for (n, order) in orders.iter().enumerate() {
        let story = ground.place(order, 1_000).await;
        let mut kinds = vec![EventKind::OrderApproved, EventKind::CaptureCompleted];
        if n % 3 == 0 {
            kinds.push(EventKind::OrderCompleted);
        }
        if n % 5 == 0 {
            kinds.push(EventKind::CaptureRefunded);
        }
        for kind in kinds {
            happened.insert(ground.paypal.happened(&story, kind).unwrap().id);
        }
    }
    assert!(happened.len() >= 500, "{}", happened.len());
    let delivery =
        Delivery { loses: 10, duplicates: 50, reorders_s: 600, at_once: 16, ..Delivery::seeded(seed()) };
    let delivered = ground.paypal.deliver(&delivery).await;
    let lost: BTreeSet<String> = delivered.lost.into_iter().collect();
    assert!(!lost.is_empty() && delivered.given_up.is_empty(), "some are lost: {}", lost.len());
    let before = ground.event_keys().await;
    assert_eq!(before, happened.difference(&lost).cloned().collect(), "the log lacks what was lost");

    let reconciling = ground.reconcile();
    ground.wait_for("all is found", |s| s.appended == i64::try_from(lost.len()).unwrap()).await;
    assert_eq!(ground.event_keys().await, happened);
    ground.assert_sound().await;
    for (n, order) in orders.iter().enumerate() {
        let row = ground.order(order).await;
        assert_eq!(row["state"], "paid", "{row}");
        assert_eq!(row["money"]["refunded_minor"], if n % 5 == 0 { 1_000 } else { 0 }, "{row}");
    }

    // Run again, it appends nothing.
    let (head, standing) = (ground.served.events().await, ground.standing().await.unwrap());
    ground.wait_for_another_listing().await;
    reconciling.stop().await;
    let again = ground.standing().await.unwrap();
    assert!(again.listed >= standing.listed + i64::try_from(happened.len()).unwrap());
    assert_eq!((ground.served.events().await, again.appended), (head, standing.appended));
    ground.served.stop().await;
}

/// Show 4: "one that forges an amount under an equal CRC32 above the confirmation amount: not settled."
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_amount_above_the_confirmation_amount_is_never_settled() {
    let mut ground = Ground::start(options()).await;
    ground.confirms_above(5_000, "USD").await;
    let forged = forge(&mut ground, "FORGED", 90_000).await;
    let small = forge(&mut ground, "SMALL", 4_000).await;
    let honest = ground.place("HONEST", 90_000).await;
    ground.paypal.happened(&honest, EventKind::CaptureCompleted).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.served.settled().await;
    // The control: what nobody asks about settles by the signature alone.
    assert_eq!(ground.order("SMALL").await["state"], "paid");
    for order in ["FORGED", "HONEST"] {
        let row = ground.order(order).await;
        assert_eq!((&row["state"], &row["fulfilment"]), (&json!("open"), &json!("wait")), "{row}");
        assert_eq!(row["reasons"][0]["code"], "awaiting_confirmation", "{row}");
    }

    let reconciling = ground.reconcile();
    ground.wait_for_state("HONEST", "paid").await;
    ground.wait_for("one is refuted", |s| (s.confirmed, s.refuted, s.awaiting) == (1, 1, 0)).await;
    ground.wait_for_another_listing().await;
    reconciling.stop().await;
    let row = ground.order("FORGED").await;
    assert_eq!((&row["state"], &row["fulfilment"]), (&json!("open"), &json!("wait")), "{row}");
    assert_eq!(row["money"]["captured_minor"], 0, "{row}");
    assert!(row["flags"].to_string().contains("mismatched"), "{row}");
    let key = ground.served.viewer_key.clone();
    let (_, payments) = ground.served.get("/v1/payments?standing=refuted", &key).await;
    assert!(payments.to_string().contains(&forged.capture), "{payments}");
    assert!(!payments.to_string().contains(&small.capture), "{payments}");
    let facts = ground.served.facts_after(-1).await;
    assert_eq!(facts.iter().filter(|fact| *fact == "capture.confirmed").count(), 1, "{facts:?}");
    assert_eq!(facts.iter().filter(|fact| *fact == "capture.refuted").count(), 1, "{facts:?}");
    ground.assert_sound().await;
    ground.served.stop().await;
}

/// A buyer pays one dollar; on its way to us the callback's amount becomes the order's, under PayPal's own signature.
async fn forge(ground: &mut Ground, order: &str, minor: i64) -> Story {
    let mut story = ground.place(order, minor).await;
    story.amount = Money::parse("1.00", "USD").unwrap();
    story.fee_minor = 0;
    let genuine = ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().body.to_vec();
    let forged = forge_amount(&genuine, &format!("{}.{:02}", minor / 100, minor % 100)).unwrap();
    assert_eq!(paypal::crc32(&forged), paypal::crc32(&genuine));
    let answer = ground.served.callback(SHOP, &ground.served.sign(&genuine), forged).await;
    assert_eq!(answer.status().as_u16(), 200, "the signature holds");
    story
}

#[tokio::test(flavor = "multi_thread")]
async fn while_paypal_has_trouble_callbacks_are_taken_and_the_cursor_stands_until_all_is_found() {
    let mut ground = Ground::start(options()).await;
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    let reconciling = ground.reconcile();
    let failed = ground.wait_for("the outage is told", |s| s.error.is_some()).await;
    assert!(failed.listed_through.is_none() && failed.ran_age_ms.is_none(), "{failed:?}");
    // The door asks PayPal for nothing.
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.wait_for_state("A-1", "paid").await;
    ground.paypal.faults().clear_everywhere();
    let well = ground.wait_for("it goes on by itself", |s| s.error.is_none()).await;
    assert!(well.listed_through.is_some() && well.appended == 0, "{well:?}");
    reconciling.stop().await;
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_between_two_pages_leaves_the_cursor_and_the_next_one_finds_the_rest_once() {
    let backoff = (Duration::from_secs(600), Duration::from_secs(600));
    let mut ground = Ground::start(Options { backoff, ..options() }).await;
    for fault in [
        Fault::TooManyRequests { retry_after_s: 1 },
        Fault::InternalError,
        Fault::Unavailable,
        Fault::NotFound,
        Fault::Garbled,
        Fault::CutShort,
    ] {
        // Two pages at least.
        let before = ground.event_keys().await;
        let mut happened = before.clone();
        for n in 0..120 {
            let at = Timestamp::new(SystemClock.now());
            let order = format!("{n}");
            let story = Story::new(&mut ground.ids, &order, Money::parse("1.00", "USD").unwrap(), at);
            happened.insert(ground.paypal.happened(&story, EventKind::OrderApproved).unwrap().id);
        }
        let cursor = ground.standing().await.and_then(|standing| standing.listed_through);
        let faults = ground.paypal.faults();
        let asked = faults.requests(Endpoint::Events);
        faults.set(Endpoint::Events, Fault::Hangs);
        let reconciling = ground.reconcile();
        let hangs = wait_until(PATIENCE, async || faults.requests(Endpoint::Events) > asked);
        assert!(hangs.await, "it asks");
        // The first page is answered now, and the second meets the fault.
        faults.set_for(Endpoint::Events, 1, fault);
        let failed = ground.wait_for("the run fails", |s| s.error.is_some()).await;
        assert_eq!(failed.listed_through, cursor, "{fault:?}");
        reconciling.stop().await;
        let between = ground.event_keys().await;
        assert!(between.len() >= before.len() + 100 && between.len() < happened.len(), "{fault:?}");

        let reconciling = ground.reconcile();
        let well = ground.wait_for("the next run ends well", |s| s.error.is_none()).await;
        assert!(well.listed_through > cursor, "{fault:?}");
        reconciling.stop().await;
        assert_eq!(ground.event_keys().await, happened, "{fault:?}");
    }
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_between_two_pages_is_fetched_anew_once() {
    let mut ground = Ground::start(options()).await;
    for n in 0..120 {
        let at = Timestamp::new(SystemClock.now());
        let story = Story::new(&mut ground.ids, &format!("{n}"), Money::parse("1.00", "USD").unwrap(), at);
        ground.paypal.happened(&story, EventKind::OrderApproved).unwrap();
    }
    let faults = ground.paypal.faults();
    faults.set(Endpoint::Events, Fault::Hangs);
    let reconciling = ground.reconcile();
    assert!(wait_until(PATIENCE, async || faults.requests(Endpoint::Events) == 1).await, "it asks");
    ground.paypal.end_tokens();
    faults.clear(Endpoint::Events);
    let well = ground.wait_for("the run ends well", |s| s.listed_through.is_some()).await;
    reconciling.stop().await;
    assert_eq!(ground.event_keys().await.len(), 120, "{well:?}");
    assert_eq!(ground.paypal.faults().requests(Endpoint::Token), 2);
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_after_the_copy_is_kept_as_a_revision_and_counts_no_more() {
    let mut ground = Ground::start(options()).await;
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let reconciling = ground.reconcile();
    ground.wait_for_state("A-1", "paid").await;
    reconciling.stop().await;
    let head = ground.served.events().await;
    let delivered = ground.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!(delivered.taken.len(), 1);
    assert_eq!(ground.served.facts_after(head).await, ["callback.revised"]);
    // And a second one adds nothing.
    let event = ground.paypal.happened(&story, EventKind::OrderApproved).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.served.settled().await;
    let head = ground.served.events().await;
    ground.served.callback(SHOP, &ground.served.sign(&event.body), event.body.to_vec()).await;
    assert_eq!(ground.served.events().await, head);
    assert_eq!(ground.order("A-1").await["money"]["captured_minor"], 1_000);
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_reconcile_a_shop_once() {
    let mut ground = Ground::start(options()).await;
    let mut happened = BTreeSet::new();
    for n in 0..40 {
        let story = ground.place(&format!("A-{n}"), 1_000).await;
        happened.insert(ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    }
    let (first, beside) = (ground.reconcile(), {
        let reconciler = ground.served.reconciler_with(account(&ground.paypal), options());
        Reconciling::start(reconciler)
    });
    ground.wait_for("all is found", |s| s.appended == 40).await;
    // Whoever leads stops, and the other goes on.
    first.stop().await;
    let story = ground.place("LATE", 1_000).await;
    happened.insert(ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    ground.wait_for_state("LATE", "paid").await;
    beside.stop().await;
    assert_eq!(ground.event_keys().await, happened);
    ground.assert_sound().await;
    let facts = ground.served.facts_after(-1).await;
    assert_eq!(facts.iter().filter(|fact| *fact == "payment.captured").count(), 41);
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_synced_at_once_by_its_event_or_else_by_its_capture() {
    let mut ground = Ground::start(options()).await;
    let key = ground.served.operator_key.clone();
    let story = ground.place("EVENT", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let (status, found) = ground.served.post("/v1/orders/EVENT/sync", &key, &json!({})).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["paypal_orders"][0]["captures"][0]["brought"], "event", "{found}");
    ground.wait_for_state("EVENT", "paid").await;

    let silent = ground.place("SILENT", 1_000).await;
    ground.paypal.happened_silently(&silent, EventKind::CaptureCompleted).unwrap();
    let (status, found) = ground.served.post("/v1/orders/SILENT/sync", &key, &json!({})).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["paypal_orders"][0]["captures"][0]["brought"], "capture", "{found}");
    ground.wait_for_state("SILENT", "paid").await;
    // The event comes after all: the capture is known, and counts no more.
    ground.paypal.happened(&silent, EventKind::CaptureCompleted).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;

    ground.place("NOTHING", 1_000).await;
    ground.served.settled().await;
    let head = ground.served.events().await;
    for (order, path) in [("EVENT", "captures/0/status"), ("NOTHING", "paypal_order")] {
        let (status, found) = ground
            .served
            .post(&format!("/v1/orders/{order}/sync"), &ground.served.shop_key, &json!({}))
            .await;
        assert_eq!(status, 200, "{found}");
        assert!(found.pointer(&format!("/paypal_orders/0/{path}")).is_some(), "{found}");
        assert!(!found.to_string().contains("brought"), "{found}");
    }
    assert_eq!(ground.served.events().await, head, "what is known adds nothing");
    let (status, _) = ground.served.post("/v1/orders/NO-SUCH/sync", &key, &json!({})).await;
    assert_eq!(status, 404);
    let nameless = json!({"order": "N", "currency": "USD", "total_minor": 1,
        "lines": [{"sku": "tea", "qty": 1, "unit_minor": 1}]});
    ground.served.post("/v1/orders", &ground.served.shop_key, &nameless).await;
    let (status, problem) = ground.served.post("/v1/orders/N/sync", &key, &json!({})).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/docs/problems/not_at_paypal")));
    let (status, _) =
        ground.served.post("/v1/orders/EVENT/sync", &ground.served.viewer_key, &json!({})).await;
    assert_eq!(status, 403);
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    let (status, _) = ground.served.post("/v1/orders/EVENT/sync", &key, &json!({})).await;
    assert_eq!(status, 503);
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unpaid_orders_are_looked_up_when_they_are_old_enough_and_once_for_each_age() {
    let ages = vec![Duration::from_secs(0), Duration::from_secs(3_600)];
    let mut ground = Ground::start(Options { lookup_ages: ages, ..options() }).await;
    // PayPal lists nothing of it.
    let silent = ground.place("SILENT", 1_000).await;
    ground.paypal.happened_silently(&silent, EventKind::CaptureCompleted).unwrap();
    for n in 0..3 {
        ground.place(&format!("OPEN-{n}"), 1_000).await;
    }
    let reconciling = ground.reconcile();
    ground.wait_for_state("SILENT", "paid").await;
    ground.wait_for("all are looked up", |s| s.looked_up == 4).await;
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().looked_up, 4);
    // An hour later the unpaid ones are due again, and a day later no more.
    let age = async |hours: i32| {
        let client = ground.served.test_superuser().await;
        let older = "UPDATE counterfoil.orders SET placed_at = placed_at - $1 * interval '1 hour'";
        client.execute(older, &[&f64::from(hours)]).await.unwrap();
        let before =
            "UPDATE counterfoil.order_lookups SET looked_up_at = looked_up_at - $1 * interval '1 hour'";
        client.execute(before, &[&f64::from(hours)]).await.unwrap();
    };
    age(2).await;
    ground.wait_for("they are looked up again", |s| s.looked_up == 7).await;
    age(48).await;
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().looked_up, 7);
    reconciling.stop().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paypals_own_word_stands_in_for_a_certificate_that_cannot_be_had() {
    let mut ground = Ground::start_asking(options(), Some(When::WithoutCertificate)).await;
    let other = Arc::new(Authority::in_memory().unwrap());
    // At PayPal they know a certificate that cannot be had here.
    let now = || Timestamp::new(SystemClock.now());
    let elsewhere = PayPal::start(Arc::clone(&other), 7, now).unwrap();
    elsewhere.subscribe(Webhook::new(WEBHOOK_ID, "http://127.0.0.1:9/")).unwrap();
    let story = ground.place("A-1", 1_000).await;
    let body = elsewhere.happened(&story, EventKind::CaptureCompleted).unwrap().body.to_vec();
    let headers = sign(&other, WEBHOOK_ID, &body, now());
    let deliver =
        async |body: &[u8]| ground.served.callback(SHOP, &headers, body.to_vec()).await.status().as_u16();
    let head = ground.served.events().await;
    // The account's own PayPal has not sent it.
    assert_eq!(deliver(&body).await, 401);
    ground.paypal.faults().set(Endpoint::VerifySignature, Fault::Unavailable);
    assert_eq!(deliver(&body).await, 503, "without an answer it is to come again");
    assert_eq!(ground.served.events().await, head);
    ground.served.stop().await;

    let served = Served::start_at_paypal(
        Arc::new(Authority::in_memory().unwrap()),
        account(&elsewhere),
        options(),
        Some(When::WithoutCertificate),
    )
    .await;
    let text = String::from_utf8(body.clone()).unwrap();
    for (other, status) in [(text.replacen(':', ": ", 1), 401), (format!("{text} "), 503)] {
        let answer = served.callback(SHOP, &headers, other.into_bytes()).await;
        assert_eq!(answer.status().as_u16(), status, "not these bytes");
    }
    assert_eq!(served.callback(SHOP, &headers, body.clone()).await.status().as_u16(), 200);
    assert_eq!(served.facts_after(-1).await, ["payment.captured"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opinion_refuses_what_paypal_has_not_sent_and_is_not_waited_for_when_it_cannot_be_had() {
    let mut ground = Ground::start_asking(options(), Some(When::Always)).await;
    let story = ground.place("A-1", 1_000).await;
    let event = ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    // A webhook that PayPal does not know any more: by the signature alone it would be taken.
    ground.paypal.unsubscribe(WEBHOOK_ID);
    let headers = ground.served.sign(&event.body);
    let deliver =
        async || ground.served.callback(SHOP, &headers, event.body.to_vec()).await.status().as_u16();
    assert_eq!(deliver().await, 401);
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    assert_eq!(deliver().await, 200);
    ground.wait_for_state("A-1", "paid").await;
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_paypal_lists_only_when_the_cursor_has_passed_it_is_found_by_the_overlap() {
    let mut ground = Ground::start(options()).await;
    ground.paypal.faults().listed_after(3_600);
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let reconciling = ground.reconcile();
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().appended, 0, "the cursor is past it, and nothing was listed");
    ground.paypal.faults().listed_after(0);
    ground.wait_for_state("A-1", "paid").await;
    reconciling.stop().await;
    ground.assert_sound().await;
    ground.served.stop().await;
}

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

    let url = format!("https://shop.example/webhooks/paypal/{}", ground::SHOP);
    let doctor = || {
        let owner = ground.test.url_owner();
        binary::command(ground.folder())
            .args(["doctor", "-o", "ndjson", "--paypal-credentials", &folder, "--kek-file", "kek"])
            .args(["--public-url", "https://shop.example", "--roots", "roots"])
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
