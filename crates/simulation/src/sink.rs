//! A sink in memory, and its leader: what is published next, set aside and passed is decided by the service's
//! [`delivery::sinks::Course`]; the order of its turns is that of the service's worker, which is not driven here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use delivery::sinks::{Course, Delivery, Rows, Undelivered, Verdict, Waiting, in_key_order};
use delivery::{Message, Page};
use domain::Position;
use event_log::{Event, Kind};
use relay::{Error, Options, backoff_by};

use crate::lease;
use crate::world::{Consumer, Lock, Step, Work, World};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
const IN_FLIGHT: usize = 4;
/// How long after the first refusal, the second, .. a message is tried again, in seconds.
const RETRY_S: [u32; 2] = [1, 2];
/// Read at a time.
const READ: usize = 10;

/// What the sink has, and what its table has of what was set aside.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    /// In the order of their coming, with their keys.
    pub(crate) received: Vec<(Position, String)>,
    had: BTreeSet<Position>,
    aside: BTreeMap<Position, Aside>,
}

#[derive(Clone, Debug)]
struct Aside {
    key: String,
    is_dead: bool,
    attempts: u32,
    next: Duration,
}

impl Sink {
    fn take(&mut self, message: &Message) {
        self.had.insert(message.position);
        self.received.push((message.position, message.key.clone()));
    }

    /// As `sql/queries/delivery/record_progress.sql` does.
    pub(crate) fn record(&mut self, rows: &Rows, now: Duration) {
        for position in &rows.delivered {
            self.aside.remove(&Position(*position));
        }
        for (index, position) in rows.positions.iter().enumerate() {
            let aside = Aside {
                key: rows.keys[index].clone(),
                is_dead: rows.states[index] == "dead",
                attempts: u32::try_from(rows.attempts[index]).unwrap_or(0),
                next: now + Duration::from_millis(u64::try_from(rows.in_ms[index]).unwrap_or(0)),
            };
            self.aside.insert(Position(*position), aside);
        }
    }

    /// What the cursor would pass though it is neither received nor set aside.
    pub(crate) fn left_out(&self, events: &[Event], to: i64) -> Option<Position> {
        let passed = events.iter().filter(|event| event.kind == Kind::Outcome && event.position.0 <= to);
        let is_known = |position: &Position| self.had.contains(position) || self.aside.contains_key(position);
        passed.map(|event| event.position).find(|position| !is_known(position))
    }

    /// Whether nothing is tried again any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.aside.values().all(|aside| aside.is_dead)
    }

    /// Whether everything of this key had been tried in vain before.
    pub(crate) fn is_dead(&self, position: Position) -> bool {
        self.aside.get(&position).is_some_and(|aside| aside.is_dead)
    }
}

/// Delivers whenever it can.
pub(crate) async fn deliver(world: World, options: Options) {
    loop {
        if let Ok(Some((epoch, checkpoint))) = lease::acquire(&world, Consumer::Sink, options.lease).await {
            let undelivered = undelivered(&world, Position(checkpoint));
            let course = Course::new(Position(checkpoint), undelivered, RETRY_S.to_vec());
            let leader = Leader { world: &world, options: &options, epoch, checkpoint, course, failures: 0 };
            // Whoever begins anew reads where it stands.
            let _ = leader.lead().await;
        }
        let pause = world.state().chance.millis(600);
        world.sleep(pause).await;
    }
}

fn undelivered(world: &World, checkpoint: Position) -> Undelivered {
    let now = world.now();
    let state = world.state();
    let waiting = state.sink.aside.iter().filter(|(_, aside)| !aside.is_dead).map(|(position, aside)| {
        let next = now + aside.next.saturating_sub(state.now);
        (aside.key.clone(), Waiting { position: *position, attempts: aside.attempts, next })
    });
    let ahead = state.sink.aside.keys().copied().filter(|position| *position > checkpoint);
    Undelivered::of(waiting, ahead)
}

struct Leader<'a> {
    world: &'a World,
    options: &'a Options,
    epoch: i64,
    checkpoint: i64,
    course: Course,
    failures: u32,
}

