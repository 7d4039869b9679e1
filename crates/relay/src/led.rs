//! The leader's ground in the service: a shop's log and read models in PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use database::{Client, Database, READ_COMMITTED};
use domain::{Missing, Outcome, Position, ReceivedFact, ShopId, State, Undecided};
use event_log::{Appender, Dedupe, Guard, NewFact, Placed};
use futures_util::future::join_all;
use futures_util::{TryFutureExt, join, try_join};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::backoff;
use crate::ground::{Ahead, Decided, Ground, Reader};
use crate::lease::Lease;
use crate::transaction::Open;
use crate::{Error, Meters, Options, Projection, facts};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A shop that is led by this process.
pub(crate) struct Led<P> {
    pub(crate) database: Database,
    pub(crate) appender: Appender,
    /// Positions that are appended here.
    pub(crate) appended: watch::Receiver<i64>,
    pub(crate) projection: Arc<P>,
    pub(crate) options: Options,
    pub(crate) lease: Lease,
    pub(crate) applied: watch::Sender<i64>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: CancellationToken,
    /// So many shops are led by this process.
    pub(crate) leaders: Arc<AtomicUsize>,
    pub(crate) meters: Meters,
}

/// One session, for as long as a batch is read.
pub(crate) struct LedReader<'a, P> {
    client: Client,
    projection: &'a P,
    shop: &'a ShopId,
}

impl<P: Projection> Reader for LedReader<'_, P> {
    async fn read_ahead(&self, after: i64, limit: usize) -> Result<Ahead, Error> {
        facts::read_ahead(&self.client, self.shop, after, limit).await
    }

    async fn open(&self) -> Result<State, Error> {
        self.projection.open(&self.client, self.shop).await
    }

    async fn load(&self, state: &mut State, missing: &[Missing]) -> Result<(), Error> {
        self.projection.load(&self.client, self.shop, state, missing).await
    }
}

impl<P: Projection> Ground for Led<P> {
    type Changes = P::Changes;
    type Reader<'a> = LedReader<'a, P>;

    async fn reader(&self) -> Result<Self::Reader<'_>, Error> {
        let client = self.database.client().await?;
        Ok(LedReader { client, projection: &self.projection, shop: &self.lease.shop })
    }

    fn decide(&self, state: &mut State, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        self.projection.decide(state, fact)
    }

    fn changes(&self, state: &State) -> Result<Self::Changes, Error> {
        self.projection.changes(state)
    }

    async fn write(&self, from: i64, decided: &Decided<Self::Changes>) -> Result<Option<Position>, Error> {
        let began = Instant::now();
        let Self { database, appender, projection, lease, .. } = self;
        let head = write(database, appender, projection.as_ref(), lease, from, decided).await?;
        self.meters.wrote(decided.facts, began.elapsed());
        Ok(head)
    }

    async fn renew(&self) -> Result<(), Error> {
        self.lease.renew(&self.database).await
    }

    async fn checkpoint(&self) -> Result<i64, Error> {
        self.lease.checkpoint(&self.database).await
    }

    async fn release(&self) {
        self.lease.release(&self.database).await;
    }

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
            tracing::warn!("timers' facts wait long to be appended: it goes on without them");
            return Ok(());
        };
        for appended in appended {
            if let Err(error) = appended {
                tracing::warn!(%error, "a timer's fact was not appended: it is due again");
            }
        }
        Ok(())
    }

    fn applied(&self, position: i64, head: Option<Position>) {
        if let Some(head) = head {
            self.appender.announce(&self.lease.shop, head);
        }
        self.applied.send_if_modified(|applied| {
            let moved = position > *applied;
            *applied = position.max(*applied);
            moved
        });
    }

    async fn wait(&mut self, seen: i64) {
        let (appended, stop) = (&mut self.appended, &self.stop);
        let changed = async {
            // What was seen already, as this relay's own outcomes, is no news.
            while appended.changed().await.is_ok() {
                if *appended.borrow_and_update() > seen {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = changed => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep(self.options.poll) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn pause(&self, failures: u32) {
        tokio::select! {
            () = tokio::time::sleep(backoff(failures, BACKOFF)) => {}
            () = self.stop.cancelled() => {}
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn leaders(&self) -> usize {
        self.leaders.load(Ordering::Relaxed)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Fence, store, append, commit.
async fn write<P: Projection>(
    database: &Database,
    appender: &Appender,
    projection: &P,
    lease: &Lease,
    from: i64,
    decided: &Decided<P::Changes>,
) -> Result<Option<Position>, Error> {
    let guard = appender.guard();
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
            appender.meters().appended(placed.types());
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
    client.begin(READ_COMMITTED).await?;
    lease.advance(client, from, decided.to).await?;
    let shop = &lease.shop;
    let store = projection.store(client, shop, &decided.changes);
    // Sent together, and taken in this order: last the lock that the door waits for.
    let place = decided.outcomes.place(guard, client, shop).map_err(Error::from);
    let (_, placed) = try_join!(store, place)?;
    Ok(placed)
}
