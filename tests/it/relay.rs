//! The relay: one leader, a fence, and facts that cannot be decided hold back only what they name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use database::Client;
use domain::{Fact, Missing, Outcome, Position, ReceivedFact, ShopId, State, Undecided};
use read_models::query::{dead_letters, orders, stock};
use read_models::{Changes, ReadModels, Redrives};
use relay::{Error, Options, Projection, Timer};
use serde_json::json;
use test_support::wait_until;

use crate::led_shop::{DEADLINE, LedShop, applied, quick};

const HOUR: Duration = Duration::from_secs(3600);

fn never() -> ReadModels {
    ReadModels { redrives: Redrives { after: Vec::new() } }
}

async fn on_hand(shop: &LedShop, sku: &str) -> i64 {
    let row = stock::get(&shop.client().await, &shop.shop, &sku.parse().unwrap()).await.unwrap();
    row.map_or(0, |row| row.on_hand)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_fenced_off_changes_nothing() {
    let shop = LedShop::create().await;
    // It never looks by itself whether it leads still.
    let deaf = Options {
        heartbeat: HOUR,
        timers: HOUR,
        poll: HOUR,
        supervise: HOUR,
        holder: "old".into(),
        ..quick()
    };
    let old = shop.lead_with(never(), deaf);
    shop.settle(&old, "stock.received", json!({"sku": "A", "qty": 1})).await;
    shop.run("UPDATE counterfoil.checkpoints SET lease_expires_at = statement_timestamp() - interval '1 s'")
        .await;
    let new = shop.lead_with(never(), Options { holder: "new".into(), ..quick() });
    assert!(wait_until(DEADLINE, async || new.leads(&shop.shop)).await);
    assert!(old.leads(&shop.shop), "it does not know yet");
    let position = shop.settle(&new, "stock.received", json!({"sku": "A", "qty": 2})).await;
    assert!(wait_until(DEADLINE, async || !old.leads(&shop.shop)).await, "it finds out by its fence");
    assert_eq!(shop.outcomes(position).await, ["stock.received"]);
    assert_eq!(on_hand(&shop, "A").await, 3);
    assert_eq!(shop.number("SELECT epoch FROM counterfoil.checkpoints").await, 2);
    old.stop().await;
    new.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stops_hands_over_at_once() {
    let shop = LedShop::create().await;
    let first = shop.lead_with(never(), Options { lease: HOUR, ..quick() });
    shop.settle(&first, "stock.received", json!({"sku": "A", "qty": 1})).await;
    let health = first.health().await.unwrap();
    assert!(health[0].is_led && health[0].heartbeat_age_ms.is_some());
    first.stop().await;
    let second = shop.lead();
    shop.settle(&second, "stock.received", json!({"sku": "A", "qty": 1})).await;
    assert_eq!(on_hand(&shop, "A").await, 2);
    second.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_lead_knows_how_far_the_leader_is() {
    let shop = LedShop::create().await;
    let leader = shop.lead();
    shop.settle(&leader, "stock.received", json!({"sku": "A", "qty": 1})).await;
    let other = shop.lead();
    let position = shop.append("stock.received", json!({"sku": "A", "qty": 1})).await;
    applied(&other, &shop.shop, position).await;
    assert!(!other.leads(&shop.shop));
    leader.stop().await;
    other.stop().await;
}

/// P9. The database refuses one row: its fact is found by halving, and parked alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_cannot_be_stored_parks_its_key_alone_until_it_is_redriven() {
    let shop = LedShop::create().await;
    shop.run("ALTER TABLE counterfoil.stock ADD CONSTRAINT planted CHECK (received < 666)").await;
    for n in 0..40 {
        shop.append("stock.received", json!({"sku": format!("S{n}"), "qty": 5})).await;
    }
    let bad = shop.append("stock.received", json!({"sku": "BAD", "qty": 666})).await;
    let behind = shop.append("stock.received", json!({"sku": "BAD", "qty": 1})).await;
    let good = shop.append("stock.received", json!({"sku": "GOOD", "qty": 7})).await;
    let relay = shop.lead_with(never(), quick());
    applied(&relay, &shop.shop, good).await;
    assert_eq!(shop.outcomes(bad).await, ["event.parked"]);
    assert_eq!(shop.outcomes(behind).await, ["event.parked"]);
    assert_eq!(
        (on_hand(&shop, "GOOD").await, on_hand(&shop, "S39").await, on_hand(&shop, "BAD").await),
        (7, 5, 0)
    );
    let letters = dead_letters::list(&shop.client().await, &shop.shop, None, 10).await.unwrap().items;
    assert_eq!(letters.len(), 2);
    assert!(letters[0].error.as_ref().unwrap().contains("planted"), "{letters:?}");
    assert!(letters[1].error.is_none(), "it only waits");
    shop.assert_sound().await;

    shop.run("ALTER TABLE counterfoil.stock DROP CONSTRAINT planted").await;
    let redriven = shop.settle(&relay, "event.redriven", json!({"of": bad.0})).await;
    let outcomes = shop.outcomes(redriven).await;
    assert_eq!(outcomes, ["stock.received", "event.unparked", "stock.received", "event.unparked"]);
    assert_eq!(on_hand(&shop, "BAD").await, 667);
    assert!(dead_letters::get(&shop.client().await, &shop.shop, bad).await.unwrap().is_none());
    relay.stop().await;
    shop.assert_sound().await;
}

/// Panics where it is told to, as a bug would.
struct Buggy {
    inner: ReadModels,
    broken: Arc<AtomicBool>,
}

impl Projection for Buggy {
    type Changes = Changes;

    fn consumer(&self) -> &'static str {
        self.inner.consumer()
    }

    async fn open(&self, client: &Client, shop: &ShopId) -> Result<State, Error> {
        self.inner.open(client, shop).await
    }

    async fn load(
        &self,
        client: &Client,
        shop: &ShopId,
        state: &mut State,
        missing: &[Missing],
    ) -> Result<(), Error> {
        self.inner.load(client, shop, state, missing).await
    }

    fn decide(&self, state: &mut State, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        if let (true, Ok(Fact::StockReceived(quantity))) = (self.broken.load(Ordering::SeqCst), &fact.fact) {
            assert_ne!(quantity.qty, 13, "planted");
        }
        self.inner.decide(state, fact)
    }

    fn changes(&self, state: &State) -> Result<Self::Changes, Error> {
        self.inner.changes(state)
    }

    async fn store(&self, client: &Client, shop: &ShopId, changes: &Self::Changes) -> Result<(), Error> {
        self.inner.store(client, shop, changes).await
    }

    async fn due(&self, client: &Client, shop: &ShopId) -> Result<Vec<Timer>, Error> {
        if self.broken.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        self.inner.due(client, shop).await
    }
}

/// P9. A bug parks what it meets; once it is mended the timer tries again, and replay obeys what was recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_fact_whose_decision_panics_is_parked_and_redriven_by_the_timer() {
    let shop = LedShop::create().await;
    let broken = Arc::new(AtomicBool::new(true));
    let inner = ReadModels { redrives: Redrives { after: vec![Duration::ZERO; 3] } };
    let relay = shop.lead_with(Buggy { inner, broken: Arc::clone(&broken) }, quick());
    let bad = shop.append("stock.received", json!({"sku": "A", "qty": 13})).await;
    shop.settle(&relay, "stock.received", json!({"sku": "B", "qty": 2})).await;
    assert_eq!(shop.outcomes(bad).await, ["event.parked"]);
    assert_eq!((on_hand(&shop, "A").await, on_hand(&shop, "B").await), (0, 2));
    shop.assert_sound().await;
    broken.store(false, Ordering::SeqCst);
    assert!(wait_until(DEADLINE, async || on_hand(&shop, "A").await == 13).await);
    relay.stop().await;
    shop.assert_sound().await;
}

