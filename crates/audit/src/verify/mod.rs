//! Compares all there is of a log with each other.

mod bundle;
pub(crate) mod evidence;
mod handed_over;
mod rows;
mod tree;

use ::evidence::Vault;
use database::Database;
use domain::ShopId;
use paypal::TrustAnchors;
use read_models::{Difference, Violation, check, compare_live};
use serde::Serialize;

use crate::replay::run;
use crate::{Error, Findings, Mismatch, Progress, Snapshot, Source};

pub use evidence::EvidenceCounts;
use evidence::Opener;
pub use tree::TreeCounts;

/// What a whole verification found; everything is empty where all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many events were compared with their columns and outbox rows.
    pub events: u64,
    /// What was checked of their evidence.
    pub evidence: EvidenceCounts,
    /// What was compared of the Merkle tree.
    pub tree: TreeCounts,
    /// How many facts were decided again.
    pub facts: u64,
    /// How many outcomes were compared.
    pub outcomes: u64,
    /// How many recorded digests of read models were compared.
    pub digests: u64,
    /// Events that are not as their entries are, or whose evidence is not.
    pub findings: Findings,
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
        self.findings.is_empty()
            && self.mismatches.is_empty()
            && self.differences.is_empty()
            && self.violations.is_empty()
    }
}

/// How thoroughly a log is verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier<'a> {
    /// Opens evidence; without it only the hashes of what is sealed are compared.
    pub vault: Option<&'a Vault>,
    /// Whose signatures are believed; without them callbacks' are not judged.
    pub anchors: Option<&'a TrustAnchors>,
}

impl Verifier<'_> {
    /// Compares every event with its columns, its outbox row and its evidence, replays the whole log, compares every
    /// decision and every row, and checks every invariant; all of it over one snapshot.
    ///
    /// # Errors
    /// The database cannot be had; [`Error::Evidence`] when the vault is not that of the shop.
    pub async fn verify(
        &self,
        database: &Database,
        shop: &ShopId,
        progress: &Progress,
    ) -> Result<Verification, Error> {
        let snapshot = Snapshot::take(database, shop).await?;
        let opener = match self.vault {
            Some(vault) => Some(Opener::new(&snapshot, vault, self.anchors).await?),
            None => None,
        };
        let mut findings = Findings::default();
        let (events, evidence, tree) =
            rows::verify_rows(&snapshot, opener.as_ref(), progress, &mut findings).await?;
        let mut verification = Verification { events, evidence, tree, findings, ..Verification::default() };
        let source = Source::Snapshot(snapshot);
        replay(&source, progress, &mut verification).await?;
        source.close().await;
        Ok(verification)
    }
}

async fn replay(source: &Source, progress: &Progress, found: &mut Verification) -> Result<(), Error> {
    let run = match run(source, source.head(), progress).await {
        Ok(run) => run,
        // It stands among the findings already, and nothing behind it can be decided.
        Err(Error::Log(event_log::Error::Entry { .. })) => return Ok(()),
        Err(error) => return Err(error),
    };
    let Source::Snapshot(snapshot) = source else { return Ok(()) };
    let client = snapshot.client()?;
    progress.begin("comparing the read models", 0);
    found.differences = compare_live(client, snapshot.shop(), run.replayed.folded()).await?;
    found.violations = check(client, snapshot.shop()).await?;
    (found.facts, found.outcomes, found.digests) = (run.replayed.facts, run.replayed.outcomes, run.digests);
    found.mismatches = run.replayed.mismatches;
    found.mismatches.extend(run.mismatches);
    Ok(())
}

/// As [`Verifier::verify`], of all that can be verified without keys.
///
/// # Errors
/// The database cannot be had.
pub async fn verify(database: &Database, shop: &ShopId) -> Result<Verification, Error> {
    Verifier::default().verify(database, shop, &Progress::default()).await
}
