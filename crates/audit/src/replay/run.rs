//! Replays a log up to a point, with the digests that stand in it.

use domain::Position;

use super::{Mismatch, Replay, Replayed};
use crate::digest::{DigestedReplay, Recorded};
use crate::{Error, Progress, Source, read_into};

/// What a replay of a log came to.
#[derive(Debug)]
pub struct Run {
    /// The last position that was replayed.
    pub through: Position,
    /// What was decided and folded.
    pub replayed: Replayed,
    /// How many recorded digests of read models were compared on the way.
    pub digests: u64,
    /// Those that differ.
    pub mismatches: Vec<Mismatch>,
}

impl Run {
    /// Whether every decision and digest is as it was recorded.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.replayed.mismatches.is_empty() && self.mismatches.is_empty()
    }
}

/// Decides and folds a log from nothing.
///
/// # Errors
/// The log cannot be read; [`event_log::Error::Entry`] names the first entry that cannot.
pub async fn run(source: &Source, through: Position, progress: &Progress) -> Result<Run, Error> {
    let recorded = Recorded::of(source, through).await?;
    let taker = DigestedReplay { replay: Replay::default(), recorded, mismatches: Vec::new() };
    let taker = read_into(source, through, taker, ("deciding again", progress)).await?;
    Ok(Run {
        through,
        replayed: taker.replay.finish(source.end(through)),
        digests: taker.recorded.compared,
        mismatches: taker.mismatches,
    })
}
