//! Several processes on one database: whatever becomes of a leader, the next one leads in under 5 s.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use database::{Client, Clock, Database, SettableClock, SystemClock};
use domain::{Missing, Outcome, Position, ReceivedFact, ShopId, State, Undecided};
use http_api::Limits;
use read_models::{Changes, ReadModels};
use relay::{Error, Health, Lease, Options, Projection, Standing, Timer};
use secrecy::ExposeSecret;
use serde_json::json;
use test_support::{TestDatabase, wait_until};

use crate::led_shop::{DEADLINE, LedShop, applied, plant_shop, quick};
use crate::served::{SHOP, Served, placement};
use crate::soundness;

/// What a leader does first in its transaction.
const FENCE: &str =
    "BEGIN; UPDATE counterfoil.checkpoints SET position = position + 1 WHERE shop_id = 'shop'";
const BOUND: Duration = Duration::from_secs(5);

/// A session of the service's login that moved the checkpoint and does not go on, as one of a process that was stopped. The
/// server's own time-outs are off, as for a backend that cannot get rid of its rows.
async fn stopped_in_its_transaction(shop: &LedShop) -> tokio_postgres::Client {
    let (session, notifications) = shop.database.dedicated().await.unwrap();
    drop(notifications);
    session.batch_execute("SET idle_in_transaction_session_timeout = 0").await.unwrap();
    session.batch_execute(FENCE).await.unwrap();
    session
}

/// The lease of a leader that has just renewed it, and will not do so again.
async fn leave_a_lease(shop: &LedShop, duration: &str) {
    let sql = format!(
        "UPDATE counterfoil.checkpoints SET epoch = epoch + 1, lease_holder = 'stopped', heartbeat_at = clock_timestamp(),
         lease_expires_at = clock_timestamp() + interval '{duration}' WHERE shop_id = 'shop'"
    );
    shop.run(&sql).await;
}

