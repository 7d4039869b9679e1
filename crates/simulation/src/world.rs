//! A database in memory, its clock, and whatever can befall those who use it. One step at a time, in an order and with faults
//! that a seed decides.
//!
//! Of PostgreSQL it has what the service relies on: two row locks, transactions that are seen as a whole or not at all,
//! UNIQUE constraints, and a COMMIT whose answer may be lost, also while the transaction is still under way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use database::Error;
use delivery::sinks;
use domain::{Position, Timestamp};
use event_log::{MemoryLog, MemoryRows, NewFact};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::rows::Rows;
use crate::sink::Sink;

/// A lock is waited for so long.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// A fact about so many pieces cannot be stored.
pub(crate) const POISON: i64 = 666;

/// A row that is locked until its transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// The shop's, under which positions are given.
    Shop,
    /// The row of a checkpoint, which fences off.
    Checkpoint(Consumer),
}

/// Whoever has a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consumer {
    /// The relay.
    Relay,
    /// The sink.
    Sink,
}

impl Lock {
    fn row(self) -> usize {
        match self {
            Self::Shop => 0,
            Self::Checkpoint(Consumer::Relay) => 1,
            Self::Checkpoint(Consumer::Sink) => 2,
        }
    }
}

/// Where a consumer stands, and who leads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) position: i64,
    pub(crate) epoch: i64,
    pub(crate) lease_until: Option<Duration>,
}

/// What a transaction does when it is committed.
#[derive(Debug)]
pub(crate) enum Work {
    Facts(MemoryRows),
    Batch { changes: Box<Rows>, outcomes: MemoryRows, step: Step },
    Progress { rows: Box<sinks::Rows>, step: Step },
}

/// A checkpoint moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) to: i64,
    pub(crate) epoch: i64,
    pub(crate) lease: Duration,
}

/// What is sent again until it is answered, and now and then after that too.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) fact: NewFact,
    pub(crate) due: Duration,
    /// It was answered as done, and stands here.
    pub(crate) acknowledged: Option<Position>,
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chance: Chance,
    pub(crate) now: Duration,
    /// When the one who is at work wants to go on.
    wake: Duration,
    pub(crate) log: MemoryLog,
    pub(crate) rows: Rows,
    /// The relay's and the sink's.
    checkpoints: [Checkpoint; 2],
    pub(crate) sink: Sink,
    locks: [Option<u64>; 3],
    /// Which process is at work.
    at_work: usize,
    /// Until when parts of a process wait that are polled only when they are woken: when, which process, and how.
    sleepers: Vec<(Duration, usize, Waker)>,
    transactions: u64,
    /// Those whose client has gone away: when they end, and what is committed then, if anything.
    orphans: Vec<(Duration, u64, Option<Work>)>,
    /// Whether anything goes wrong.
    pub(crate) is_hostile: bool,
    /// What PayPal and the shop send.
    pub(crate) deliveries: Vec<Delivery>,
    /// Of how many transactions nobody knew at first whether they were committed.
    pub(crate) unknown_commits: u32,
    /// What should never be.
    pub(crate) broken: Vec<String>,
}

/// A handle on it; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
    start: Timestamp,
}

impl World {
    pub(crate) fn new(seed: u64, is_hostile: bool) -> Self {
        let state = State {
            chance: Chance::new(seed),
            now: Duration::ZERO,
            wake: Duration::MAX,
            log: MemoryLog::default(),
            rows: Rows::default(),
            checkpoints: [Checkpoint { position: -1, epoch: 0, lease_until: None }; 2],
            sink: Sink::default(),
            locks: [None; 3],
            at_work: 0,
            sleepers: Vec::new(),
            transactions: 0,
            orphans: Vec::new(),
            is_hostile,
            deliveries: Vec::new(),
            unknown_commits: 0,
            broken: Vec::new(),
        };
        let start = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now(), start: Timestamp::new(start) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        self.began + self.state().now
    }

