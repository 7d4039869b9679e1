//! Leads one shop for as long as its lease is not lost.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use database::Database;
use domain::{Position, State};
use event_log::{Appender, Dedupe, NewFact};
use futures_util::future::join_all;
use futures_util::join;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::backoff;
use crate::batch::{Batch, Decided, write};
use crate::facts::read_ahead;
use crate::lease::Lease;
use crate::pace::Pace;
use crate::{Error, Options, Projection};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

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

pub(crate) struct Leader<P: Projection> {
    pub(crate) database: Database,
    pub(crate) appender: Appender,
    pub(crate) projection: Arc<P>,
    pub(crate) options: Options,
    pub(crate) lease: Lease,
    pub(crate) applied: watch::Sender<i64>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: CancellationToken,
    work: Work<P::Changes>,
}

/// Where the leader stands.
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

impl<P: Projection> Leader<P> {
    #[expect(clippy::too_many_arguments, reason = "called once, by the supervisor, with all it has")]
    pub(crate) fn new(
        database: Database,
        appender: Appender,
        projection: Arc<P>,
        options: Options,
        lease: Lease,
        checkpoint: i64,
        applied: watch::Sender<i64>,
        wake: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
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
        Self { database, appender, projection, options, lease, applied, wake, stop, work }
    }

    /// Works until it is stopped or has lost the lease.
    pub(crate) async fn run(mut self) {
        tracing::info!(shop = %self.lease.shop, epoch = self.lease.epoch, checkpoint = self.work.checkpoint, "leads");
        let mut appended = self.appender.appended(&self.lease.shop);
        let (mut renewed, mut timed) = (Instant::now(), None::<Instant>);
        while !self.stop.is_cancelled() {
            let worked = async {
                if renewed.elapsed() >= self.options.heartbeat {
                    self.lease.renew(&self.database).await?;
                    renewed = Instant::now();
                }
                if timed.is_none_or(|timed| timed.elapsed() >= self.options.timers) {
                    self.append_due().await?;
                    timed = Some(Instant::now());
                }
                self.step().await
            };
            match worked.await {
                Ok(Step::Moved) => self.work.failures = 0,
                Ok(Step::Idle) => {
                    self.work.failures = 0;
                    self.wait(&mut appended).await;
                }
                Err(Error::LeaseLost) => {
                    tracing::warn!(shop = %self.lease.shop, epoch = self.lease.epoch, "has lost its lease");
                    return;
                }
                Err(error) => {
                    if self.recover(error).await.is_err() {
                        return;
                    }
                }
            }
        }
        self.lease.release(&self.database).await;
    }