/// P9.
#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_fact_is_left_out_and_what_waited_behind_it_goes_on() {
    let shop = LedShop::create().await;
    let relay = shop.lead_with(never(), quick());
    shop.append("stock.received", json!({"sku": "A", "qty": 9_007_199_254_740_991_i64})).await;
    // Together they are more than an entry can write.
    let bad = shop.append("stock.received", json!({"sku": "A", "qty": 1})).await;
    let behind = shop.settle(&relay, "stock.adjusted", json!({"sku": "A", "on_hand": 3})).await;
    assert_eq!(shop.outcomes(behind).await, ["event.parked"]);
    let dismissed = shop.settle(&relay, "event.dismissed", json!({"of": bad.0})).await;
    assert_eq!(shop.outcomes(dismissed).await, ["event.unparked", "stock.adjusted", "event.unparked"]);
    assert_eq!(on_hand(&shop, "A").await, 3);
    relay.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_goes_on_failing_is_tried_a_bounded_number_of_times() {
    let shop = LedShop::create().await;
    let redrives = Redrives { after: vec![Duration::ZERO; 3] };
    let relay = shop.lead_with(ReadModels { redrives }, quick());
    shop.append("stock.received", json!({"sku": "A", "qty": 9_007_199_254_740_991_i64})).await;
    let bad = shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 1})).await;
    let attempts = async || {
        let letter = dead_letters::get(&shop.client().await, &shop.shop, bad).await.unwrap().unwrap();
        letter.attempts
    };
    assert!(wait_until(DEADLINE, async || attempts().await == 3).await);
    let redriven = "SELECT count(*) FROM counterfoil.events WHERE kind = 'fact' AND type = 'event.redriven'";
    // Two rounds of timers, told by what else they bring: another attempt would be among it.
    for order in ["1", "2"] {
        let order = json!({"order": order, "currency": "USD", "total_minor": 5, "hold_s": 1,
            "lines": [{"sku": "A", "qty": 1, "unit_minor": 5}]});
        shop.settle(&relay, "order.placed", order).await;
        let expired = "SELECT count(*) FROM counterfoil.orders WHERE held_until IS NOT NULL";
        assert!(wait_until(DEADLINE, async || shop.number(expired).await == 0).await);
    }
    assert_eq!(shop.number(redriven).await, 3);
    relay.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_runs_out_is_released_by_the_timer() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    shop.append("stock.received", json!({"sku": "A", "qty": 1})).await;
    let placement = json!({"order": "1", "currency": "EUR", "total_minor": 5, "hold_s": 1,
        "lines": [{"sku": "A", "qty": 1, "unit_minor": 5}]});
    shop.settle(&relay, "order.placed", placement).await;
    let expired = async || {
        let order =
            orders::get(&shop.client().await, &shop.shop, &"1".parse().unwrap()).await.unwrap().unwrap();
        order.order.order.flags.expired
    };
    assert!(wait_until(DEADLINE, expired).await);
    let row = stock::get(&shop.client().await, &shop.shop, &"A".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((row.held, row.available), (0, 1));
    relay.stop().await;
    shop.assert_sound().await;
}