    pub(crate) fn timestamp(&self, now: Duration) -> Timestamp {
        let micros = chrono::Duration::microseconds(i64::try_from(now.as_micros()).unwrap_or(i64::MAX));
        Timestamp::new(self.start.as_datetime() + micros)
    }

    pub(crate) fn sleep(&self, pause: Duration) -> Until<'_> {
        let at = self.state().now + pause;
        Until { world: self, at }
    }

    /// A round trip, which takes its time and may fail. Now and then it takes longer than any lease: a process that was
    /// stopped, and does not know it.
    pub(crate) async fn round_trip(&self) -> Result<(), Error> {
        let (latency, fails) = {
            let State { chance, is_hostile, .. } = &mut *self.state();
            let latency = match chance.below(1_000) {
                0..8 if *is_hostile => chance.millis(8_000),
                8..80 if *is_hostile => chance.millis(200),
                _ => chance.millis(5),
            };
            (latency, *is_hostile && chance.in_thousand(15))
        };
        self.sleep(latency).await;
        if fails { Err(unavailable("the session is gone")) } else { Ok(()) }
    }

    pub(crate) fn begin(&self) -> Transaction<'_> {
        let id = {
            let mut state = self.state();
            state.transactions += 1;
            state.transactions
        };
        Transaction { world: self, id, sent: None }
    }

    /// Lets a process go on at this time, and answers when it wants to go on again.
    pub(crate) fn poll(&self, process: usize, now: Duration, work: impl FnOnce()) -> Duration {
        let due: Vec<_> = {
            let mut state = self.state();
            state.now = state.now.max(now);
            state.wake = Duration::MAX;
            state.at_work = process;
            state.end_orphans();
            let now = state.now;
            state.sleepers.extract_if(.., |(at, of, _)| *of == process && *at <= now).collect()
        };
        due.into_iter().for_each(|(.., waker)| waker.wake());
        work();
        let state = self.state();
        let asleep = state.sleepers.iter().filter(|(_, of, _)| *of == process).map(|(at, ..)| *at);
        asleep.fold(state.wake, Duration::min)
    }

    /// A process is killed: nothing of it waits any more.
    pub(crate) fn forget(&self, process: usize) {
        self.state().sleepers.retain(|(_, of, _)| *of != process);
    }

    pub(crate) fn is_locked(&self, lock: Lock) -> bool {
        self.state().locks[lock.row()].is_some()
    }
}

impl State {
    fn end_orphans(&mut self) {
        let now = self.now;
        let (ended, rest) = std::mem::take(&mut self.orphans).into_iter().partition(|(at, ..)| *at <= now);
        self.orphans = rest;
        for (_, id, work) in Vec::from_iter::<Vec<_>>(ended) {
            if let Some(work) = work {
                // Nobody hears of an error.
                let _ = self.apply(work);
            }
            self.unlock(id);
        }
    }

    pub(crate) fn checkpoint(&mut self, of: Consumer) -> &mut Checkpoint {
        &mut self.checkpoints[of as usize]
    }

    fn step(&mut self, consumer: Consumer, Step { to, epoch, lease }: Step) {
        let (now, checkpoint) = (self.now, self.checkpoint(consumer));
        let was = *checkpoint;
        (checkpoint.position, checkpoint.lease_until) = (to, Some(now + lease));
        if epoch != was.epoch {
            self.broken.push(format!("epoch {epoch} of the {consumer:?} wrote under {}", was.epoch));
        }
        if to < was.position {
            self.broken.push(format!("the checkpoint of the {consumer:?} went back to {to}"));
        }
    }

    fn unlock(&mut self, id: u64) {
        self.locks.iter_mut().filter(|holder| **holder == Some(id)).for_each(|holder| *holder = None);
    }