impl Leader<'_> {
    async fn lead(mut self) -> Result<(), Error> {
        let mut renewed = self.world.now();
        loop {
            if self.world.now() - renewed >= self.options.heartbeat {
                lease::renew(self.world, Consumer::Sink, self.epoch, self.options.lease).await?;
                renewed = self.world.now();
            }
            if self.course.has_nothing_open() {
                self.world.round_trip().await?;
                let page = self.page();
                self.course.read(page);
            }
            let published = self.publish().await?;
            let retried = self.retry().await?;
            if !published && !retried {
                let pause = self.world.state().chance.millis(400);
                self.world.sleep(pause).await;
            }
        }
    }

    /// The next outcomes, as far as there is room.
    fn page(&self) -> Option<Page> {
        let state = self.world.state();
        let behind = usize::try_from(self.course.seen().0 + 1).unwrap_or(0);
        let events = state.log.events().get(behind..).filter(|events| !events.is_empty())?;
        let events = &events[..events.len().min(READ).min(self.course.room())];
        let seen = events.last()?.position;
        let messages = events
            .iter()
            .filter(|event| event.kind == Kind::Outcome)
            .map(|event| Message::in_epoch(event, 0))
            .collect();
        Some(Page { messages, seen, is_end: false })
    }

    async fn publish(&mut self) -> Result<bool, Error> {
        let mut rows = Rows::default();
        let round = self.course.begin(&mut rows, self.world.now());
        if round.is_empty() && rows.is_empty() {
            if self.course.is_through() && self.course.seen().0 > self.checkpoint {
                self.record(rows).await?;
            }
            return Ok(false);
        }
        let messages: Vec<Arc<Message>> = round.iter().map(|(_, message)| message.clone()).collect();
        let deliveries = self.send(&messages).await;
        // The next page is read while these are on their way.
        let page = self.page();
        self.course.read(page);
        let verdict = self.course.end(&mut rows, round, deliveries, self.world.now());
        self.record(rows).await?;
        self.conclude(verdict).await;
        Ok(true)
    }

    async fn retry(&mut self) -> Result<bool, Error> {
        let due = self.course.due(self.world.now());
        if due.is_empty() {
            return Ok(false);
        }
        self.world.round_trip().await?;
        let messages: Vec<Arc<Message>> = {
            let state = self.world.state();
            let events = due.iter().filter_map(|of| state.log.events().get(usize::try_from(of.0).ok()?));
            events.map(|event| Arc::new(Message::in_epoch(event, 0))).collect()
        };
        let deliveries = self.send(&messages).await;
        let mut rows = Rows::default();
        let verdict = self.course.end_retry(&mut rows, &messages, deliveries, self.world.now());
        self.record(rows).await?;
        self.conclude(verdict).await;
        Ok(true)
    }

    async fn send(&self, messages: &[Arc<Message>]) -> Vec<Delivery> {
        let world = self.world;
        in_key_order(messages, IN_FLIGHT, |message| async move { send(world, &message).await }).await
    }

    async fn record(&mut self, rows: Rows) -> Result<(), Error> {
        let to = self.course.passed().0.max(self.checkpoint);
        if to == self.checkpoint && rows.is_empty() {
            return Ok(());
        }
        let (world, transaction) = (self.world, self.world.begin());
        world.round_trip().await?;
        transaction.lock(Lock::Checkpoint(Consumer::Sink)).await?;
        let stands = *world.state().checkpoint(Consumer::Sink);
        if stands.epoch != self.epoch || stands.position != self.checkpoint {
            return Err(Error::LeaseLost);
        }
        let step = Step { to, epoch: self.epoch, lease: self.options.lease };
        transaction.commit(Work::Progress { rows: Box::new(rows), step }).await?;
        self.checkpoint = to;
        Ok(())
    }

    async fn conclude(&mut self, verdict: Verdict) {
        let wait = match verdict {
            Verdict::Well { any } => {
                self.failures *= u32::from(!any);
                return;
            }
            Verdict::Partly { wait, .. } => wait,
            Verdict::Unavailable { wait, .. } => {
                let chance = self.world.state().chance.number();
                let pause = backoff_by(self.failures, BACKOFF, chance);
                self.failures += 1;
                pause.max(wait)
            }
            Verdict::Gone(_) => return,
        };
        self.world.sleep(wait).await;
    }
}

/// Sends one message. Its answer may be lost, and it may be refused: some for good.
async fn send(world: &World, message: &Message) -> Delivery {
    let latency = {
        let state = &mut *world.state();
        let is_slow = state.is_hostile && state.chance.in_thousand(5);
        state.chance.millis(if is_slow { 8_000 } else { 20 })
    };
    world.sleep(latency).await;
    let state = &mut *world.state();
    let refused = || Delivery::Refused { why: "not this one".to_owned(), retry_after: None };
    match message.position.0 % 41 {
        7 => return refused(),
        19 if state.chance.in_thousand(500) => return refused(),
        _ => {}
    }
    match state.chance.below(1_000) {
        0..15 if state.is_hostile => Delivery::Unavailable("gone away".to_owned()),
        15..20 if state.is_hostile => {
            Delivery::Busy { why: "busy".to_owned(), wait: state.chance.millis(2_000) }
        }
        20..35 if state.is_hostile => {
            state.sink.take(message);
            Delivery::Unavailable("the answer was lost".to_owned())
        }
        _ => {
            state.sink.take(message);
            Delivery::Confirmed
        }
    }
}
