//! Folds the recorded outcomes, and decides nothing: what the read models must show.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Context, Fact, Outcome, OutcomeType, ReceivedFact, State};
use event_log::{Event, Kind};
use relay::received;

use super::{Difference, Mismatch, Mismatches, compare, was_parked};

/// A fold under way. Events go in in position order, from the first; after each one the state is the one as of it.
#[derive(Debug)]
pub struct Fold {
    state: State,
    /// Facts whose outcomes may still come.
    waiting: VecDeque<Arc<ReceivedFact>>,
    mismatches: Mismatches,
}

impl Default for Fold {
    fn default() -> Self {
        Self { state: State::empty(), waiting: VecDeque::new(), mismatches: Mismatches::default() }
    }
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
                // Nothing is stored here, so that nothing of what changed has to be remembered.
                self.state.mark_stored();
                let outcomes = read(std::slice::from_ref(&event), &mut self.mismatches);
                fold(&mut self.state, fact, &outcomes, &mut self.mismatches);
            }
            // Notes decide nothing.
            _ => {}
        }
    }

    /// The state as of the last event.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
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
    ) -> (State, Vec<Outcome>, Vec<Mismatch>) {
        self.state.mark_stored();
        if !was_parked(recorded)
            && let Ok(mut decided) = self.state.decide(&fact)
            && matches!(compare(&decided, recorded, true), Difference::None | Difference::Cut)
        {
            let rest = decided.split_off(recorded.len());
            return (self.state, rest, self.mismatches.into_vec());
        }
        self.state.revert();
        let outcomes = read(recorded, &mut self.mismatches);
        fold(&mut self.state, &Arc::new(fact), &outcomes, &mut self.mismatches);
        (self.state, Vec::new(), self.mismatches.into_vec())
    }

    /// The state, and what could not be folded.
    #[must_use]
    pub fn finish(self) -> (State, Vec<Mismatch>) {
        (self.state, self.mismatches.into_vec())
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
    state: &mut State,
    fact: &Arc<ReceivedFact>,
    outcomes: &[Outcome],
    mismatches: &mut Mismatches,
) {
    for outcome in outcomes {
        let context =
            Context { position: fact.position, at: fact.at, fact_at: fact.at, answers: outcome.answers };
        if let Err(error) = state.evolve(&context, outcome.kind, &outcome.change) {
            mismatches.add(fact.position, format!("{} cannot be folded: {error}", outcome.kind.name()));
        }
    }
    // What is parked is decided later, from the fact itself.
    let was_parked = outcomes.iter().any(|outcome| outcome.kind == OutcomeType::EventParked);
    if was_parked || matches!(fact.fact, Ok(Fact::EventRedriven(_))) {
        state.attach(fact);
    }
}
