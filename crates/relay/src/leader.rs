//! Leads one shop for as long as its lease is not lost.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use domain::{Position, State};
use futures_util::join;

use crate::batch::Batch;
use crate::ground::{Decided, Ground, Reader};
use crate::pace::Pace;
use crate::{Error, Options};

/// What came of a step.
enum Step {
    /// Nothing is left to do.
    Idle,
    /// There may be more.
    Moved,
}

/// What came of looking for the next batch.
enum Next<C> {
    /// Nothing is to be decided in what was seen.
    Nothing { is_full: bool },
    /// Nothing can be decided before what was decided is written.
    Later,
    /// This is to be written.
    Batch(Decided<C>),
}

/// What was found, and where that leaves the leader.
struct Found<C> {
    next: Next<C>,
    /// The rows as the next batch leaves them.
    state: Option<State>,
    /// Up to where the log was seen.
    seen: i64,
}

/// An error, and the facts that it may lie in.
struct Failed {
    error: Error,
    facts: usize,
    first: Position,
}

impl<E: Into<Error>> From<E> for Failed {
    /// Before there were any.
    fn from(error: E) -> Self {
        Self { error: error.into(), facts: 0, first: Position(-1) }
    }
}

/// Leads one shop: decides what to do next, over whatever ground it is given.
#[derive(Debug)]
pub struct Leader<G: Ground> {
    ground: G,
    options: Options,
    work: Work<G::Changes>,
}

/// Where the leader stands.
#[derive(Debug)]
struct Work<C> {
    /// The checkpoint as it is stored.
    checkpoint: i64,
    /// Nothing is left to decide up to here.
    seen: i64,
    /// The rows as the last decided batch left them.
    state: Option<State>,
    /// What is decided and not written yet.
    decided: Option<Decided<C>>,
    facts_since: usize,
    pace: Pace,
    poisoned: BTreeMap<Position, String>,
    failures: u32,
}

impl<G: Ground> Leader<G> {
    /// One whose lease was taken while the checkpoint stood here.
    pub fn new(ground: G, options: Options, checkpoint: i64) -> Self {
        let pace = Pace::new(options.batch_max, options.lease);
        let work = Work {
            checkpoint,
            seen: checkpoint,
            state: None,
            decided: None,
            facts_since: 0,
            pace,
            poisoned: BTreeMap::new(),
            failures: 0,
        };
        Self { ground, options, work }
    }

    /// Works until it is stopped or has lost the lease.
    pub async fn run(mut self) {
        let (mut renewed, mut timed) = (self.ground.now(), None);
        while !self.ground.is_stopped() {
            let worked = async {
                let now = self.ground.now();
                if now - renewed >= self.options.heartbeat {
                    self.ground.renew().await?;
                    renewed = self.ground.now();
                }
                if timed.is_none_or(|timed| now - timed >= self.options.timers) {
                    self.ground.append_due().await?;
                    timed = Some(self.ground.now());
                }
                self.step().await
            };
            let went_on = match worked.await {
                Ok(Step::Moved) => {
                    self.work.failures = 0;
                    Ok(())
                }
                Ok(Step::Idle) => {
                    self.work.failures = 0;
                    if self.work.facts_since > self.facts_kept() {
                        // Others lead by now, and this one may have nothing to decide for long.
                        (self.work.state, self.work.facts_since) = (None, 0);
                    }
                    self.ground.wait(self.work.seen).await;
                    Ok(())
                }
                Err(Error::LeaseLost) => Err(Error::LeaseLost),
                Err(error) => self.recover(error).await,
            };
            if went_on.is_err() {
                tracing::warn!("has lost its lease");
                return;
            }
        }
        self.ground.release().await;
    }

    /// For how many facts rows are kept: its share of what the process keeps.
    fn facts_kept(&self) -> usize {
        self.options.facts_kept / self.ground.leaders().max(1)
    }

    /// Writes what is decided, and decides the next batch meanwhile.
    async fn step(&mut self) -> Result<Step, Error> {
        let began = self.ground.now();
        let (decided, state) = (self.work.decided.take(), self.work.state.take());
        let (written, next) = join!(self.write(decided.as_ref()), self.next(state, decided.is_some()));
        if let Some(decided) = &decided {
            match written {
                Ok(head) => self.written(decided, head, self.ground.now() - began),
                Err(error) => {
                    self.blame(&error, decided.facts, decided.first);
                    return Err(error);
                }
            }
        }
        let Found { next, state, seen } = match next {
            Ok(found) => found,
            Err(Failed { error, facts, first }) => {
                self.blame(&error, facts, first);
                return Err(error);
            }
        };
        self.work.state = state;
        self.work.seen = seen;
        match next {
            Next::Batch(decided) => {
                self.work.facts_since += decided.facts;
                if self.work.facts_since >= self.facts_kept() {
                    self.work.facts_since = 0;
                }
                self.work.decided = Some(decided);
                Ok(Step::Moved)
            }
            Next::Later => Ok(Step::Moved),
            Next::Nothing { is_full } => {
                // That is remembered, and stored with the next fact.
                self.ground.applied(seen, None);
                Ok(if is_full { Step::Moved } else { Step::Idle })
            }
        }
    }