/// Each that holds it, once, however its lines stand; and none that holds other articles, or nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn every_order_that_holds_an_article_that_is_short_is_told_of() {
    let shop = LedShop::create().await;
    let relay = shop.lead_with(never(), quick());
    for sku in ["A", "B"] {
        shop.append("stock.received", json!({"sku": sku, "qty": 10})).await;
    }
    for (order, skus) in [("1", &["A"][..]), ("2", &["B", "A", "A"]), ("3", &["B"]), ("4", &["A"])] {
        let lines: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "qty": 1, "unit_minor": 5})).collect();
        let placement =
            json!({"order": order, "currency": "USD", "total_minor": 5 * lines.len(), "lines": lines});
        shop.settle(&relay, "order.placed", placement).await;
    }
    shop.settle(&relay, "order.cancelled", json!({"order": "4"})).await;
    relay.stop().await;
    // A fresh relay has to load them.
    let relay = shop.lead_with(never(), quick());
    let counted = shop.settle(&relay, "stock.adjusted", json!({"sku": "A", "on_hand": 1})).await;
    assert_eq!(shop.outcomes(counted).await, ["stock.adjusted", "stock.short", "stock.short"]);
    relay.stop().await;
    shop.assert_sound().await;
}

/// P4, P5. Sessions are cut at any moment, also between COMMIT and its answer: nothing is lost, nothing happens twice.
#[tokio::test(flavor = "multi_thread")]
async fn cut_sessions_lose_nothing_and_repeat_nothing() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    let superuser = shop.test.superuser().await;
    let mut last = Position(-1);
    for n in 0..300 {
        last = shop.append("stock.received", json!({"sku": format!("S{}", n % 7), "qty": 1})).await;
        if n % 15 == 7 {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            superuser.execute(cut, &[]).await.unwrap();
        }
    }
    applied(&relay, &shop.shop, last).await;
    assert_eq!(shop.number("SELECT sum(received)::bigint FROM counterfoil.stock").await, 300);
    relay.stop().await;
    shop.assert_sound().await;
}

