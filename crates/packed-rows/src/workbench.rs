//! Rows that are worked on: a state that is given what it lacks, over rows at rest.

use std::sync::Arc;

use domain::{Change, Context, Mark, Outcome, OutcomeType, ReceivedFact, Shop, State, Undecided};

use crate::PackedRows;

/// After so many facts everything is put back to rest, so that the state stays small.
const FACTS: u32 = 256;

/// Facts are decided, and outcomes folded, as if every row were in the state. What has changed is put back to rest now
/// and then: most rows change with one fact, and what orders share with many.
#[derive(Clone, Debug)]
pub struct Workbench {
    rows: PackedRows,
    state: State,
    /// Where the fact that is worked on began.
    begun: Option<Mark>,
    facts: u32,
    /// After so many facts the state is emptied.
    facts_max: u32,
}

impl Default for Workbench {
    fn default() -> Self {
        Self::over(PackedRows::default())
    }
}

impl Workbench {
    /// Over these rows.
    #[must_use]
    pub fn over(rows: PackedRows) -> Self {
        Self { state: rows.open(), rows, begun: None, facts: 0, facts_max: FACTS }
    }

    /// One that empties its state after so many facts.
    #[cfg(test)]
    pub(crate) fn emptied_after(facts_max: u32) -> Self {
        Self { facts_max, ..Self::default() }
    }

    /// Decides a fact, and evolves the state by what is answered.
    ///
    /// # Errors
    /// It cannot be decided at all; the state is as it was.
    pub fn decide(&mut self, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        if let Ok(fact) = &fact.fact {
            self.rows.load_for_fact(&mut self.state, fact);
        }
        self.step(|state| state.decide(fact))
    }

    /// Folds an outcome.
    ///
    /// # Errors
    /// It cannot be folded; the state is as it was.
    pub fn evolve(&mut self, context: &Context, kind: OutcomeType, change: &Change) -> Result<(), Undecided> {
        self.rows.load_for_change(&mut self.state, change);
        self.step(|state| state.evolve(context, kind, change))
    }

    /// Gives a parked fact to the group it waits in.
    pub fn attach(&mut self, fact: &Arc<ReceivedFact>) {
        self.state.attach(fact);
    }

    /// Takes another for the shop's own row from here on.
    pub fn assume(&mut self, assume: impl FnOnce(&mut Shop)) {
        assume(&mut self.state.shop);
        self.rows.shop.clone_from(&self.state.shop);
    }

    /// Keeps what was done since the last time: the fact is done with.
    pub fn keep(&mut self) {
        if self.begun.take().is_some() {
            self.state.keep();
        }
        self.facts += 1;
        if self.facts >= self.facts_max {
            self.facts = 0;
            self.rest();
            self.state.forget_unchanged();
        }
    }

    /// Takes back what was done since [`Workbench::keep`].
    pub fn revert(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.state.roll_back(&begun);
        }
    }

    /// The rows, as they were kept. Never while a fact is worked on.
    #[must_use]
    pub fn rows(&mut self) -> &PackedRows {
        self.rest();
        &self.rows
    }

    /// The same, for good.
    #[must_use]
    pub fn into_rows(mut self) -> PackedRows {
        self.rest();
        self.rows
    }

    fn rest(&mut self) {
        self.rows.store(&self.state);
        self.state.mark_stored();
    }

    /// Loads whatever the state lacks. A step that fails leaves no trace.
    fn step<T>(&mut self, step: impl Fn(&mut State) -> Result<T, Undecided>) -> Result<T, Undecided> {
        let mut last = None;
        loop {
            let begun = self.begun.is_none().then(|| self.state.mark());
            let done = step(&mut self.state);
            match done {
                // What was loaded and is missing again would be missing for ever.
                Err(Undecided::Missing(missing)) if last.as_ref() != Some(&missing) => {
                    if let Some(begun) = begun {
                        self.state.roll_back(&begun);
                    }
                    // What it is found through must be at rest, as far as it was kept.
                    if missing.rests_on_others() && begun.is_some() {
                        self.rest();
                    }
                    self.rows.load(&mut self.state, &missing);
                    last = Some(missing);
                }
                done => {
                    self.begun = self.begun.or(begun);
                    return done;
                }
            }
        }
    }
}
