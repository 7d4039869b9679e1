//! What is in a bundle.

use domain::Position;
use serde::{Deserialize, Serialize};

use crate::export::Manifest;

/// What is in a bundle; `report.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleReport {
    /// Whose log.
    pub shop: String,
    /// How many events its checkpoint is of.
    pub size: u64,
    /// Its root, hexadecimal.
    pub root: String,
    /// The first and the last position whose evidence is handed over.
    pub range: [Position; 2],
    /// Pieces of evidence.
    pub bodies: u64,
    /// Those whose keys are released.
    pub keys: u64,
    /// Events within the range that came back from the published log after a restore of the database, which has lost their
    /// evidence.
    pub lost: Vec<Position>,
    /// Published checkpoints.
    pub checkpoints: u64,
    /// How many there are of the range: of very many only some are handed over.
    pub checkpoints_of: u64,
    /// What was exported.
    pub export: Manifest,
}