    /// Until something is appended, here or elsewhere, or it is time to look anyway.
    async fn wait(&self, appended: &mut watch::Receiver<i64>) {
        let poll = tokio::time::sleep(self.options.poll);
        let changed = async {
            // What was seen already, as this relay's own outcomes, is no news.
            while appended.changed().await.is_ok() {
                if *appended.borrow_and_update() > self.work.seen {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = changed => {}
            () = self.wake.notified() => {}
            () = poll => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Writes what is decided, and decides the next batch meanwhile.
    async fn step(&mut self) -> Result<Step, Error> {
        let began = Instant::now();
        let (decided, state) = (self.work.decided.take(), self.work.state.take());
        let (written, next) = join!(self.write(decided.as_ref()), self.next(state, decided.is_some()));
        if let Some(decided) = &decided {
            match written {
                Ok(head) => self.written(decided, head, began.elapsed()),
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
                if self.work.facts_since >= self.options.facts_kept {
                    self.work.facts_since = 0;
                }
                self.work.decided = Some(decided);
                Ok(Step::Moved)
            }
            Next::Later => Ok(Step::Moved),
            Next::Nothing { is_full } => {
                // That is remembered, and stored with the next fact.
                self.applied(seen);
                Ok(if is_full { Step::Moved } else { Step::Idle })
            }
        }
    }

    async fn write(&self, decided: Option<&Decided<P::Changes>>) -> Result<Option<Position>, Error> {
        let Some(decided) = decided else { return Ok(None) };
        let projection = self.projection.as_ref();
        let guard = self.appender.guard();
        write(&self.database, guard, projection, &self.lease, self.work.checkpoint, decided).await
    }

    /// Looks for facts, and decides them as the next batch.
    async fn next(&self, state: Option<State>, is_writing: bool) -> Result<Found<P::Changes>, Failed> {
        let (shop, seen) = (&self.lease.shop, self.work.seen);
        // A state that is opened must show what is being written.
        if state.is_none() && is_writing {
            return Ok(Found { next: Next::Later, state, seen });
        }
        let (ahead, mut state) = {
            let client = self.database.client().await?;
            let ahead = read_ahead(&client, shop, seen, self.work.pace.limit()).await?;
            if ahead.facts.is_empty() {
                let next = Next::Nothing { is_full: ahead.is_full };
                return Ok(Found { next, state, seen: ahead.seen });
            }
            let state = match state {
                Some(state) => state,
                None => self.projection.open(&client, shop).await?,
            };
            (ahead, state)
        };
        let batch = Batch {
            database: &self.database,
            projection: self.projection.as_ref(),
            shop,
            to: ahead.seen,
            facts: &ahead.facts,
            poisoned: &self.work.poisoned,
            outcomes_max: self.options.batch_max,
            is_stored: !is_writing,
            forgets: self.work.facts_since + ahead.facts.len() >= self.options.facts_kept,
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

    fn written(&mut self, decided: &Decided<P::Changes>, head: Option<Position>, took: Duration) {
        if let Some(head) = head {
            self.appender.announce(&self.lease.shop, head);
        }
        let work = &mut self.work;
        work.checkpoint = decided.to;
        work.pace.wrote(decided.facts, took);
        work.poisoned.retain(|position, _| position.0 > decided.to);
        self.applied(decided.to);
    }

    fn applied(&self, position: i64) {
        self.applied.send_if_modified(|applied| {
            let moved = position > *applied;
            *applied = position.max(*applied);
            moved
        });
    }

    /// Finds out whether a fact is to blame, and which: then it is parked. Else time may be, as when a statement took too
    /// long or the session was ended under it: a smaller batch needs less of it.
    fn blame(&mut self, error: &Error, facts: usize, first: Position) {
        let shop = &self.lease.shop;
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
            tracing::error!(%shop, %position, why, "a fact cannot be decided or stored: it is parked");
            poisoned.insert(printable(&why));
            self.work.failures = 0;
        }
    }

    /// After an error nobody knows what became of the batch but the checkpoint.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        let is_settled = matches!(error, Error::Panicked(..) | Error::Log(event_log::Error::Outcome { .. }))
            || error.is_of_a_fact();
        if !is_settled || self.work.failures > 0 {
            tracing::warn!(shop = %self.lease.shop, %error, failures = self.work.failures, "will try again");
            let pause = backoff(self.work.failures, BACKOFF);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.work.failures = self.work.failures.saturating_add(1);
        self.work.state = None;
        self.work.decided = None;
        // What was decided behind the checkpoint is decided again, also when the checkpoint cannot be asked for now.
        self.work.seen = self.work.checkpoint;
        self.work.facts_since = 0;
        match self.lease.checkpoint(&self.database).await {
            Ok(checkpoint) => {
                self.work.checkpoint = checkpoint;
                self.work.seen = checkpoint;
                self.applied(checkpoint);
                Ok(())
            }
            Err(Error::LeaseLost) => {
                tracing::warn!(shop = %self.lease.shop, epoch = self.lease.epoch, "has lost its lease");
                Err(Error::LeaseLost)
            }
            // Asked again after the next failure: the fence refuses whatever is wrong meanwhile.
            Err(_) => Ok(()),
        }
    }

    /// Appends the facts that time has made due. One that is refused now is due again next time.
    async fn append_due(&self) -> Result<(), Error> {
        let due = {
            let client = self.database.client().await?;
            self.projection.due(&client, &self.lease.shop).await?
        };
        let appends = due.into_iter().map(|timer| async move {
            let data = timer.fact.to_data().map(|data| data.to_string()).unwrap_or_default();
            let mut content_sha256 = [0; 32];
            content_sha256.copy_from_slice(digest::digest(&digest::SHA256, data.as_bytes()).as_ref());
            let fact = NewFact {
                fact: timer.fact,
                by: "timer".to_owned(),
                dedupe: Dedupe::Command { id: timer.id, content_sha256 },
                evidence: None,
                certificate: None,
            };
            self.appender.append(&self.lease.shop, fact).await
        });
        // Behind the door's queue they may wait for long, and the lease with them. Whoever stops waiting cancels nothing,
        // and what is due again has the same key.
        let Ok(appended) = timeout(self.options.heartbeat, join_all(appends)).await else {
            tracing::warn!(shop = %self.lease.shop, "timers' facts wait long to be appended: it goes on without them");
            return Ok(());
        };
        for appended in appended {
            if let Err(error) = appended {
                tracing::warn!(shop = %self.lease.shop, %error, "a timer's fact was not appended: it is due again");
            }
        }
        Ok(())
    }
}

/// An error that an entry can carry.
fn printable(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(500).collect()
}