async fn health(database: &Database) -> Health {
    relay::health(database, ReadModels::default().consumer()).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_stopped_in_its_transaction_is_ended_and_its_shop_taken_over_in_under_5_s() {
    let shop = LedShop::create().await;
    let first = shop.lead();
    shop.settle(&first, "stock.received", json!({"sku": "A", "qty": 1})).await;
    first.stop().await;
    leave_a_lease(&shop, "3 s").await;
    let stopped = stopped_in_its_transaction(&shop).await;
    let since = Instant::now();

    // As `serve` has them.
    let next = shop.lead_with(ReadModels::default(), Options::default());
    let position = shop.append("stock.received", json!({"sku": "A", "qty": 2})).await;
    applied(&next, &shop.shop, position).await;
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    assert!(next.leads(&shop.shop));
    assert!(stopped.batch_execute("COMMIT").await.is_err(), "the old leader changes nothing any more");
    assert_eq!(shop.number("SELECT epoch FROM counterfoil.checkpoints").await, 3);
    next.stop().await;
    shop.assert_sound().await;
}

/// Its backend is not idle, so that no time-out for the idle ends it, and waits for the client to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stopped_reading_is_ended_and_its_shop_taken_over_in_under_5_s() {
    const ROWS: &str = "SELECT repeat('x', 1000000) FROM pg_sleep(1), generate_series(1, 1000)";
    let shop = LedShop::create().await;
    let first = shop.lead();
    shop.settle(&first, "stock.received", json!({"sku": "A", "qty": 1})).await;
    first.stop().await;
    leave_a_lease(&shop, "3 s").await;
    let config: tokio_postgres::Config = shop.test.url_service().expose_secret().parse().unwrap();
    let (client, mut connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let reader = tokio::spawn(async move {
        tokio::select! {
            _ = &mut connection => {}
            _ = stopped => {}
        }
        // The socket stays open, and nobody reads it.
        std::future::pending::<()>().await;
        drop(connection);
    });
    client.batch_execute(FENCE).await.unwrap();
    let asked = tokio::spawn(async move { client.simple_query(ROWS).await.map(|_| ()) });
    let count = |is: &str| {
        format!("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT repeat%' AND {is}")
    };
    let (begun, blocked) = (count("datname = current_database()"), count("wait_event = 'ClientWrite'"));
    assert!(wait_until(DEADLINE, async || shop.number(&begun).await == 1).await);
    stop.send(()).unwrap();
    let since = Instant::now();
    assert!(wait_until(BOUND, async || shop.number(&blocked).await == 1).await, "it is not blocked");

    let next = shop.lead_with(ReadModels::default(), Options::default());
    let position = shop.append("stock.received", json!({"sku": "A", "qty": 2})).await;
    applied(&next, &shop.shop, position).await;
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    next.stop().await;
    asked.abort();
    reader.abort();
    shop.assert_sound().await;
}

/// Whoever ended it would undo work that is at hand, or show a commit that no standby has; its time-outs bound it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_works_is_left_alone_however_old_its_transaction_is() {
    let shop = LedShop::create().await;
    let first = shop.lead();
    shop.settle(&first, "stock.received", json!({"sku": "A", "qty": 1})).await;
    first.stop().await;
    let (working, _notifications) = shop.database.dedicated().await.unwrap();
    working.batch_execute(FENCE).await.unwrap();
    // For as long as this is locked, which is no wait for the client.
    let gate = shop.test.superuser().await;
    gate.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let worked = tokio::spawn(async move {
        working.batch_execute("SET lock_timeout = 0; SELECT pg_advisory_lock(1); ROLLBACK").await
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (
                     SELECT oid FROM pg_database WHERE datname = current_database())";
    assert!(wait_until(DEADLINE, async || shop.number(waits).await == 1).await);

    // It is older than this lease at once; others look at it in each round.
    let impatient = Options { lease: Duration::from_millis(200), ..quick() };
    let next = shop.lead_with(ReadModels::default(), impatient);
    let age = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND wait_event_type = 'Lock' AND xact_start < clock_timestamp() - interval '1 s'";
    assert!(wait_until(DEADLINE, async || shop.number(age).await == 1).await, "it is there still");
    assert!(!next.leads(&shop.shop));
    gate.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    worked.await.unwrap().unwrap();
    assert!(wait_until(DEADLINE, async || next.leads(&shop.shop)).await);
    next.stop().await;
    shop.assert_sound().await;
}

/// It may not be ended, and its age is not to be seen: the others are led, and the shop is once it is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_login_is_left_alone_and_holds_up_no_other_shop() {
    let shop = LedShop::create().await;
    plant_shop(&shop.test, "other").await;
    let consumer = ReadModels::default().consumer();
    let row =
        format!("INSERT INTO counterfoil.checkpoints (shop_id, consumer) VALUES ('shop', '{consumer}')");
    shop.run(&row).await;
    let superuser = shop.test.superuser().await;
    superuser.batch_execute(FENCE).await.unwrap();
    let relay = shop.lead();
    let other = ShopId::parse("other").unwrap();
    assert!(wait_until(DEADLINE, async || relay.leads(&other)).await);
    assert!(!relay.leads(&shop.shop));
    superuser.batch_execute("ROLLBACK").await.unwrap();
    assert!(wait_until(DEADLINE, async || relay.leads(&shop.shop)).await);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_transaction_is_left_alone_and_holds_up_no_other_shop() {
    let shop = LedShop::create().await;
    plant_shop(&shop.test, "other").await;
    let first = shop.lead();
    shop.settle(&first, "stock.received", json!({"sku": "A", "qty": 1})).await;
    first.stop().await;
    let working = stopped_in_its_transaction(&shop).await;

    // Younger than a lease, for as long as this test takes.
    let lease = Duration::from_secs(3600);
    let next = shop.lead_with(ReadModels::default(), Options { lease, ..quick() });
    let other = ShopId::parse("other").unwrap();
    assert!(wait_until(DEADLINE, async || next.leads(&other)).await, "one shop waits for no other");
    shop.run("UPDATE counterfoil.checkpoints SET lease_expires_at = NULL WHERE shop_id = 'other'").await;
    let again = shop.lead();
    assert!(wait_until(DEADLINE, async || again.leads(&other)).await, "several rounds later");
    assert!(!next.leads(&shop.shop) && !working.is_closed());
    again.stop().await;
    working.batch_execute("ROLLBACK").await.unwrap();
    assert!(wait_until(DEADLINE, async || next.leads(&shop.shop)).await);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_judged_by_its_leader_and_its_progress() {
    let shop = LedShop::create().await;
    assert_eq!(health(&shop.database).await.standing(), Standing::Vacant, "nobody leads, and nothing waits");
    let relay = shop.lead_with(ReadModels::default(), Options { holder: "host:7".into(), ..quick() });
    shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 1})).await;
    let led = health(&shop.database).await;
    assert_eq!((led.standing(), led.holder.as_deref(), led.epoch), (Standing::Idle, Some("host:7"), 1));
    assert!(led.progress_age_ms.is_some() && led.undecided_age_ms.is_none() && led.lag() == 0, "{led:?}");
    relay.stop().await;

    // A fact of an hour ago that nobody decides, and a leader that was last heard of long ago.
    shop.append("stock.received", json!({"sku": "A", "qty": 1})).await;
    shop.run("ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change").await;
    shop.run("UPDATE counterfoil.events SET at = at - interval '1 h'").await;
    shop.run(
        "UPDATE counterfoil.checkpoints SET heartbeat_at = now() - interval '1 min', progressed_at = now() - interval '1 min'",
    )
    .await;
    let nobody = health(&shop.database).await;
    assert_eq!((nobody.standing(), nobody.lag()), (Standing::Leaderless, 2), "{nobody:?}");
    let age = nobody.undecided_age_ms.unwrap();
    assert!((3_600_000..3_700_000).contains(&age), "{age}");

    leave_a_lease(&shop, "1 h").await;
    assert_eq!(
        health(&shop.database).await.standing(),
        Standing::Stalled,
        "it is heard of, and does nothing"
    );
    shop.run("UPDATE counterfoil.checkpoints SET progressed_at = now()").await;
    assert_eq!(health(&shop.database).await.standing(), Standing::Working);

    // A program of before moves checkpoints without saying when: its outcomes tell.
    shop.run("UPDATE counterfoil.checkpoints SET progressed_at = NULL").await;
    assert_eq!(health(&shop.database).await.standing(), Standing::Stalled);
    shop.run("UPDATE counterfoil.events SET at = now() WHERE kind = 'outcome'").await;
    assert_eq!(health(&shop.database).await.standing(), Standing::Working);
}

