//! The door: appends what comes, and answers once it is committed. Deduplication, numbering and entries are the service's own;
//! its queue and the halving of batches are not here.

use database::Error;
use domain::ShopId;
use event_log::{Appended, NewFact};

use crate::world::{Lock, Work, World, unavailable};

pub(crate) fn shop() -> ShopId {
    // Unwrap safety: it is an id.
    ShopId::parse("shop").unwrap_or_else(|_| unreachable!())
}

/// Appends facts in one transaction. What is known is found by its keys, so that it may be tried again after any error.
pub(crate) async fn append(world: &World, facts: &[NewFact]) -> Result<Vec<Appended>, Error> {
    match try_append(world, facts, false).await {
        Err(Error::Integrity { .. }) => try_append(world, facts, true).await,
        answered => answered,
    }
}

async fn try_append(world: &World, facts: &[NewFact], is_looked_up: bool) -> Result<Vec<Appended>, Error> {
    let transaction = world.begin();
    world.round_trip().await?;
    transaction.lock(Lock::Shop).await?;
    let (rows, answers) = {
        let state = world.state();
        let placed = state.log.place_facts(&shop(), facts, world.timestamp(state.now), is_looked_up);
        placed.map_err(|error| unavailable(&error.to_string()))?
    };
    transaction.commit(Work::Facts(rows)).await?;
    let answers = answers.into_iter().collect::<Result<_, _>>();
    answers.map_err(|error| unavailable(&error.to_string()))
}
