//! The task that appends to one shop's log: it takes what waits, commits it as one, and answers.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use database::Database;
use domain::ShopId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::append::{Options, raise};
use crate::fact::{Digest, Prepared};
use crate::notify::Notifier;
use crate::settle::settle;
use crate::turns::Turns;
use crate::write::{Failure, Session, Trust};
use crate::{AppendError, Appended, Guard, Meters};

/// After a batch that held something known, so many are looked up: where one is repeated, more are about to be.
const DOUBTED: u32 = 256;
/// How often a batch is tried whose fate is not known, or that lost against something passing.
const ATTEMPTS: u32 = 4;
/// Doubles with each attempt.
const PAUSE: Duration = Duration::from_millis(25);

/// One fact that waits, and who waits for it. Whoever has gone away is not missed.
pub(crate) struct Request {
    pub(crate) fact: Prepared,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
}

pub(crate) struct Batcher {
    pub(crate) shop: ShopId,
    pub(crate) database: Database,
    pub(crate) options: Options,
    pub(crate) guard: Guard,
    pub(crate) queue: mpsc::Receiver<Request>,
    pub(crate) head: Arc<watch::Sender<i64>>,
    pub(crate) turns: Arc<Mutex<Turns>>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) meters: Meters,
    /// Kept while there is work, given back when the queue is empty.
    pub(crate) session: Option<Session>,
    /// So many batches are looked up yet before one is trusted to be new again.
    pub(crate) doubted: u32,
    /// Whether the shop has events that came back from its published log.
    pub(crate) has_reimported: bool,
    /// Certificates that this task has stored: there are a handful, and they need not be sent with every batch.
    pub(crate) stored: HashSet<Digest>,
}

impl Batcher {
    /// Runs until the queue is closed and empty.
    pub(crate) async fn run(mut self) {
        let (mut began, mut is_shared) = (Instant::now(), false);
        while let Some(first) = self.next().await {
            if is_shared {
                // A small batch costs nearly as much as a large one, and where several come at a time more are about to:
                // with a little patience fewer commits do the same. Whoever comes alone waits for nobody.
                sleep_until(began + self.options.pace).await;
            }
            // Whoever was answered just now, or is ready too, may come along.
            tokio::task::yield_now().await;
            began = Instant::now();
            let batch = self.fill(first);
            is_shared = batch.len() > 1;
            self.append(batch).await;
            if self.database.pool_status().2 > 0 {
                // Somebody waits for a session: under load on many shops they would all be kept here.
                self.session = None;
            }
        }
    }

    async fn next(&mut self) -> Option<Request> {
        match self.queue.try_recv() {
            Ok(request) => Some(request),
            Err(mpsc::error::TryRecvError::Disconnected) => None,
            Err(mpsc::error::TryRecvError::Empty) => {
                self.session = None;
                self.queue.recv().await
            }
        }
    }

    fn fill(&mut self, first: Request) -> Vec<Request> {
        let mut bytes = first.fact.bytes();
        let mut batch = vec![first];
        while batch.len() < self.options.batch && bytes < self.options.batch_bytes {
            let Ok(request) = self.queue.try_recv() else { break };
            bytes += request.fact.bytes();
            batch.push(request);
        }
        batch
    }

    /// Commits the batch; one that fails for a row of it is halved until that row stands alone.
    async fn append(&mut self, batch: Vec<Request>) {
        let mut waiting = vec![batch];
        while let Some(mut batch) = waiting.pop() {
            match self.commit(&batch).await {
                Ok(answers) => {
                    self.turns
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .took(Instant::now(), batch.len());
                    for (request, answer) in batch.into_iter().zip(answers) {
                        let _ = request.answer.send(answer);
                    }
                }
                Err(Failure::Row(why)) if batch.len() > 1 => {
                    tracing::debug!(shop = %self.shop, facts = batch.len(), why, "halving a batch");
                    // The earlier half is on top: facts keep their order.
                    waiting.push(batch.split_off(batch.len() / 2));
                    waiting.push(batch);
                }
                Err(Failure::Row(why)) => refuse(batch, &AppendError::Invalid(why)),
                Err(Failure::UnknownShop) => refuse(batch, &AppendError::UnknownShop),
                Err(Failure::Forked(fork)) => self.give_up(batch, &mut waiting, AppendError::Forked(fork)),
                Err(Failure::Reimported) => {
                    let why = "events came back just now".to_owned();
                    self.give_up(batch, &mut waiting, AppendError::Unavailable(why));
                }
                Err(Failure::Again(why) | Failure::Unavailable(why)) => {
                    self.give_up(batch, &mut waiting, AppendError::Unavailable(why));
                }
            }
        }
    }

