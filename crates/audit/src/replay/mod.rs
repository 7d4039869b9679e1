//! Makes the decisions and the rows again, from the log alone.
//!
//! Every fact is decided over the state of an empty log and what was decided since, and every answer is compared with
//! the recorded one, byte for byte. As long as they agree, the state that was decided is also the fold of the recorded
//! outcomes: what the tables must show. From the first difference on there are two. Recorded parkings are obeyed, never
//! made again: a fact that an older version could not decide was parked.

mod fold;
mod pairing;
mod run;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use domain::{Outcome, OutcomeType, Position, ReceivedFact};
use event_log::{Event, canonical, is_written_as};
use packed_rows::{PackedRows, Workbench};
use serde::Serialize;

pub use fold::Fold;
pub use pairing::End;
use pairing::{Decided, Pairing, Stray};
pub use run::{Run, run};

/// Where a decision is another one now than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The fact, or the outcome that has none.
    pub position: Position,
    /// What differs.
    pub what: String,
}

/// The first of them, and how many there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mismatches {
    first: Vec<Mismatch>,
}

/// More of them say no more.
const MISMATCHES_MAX: usize = 100;

impl Mismatches {
    pub(crate) fn add(&mut self, position: Position, what: String) {
        if self.first.len() < MISMATCHES_MAX {
            self.first.push(Mismatch { position, what });
        }
    }

    pub(crate) fn as_slice(&self) -> &[Mismatch] {
        &self.first
    }

    pub(crate) fn into_vec(self) -> Vec<Mismatch> {
        self.first
    }
}

/// A replay under way. Events go in in position order, from the first.
#[derive(Debug, Default)]
pub struct Replay {
    pairing: Pairing,
    decider: Decider,
}

#[derive(Debug, Default)]
struct Decider {
    decided: Workbench,
    /// The fold of the recorded outcomes, where it is another than what is decided.
    folded: Option<Workbench>,
    facts: u64,
    outcomes: u64,
    mismatches: Mismatches,
}

impl Replay {
    /// Takes the next event.
    pub fn push(&mut self, event: Event) {
        let Self { pairing, decider } = self;
        if let Err(Stray(position, what)) = pairing.push(event, |decided| decider.decide(&decided)) {
            decider.mismatches.add(position, what);
        }
    }

    /// The fold of the recorded outcomes as of the last event. Where a fact has outcomes behind it too, it is made for the
    /// occasion, and the replay goes on without it: what has not come yet may still be missing.
    pub fn folded(&mut self) -> Cow<'_, PackedRows> {
        let Self { pairing, decider } = self;
        if pairing.begun().is_some_and(|(fact, recorded)| decider.is_whole(fact, recorded)) {
            pairing.finish_first().into_iter().for_each(|decided| decider.decide(&decided));
        }
        let Some((fact, recorded)) = pairing.begun() else {
            return Cow::Borrowed(decider.folded().rows());
        };
        let mut folded = decider.folded().clone();
        // What is found is found again when the fact is decided.
        let mut found = Mismatches::default();
        let outcomes = fold::read(recorded, &mut found);
        fold::fold(&mut folded, fact, &outcomes, &mut found);
        Cow::Owned(folded.into_rows())
    }

    /// Ends the replay.
    #[must_use]
    pub fn finish(mut self, end: End) -> Replayed {
        let Self { pairing, decider } = &mut self;
        pairing.finish(end, |decided| decider.decide(&decided));
        let Decider { decided, folded, facts, outcomes, mismatches } = self.decider;
        let (decided, folded) = (decided.into_rows(), folded.map(Workbench::into_rows));
        Replayed { facts, outcomes, mismatches: mismatches.into_vec(), decided, folded }
    }
}

impl crate::Take for Replay {
    fn take(&mut self, event: Event) {
        self.push(event);
    }
}

impl crate::Take for Fold {
    fn take(&mut self, event: Event) {
        self.push(event);
    }
}

impl Decider {
    fn folded(&mut self) -> &mut Workbench {
        self.folded.as_mut().unwrap_or(&mut self.decided)
    }

    /// Whether this is all that is decided of a fact. Nothing is changed by asking.
    fn is_whole(&mut self, fact: &ReceivedFact, recorded: &[Event]) -> bool {
        if was_parked(recorded) {
            return true;
        }
        let decided = self.decided.decide(fact);
        self.decided.revert();
        decided.is_ok_and(|decided| compare(&decided, recorded, false) == Difference::None)
    }

