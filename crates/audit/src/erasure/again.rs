//! A restored backup brings keys back: what the log says was destroyed is destroyed again.

use std::collections::{BTreeMap, BTreeSet};

use database::{Client, Database};
use domain::{BuyerId, ShopId};
use event_log::{Filter, Kind, NoteType};

use super::carry_out::refuse_held;
use super::erased;
use super::holds::{Hold, holds_of, read_notes};
use crate::Error;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// How many keys were there again.
    pub keys_destroyed: u64,
    /// Holds that were placed since: these buyers' evidence is left as it is.
    pub holds: Vec<Hold>,
}

/// Destroys every key that the log says was destroyed. The notes of the first time account for them: none is added.
///
/// # Errors
/// [`Error::Held`] when a hold is placed in the meantime, and then nothing was destroyed; the database's.
pub async fn erase_again(database: &Database, shop: &ShopId) -> Result<Again, Error> {
    let shop = shop.clone();
    let again = database
        .run_tx("erase again", move |client| {
            let shop = shop.clone();
            Box::pin(async move { run(client, &shop).await.map_err(Error::abort) })
        })
        .await;
    Ok(again?)
}

async fn run(client: &Client, shop: &ShopId) -> Result<Again, Error> {
    let types = vec![NoteType::SubjectErased.name().to_owned()];
    let filter = Filter { kinds: vec![Kind::Note], types, key: None };
    let mut erased: BTreeMap<BuyerId, BTreeSet<i64>> = BTreeMap::new();
    for note in read_notes(client, shop, &filter).await?.iter().filter_map(erased::read) {
        let positions = note.positions.iter().map(|position| position.0);
        erased.entry(note.buyer).or_default().extend(positions);
    }
    let mut again = Again::default();
    let mut done = Vec::new();
    for (buyer, positions) in erased {
        let holds = holds_of(client, shop, &buyer).await?;
        if holds.is_empty() {
            let positions: Vec<i64> = positions.into_iter().collect();
            again.keys_destroyed += evidence::destroy(client, shop.as_str(), &positions).await?.len() as u64;
            done.push(buyer);
        }
        again.holds.extend(holds);
    }
    refuse_held(client, shop, &done).await?;
    Ok(again)
}
