//! One batch: load and decide; then, while the next one is decided, fence, store, append, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use database::{Client, Database};
use domain::{Missing, Outcome, Position, ReceivedFact, ShopId, State, Undecided};
use event_log::{Guard, NewOutcome, OutcomeAppend, Placed};
use futures_util::{TryFutureExt, join, try_join};

use crate::facts::LoggedFact;
use crate::lease::Lease;
use crate::transaction::Open;
use crate::{Error, Projection};

/// Rows lead to other rows: payment, order, its other payments, their parents. Deeper ones are found while deciding.
const LOAD_ROUNDS: usize = 6;

/// What a batch is decided with.
pub(crate) struct Batch<'a, P> {
    pub(crate) database: &'a Database,
    pub(crate) projection: &'a P,
    pub(crate) shop: &'a ShopId,
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

/// A batch that was decided and is not written yet.
pub(crate) struct Decided<C> {
    /// Where the checkpoint is to stand.
    pub(crate) to: i64,
    pub(crate) facts: usize,
    pub(crate) first: Position,
    changes: C,
    outcomes: OutcomeAppend,
}

impl<P: Projection> Batch<'_, P> {
    /// Decides facts from the first on, over a state that is as the batch before left it, stored or not. `None` when the
    /// first of them needs something that can be loaded only when that batch is stored.
    ///
    /// Nothing is locked, and there is no transaction: nobody else writes what is read here while the lease holds, and
    /// the fence in front of the writing says whether it did. Rows that the batch before has changed are in the state,
    /// so it makes no difference whether they are stored yet.
    pub(crate) async fn decide(&self, state: &mut State) -> Result<Option<Decided<P::Changes>>, Error> {
        let client = self.database.client().await?;
        let mut in_need: Vec<&LoggedFact> = self.facts.iter().collect();
        for _ in 0..LOAD_ROUNDS {
            let missing = self.needs(state, &mut in_need);
            if missing.is_empty() {
                break;
            }
            self.projection.load(&client, self.shop, state, &missing).await?;
        }
        let mut outcomes = Vec::new();
        let (mut to, mut decided) = (self.to, 0);
        for (index, fact) in self.facts.iter().enumerate() {
            let Some(answered) = self.decide_one(&client, state, fact, index == 0).await? else { break };
            outcomes.extend((0_u32..).zip(answered).map(|(n, outcome)| NewOutcome {
                outcome,
                cause: fact.received.position,
                cause_id: fact.id,
                n,
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
        let changes = self.projection.changes(state)?;
        if self.forgets {
            state.forget_unchanged();
        }
        state.mark_stored();
        let first = self.facts[0].received.position;
        Ok(Some(Decided { to, facts: decided, first, changes, outcomes }))
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
        client: &Client,
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
            self.projection.load(client, self.shop, state, &wanted).await?;
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

/// Writes what was decided, or nothing, and moves the checkpoint from where it stands. Answers where the last outcome
/// stands.
pub(crate) async fn write<P: Projection>(
    database: &Database,
    guard: &Guard,
    projection: &P,
    lease: &Lease,
    from: i64,
    decided: &Decided<P::Changes>,
) -> Result<Option<Position>, Error> {
    let open = Open::take(database).await?;
    if let Err(error) = guard.check(open.client()?, &lease.shop).await {
        open.end();
        return Err(error.into());
    }
    match place(open.client()?, guard, projection, lease, from, decided).await {
        Ok(placed) => {
            // COMMIT goes behind the last statement without waiting for it: the door waits for the shop's lock meanwhile.
            // Joined futures are polled in order, and both send at their first poll.
            let (inserted, committed) = join!(placed.insert(open.client()?, &lease.shop), open.send_commit());
            match (inserted, committed) {
                (Ok(()), Ok(())) => open.end(),
                (Err(error), _) => {
                    open.roll_back().await;
                    return Err(error.into());
                }
                (Ok(()), Err(error)) => return Err(error),
            }
            if let Some(last) = placed.last() {
                guard.remember(&lease.shop, last);
            }
            Ok(placed.last().map(|last| last.position))
        }
        Err(error) => {
            open.roll_back().await;
            Err(error)
        }
    }
}

/// BEGIN is sent before the fence and not with it: behind a BEGIN that failed the fence would commit by itself and pass
/// over the batch. And nothing is sent behind the fence before it held: it is the first lock of all.
async fn place<'d, P: Projection>(
    client: &Client,
    guard: &Guard,
    projection: &P,
    lease: &Lease,
    from: i64,
    decided: &'d Decided<P::Changes>,
) -> Result<Placed<'d>, Error> {
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    lease.advance(client, from, decided.to).await?;
    let shop = &lease.shop;
    let store = projection.store(client, shop, &decided.changes);
    // Sent together, and taken in this order: last the lock that the door waits for.
    let place = decided.outcomes.place(guard, client, shop).map_err(Error::from);
    let (_, placed) = try_join!(store, place)?;
    Ok(placed)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