    async fn write(&self, decided: Option<&Decided<G::Changes>>) -> Result<Option<Position>, Error> {
        match decided {
            Some(decided) => self.ground.write(self.work.checkpoint, decided).await,
            None => Ok(None),
        }
    }

    /// Looks for facts, and decides them as the next batch.
    async fn next(&self, state: Option<State>, is_writing: bool) -> Result<Found<G::Changes>, Failed> {
        let seen = self.work.seen;
        // A state that is opened must show what is being written.
        if state.is_none() && is_writing {
            return Ok(Found { next: Next::Later, state, seen });
        }
        let reader = self.ground.reader().await?;
        let ahead = reader.read_ahead(seen, self.work.pace.limit()).await?;
        if ahead.facts.is_empty() {
            let next = Next::Nothing { is_full: ahead.is_full };
            return Ok(Found { next, state, seen: ahead.seen });
        }
        let mut state = match state {
            Some(state) => state,
            None => reader.open().await?,
        };
        let batch = Batch {
            ground: &self.ground,
            reader: &reader,
            to: ahead.seen,
            facts: &ahead.facts,
            poisoned: &self.work.poisoned,
            outcomes_max: self.options.batch_max,
            is_stored: !is_writing,
            forgets: self.work.facts_since + ahead.facts.len() >= self.facts_kept(),
        };
        match batch.decide(&mut state).await {
            Ok(Some(decided)) => {
                let seen = decided.to;
                Ok(Found { next: Next::Batch(decided), state: Some(state), seen })
            }
            Ok(None) => Ok(Found { next: Next::Later, state: Some(state), seen }),
            Err(error) => {
                Err(Failed { error, facts: ahead.facts.len(), first: ahead.facts[0].received.position })
            }
        }
    }

    fn written(&mut self, decided: &Decided<G::Changes>, head: Option<Position>, took: Duration) {
        let work = &mut self.work;
        work.checkpoint = decided.to;
        work.pace.wrote(decided.facts, took);
        work.poisoned.retain(|position, _| position.0 > decided.to);
        self.ground.applied(decided.to, head);
    }

    /// Finds out whether a fact is to blame, and which: then it is parked. Else time may be, as when a statement took too
    /// long or the session was ended under it: a smaller batch needs less of it.
    fn blame(&mut self, error: &Error, facts: usize, first: Position) {
        let (position, why) = match error {
            Error::Panicked(position, why) => (*position, format!("deciding it panicked: {why}")),
            Error::Log(event_log::Error::Outcome { cause, why }) => (*cause, why.to_string()),
            error if error.is_of_a_fact() && facts > 1 => {
                self.work.pace.failed(facts);
                self.work.failures = 0;
                return;
            }
            error if error.is_of_a_fact() && facts == 1 => (first, error.to_string()),
            Error::LeaseLost | Error::Log(event_log::Error::Forked(_)) => return,
            _ => {
                self.work.pace.failed(facts);
                return;
            }
        };
        // One that cannot even be parked is tried again later, as if the database could not be had.
        if let Entry::Vacant(poisoned) = self.work.poisoned.entry(position) {
            tracing::error!(%position, why, "a fact cannot be decided or stored: it is parked");
            poisoned.insert(printable(&why));
            self.work.failures = 0;
        }
    }

    /// After an error nobody knows what became of the batch but the checkpoint.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        let is_settled = matches!(error, Error::Panicked(..) | Error::Log(event_log::Error::Outcome { .. }))
            || error.is_of_a_fact();
        if !is_settled || self.work.failures > 0 {
            tracing::warn!(%error, failures = self.work.failures, "will try again");
            self.ground.pause(self.work.failures).await;
        }
        self.work.failures = self.work.failures.saturating_add(1);
        self.work.state = None;
        self.work.decided = None;
        // What was decided behind the checkpoint is decided again, also when the checkpoint cannot be asked for now.
        self.work.seen = self.work.checkpoint;
        self.work.facts_since = 0;
        match self.ground.checkpoint().await {
            Ok(checkpoint) => {
                self.work.checkpoint = checkpoint;
                self.work.seen = checkpoint;
                self.ground.applied(checkpoint, None);
                Ok(())
            }
            Err(Error::LeaseLost) => Err(Error::LeaseLost),
            // Asked again after the next failure: the fence refuses whatever is wrong meanwhile.
            Err(_) => Ok(()),
        }
    }
}

/// An error that an entry can carry.
fn printable(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(500).collect()
}
