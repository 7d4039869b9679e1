//! What must hold after every test, whatever it did: replay agrees, the tables are the fold of the outcomes, and every
//! invariant holds as SQL, and every event keeps its contract.

use std::time::Duration;

use database::{Database, sql};
use domain::{Position, ShopId};
use event_log::{Filter, Kind};
use relay::Projection;
use test_support::wait_until;

use crate::contract;

/// Waits until no fact is left to decide.
pub(crate) async fn wait_until_decided(database: &Database, shop: &ShopId) {
    let consumer = read_models::ReadModels::default().consumer();
    let facts = Filter { kinds: vec![Kind::Fact], ..Filter::default() };
    let decided = wait_until(Duration::from_secs(60), async || {
        let client = database.client().await.unwrap();
        let row = client.query_opt(&sql::relay::READ_CHECKPOINT, &[&shop.as_str(), &consumer]).await.unwrap();
        let Some(checkpoint) = row.map(|row| row.get::<_, i64>(0)) else { return false };
        event_log::read(&client, shop, Position(checkpoint), 1, &facts).await.unwrap().is_empty()
    });
    assert!(decided.await, "the relay does not come to an end");
}

/// P2, P3, P4, P5, P6, P10: decide(facts) = outcomes, fold(outcomes) = read models, and every invariant; and what was
/// emitted is what was promised.
pub(crate) async fn assert_sound(database: &Database, shop: &ShopId) {
    let verified = audit::verify(database, shop).await.unwrap();
    assert!(verified.is_clean(), "{verified:#?}");
    assert!(verified.facts > 0 && verified.outcomes > 0, "there was something to verify");
    contract::assert_kept(database, shop).await;
}
