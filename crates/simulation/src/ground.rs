//! The ground of a leader in the simulation.

use std::panic::resume_unwind;
use std::time::Duration;

use database::Error as DatabaseError;
use domain::{Expiry, Fact, Key, Missing, Outcome, Position, ReceivedFact, Redrive, State, Undecided};
use event_log::{Dedupe, Kind, NewFact};
use relay::{Ahead, Decided, Error, Ground, LoggedFact, Options, Reader, backoff_by};
use tokio::time::Instant;

use crate::rows::Rows;
use crate::world::{Consumer, Lock, POISON, Step, Work, World};
use crate::{door, lease};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long after the first failure, the second, .. a parked group is tried again.
pub(crate) const REDRIVES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];
/// A fact about so many pieces cannot be decided while there is a bug.
pub(crate) const BUG: i64 = 13;
/// Until the bug is mended.
const MENDED: Duration = Duration::from_secs(6);

/// A shop that is led under a lease.
#[derive(Clone, Debug)]
pub(crate) struct Led {
    pub(crate) world: World,
    pub(crate) options: Options,
    pub(crate) epoch: i64,
}

impl Led {
    /// What time has made due. As `list_expired_holds.sql` and `list_redrives_due.sql` do.
    fn due(&self) -> Vec<(Fact, String)> {
        let state = self.world.state();
        let now = self.world.timestamp(state.now);
        let (rows, mut due) = (&state.rows, Vec::new());
        for order in rows.orders.values().flatten() {
            let key = Key::Order(order.order.clone());
            if let Some(deadline) = order.held_until
                && deadline <= now
                && !order.flags.live
                && !rows.parked_keys.contains_key(&key)
            {
                let order = order.order.clone();
                let id = format!("{order}/{deadline}");
                due.push((Fact::OrderExpired(Expiry { order, deadline }), id));
            }
        }
        for group in rows.groups.values().flatten() {
            let after = usize::try_from(group.attempts).ok().and_then(|attempts| REDRIVES.get(attempts));
            let at =
                after.and_then(|after| group.failed_at?.plus_seconds(i64::try_from(after.as_secs()).ok()?));
            if let (Some(at), Some(failed_at), Some(of)) = (at, group.failed_at, group.members.keys().next())
                && at <= now
            {
                let id = Redrive::timer_id(*of, group.attempts, failed_at);
                due.push((Fact::EventRedriven(Redrive { of: *of }), id));
            }
        }
        due
    }
}

impl Reader for &Led {
    async fn read_ahead(&self, after: i64, limit: usize) -> Result<Ahead, Error> {
        self.world.round_trip().await?;
        let state = self.world.state();
        let behind = usize::try_from(after + 1).unwrap_or(0);
        let looked_at = 2 * limit;
        let events = state.log.events().iter().skip(behind).take(looked_at);
        let mut ahead = Ahead { facts: Vec::new(), seen: after, is_full: events.len() >= looked_at };
        for event in events {
            if event.kind == Kind::Fact {
                if ahead.facts.len() == limit {
                    ahead.is_full = true;
                    break;
                }
                ahead.facts.push(LoggedFact { id: event.id, received: relay::received(event), trace: None });
            }
            ahead.seen = event.position.0;
        }
        Ok(ahead)
    }

    async fn open(&self) -> Result<State, Error> {
        self.world.round_trip().await?;
        Ok(self.world.state().rows.open())
    }

    async fn load(&self, state: &mut State, missing: &[Missing]) -> Result<(), Error> {
        self.world.round_trip().await?;
        let stored = self.world.state();
        stored.rows.load(stored.log.events(), state, missing);
        Ok(())
    }
}

impl Ground for Led {
    type Changes = Rows;
    type Reader<'a> = &'a Self;

    async fn reader(&self) -> Result<Self::Reader<'_>, Error> {
        Ok(self)
    }

    fn decide(&self, state: &mut State, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        if let Ok(Fact::StockReceived(quantity)) = &fact.fact
            && quantity.qty == BUG
            && self.world.state().now < MENDED
        {
            // As a panic, but for the message.
            resume_unwind(Box::new("planted"));
        }
        state.decide(fact)
    }

    fn changes(&self, state: &State) -> Result<Self::Changes, Error> {
        Ok(Rows::changed(state))
    }

    async fn write(&self, from: i64, decided: &Decided<Rows>) -> Result<Option<Position>, Error> {
        let world = &self.world;
        let transaction = world.begin();
        world.round_trip().await?;
        transaction.lock(Lock::Checkpoint(Consumer::Relay)).await?;
        {
            let checkpoint = *world.state().checkpoint(Consumer::Relay);
            // As `move_checkpoint.sql` does.
            if checkpoint.epoch != self.epoch || checkpoint.position != from {
                return Err(Error::LeaseLost);
            }
        }
        world.round_trip().await?;
        let is_poison = |stock: &domain::Stock| stock.received % 1_000 == POISON;
        if decided.changes.stock.values().flatten().any(is_poison) {
            return Err(DatabaseError::Data { code: "22003".to_owned() }.into());
        }
        transaction.lock(Lock::Shop).await?;
        let outcomes = {
            let state = world.state();
            state.log.place_outcomes(&decided.outcomes, world.timestamp(state.now))?
        };
        let last = outcomes.last();
        let step = Step { to: decided.to, epoch: self.epoch, lease: self.options.lease };
        let work = Work::Batch { changes: Box::new(decided.changes.clone()), outcomes, step };
        transaction.commit(work).await?;
        Ok(last)
    }

    async fn renew(&self) -> Result<(), Error> {
        lease::renew(&self.world, Consumer::Relay, self.epoch, self.options.lease).await
    }

    async fn checkpoint(&self) -> Result<i64, Error> {
        self.world.round_trip().await?;
        let checkpoint = *self.world.state().checkpoint(Consumer::Relay);
        if checkpoint.epoch == self.epoch { Ok(checkpoint.position) } else { Err(Error::LeaseLost) }
    }

    /// Nobody is asked to stop here.
    async fn release(&self) {}

    async fn append_due(&self) -> Result<(), Error> {
        self.world.round_trip().await?;
        let facts = self.due().into_iter().map(|(fact, id)| NewFact {
            fact,
            by: "timer".to_owned(),
            dedupe: Dedupe::Command { id, content_sha256: [0; 32] },
            evidence: None,
            certificate: None,
        });
        let facts: Vec<NewFact> = facts.collect();
        if !facts.is_empty() {
            // What is refused now is due again.
            let _ = door::append(&self.world, &facts).await;
        }
        Ok(())
    }

    fn applied(&self, _: i64, _: Option<Position>) {}

    async fn wait(&mut self, _: i64) {
        let poll = u64::try_from(self.options.poll.as_millis()).unwrap_or(u64::MAX);
        let pause = self.world.state().chance.millis(poll);
        self.world.sleep(pause).await;
    }

    async fn pause(&self, failures: u32) {
        let chance = self.world.state().chance.number();
        self.world.sleep(backoff_by(failures, BACKOFF, chance)).await;
    }

    fn is_stopped(&self) -> bool {
        false
    }

    /// Other shops come and go: now all of the memory is its own, and a while later hardly any.
    fn leaders(&self) -> usize {
        if self.world.state().now.as_secs().is_multiple_of(2) { 1 } else { 1_000 }
    }

    fn now(&self) -> Instant {
        self.world.now()
    }
}
