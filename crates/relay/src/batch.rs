//! One batch: fence, load, decide, store, append, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use database::{Client, Database, sql};
use domain::{Missing, Outcome, Position, ReceivedFact, State, Undecided};
use event_log::{NewOutcome, OutcomeAppend};
use futures_util::{TryFutureExt, try_join};

use crate::facts::LoggedFact;
use crate::lease::Lease;
use crate::transaction::Open;
use crate::{Error, Projection};

/// Rows lead to other rows: payment, order, its other payments, their parents. Deeper ones are found while deciding.
const LOAD_ROUNDS: usize = 6;

/// What a batch works with.
pub(crate) struct Batch<'a, P> {
    pub(crate) database: &'a Database,
    pub(crate) projection: &'a P,
    pub(crate) lease: &'a Lease,
    /// Where the checkpoint stands.
    pub(crate) from: i64,
    /// Up to where the log was seen.
    pub(crate) to: i64,
    pub(crate) facts: &'a [LoggedFact],
    /// Facts that cannot be decided or stored, with the reason: they are parked.
    pub(crate) poisoned: &'a BTreeMap<Position, String>,
    /// Once it has so many outcomes the batch ends: the door waits while they are appended.
    pub(crate) outcomes_max: usize,
}

/// What a batch came to.
pub(crate) struct Written {
    /// Where the checkpoint stands now.
    pub(crate) to: i64,
    pub(crate) facts: usize,
    /// Where its last outcome stands.
    pub(crate) head: Option<Position>,
    /// The state as it is stored now: this relay is the only one who changes it.
    pub(crate) state: State,
}

impl<P: Projection> Batch<'_, P> {
    /// Decides the batch and writes what follows, or nothing. The state is one that this lease has stored last.
    pub(crate) async fn run(&self, state: Option<State>) -> Result<Written, Error> {
        let open = Open::take(self.database).await?;
        match self.write(open.client()?, state).await {
            Ok(written) => {
                open.commit().await?;
                Ok(written)
            }
            Err(error) => {
                open.roll_back().await;
                Err(error)
            }
        }
    }

    async fn write(&self, client: &Client, state: Option<State>) -> Result<Written, Error> {
        let mut state = self.begin(client, state).await?;
        for _ in 0..LOAD_ROUNDS {
            let missing = self.needs(&state);
            if missing.is_empty() {
                break;
            }
            self.projection.load(client, &self.lease.shop, &mut state, &missing).await?;
        }
        let mut outcomes = Vec::new();
        let (mut to, mut decided) = (self.to, 0);
        for (index, fact) in self.facts.iter().enumerate() {
            let answered = self.decide(client, &mut state, &fact.received).await?;
            outcomes.extend((0_u32..).zip(answered).map(|(n, outcome)| NewOutcome {
                outcome,
                cause: fact.received.position,
                cause_id: fact.id,
                n,
            }));
            decided = index + 1;
            if outcomes.len() >= self.outcomes_max && decided < self.facts.len() {
                to = fact.received.position.0;
                break;
            }
        }
        if to != self.to {
            self.move_checkpoint(client, self.to, to).await?;
        }
        // The entries are written before anything is sent: nobody waits for that behind a lock.
        let append = OutcomeAppend::new(&outcomes)?;
        let store = self.projection.store(client, &self.lease.shop, &state);
        // Sent together, and taken in this order: last the lock that the door waits for.
        let (_, appended) = try_join!(store, append.append(client, &self.lease.shop).map_err(Error::from))?;
        state.mark_stored();
        Ok(Written { to, facts: decided, head: appended.last().copied(), state })
    }

    /// Sends the fence and the first load together, and BEGIN before them: behind a BEGIN that failed the fence would
    /// commit by itself and pass over the batch. What was loaded beside a fence that failed is thrown away.
    async fn begin(&self, client: &Client, state: Option<State>) -> Result<State, Error> {
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let fence = self.move_checkpoint(client, self.from, self.to);
        let state = match state {
            Some(mut state) => {
                let missing = self.needs(&state);
                let load = self.projection.load(client, &self.lease.shop, &mut state, &missing);
                try_join!(fence, load)?;
                state
            }
            None => try_join!(fence, self.projection.open(client, &self.lease.shop))?.1,
        };
        Ok(state)
    }

    async fn move_checkpoint(&self, client: &Client, from: i64, to: i64) -> Result<(), Error> {
        let Lease { shop, consumer, epoch, duration_ms } = self.lease;
        let moved = client
            .execute(
                &sql::relay::MOVE_CHECKPOINT,
                &[&shop.as_str(), consumer, epoch, &from, &to, duration_ms],
            )
            .await?;
        if moved == 1 { Ok(()) } else { Err(Error::LeaseLost) }
    }

    fn needs(&self, state: &State) -> Vec<Missing> {
        let missing: BTreeSet<Missing> =
            self.facts.iter().flat_map(|fact| state.needs(&fact.received)).collect();
        missing.into_iter().collect()
    }

    /// Decides one fact, and loads what it lacks.
    async fn decide(
        &self,
        client: &Client,
        state: &mut State,
        fact: &ReceivedFact,
    ) -> Result<Vec<Outcome>, Error> {
        let mut last = None;
        loop {
            let missing = match self.attempt(state, fact)? {
                Ok(outcomes) => return Ok(outcomes),
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
            // What is loaded from here on must show what this batch has changed already.
            self.projection.store(client, &self.lease.shop, state).await?;
            state.mark_stored();
            let mut wanted: BTreeSet<Missing> = state.needs(fact).into_iter().collect();
            wanted.insert(missing.clone());
            let wanted: Vec<Missing> = wanted.into_iter().collect();
            self.projection.load(client, &self.lease.shop, state, &wanted).await?;
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
        catch_unwind(AssertUnwindSafe(|| self.projection.decide(state, fact)))
            .map_err(|panic| Error::Panicked(fact.position, panic_text(panic.as_ref())))
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