    fn decide(&mut self, Decided { fact, outcomes: recorded, is_cut }: &Decided) {
        self.facts += 1;
        self.outcomes += recorded.len() as u64;
        if was_parked(recorded) {
            self.obey(fact, recorded);
            return;
        }
        let difference = match self.decided.decide(fact) {
            Ok(decided) => compare(&decided, recorded, *is_cut),
            Err(error) => Difference::Other(error.to_string()),
        };
        if let Difference::Other(what) = &difference {
            self.mismatches.add(fact.position, what.clone());
        }
        if self.folded.is_none() && difference != Difference::None {
            let mut folded = self.decided.clone();
            folded.revert();
            self.folded = Some(folded);
        }
        self.decided.keep();
        if let Some(folded) = &mut self.folded {
            let outcomes = fold::read(recorded, &mut self.mismatches);
            fold::fold(folded, fact, &outcomes, &mut self.mismatches);
        }
    }

    fn obey(&mut self, fact: &std::sync::Arc<ReceivedFact>, recorded: &[Event]) {
        let outcomes = fold::read(recorded, &mut self.mismatches);
        fold::fold(&mut self.decided, fact, &outcomes, &mut self.mismatches);
        if let Some(folded) = &mut self.folded {
            fold::fold(folded, fact, &outcomes, &mut self.mismatches);
        }
    }
}

/// What a replay came to.
#[derive(Debug)]
pub struct Replayed {
    /// How many facts were decided.
    pub facts: u64,
    /// How many outcomes were compared.
    pub outcomes: u64,
    /// Where decisions differ, the first of them.
    pub mismatches: Vec<Mismatch>,
    decided: PackedRows,
    folded: Option<PackedRows>,
}

impl Replayed {
    /// The rows as they are decided now.
    #[must_use]
    pub fn decided(&self) -> &PackedRows {
        &self.decided
    }

    /// The fold of the recorded outcomes: what the tables must show.
    #[must_use]
    pub fn folded(&self) -> &PackedRows {
        self.folded.as_ref().unwrap_or(&self.decided)
    }
}

/// Recorded parkings are obeyed: an older version could not decide the fact.
fn was_parked(recorded: &[Event]) -> bool {
    recorded.iter().any(|event| event.type_name == OutcomeType::EventParked.name())
}

/// Replays a whole log.
pub fn replay(events: impl IntoIterator<Item = Event>, decided_through: Position) -> Replayed {
    let mut replay = Replay::default();
    events.into_iter().for_each(|event| replay.push(event));
    replay.finish(End::Decided(decided_through))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Difference {
    None,
    /// What was recorded is the beginning of what is decided: the rest stands behind the cut.
    Cut,
    Other(String),
}

fn compare(decided: &[Outcome], recorded: &[Event], is_cut: bool) -> Difference {
    for (n, (outcome, event)) in (0_u32..).zip(decided.iter().zip(recorded)) {
        if let Some(what) = difference(n, outcome, event) {
            return Difference::Other(format!("outcome {n} ({}): {what}", event.type_name));
        }
    }
    match decided.len().cmp(&recorded.len()) {
        std::cmp::Ordering::Equal => Difference::None,
        std::cmp::Ordering::Greater if is_cut => Difference::Cut,
        _ => Difference::Other(format!(
            "{} outcomes were recorded, {} are decided",
            recorded.len(),
            decided.len()
        )),
    }
}

/// What differs between a decision and its record, in all but the time.
fn difference(n: u32, decided: &Outcome, recorded: &Event) -> Option<String> {
    if decided.kind.name() != recorded.type_name {
        return Some(format!("{} is decided", decided.kind.name()));
    }
    if decided.key != recorded.key {
        return Some(format!("its key is {} and was {}", decided.key, recorded.key));
    }
    if decided.answers != recorded.answers || recorded.n != Some(n) {
        return Some("its number, or the fact that it answers".to_owned());
    }
    if is_written_as(&decided.change, recorded.data()) {
        return None;
    }
    match canonical(&decided.change) {
        Ok(data) if data == recorded.data() => None,
        Ok(data) => Some(format!("its data is {data} and was {}", recorded.data())),
        Err(error) => Some(error.to_string()),
    }
}