    /// All of it, or nothing.
    fn apply(&mut self, work: Work) -> Result<(), Error> {
        let at = self.log.events().len();
        match work {
            Work::Facts(rows) => self.log.insert(rows).map_err(violated)?,
            Work::Batch { changes, outcomes, step } => {
                self.log.insert(outcomes).map_err(violated)?;
                self.rows.store(*changes);
                self.step(Consumer::Relay, step);
            }
            Work::Progress { rows, step } => {
                self.sink.record(&rows, self.now);
                self.step(Consumer::Sink, step);
                let left_out = self.sink.left_out(self.log.events(), step.to);
                self.broken
                    .extend(left_out.map(|position| format!("the cursor of the sink passed {position}")));
            }
        }
        for (position, event) in self.log.events().iter().enumerate().skip(at) {
            if usize::try_from(event.position.0) != Ok(position) {
                self.broken.push(format!("{} stands where {position} is next", event.position));
            }
        }
        Ok(())
    }

    /// Whether no transaction is under way that could still write.
    pub(crate) fn is_quiet(&self) -> bool {
        self.orphans.is_empty() && self.locks == [None; 3]
    }
}

/// A transaction. Dropped before its end, the server finds out later.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    world: &'a World,
    id: u64,
    /// COMMIT was sent with this.
    sent: Option<Work>,
}

impl Transaction<'_> {
    /// Waits for a row's lock.
    pub(crate) async fn lock(&self, lock: Lock) -> Result<(), Error> {
        let since = self.world.state().now;
        loop {
            let pause = {
                let mut state = self.world.state();
                let holder = &mut state.locks[lock.row()];
                if holder.is_none_or(|holder| holder == self.id) {
                    *holder = Some(self.id);
                    return Ok(());
                }
                if state.now - since > LOCK_TIMEOUT {
                    return Err(unavailable("the lock was not to be had (55P03)"));
                }
                state.chance.millis(20)
            };
            self.world.sleep(pause).await;
        }
    }

    /// Ends it at once, with what was done already.
    pub(crate) fn end(self) {
        self.world.state().unlock(self.id);
    }

    /// Commits; after an error but of class 22 or 23 nobody knows whether it was.
    pub(crate) async fn commit(mut self, work: Work) -> Result<(), Error> {
        self.sent = Some(work);
        let arrived = self.world.round_trip().await;
        let mut state = self.world.state();
        let lost = state.is_hostile && state.chance.in_thousand(20);
        let is_late = state.is_hostile && state.chance.in_thousand(15);
        drop(state);
        if arrived.is_err() || is_late {
            // Whether it came through is decided when it ends without us.
            self.world.state().unknown_commits += 1;
            return Err(unavailable("whether it was committed is not known"));
        }
        let Some(work) = self.sent.take() else { return Ok(()) };
        let applied = {
            let mut state = self.world.state();
            let applied = state.apply(work);
            state.unlock(self.id);
            applied
        };
        if lost { Err(unavailable("the answer was lost")) } else { applied }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if !state.locks.contains(&Some(self.id)) {
            return;
        }
        // Mostly at once; where the client is gone without a word, when a time-out ends it.
        let at = state.now
            + if state.chance.in_thousand(800) { Duration::ZERO } else { state.chance.millis(5_000) };
        let work = self.sent.take().filter(|_| state.chance.in_thousand(500));
        state.orphans.push((at, self.id, work));
        state.end_orphans();
    }
}

/// Ready at a time.
pub(crate) struct Until<'a> {
    world: &'a World,
    at: Duration,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.state();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        state.wake = state.wake.min(self.at);
        if !cx.waker().will_wake(Waker::noop()) {
            let process = state.at_work;
            state.sleepers.push((self.at, process, cx.waker().clone()));
        }
        Poll::Pending
    }
}

pub(crate) fn unavailable(why: &str) -> Error {
    Error::Unavailable(why.to_owned())
}

fn violated(error: event_log::Violated) -> Error {
    Error::Integrity { code: "23505".to_owned(), constraint: None, table: Some(error.0.to_owned()) }
}
