//! What an erasure would destroy.

use std::collections::BTreeSet;

use database::Database;
use domain::{BuyerId, ShopId};
use evidence::Vault;

use super::holds::{Hold, holds_of};
use super::{Trace, unnamed};
use crate::{Error, Progress, Snapshot, Source, read_into};

/// What an erasure would destroy, as of one moment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose evidence.
    pub buyer: BuyerId,
    /// How many orders the buyer has, or had.
    pub orders: usize,
    /// How many facts about them rest on evidence.
    pub facts: usize,
    /// The facts among them whose evidence can still be read.
    pub readable: Vec<i64>,
    /// Callbacks of which the log does not know whom they are about, and which nobody opened to look.
    pub unopened: usize,
    /// What keeps it from being done: holds on the buyer, and on others who share evidence with them.
    pub holds: Vec<Hold>,
    /// The log knows the buyer.
    pub is_known: bool,
    pub(super) buyers: BTreeSet<BuyerId>,
}

/// Finds all that belongs to a buyer. With a vault also callbacks that decided nothing are opened and looked into.
///
/// # Errors
/// The database's; no such shop; evidence that the vault's key does not open.
pub async fn plan(
    database: &Database,
    shop: &ShopId,
    buyer: &BuyerId,
    vault: Option<&Vault>,
    progress: &Progress,
) -> Result<Plan, Error> {
    let source = Source::Snapshot(Snapshot::take(database, shop).await?);
    let mut trace = until_nothing_is_new(&source, Trace::of(buyer.clone()), progress).await?;
    let Source::Snapshot(snapshot) = &source else { return Err(not_here()) };
    if let Some(vault) = vault
        && !trace.is_empty()
    {
        let found = unnamed::find(snapshot.client()?, shop, vault, &trace).await?;
        let is_any = !found.is_empty();
        found.into_iter().for_each(|position| trace.add(position));
        if is_any {
            trace = until_nothing_is_new(&source, trace, progress).await?;
        }
    }
    let client = snapshot.client()?;
    let sealed: Vec<i64> = trace.sealed.iter().map(|position| position.0).collect();
    let readable = evidence::list_keys(client, shop.as_str(), &sealed).await?;
    let mut holds = Vec::new();
    for buyer in &trace.buyers {
        holds.extend(holds_of(client, shop, buyer).await?);
    }
    let plan = Plan {
        buyer: buyer.clone(),
        orders: trace.orders.len(),
        facts: sealed.len(),
        readable,
        unopened: if vault.is_none() { trace.unnamed.len() } else { 0 },
        holds,
        is_known: !trace.is_empty(),
        buyers: trace.buyers,
    };
    source.close().await;
    Ok(plan)
}

fn not_here() -> Error {
    Error::Failed("only what is in a database can be erased".to_owned())
}

async fn until_nothing_is_new(
    source: &Source,
    mut trace: Trace,
    progress: &Progress,
) -> Result<Trace, Error> {
    loop {
        let before = trace.size();
        trace = read_into(source, source.head(), trace, ("looking for all that is theirs", progress)).await?;
        if trace.size() == before {
            return Ok(trace);
        }
    }
}
