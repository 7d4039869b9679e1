//! Destroys the keys, and says so in the log.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use database::{Client, Database, sql};
use domain::{BuyerId, Key, Position, ShopId};
use event_log::{Guard, NewNote, NoteType, append_note};
use serde_json::json;

use super::Plan;
use super::holds::holds_of;
use crate::Error;

/// A note names so many facts at most: each takes up to 17 bytes, and an entry has 60,000.
const POSITIONS_MAX: usize = 3_000;

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// How many keys there were.
    pub keys_destroyed: u64,
    /// Where the log says so; none where there was nothing to destroy.
    pub notes: Vec<Position>,
}

/// Carries a plan out, in one transaction. Run again, it finds nothing, and appends nothing. The owner of the schema may,
/// `serve` may not.
///
/// # Errors
/// [`Error::Held`] or a log that has forked, then nothing was destroyed; the database's.
pub async fn erase(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    plan: &Plan,
    basis: &str,
    by: &str,
) -> Result<Erasure, Error> {
    let task = Arc::new(Task {
        guard: guard.clone(),
        shop: shop.clone(),
        plan: plan.clone(),
        basis: basis.to_owned(),
        by: by.to_owned(),
    });
    let erased = database
        .run_tx("erase a buyer", move |client| {
            let task = task.clone();
            Box::pin(async move { task.run(client).await.map_err(Error::abort) })
        })
        .await;
    Ok(erased?)
}

struct Task {
    guard: Guard,
    shop: ShopId,
    plan: Plan,
    basis: String,
    by: String,
}

impl Task {
    async fn run(&self, client: &Client) -> Result<Erasure, Error> {
        let readable: Vec<i64> = self.plan.readable.iter().map(|position| position.0).collect();
        let destroyed = evidence::destroy(client, self.shop.as_str(), &readable).await?;
        if destroyed.is_empty() {
            return Ok(Erasure::default());
        }
        refuse_held(client, &self.shop, &self.plan.buyers).await?;
        let mut notes = Vec::new();
        for positions in destroyed.chunks(POSITIONS_MAX) {
            let note = append_note(&self.guard, client, &self.shop, &self.note(positions)).await?;
            notes.push(note.position);
        }
        Ok(Erasure { keys_destroyed: destroyed.len() as u64, notes })
    }

    fn note(&self, positions: &[i64]) -> NewNote {
        let named = positions.iter().flat_map(|position| position.to_be_bytes()).collect::<Vec<u8>>();
        let of = hex::encode(&digest(&SHA256, &named).as_ref()[..16]);
        NewNote {
            kind: NoteType::SubjectErased,
            key: Key::Buyer(self.plan.buyer.clone()),
            by: self.by.clone(),
            // What a restored backup brought back may be destroyed again, and is said once.
            id: format!("{}/{of}", self.plan.buyer),
            data: json!({
                "basis": self.basis,
                "buyer": self.plan.buyer,
                "keys_destroyed": positions.len(),
                "orders": self.plan.orders,
                "positions": positions,
            }),
            evidence: None,
        }
    }
}

/// Under the shop's lock, which placing a hold takes as well.
pub(super) async fn refuse_held<'b>(
    client: &Client,
    shop: &ShopId,
    buyers: impl IntoIterator<Item = &'b BuyerId>,
) -> Result<(), Error> {
    client
        .query_opt(&sql::event_log::LOCK_SHOP, &[&shop.as_str()])
        .await?
        .ok_or(event_log::Error::UnknownShop)?;
    for buyer in buyers {
        if let Some(hold) = holds_of(client, shop, buyer).await?.into_iter().next() {
            return Err(Error::Held { buyer: hold.buyer, case: hold.case });
        }
    }
    Ok(())
}