/// Takes a while for each fact, as a database does that is short of disk.
struct Slow {
    inner: ReadModels,
    decided: AtomicU32,
    /// More facts at once take so long that the statement is ended.
    most: i64,
}

impl Slow {
    fn new(most: i64) -> Self {
        Self { inner: ReadModels::default(), decided: AtomicU32::new(0), most }
    }
}

impl Projection for Slow {
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
        self.decided.fetch_add(1, Ordering::SeqCst);
        self.inner.decide(state, fact)
    }

    fn changes(&self, state: &State) -> Result<Self::Changes, Error> {
        self.inner.changes(state)
    }

    async fn store(&self, client: &Client, shop: &ShopId, changes: &Self::Changes) -> Result<(), Error> {
        let decided = i64::from(self.decided.swap(0, Ordering::SeqCst));
        if decided > self.most {
            client.raw().batch_execute("SET LOCAL statement_timeout = '1ms'").await?;
            client.raw().batch_execute("SELECT pg_sleep(60)").await?;
        }
        client.raw().query("SELECT pg_sleep($1::bigint / 20.0)", &[&decided]).await?;
        self.inner.store(client, shop, changes).await
    }

    async fn due(&self, _: &Client, _: &ShopId) -> Result<Vec<Timer>, Error> {
        Ok(Vec::new())
    }
}

