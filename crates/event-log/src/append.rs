//! The door of the log.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database::Database;
use domain::{Position, ShopId};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use trace_context::TraceParent;
use tracing::Instrument as _;

use crate::batcher::{Batcher, Request};
use crate::fact::Prepared;
use crate::notify::Notifier;
use crate::turns::Turns;
use crate::{AppendError, Appended, Guard, Meters, NewFact};

/// How much may wait, and how much shares a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most facts of one shop that may wait; one more is refused as busy.
    pub queue: usize,
    /// The most facts in one transaction. Where all that come at a time fit into one, they are answered together and come
    /// again together: the database waits while they are verified, and the service while they are committed.
    pub batch: usize,
    /// About the most bytes in one transaction.
    pub batch_bytes: usize,
    /// The least time between the beginnings of two transactions while facts come several at a time: long enough for
    /// fewer commits to do the same, short beside an answer.
    pub pace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue: 4096, batch: 128, batch_bytes: 4 << 20, pace: Duration::from_millis(1) }
    }
}

/// Appends facts. Clones share the queues. Each shop has a task of its own, started when it is first used, with one
/// append under way at a time; shops commit in parallel.
#[derive(Clone)]
pub struct Appender {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    options: Options,
    guard: Guard,
    doors: Mutex<Doors>,
    notifier: Arc<Notifier>,
    meters: Meters,
    tasks: TaskTracker,
    /// Where the tasks run: whoever appends may do so from another runtime, which ends before this does.
    runtime: Handle,
    stop: CancellationToken,
    /// Ends the notifier with the last clone.
    _guard: DropGuard,
}

#[derive(Default)]
struct Doors {
    closed: bool,
    by_shop: HashMap<ShopId, Door>,
}

/// A shop's queue, once it is used, its head, and who may come again when.
struct Door {
    queue: Option<mpsc::Sender<Request>>,
    head: Arc<watch::Sender<i64>>,
    turns: Arc<Mutex<Turns>>,
}

impl Appender {
    /// Starts it, within a runtime. Sessions are taken from the pool only while there is work.
    #[must_use]
    pub fn start(database: Database, options: Options) -> Self {
        Self::start_guarded(database, options, Guard::default())
    }

    /// The same, with a guard that remembers more than what this process commits.
    #[must_use]
    pub fn start_guarded(database: Database, options: Options, guard: Guard) -> Self {
        let notifier = Arc::new(Notifier::new(&database));
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(notifier.clone().run(database.clone())));
        let inner = Inner {
            database,
            options,
            guard,
            doors: Mutex::default(),
            notifier,
            meters: Meters::default(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            _guard: stop.clone().drop_guard(),
            stop,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Appends a fact, or finds that it is known. Answered after COMMIT; dropping the future cancels nothing. It begins a
    /// trace, where traces are recorded.
    ///
    /// # Errors
    /// [`AppendError`], by what the caller can do. After [`AppendError::Unavailable`] the fact may yet be in the log:
    /// trying again with the same ids tells.
    pub async fn append(&self, shop: &ShopId, fact: NewFact) -> Result<Appended, AppendError> {
        self.append_in(shop, fact, None).await
    }

    /// The same, of the trace of whoever asks. The append is a span of it, and what follows from the event follows from that:
    /// its place is kept beside the event, where it is recorded.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub async fn append_in(
        &self,
        shop: &ShopId,
        fact: NewFact,
        trace: Option<TraceParent>,
    ) -> Result<Appended, AppendError> {
        if trace.is_some_and(|trace| !trace.is_sampled) {
            return self.enqueue(shop, fact, None).await;
        }
        let span = tracing::info_span!(
            target: trace_context::TARGET, parent: None, "append", %shop, fact = fact.fact.type_name()
        );
        let kept = trace_context::follow(&span, trace).filter(|trace| trace.is_sampled);
        self.enqueue(shop, fact, kept).instrument(span).await
    }

    async fn enqueue(
        &self,
        shop: &ShopId,
        fact: NewFact,
        trace: Option<TraceParent>,
    ) -> Result<Appended, AppendError> {
        let fact = Prepared { trace, ..Prepared::new(shop, fact)? };
        let (answer, answered) = oneshot::channel();
        self.queue(shop)?.try_send(Request { fact, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy { after: self.turn(shop) },
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Where one more fact of this shop would be refused as busy now, after how long it should come again: asked before work
    /// is done for it.
    #[must_use]
    pub fn busy(&self, shop: &ShopId) -> Option<Duration> {
        let is_full = {
            let doors = self.doors();
            let queue = doors.by_shop.get(shop).and_then(|door| door.queue.as_ref());
            queue.is_some_and(|queue| queue.capacity() == 0 && !queue.is_closed())
        };
        is_full.then(|| self.turn(shop))
    }

    fn turn(&self, shop: &ShopId) -> Duration {
        let turns = self.doors().by_shop.entry(shop.clone()).or_insert_with(Door::new).turns.clone();
        let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.give(Instant::now())
    }

    /// The last position of the shop's log that this process knows of; -1 before it knows any.
    #[must_use]
    pub fn appended(&self, shop: &ShopId) -> watch::Receiver<i64> {
        self.doors().by_shop.entry(shop.clone()).or_insert_with(Door::new).head.subscribe()
    }

    /// Tells this process and the others that something else has appended: the relay, of its outcomes.
    pub fn announce(&self, shop: &ShopId, head: Position) {
        raise(&self.doors().by_shop.entry(shop.clone()).or_insert_with(Door::new).head, head.0);
        self.inner.notifier.wake(shop);
    }

    /// What every append goes by, also one of somebody else's transaction.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.inner.guard
    }

    /// What is counted of appends, those of somebody else's transactions among them.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    /// Takes nothing new, and returns when all that waits is committed and answered.
    pub async fn drain(&self) {
        {
            let mut doors = self.doors();
            doors.closed = true;
            doors.by_shop.values_mut().for_each(|door| door.queue = None);
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.stop.cancel();
    }

    fn queue(&self, shop: &ShopId) -> Result<mpsc::Sender<Request>, AppendError> {
        let mut doors = self.doors();
        if doors.closed {
            return Err(stopping());
        }
        let door = doors.by_shop.entry(shop.clone()).or_insert_with(Door::new);
        if let Some(queue) = &door.queue
            && !queue.is_closed()
        {
            return Ok(queue.clone());
        }
        let (sender, queue) = mpsc::channel(self.inner.options.queue.max(1));
        door.queue = Some(sender.clone());
        let batcher = Batcher {
            shop: shop.clone(),
            database: self.inner.database.clone(),
            options: self.inner.options,
            guard: self.inner.guard.clone(),
            queue,
            head: door.head.clone(),
            turns: door.turns.clone(),
            notifier: self.inner.notifier.clone(),
            meters: self.inner.meters.clone(),
            session: None,
            doubted: 0,
            has_reimported: false,
            stored: HashSet::new(),
        };
        self.inner.tasks.spawn_on(batcher.run(), &self.inner.runtime);
        Ok(sender)
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        // Nothing that holds it can leave it half changed.
        self.inner.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Door {
    fn new() -> Self {
        let turns = Arc::new(Mutex::new(Turns::new(Instant::now())));
        Self { queue: None, head: Arc::new(watch::Sender::new(-1)), turns }
    }
}

/// Heads only rise.
pub(crate) fn raise(head: &watch::Sender<i64>, to: i64) {
    head.send_if_modified(|known| {
        let higher = to > *known;
        if higher {
            *known = to;
        }
        higher
    });
}

fn stopping() -> AppendError {
    AppendError::Unavailable("the process is stopping".to_owned())
}
