//! Many shops and several instances: each leads about as many as the others, whoever comes and goes.

use std::time::Duration;

use domain::ShopId;
use event_log::Appender;
use read_models::ReadModels;
use relay::{Options, Relay, RelayHandle};
use serde_json::json;
use test_support::wait_until;
use tokio::runtime::Runtime;

use crate::led_shop::{DEADLINE, LedShop, append, applied, assert_shop_sound, new_fact, plant_shop, quick};
use crate::moves::TAKE_OVER;

const SHOPS: usize = 9;

/// For how long each shop had not been heard of when somebody took its lease, but for the first time.
const RECORD: &str = "
    CREATE SCHEMA test;
    CREATE TABLE test.takings (shop_id text, vacant interval);
    CREATE FUNCTION test.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO test.takings VALUES (NEW.shop_id, clock_timestamp() - OLD.heartbeat_at);
        RETURN NULL;
    END $$;
    CREATE TRIGGER record AFTER UPDATE ON counterfoil.checkpoints FOR EACH ROW
        WHEN (NEW.epoch <> OLD.epoch AND NEW.consumer NOT LIKE '%:next') EXECUTE FUNCTION test.record()";

/// An instance that can end as one does that is killed: all of its tasks and sessions are gone at once.
struct Instance {
    relay: RelayHandle,
    runtime: Runtime,
}

impl Instance {
    async fn start(shop: &LedShop, name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (database, holder) = (shop.test.database(), name.to_owned());
        let started = runtime.spawn(async move {
            let appender = Appender::start(database.clone(), event_log::Options::default());
            Relay::start(database, appender, ReadModels::default(), Options { holder, ..quick() })
        });
        Self { relay: started.await.unwrap(), runtime }
    }

    fn die(self) {
        self.runtime.shutdown_background();
    }
}

struct Shops {
    first: LedShop,
    all: Vec<ShopId>,
    facts: u64,
}

impl Shops {
    async fn create() -> Self {
        let first = LedShop::create().await;
        first.run(RECORD).await;
        let mut all = vec![first.shop.clone()];
        for number in 1..SHOPS {
            let name = format!("shop-{number}");
            plant_shop(&first.test, &name).await;
            all.push(ShopId::parse(&name).unwrap());
        }
        Self { first, all, facts: 0 }
    }

    /// How many shops each of these leads.
    fn led<const N: usize>(&self, instances: [&Instance; N]) -> [usize; N] {
        instances.map(|one| self.all.iter().filter(|shop| one.relay.leads(shop)).count())
    }

    async fn are_shared<const N: usize>(&self, instances: [&Instance; N]) {
        let mut led = [0; N];
        let even = wait_until(DEADLINE, async || {
            led = self.led(instances);
            led.iter().sum::<usize>() == SHOPS && led.iter().max().unwrap() - led.iter().min().unwrap() <= 1
        });
        assert!(even.await, "{led:?}");
    }

    /// Each shop gets a fact, and it is decided by whoever leads.
    async fn go_on(&mut self, seen_by: &Instance) {
        for shop in &self.all {
            self.facts += 1;
            let fact = new_fact(1000 + self.facts, "stock.received", &json!({"sku": "A", "qty": 1}));
            let position = append(&self.first.appender, shop, fact).await;
            applied(&seen_by.relay, shop, position).await;
        }
    }

    /// How often leases were taken.
    async fn takings(&self) -> i64 {
        self.first.number("SELECT sum(epoch)::bigint FROM counterfoil.checkpoints").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_many_shops_evenly_whoever_comes_dies_and_comes_back() {
    let mut shops = Shops::create().await;
    let a = Instance::start(&shops.first, "a").await;
    shops.are_shared([&a]).await;
    shops.go_on(&a).await;

    let b = Instance::start(&shops.first, "b").await;
    shops.are_shared([&a, &b]).await;
    shops.go_on(&a).await;
    let c = Instance::start(&shops.first, "c").await;
    shops.are_shared([&a, &b, &c]).await;
    shops.go_on(&b).await;

    // Nothing goes to and fro: every leader is heard of again, several rounds later, and no lease was taken.
    let taken = shops.takings().await;
    let since = "CREATE TABLE test.since AS SELECT clock_timestamp() AS at";
    shops.first.run(since).await;
    let silent = "SELECT count(*) FROM counterfoil.checkpoints, test.since
        WHERE consumer NOT LIKE '%:next' AND heartbeat_at < at + interval '500 ms'";
    assert!(wait_until(DEADLINE, async || shops.first.number(silent).await == 0).await);
    assert_eq!(shops.takings().await, taken);

    a.die();
    c.die();
    shops.are_shared([&b]).await;
    shops.go_on(&b).await;
    let a = Instance::start(&shops.first, "a").await;
    shops.are_shared([&a, &b]).await;
    shops.go_on(&a).await;

    a.relay.stop().await;
    shops.are_shared([&b]).await;
    shops.go_on(&b).await;
    b.relay.stop().await;
    for shop in &shops.all {
        assert_shop_sound(&shops.first.database, shop).await;
    }
    let longest = "SELECT (extract(epoch FROM max(vacant)) * 1000)::bigint FROM test.takings";
    let longest = shops.first.number(longest).await;
    assert!(u128::try_from(longest).unwrap() < TAKE_OVER.as_millis(), "{longest} ms without a leader");
    let rows = shops.first.number("SELECT count(*) FROM counterfoil.stock WHERE received = 6").await;
    assert_eq!(rows, i64::try_from(SHOPS).unwrap(), "every fact counts once");
    a.die();
    b.die();
}

/// Who asks for a shop and is gone before it gets it leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_was_asked_for_by_one_who_died_is_led_again() {
    let mut shops = Shops::create().await;
    let a = Instance::start(&shops.first, "a").await;
    shops.are_shared([&a]).await;
    let shop = shops.all[4].clone();
    let next = format!("{}:next", read_models::CONSUMER);
    let asked = relay::Lease::acquire(&shops.first.database, &shop, &next, "gone", Duration::from_secs(3));
    assert!(asked.await.unwrap().is_some());
    assert!(wait_until(DEADLINE, async || !a.relay.leads(&shop)).await, "it is handed over");
    assert!(wait_until(DEADLINE, async || a.relay.leads(&shop)).await, "nobody took it");
    shops.go_on(&a).await;
    a.relay.stop().await;
    a.die();
}
