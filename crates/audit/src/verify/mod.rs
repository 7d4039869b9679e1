//! Compares all there is of a log with each other.

use database::Database;
use domain::ShopId;
use read_models::{Difference, Violation, check, compare_live};
use serde::Serialize;

use crate::{Error, Mismatch, Progress, Replay, Snapshot, Source, read_into};

/// What a whole verification found; everything is empty where all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many facts were decided again.
    pub facts: u64,
    /// How many outcomes were compared.
    pub outcomes: u64,
    /// Decisions that are others now than they were.
    pub mismatches: Vec<Mismatch>,
    /// Rows that are not as replay makes them.
    pub differences: Vec<Difference>,
    /// Rows that break a rule.
    pub violations: Vec<Violation>,
}

impl Verification {
    /// Whether all is well.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty() && self.differences.is_empty() && self.violations.is_empty()
    }
}

/// Replays the whole log, compares every decision and every row, and checks every invariant, over one snapshot.
///
/// # Errors
/// The database cannot be had, or the log cannot be read.
pub async fn verify(database: &Database, shop: &ShopId) -> Result<Verification, Error> {
    let snapshot = Snapshot::take(database, shop).await?;
    let source = Source::Snapshot(snapshot);
    let head = source.head();
    let replay = read_into(&source, head, Replay::default(), &Progress::default()).await?;
    let replayed = replay.finish(source.end(head));
    let Source::Snapshot(snapshot) = source;
    let client = snapshot.client()?;
    let verification = Verification {
        facts: replayed.facts,
        outcomes: replayed.outcomes,
        differences: compare_live(client, shop, replayed.folded()).await?,
        violations: check(client, shop).await?,
        mismatches: replayed.mismatches,
    };
    snapshot.close().await;
    Ok(verification)
}
