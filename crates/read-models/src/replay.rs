//! Makes the decisions and the rows again, from the log alone.
//!
//! Every fact is decided over the state of an empty log and what was decided since, and every answer is compared with
//! the recorded one, byte for byte. Beside it the recorded outcomes are folded by themselves: what the tables must
//! show. Recorded parkings are obeyed, never made again: a fact that an older version could not decide was parked.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Context, Fact, Outcome, OutcomeType, Position, ReceivedFact, State, Undecided};
use event_log::{Event, Kind, canonical};
use relay::received;

/// Where a decision is another one now than it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// The fact, or the outcome that has none.
    pub position: Position,
    /// What differs.
    pub what: String,
}

/// A replay under way. Events go in in position order.
#[derive(Debug)]
pub struct Replay {
    decided: State,
    folded: State,
    /// Facts whose outcomes have not all been seen.
    waiting: VecDeque<Arc<ReceivedFact>>,
    /// The recorded outcomes of the first of them.
    recorded: Vec<Event>,
    facts: u64,
    outcomes: u64,
    mismatches: Vec<Mismatch>,
}

/// More of them say no more.
const MISMATCHES_MAX: usize = 100;

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

impl Replay {
    /// Over an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self {
            decided: State::empty(),
            folded: State::empty(),
            waiting: VecDeque::new(),
            recorded: Vec::new(),
            facts: 0,
            outcomes: 0,
            mismatches: Vec::new(),
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: Event) {
        match (event.kind, event.cause) {
            (Kind::Fact, _) => self.waiting.push_back(Arc::new(received(&event))),
            (Kind::Outcome, Some(cause)) => {
                // Outcomes stand in the order of their causes: those of the facts before have all been seen.
                while self.waiting.front().is_some_and(|fact| fact.position < cause) {
                    self.finish_first();
                }
                if self.waiting.front().is_some_and(|fact| fact.position == cause) {
                    self.recorded.push(event);
                } else {
                    self.differs(
                        event.position,
                        format!("an outcome of {cause}, which is no fact that waits"),
                    );
                }
            }
            // Notes decide nothing.
            _ => {}
        }
    }

    /// Ends the replay. Facts behind `decided_through`, the relay's checkpoint, need no outcomes yet.
    #[must_use]
    pub fn finish(mut self, decided_through: Position) -> Replayed {
        while self.waiting.front().is_some_and(|fact| fact.position <= decided_through)
            || !self.recorded.is_empty()
        {
            self.finish_first();
        }
        Replayed {
            facts: self.facts,
            outcomes: self.outcomes,
            mismatches: self.mismatches,
            decided: self.decided,
            folded: self.folded,
        }
    }

    fn differs(&mut self, position: Position, what: String) {
        if self.mismatches.len() < MISMATCHES_MAX {
            self.mismatches.push(Mismatch { position, what });
        }
    }

    /// All recorded outcomes of the first waiting fact are here.
    fn finish_first(&mut self) {
        let Some(fact) = self.waiting.pop_front() else { return };
        // Nothing is stored here, so that nothing of what changed has to be remembered.
        self.decided.mark_stored();
        self.folded.mark_stored();
        let recorded = std::mem::take(&mut self.recorded);
        self.facts += 1;
        self.outcomes += recorded.len() as u64;
        let mut outcomes = Vec::with_capacity(recorded.len());
        for event in &recorded {
            match event.outcome() {
                Ok(outcome) => outcomes.push(outcome),
                Err(unknown) => self.differs(event.position, unknown.0),
            }
        }
        for outcome in &outcomes {
            if let Err(error) = fold(&mut self.folded, &fact, outcome) {
                self.differs(fact.position, format!("{} cannot be folded: {error}", outcome.kind.name()));
            }
        }
        let was_parked = outcomes.iter().any(|outcome| outcome.kind == OutcomeType::EventParked);
        if was_parked {
            self.folded.attach(&fact);
            for outcome in &outcomes {
                if let Err(error) = fold(&mut self.decided, &fact, outcome) {
                    self.differs(fact.position, format!("{} cannot be folded: {error}", outcome.kind.name()));
                }
            }
            self.decided.attach(&fact);
            return;
        }
        match self.decided.decide(&fact) {
            Ok(decided) => self.compare(&fact, &decided, &recorded),
            Err(error) => self.differs(fact.position, error.to_string()),
        }
        if matches!(fact.fact, Ok(Fact::EventRedriven(_))) {
            self.folded.attach(&fact);
        }
    }

    fn compare(&mut self, fact: &ReceivedFact, decided: &[Outcome], recorded: &[Event]) {
        if decided.len() != recorded.len() {
            let what = format!("{} outcomes were recorded, {} are decided", recorded.len(), decided.len());
            return self.differs(fact.position, what);
        }
        for (n, (outcome, event)) in (0_u32..).zip(decided.iter().zip(recorded)) {
            if let Some(what) = difference(n, outcome, event) {
                return self.differs(fact.position, format!("outcome {n} ({}): {what}", event.type_name));
            }
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
    /// The state as it was decided now.
    pub decided: State,
    /// The fold of the recorded outcomes: what the tables must show.
    pub folded: State,
}

/// Replays a whole log.
pub fn replay(events: impl IntoIterator<Item = Event>, decided_through: Position) -> Replayed {
    let mut replay = Replay::new();
    events.into_iter().for_each(|event| replay.push(event));
    replay.finish(decided_through)
}

fn fold(state: &mut State, fact: &ReceivedFact, outcome: &Outcome) -> Result<(), Undecided> {
    let context =
        Context { position: fact.position, at: fact.at, fact_at: fact.at, answers: outcome.answers };
    state.evolve(&context, outcome.kind, &outcome.change)
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
    match canonical(&decided.change) {
        Ok(data) if data == recorded.data() => None,
        Ok(data) => Some(format!("its data is {data} and was {}", recorded.data())),
        Err(error) => Some(error.to_string()),
    }
}
