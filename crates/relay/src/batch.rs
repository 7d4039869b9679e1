//! One batch is decided: what it needs is loaded, and its facts are decided one after the other. It is written while the
//! next one is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::{Missing, Outcome, Position, ReceivedFact, State, Undecided};
use event_log::{NewOutcome, OutcomeAppend};

use crate::Error;
use crate::ground::{Decided, Ground, LoggedFact, Reader};

/// Rows lead to other rows: payment, order, its other payments, their parents. Deeper ones are found while deciding.
const LOAD_ROUNDS: usize = 6;

/// What a batch is decided with.
pub(crate) struct Batch<'a, G, R> {
    pub(crate) ground: &'a G,
    pub(crate) reader: &'a R,
    /// Up to where the log was seen.
    pub(crate) to: i64,
    pub(crate) facts: &'a [LoggedFact],
    /// Facts that cannot be decided or stored, with the reason: they are parked.
    pub(crate) poisoned: &'a BTreeMap<Position, String>,
    /// Once it has so many outcomes the batch ends: the door waits while they are appended.
    pub(crate) outcomes_max: usize,
    /// Whether all that was decided before is stored.
    pub(crate) is_stored: bool,
    /// Whether the state is left with nothing but what this batch changes. What earlier ones changed is stored before it is
    /// looked at again.
    pub(crate) forgets: bool,
}

impl<G: Ground, R: Reader> Batch<'_, G, R> {
    /// Decides facts from the first on, over a state that is as the batch before left it, stored or not. `None` when the
    /// first of them needs something that can be loaded only when that batch is stored.
    ///
    /// Nothing is locked, and there is no transaction: nobody else writes what is read here while the lease holds, and
    /// the fence in front of the writing says whether it did. Rows that the batch before has changed are in the state,
    /// so it makes no difference whether they are stored yet.
    pub(crate) async fn decide(&self, state: &mut State) -> Result<Option<Decided<G::Changes>>, Error> {
        let mut in_need: Vec<&LoggedFact> = self.facts.iter().collect();
        for _ in 0..LOAD_ROUNDS {
            let missing = self.needs(state, &mut in_need);
            if missing.is_empty() {
                break;
            }
            self.reader.load(state, &missing).await?;
        }
        let (mut outcomes, mut spans) = (Vec::new(), Vec::new());
        let (mut to, mut decided) = (self.to, 0);
        for (index, fact) in self.facts.iter().enumerate() {
            let Some(answered) = self.decide_one(state, fact, index == 0).await? else { break };
            let mut trace = fact.trace;
            if trace.is_some() {
                // Most of what it takes is to come: the span goes on until all of it is written.
                let span = tracing::info_span!(
                    target: trace_context::TARGET, parent: None, "decide", position = %fact.received.position
                );
                trace = trace_context::follow(&span, trace);
                spans.push(span);
            }
            outcomes.extend((0_u32..).zip(answered).map(|(n, outcome)| NewOutcome {
                outcome,
                cause: fact.received.position,
                cause_id: fact.id,
                n,
                trace,
            }));
            decided = index + 1;
            if outcomes.len() >= self.outcomes_max {
                break;
            }
        }
        if decided == 0 {
            return Ok(None);
        }
        if decided < self.facts.len() {
            to = self.facts[decided - 1].received.position.0;
        }
        // Rows and entries are written before anything is sent: nobody waits for that behind a lock.
        let outcomes = OutcomeAppend::new(outcomes)?;
        let changes = self.ground.changes(state)?;
        if self.forgets {
            state.forget_unchanged();
        }
        state.mark_stored();
        let first = self.facts[0].received.position;
        Ok(Some(Decided { to, facts: decided, first, changes, outcomes, spans }))
    }

    /// What these facts need, as far as it can be loaded now. Those that need nothing more are not asked again.
    fn needs(&self, state: &State, facts: &mut Vec<&LoggedFact>) -> Vec<Missing> {
        let mut all = Vec::new();
        facts.retain(|fact| {
            let needed = all.len();
            let missing = state.needs(&fact.received);
            all.extend(missing.into_iter().filter(|missing| self.is_stored || !missing.rests_on_others()));
            all.len() > needed
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Decides one fact, and loads what it lacks; `None` when that has to wait until what was decided is stored.
    async fn decide_one(
        &self,
        state: &mut State,
        fact: &LoggedFact,
        is_first: bool,
    ) -> Result<Option<Vec<Outcome>>, Error> {
        let fact = &fact.received;
        let mut last = None;
        loop {
            let missing = match self.attempt(state, fact)? {
                Ok(outcomes) => return Ok(Some(outcomes)),
                Err(Undecided::Missing(missing)) => missing,
                Err(Undecided::Undecidable(error)) => {
                    return Err(Error::Corrupt(format!(
                        "the fact at {} cannot be parked: {error}",
                        fact.position
                    )));
                }
            };
            if last.as_ref() == Some(&missing) {
                return Err(Error::Corrupt(format!("{missing:?} is missing although it was loaded")));
            }
            let is_stored = self.is_stored && is_first;
            if missing.rests_on_others() && !is_stored {
                return Ok(None);
            }
            let mut wanted: BTreeSet<Missing> = state.needs(fact).into_iter().collect();
            wanted.retain(|missing| is_stored || !missing.rests_on_others());
            wanted.insert(missing.clone());
            let wanted: Vec<Missing> = wanted.into_iter().collect();
            self.reader.load(state, &wanted).await?;
            last = Some(missing);
        }
    }

    fn attempt(
        &self,
        state: &mut State,
        fact: &ReceivedFact,
    ) -> Result<Result<Vec<Outcome>, Undecided>, Error> {
        if let Some(error) = self.poisoned.get(&fact.position) {
            return Ok(state.park(fact, error));
        }
        // After a panic the state is thrown away with the whole batch, so that nobody sees it half changed.
        catch_unwind(AssertUnwindSafe(|| self.ground.decide(state, fact)))
            .map_err(|panic| Error::Panicked(fact.position, panic_text(panic.as_ref())))
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
