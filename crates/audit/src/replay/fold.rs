//! Folds the recorded outcomes, and decides nothing: what the read models must show.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Context, Fact, Outcome, OutcomeType, ReceivedFact};
use event_log::{Event, Kind};
use packed_rows::{PackedRows, Workbench};
use relay::received;

use super::{Difference, Mismatch, Mismatches, compare, was_parked};

/// A fold under way. Events go in in position order, from the first; after each one the rows are those as of it.
#[derive(Debug, Default)]
pub struct Fold {
    bench: Workbench,
    /// Facts whose outcomes may still come.
    waiting: VecDeque<Arc<ReceivedFact>>,
    mismatches: Mismatches,
}

impl Fold {
    /// Takes the next event.
    pub fn push(&mut self, event: Event) {
        match (event.kind, event.cause) {
            (Kind::Fact, _) => self.waiting.push_back(Arc::new(received(&event))),
            (Kind::Outcome, Some(cause)) => {
                while self.waiting.front().is_some_and(|fact| fact.position < cause) {
                    self.waiting.pop_front();
                }
                let Some(fact) = self.waiting.front().filter(|fact| fact.position == cause) else {
                    let what = format!("an outcome of {cause}, which is no fact that waits");
                    return self.mismatches.add(event.position, what);
                };
                let outcomes = read(std::slice::from_ref(&event), &mut self.mismatches);
                fold(&mut self.bench, fact, &outcomes, &mut self.mismatches);
            }
            // Notes decide nothing.
            _ => {}
        }
    }

    /// The rows as of the last event.
    #[must_use]
    pub fn rows(&mut self) -> &PackedRows {
        self.bench.rows()
    }

    /// What could not be folded.
    #[must_use]
    pub fn mismatches(&self) -> &[Mismatch] {
        self.mismatches.as_slice()
    }

    /// Decides the last fact of a log that was cut behind some of its outcomes, over what was settled before it: what was
    /// recorded of it, and what stood behind the cut. Where something else would be decided now, all of it was recorded:
    /// what was decided counts, whatever would be now.
    #[must_use]
    pub fn complete(
        mut self,
        fact: ReceivedFact,
        recorded: &[Event],
    ) -> (PackedRows, Vec<Outcome>, Vec<Mismatch>) {
        if !was_parked(recorded)
            && let Ok(mut decided) = self.bench.decide(&fact)
            && matches!(compare(&decided, recorded, true), Difference::None | Difference::Cut)
        {
            let rest = decided.split_off(recorded.len());
            self.bench.keep();
            return (self.bench.into_rows(), rest, self.mismatches.into_vec());
        }
        self.bench.revert();
        let outcomes = read(recorded, &mut self.mismatches);
        fold(&mut self.bench, &Arc::new(fact), &outcomes, &mut self.mismatches);
        (self.bench.into_rows(), Vec::new(), self.mismatches.into_vec())
    }

    /// The rows, and what could not be folded.
    #[must_use]
    pub fn finish(self) -> (PackedRows, Vec<Mismatch>) {
        (self.bench.into_rows(), self.mismatches.into_vec())
    }
}

/// The outcomes within the events.
pub(super) fn read(events: &[Event], mismatches: &mut Mismatches) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(events.len());
    for event in events {
        match event.outcome() {
            Ok(outcome) => outcomes.push(outcome),
            Err(unknown) => mismatches.add(event.position, unknown.0),
        }
    }
    outcomes
}

/// Folds all outcomes of a fact.
pub(super) fn fold(
    bench: &mut Workbench,
    fact: &Arc<ReceivedFact>,
    outcomes: &[Outcome],
    mismatches: &mut Mismatches,
) {
    for outcome in outcomes {
        let context =
            Context { position: fact.position, at: fact.at, fact_at: fact.at, answers: outcome.answers };
        if let Err(error) = bench.evolve(&context, outcome.kind, &outcome.change) {
            mismatches.add(fact.position, format!("{} cannot be folded: {error}", outcome.kind.name()));
        }
    }
    // What is parked is decided later, from the fact itself.
    let was_parked = outcomes.iter().any(|outcome| outcome.kind == OutcomeType::EventParked);
    if was_parked || matches!(fact.fact, Ok(Fact::EventRedriven(_))) {
        bench.attach(fact);
    }
    bench.keep();
}