/// Else two slow instances would take the shop from each other for ever, and each throw the other's work away.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_leader_finds_batches_that_fit_into_its_lease() {
    let shop = LedShop::create().await;
    let mut last = Position(-1);
    for n in 0..60 {
        last = shop.append("stock.received", json!({"sku": format!("S{n}"), "qty": 1})).await;
    }
    let options = Options { lease: Duration::from_secs(1), heartbeat: Duration::from_millis(200), ..quick() };
    let relays = [Slow::new(i64::MAX), Slow::new(i64::MAX)].map(|slow| shop.lead_with(slow, options.clone()));
    // 3 s of work in all; as one batch it would outlast the lease three times.
    applied(&relays[0], &shop.shop, last).await;
    let epoch = shop.number("SELECT epoch FROM counterfoil.checkpoints").await;
    assert!(epoch <= 3, "the shop was taken over {epoch} times");
    for relay in relays {
        relay.stop().await;
    }
    shop.assert_sound().await;
}

/// As a statement that takes too long because the batch is too large for the database: alone there is nobody who would take
/// the shop over and begin with a small one.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_batches_are_ended_for_time_finds_some_that_are_not() {
    let shop = LedShop::create().await;
    let mut last = Position(-1);
    for n in 0..20 {
        last = shop.append("stock.received", json!({"sku": format!("S{n}"), "qty": 1})).await;
    }
    let relay = shop.lead_with(Slow::new(3), quick());
    applied(&relay, &shop.shop, last).await;
    assert_eq!(shop.number("SELECT epoch FROM counterfoil.checkpoints").await, 1, "it led all the time");
    relay.stop().await;
    shop.assert_sound().await;
}