    /// Refuses all there is.
    fn give_up(&mut self, batch: Vec<Request>, waiting: &mut Vec<Vec<Request>>, error: AppendError) {
        error_now_and_then(&self.shop, &error);
        // It may be the session: a migration can make its statements useless.
        if let Some(session) = self.session.take() {
            session.discard();
        }
        refuse(batch, &error);
        waiting.drain(..).for_each(|batch| refuse(batch, &error));
        // What waits behind would only wait for the same error.
        while let Ok(request) = self.queue.try_recv() {
            let _ = request.answer.send(Err(error.clone()));
        }
    }

    async fn commit(&mut self, batch: &[Request]) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        let facts: Vec<&Prepared> = batch.iter().map(|request| &request.fact).collect();
        let mut attempt = 0;
        loop {
            let trust = match self.doubted {
                _ if self.has_reimported => Trust::Reimported,
                0 => Trust::New,
                _ => Trust::Nothing,
            };
            match self.try_commit(&facts, trust).await {
                // Something of it is known, as far as can be said without having looked.
                Err(Failure::Row(why)) if trust == Trust::New => {
                    tracing::debug!(shop = %self.shop, facts = facts.len(), why, "looking up what is known");
                    self.doubted = DOUBTED;
                }
                Err(Failure::Reimported) => self.has_reimported = true,
                // What was committed without our knowing is found by its keys.
                Err(Failure::Again(why)) if attempt + 1 < ATTEMPTS => {
                    tracing::warn!(shop = %self.shop, attempt, why, "appending again");
                    self.session = None;
                    // It may have been committed, and then it is known.
                    self.doubted = self.doubted.max(1);
                    tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
                result => {
                    self.doubted = self.doubted.saturating_sub(1);
                    return result;
                }
            }
        }
    }

    async fn try_commit(
        &mut self,
        facts: &[&Prepared],
        trust: Trust,
    ) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        let session = match &mut self.session {
            Some(session) => session,
            slot => {
                let opened = Session::open(&self.database).await;
                slot.insert(opened.map_err(|error| Failure::Unavailable(error.to_string()))?)
            }
        };
        session.check(&self.guard, &self.shop).await?;
        let mut known = session.look_up(&self.guard, &self.shop, facts, trust).await?;
        let settled = settle(&mut known, facts);
        session.commit(self.shop.as_str(), &settled.rows, &self.stored).await?;
        if let Some(last) = settled.rows.events.last(known.epoch) {
            self.guard.remember(&self.shop, last);
        }
        self.meters.appended(&settled.rows.events.types);
        self.stored.extend(settled.rows.certificates.iter().map(|certificate| certificate.sha256));
        for alarm in &settled.alarms {
            alarm.raise(self.shop.as_str());
        }
        if known.next > 0 {
            raise(&self.head, known.next - 1);
        }
        if !settled.rows.events.positions.is_empty() {
            self.notifier.wake(&self.shop);
        }
        Ok(settled.answers)
    }
}

/// While the database is away every batch is refused, dozens a second.
fn error_now_and_then(shop: &ShopId, why: &AppendError) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
        *last = Some(Instant::now());
        tracing::error!(%shop, %why, "the log cannot be written; this line comes once a second at most");
    }
}

fn refuse(batch: Vec<Request>, error: &AppendError) {
    for request in batch {
        let _ = request.answer.send(Err(error.clone()));
    }
}
