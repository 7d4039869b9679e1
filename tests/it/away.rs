//! A database that goes away at the worst moment of a batch, and comes back.

use std::time::Duration;

use database::Client;
use domain::{Missing, ShopId, State};
use read_models::{Changes, ReadModels};
use relay::{Error, Projection, Timer};
use serde_json::json;
use tokio::sync::watch;

use crate::led_shop::{DEADLINE, LedShop, quick};

/// Shorter than a lease: the same leader goes on.
const AWAY: Duration = Duration::from_millis(700);

/// Says when the first batch is about to be stored, and goes on when the database is away.
struct GoesAway {
    inner: ReadModels,
    is_storing: watch::Sender<bool>,
    is_away: watch::Receiver<bool>,
}

impl Projection for GoesAway {
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

    fn changes(&self, state: &State) -> Result<Self::Changes, Error> {
        self.inner.changes(state)
    }

    async fn store(&self, client: &Client, shop: &ShopId, changes: &Self::Changes) -> Result<(), Error> {
        self.is_storing.send_replace(true);
        self.is_away.clone().wait_for(|is_away| *is_away).await.unwrap();
        self.inner.store(client, shop, changes).await
    }

    async fn due(&self, _: &Client, _: &ShopId) -> Result<Vec<Timer>, Error> {
        Ok(Vec::new())
    }
}

/// P6. What was decided and could not be written is decided again. (Whether the database is back before or after the leader
/// asks where its checkpoint stands is chance: the latter is not met in each run.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_were_decided_while_the_database_went_away_are_decided_again() {
    let shop = LedShop::create().await;
    let facts = 40;
    for n in 0..facts {
        shop.append("stock.received", json!({"sku": format!("S{n}"), "qty": 5})).await;
    }
    let (is_storing, mut stored) = watch::channel(false);
    let (away, is_away) = watch::channel(false);
    let relay = shop.lead_with(GoesAway { inner: ReadModels::default(), is_storing, is_away }, quick());
    let storing = tokio::time::timeout(DEADLINE, stored.wait_for(|is_storing| *is_storing)).await;
    assert!(storing.is_ok(), "no batch is stored");
    // It holds the channel's lock, which the next batch needs.
    drop(storing);
    shop.test.allow_connections(false).await;
    away.send_replace(true);
    tokio::time::sleep(AWAY).await;
    shop.test.allow_connections(true).await;

    shop.settle(&relay, "stock.received", json!({"sku": "LAST", "qty": 1})).await;
    relay.stop().await;
    assert_eq!(shop.number("SELECT count(*) FROM counterfoil.stock WHERE received = 5").await, facts);
    shop.assert_sound().await;
}
