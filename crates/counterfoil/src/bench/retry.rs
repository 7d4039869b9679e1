//! A sender as PayPal is one: it sends when something has happened, whether or not the last was answered, and what is refused
//! comes again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bench::load::{Connection, Reply};
use crate::bench::workload::Prepared;

/// Between two looks for something that may be sent.
const LOOK: Duration = Duration::from_millis(5);

/// What has not been taken yet.
pub(crate) struct Outbound {
    requests: Arc<Vec<Prepared>>,
    /// What was refused, by when it may come again.
    refused: Mutex<BinaryHeap<Reverse<(Instant, usize)>>>,
    /// Sent for the first time.
    pub(crate) sent: AtomicUsize,
    /// Answered 200.
    pub(crate) taken: AtomicUsize,
    /// Answered 503 with Retry-After, as often as that was.
    pub(crate) refusals: AtomicUsize,
}

/// So many a second, for so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) per_s: f64,
    pub(crate) time: Duration,
    pub(crate) connections: usize,
    /// Whether what was refused goes before what is new, and counts as sent.
    pub(crate) repeats: bool,
}

/// One request that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// When it was to be sent, when it was, and when it was answered, since the beginning.
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    pub(crate) is_taken: bool,
}

impl Outbound {
    pub(crate) fn new(requests: Arc<Vec<Prepared>>) -> Arc<Self> {
        Arc::new(Self {
            requests,
            refused: Mutex::default(),
            sent: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
        })
    }

    /// Sends new ones by the clock. Nothing that is due when the time is over is begun.
    pub(crate) async fn send(
        self: &Arc<Self>,
        address: SocketAddr,
        course: Course,
        new: Range<usize>,
    ) -> anyhow::Result<Vec<Outcome>> {
        let (slot, next) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(new.start)));
        let began = Instant::now();
        let workers: Vec<_> = (0..course.connections)
            .map(|_| {
                let (outbound, slot, next) = (Arc::clone(self), Arc::clone(&slot), Arc::clone(&next));
                tokio::spawn(async move {
                    let (mut outcomes, mut connection) = (Vec::new(), None);
                    loop {
                        let due = Duration::from_secs_f64(
                            slot.fetch_add(1, Ordering::Relaxed) as f64 / course.per_s,
                        );
                        if due.max(began.elapsed()) >= course.time {
                            return anyhow::Ok(outcomes);
                        }
                        sleep_until(began + due).await;
                        let again = if course.repeats { outbound.repeat() } else { None };
                        let index = again.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
                        if again.is_none() {
                            if index >= new.end {
                                // All of them were sent; a refused one may yet come.
                                continue;
                            }
                            outbound.sent.fetch_add(1, Ordering::Relaxed);
                        }
                        // Made when it is needed: one that says nothing at first is closed by the service.
                        let open = match &mut connection {
                            Some(open) => open,
                            None => connection.insert(Connection::open(address).await?),
                        };
                        let sent = began.elapsed();
                        let is_taken = outbound.exchange(open, index).await?;
                        outcomes.push(Outcome { due, sent, answered: began.elapsed(), is_taken });
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await??);
        }
        Ok(all)
    }

    /// Sends what was refused when it may come again, until all that was ever sent is taken.
    pub(crate) async fn finish(
        self: &Arc<Self>,
        address: SocketAddr,
        connections: usize,
    ) -> anyhow::Result<()> {
        let open = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
        let workers = open.into_iter().map(|mut connection| {
            let outbound = Arc::clone(self);
            tokio::spawn(async move {
                while !outbound.is_done() {
                    match outbound.repeat() {
                        Some(index) => drop(outbound.exchange(&mut connection, index).await?),
                        None => sleep(LOOK).await,
                    }
                }
                anyhow::Ok(())
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await??;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.sent.load(Ordering::Acquire)
    }

    /// One whose time has come.
    fn repeat(&self) -> Option<usize> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.peek() {
            Some(Reverse((at, _))) if *at <= Instant::now() => refused.pop().map(|Reverse((_, index))| index),
            _ => None,
        }
    }

    /// Whether it was taken; any answer but that and a refusal which says when to come again is an error.
    async fn exchange(&self, connection: &mut Connection, index: usize) -> anyhow::Result<bool> {
        match connection.ask(&self.requests[index]).await? {
            Reply { status: 200, .. } => {
                self.taken.fetch_add(1, Ordering::Release);
                Ok(true)
            }
            Reply { status: 503, retry_after: Some(after) } => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.push(Reverse((Instant::now() + after, index)));
                Ok(false)
            }
            Reply { status, retry_after } => {
                let answer = connection.answer();
                anyhow::bail!("a callback was answered {status}, Retry-After {retry_after:?}: {answer}")
            }
        }
    }
}