/// P9: an entry that only a newer version can read parks its key, and the shop goes on.
#[tokio::test(flavor = "multi_thread")]
async fn p9_an_entry_of_a_newer_version_parks_its_key_alone() {
    let shop = LedShop::create().await;
    let relay = shop.lead_with(never(), quick());
    shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 1})).await;
    shop.run(
        "WITH planted AS (
             INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
             SELECT shop_id, position + 1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'fact', 'order.blessed', 'order:9', at,
                 '{\"v\":2}', '\\x00'
             FROM counterfoil.events ORDER BY position DESC LIMIT 1
             RETURNING shop_id, position, id, type
         )
         INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
         SELECT shop_id, position, id, 'command', '9', type, '{}' FROM planted",
    )
    .await;
    let other = shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 2})).await;
    assert_eq!(shop.outcomes(other).await, ["stock.received"]);
    let order = json!({"order": "9", "currency": "USD", "total_minor": 0, "lines": []});
    let behind = shop.settle(&relay, "order.placed", order).await;
    assert_eq!(shop.outcomes(behind).await, ["event.parked"], "it waits behind what cannot be read yet");
    assert_eq!(shop.number("SELECT count(*) FROM counterfoil.parked").await, 2);
    relay.stop().await;
}

/// P9: what is parked does not take the places of other orders whose holds have run out.
#[tokio::test(flavor = "multi_thread")]
async fn p9_the_hold_of_a_parked_order_waits_with_it_and_others_run_out() {
    let shop = LedShop::create().await;
    let untimed = shop.lead_with(never(), Options { timers: HOUR, ..quick() });
    shop.settle(&untimed, "stock.received", json!({"sku": "A", "qty": 5})).await;
    for order in ["1", "2"] {
        let lines = json!([{"sku": "A", "qty": 1, "unit_minor": 5}]);
        let order = json!({"order": order, "currency": "USD", "total_minor": 5, "hold_s": 1, "lines": lines});
        shop.settle(&untimed, "order.placed", order).await;
    }
    untimed.stop().await;
    shop.run("INSERT INTO counterfoil.parked_keys SELECT shop_id, 'order:1', 0 FROM counterfoil.shops").await;
    let timed = shop.lead_with(never(), quick());
    let expired = |order: &str| {
        format!(
            "SELECT count(*) FROM counterfoil.events WHERE type = 'order.expired' AND key = 'order:{order}'"
        )
    };
    let (one, two) = (expired("1"), expired("2"));
    assert!(wait_until(DEADLINE, async || shop.number(&two).await == 2).await, "a fact and its outcome");
    assert_eq!(shop.number(&one).await, 0);
    timed.stop().await;
}