/// P5, P6: only certificates are judged by a host's own clock; leases, timers and times in the log are the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_of_before_the_databases_clock_went_back_is_not_waited_for() {
    let test = TestDatabase::create().await;
    plant_shop(&test, "shop").await;
    let (database, shop) = (test.database(), ShopId::parse("shop").unwrap());
    let lease = Duration::from_secs(60);
    let acquire = async |holder: &str| Lease::acquire(&database, &shop, "a", holder, lease).await.unwrap();
    let (first, _) = acquire("first").await.expect("it is free");
    assert!(acquire("second").await.is_none(), "the first has it");
    // As if it had died an hour from now, and the clock had then gone back.
    let ahead = "UPDATE counterfoil.checkpoints
        SET heartbeat_at = heartbeat_at + interval '1 hour', lease_expires_at = lease_expires_at + interval '1 hour'";
    test.superuser().await.batch_execute(ahead).await.unwrap();
    let (second, _) = acquire("second").await.expect("nobody waits for an hour");
    assert!(second.epoch > first.epoch, "the first can write no more");
    assert!(acquire("third").await.is_none(), "the second has it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_by_two_hours_change_nothing() {
    let hour = chrono::TimeDelta::hours(1);
    let at = |offset| std::sync::Arc::new(SettableClock::new(SystemClock.now() + offset));
    let ahead = Served::start_at(Limits::default(), at(hour)).await;
    let behind = ahead.beside(Limits::default(), at(-hour)).await;
    let key = ahead.shop_key.clone();
    let (status, answer) = ahead.post("/v1/stock/tea/receive", &key, &json!({"id": "1", "qty": 100})).await;
    assert_eq!(status, 200, "{answer}");
    for n in 0..10 {
        let (one, other) = if n % 2 == 0 { (&ahead, &behind) } else { (&behind, &ahead) };
        let order = format!("order-{n}");
        let (status, answer) = one.post("/v1/orders", &key, &placement(&order)).await;
        assert_eq!(status, 200, "{answer}");
        let body = other.captured(&order, "10.00");
        assert_eq!(other.callback(SHOP, &other.sign(&body), body.clone()).await.status(), 200);
        assert_eq!(one.callback(SHOP, &one.sign(&body), body).await.status(), 200, "the same once more");
    }
    ahead.settled().await;
    behind.settled().await;
    for served in [&ahead, &behind] {
        let (_, order) = served.get("/v1/orders/order-9", &key).await;
        assert_eq!((&order["state"], &order["fulfilment"]), (&json!("paid"), &json!("ship")), "{order}");
    }
    let client = ahead.database.client().await.unwrap();
    let backwards = "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY position) AS step
                     FROM counterfoil.events) AS e WHERE step < interval '0'";
    assert_eq!(client.raw().query_one(backwards, &[]).await.unwrap().get::<_, i64>(0), 0);
    let strayed =
        "SELECT count(*) FROM counterfoil.events WHERE abs(extract(epoch FROM at - clock_timestamp())) > 600";
    assert_eq!(client.raw().query_one(strayed, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(client);
    let health = health(&ahead.database).await;
    assert_eq!(
        (health.standing(), health.epoch),
        (Standing::Idle, 1),
        "one of them led all the time: {health:?}"
    );
    soundness::assert_sound(&ahead.database, &ShopId::parse(SHOP).unwrap()).await;
    behind.stop().await;
    ahead.stop().await;
}

/// Takes what comes, and has another process decide; `Prefer: wait` and the health are then by the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_without_a_relay_answers_what_another_process_decides() {
    let leader = Served::start(Limits::default()).await;
    let door = leader.beside_without_relay(Limits::default()).await;
    let key = door.shop_key.clone();
    let (status, answer) = door.post("/v1/stock/tea/receive", &key, &json!({"id": "1", "qty": 3})).await;
    assert_eq!((status, &answer["outcomes"][0]["type"]), (200, &json!("stock.received")), "{answer}");
    let ready = async || {
        let answer = door.client.get(door.url("/readyz")).send().await.unwrap();
        let status = answer.status().as_u16();
        let document: serde_json::Value = answer.json().await.unwrap();
        (status, document["relay"].as_str().unwrap().to_owned(), document["stuck"].clone())
    };
    assert_eq!(ready().await, (200, "ok".to_owned(), json!([])));

    // The door is judged by whoever should lead.
    let client = door.test_superuser().await;
    let hour_ago = "clock_timestamp() - interval '1 h'";
    leader.stop_relay().await;
    let (status, answer) = {
        let order = placement("1");
        let sent = door
            .client
            .post(door.url("/v1/orders"))
            .bearer_auth(&key)
            .header("prefer", "wait=1")
            .json(&order);
        let answer = sent.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(status, 202, "nobody decides now: {answer}");
    assert_eq!(ready().await, (200, "ok".to_owned(), json!([])), "not for long");
    client.batch_execute("ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change").await.unwrap();
    client
        .batch_execute(&format!(
            "UPDATE counterfoil.events SET at = {hour_ago}; UPDATE counterfoil.checkpoints SET heartbeat_at = {hour_ago}"
        ))
        .await
        .unwrap();
    assert_eq!(ready().await, (503, "leaderless".to_owned(), json!([SHOP])));

    // Another shop is led: its callbacks are not turned away for this one's sake.
    door.add_shop("other").await;
    let led = "INSERT INTO counterfoil.checkpoints (shop_id, consumer, lease_holder, lease_expires_at, heartbeat_at)
               SELECT 'other', consumer, 'host:1', clock_timestamp() + interval '1 h', clock_timestamp()
               FROM counterfoil.checkpoints";
    assert_eq!(ready().await.0, 503, "nobody leads that one either");
    client.batch_execute(led).await.unwrap();
    assert_eq!(ready().await, (200, "leaderless".to_owned(), json!([SHOP])));
    door.stop().await;
    leader.stop().await;
}
