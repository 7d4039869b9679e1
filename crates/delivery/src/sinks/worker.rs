//! Delivers to one sink for as long as its lease is not lost.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::sql;
use domain::Position;
use futures_util::future::join;
use relay::{Lease, backoff};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ahead::{Ahead, Read};
use super::course::Course;
use super::hops::Hops;
use super::meters::SinkMeters;
use super::publisher::{self, Context, Delivery, Publisher};
use super::settings::{Secrets, Settings};
use super::stop::Stop;
use super::store::{Sinks, State};
use super::undelivered::{Rows, Undelivered};
use super::verdict::Verdict;
use crate::{Bounds, Error, Message, Selection, Tail};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What came of a turn.
enum Turn {
    Moved,
    Idle,
}

pub(crate) struct Worker {
    sinks: Sinks,
    tail: Tail,
    name: String,
    lease: Lease,
    heartbeat: Duration,
    renewed: Instant,
    version: i64,
    settings: Settings,
    secrets: Secrets,
    selection: Selection,
    publisher: Option<Box<dyn Publisher>>,
    meters: SinkMeters,
    checkpoint: Position,
    course: Course,
    /// Only a log that ends behind this has more to be read.
    beyond: Position,
    failures: u32,
    /// What was told last of how it gets on.
    told: Option<String>,
}

impl Worker {
    /// Works until it is stopped, has lost the lease, or the sink is changed.
    pub(crate) async fn run(
        sinks: Sinks,
        tail: Tail,
        name: String,
        lease: Lease,
        checkpoint: i64,
        heartbeat: Duration,
        stop: CancellationToken,
    ) {
        let (shop, database) = (lease.shop.clone(), sinks.database.clone());
        let opened =
            Self::open(sinks.clone(), tail, name.clone(), lease.clone(), Position(checkpoint), heartbeat)
                .await;
        let mut worker = match opened {
            Ok(Some(worker)) => worker,
            Ok(None) => return lease.release(&database).await,
            Err(error) => {
                tracing::warn!(%shop, sink = name, %error, "a sink cannot be begun now");
                let _ = sinks.tell(&lease, &name, Some(&error.to_string())).await;
                // The lease runs out meanwhile, so that it is not tried at once again.
                return;
            }
        };
        tracing::info!(%shop, sink = name, epoch = lease.epoch, checkpoint, "delivers");
        while !stop.is_cancelled() {
            let turn = tokio::select! {
                turn = worker.turn() => turn,
                () = stop.cancelled() => break,
            };
            let waited = match turn {
                Ok(Turn::Moved) => continue,
                Ok(Turn::Idle) => worker.wait(&stop).await,
                Err(Stop::Failing { why, wait }) => worker.back_off(&why, wait, &stop).await,
                Err(Stop::Paused(pause)) => worker.pause(pause, &stop).await,
                Err(stop) => Err(stop),
            };
            match waited {
                Ok(()) | Err(Stop::Failing { .. } | Stop::Paused(_)) => {}
                Err(Stop::Changed) => break,
                Err(Stop::Lost) => {
                    tracing::warn!(%shop, sink = name, epoch = lease.epoch, "has lost its lease");
                    return;
                }
            }
        }
        lease.release(&database).await;
    }

    async fn open(
        sinks: Sinks,
        tail: Tail,
        name: String,
        lease: Lease,
        checkpoint: Position,
        heartbeat: Duration,
    ) -> Result<Option<Self>, Error> {
        let Some((settings, secrets, version)) = sinks.config(&lease.shop, &name).await? else {
            return Ok(None);
        };
        let selection =
            settings.selection().map_err(|error| Error::Corrupt(format!("sinks.settings: {error}")))?;
        let undelivered = Undelivered::load(&sinks.database, &lease.shop, &name, checkpoint).await?;
        let retry_s = settings.retry_s.clone();
        let told = sinks.get(&lease.shop, &name).await?.and_then(|sink| sink.error);
        let meters = sinks.meters().of(&lease.shop, &name);
        Ok(Some(Self {
            sinks,
            tail,
            name,
            lease,
            heartbeat,
            renewed: Instant::now(),
            version,
            settings,
            secrets,
            selection,
            publisher: None,
            meters,
            checkpoint,
            course: Course::new(checkpoint, undelivered, retry_s),
            beyond: checkpoint,
            failures: 0,
            told,
        }))
    }

    async fn turn(&mut self) -> Result<Turn, Stop> {
        if self.renewed.elapsed() >= self.heartbeat {
            self.renew().await?;
        }
        if self.publisher.is_none() {
            self.open_publisher().await?;
        }
        if self.course.has_nothing_open() {
            let read = self.ahead().read().await?;
            self.take(read);
        }
        // What was set aside comes after: it can hold up nothing then, and is left alone while nothing gets through.
        let published = self.publish().await?;
        let retried = self.retry().await?;
        if published || retried {
            return Ok(Turn::Moved);
        }
        if self.course.is_full() {
            let why = "too many events were refused one by one: none is set aside any more";
            return Err(Stop::failing(why));
        }
        if self.course.is_through() {
            // The way is open, and nothing waits to be sent.
            self.tell(None).await;
        }
        Ok(Turn::Idle)
    }

    /// Shows that it is alive, and sees whether the sink is still as it was.
    async fn renew(&mut self) -> Result<(), Stop> {
        self.lease.renew(&self.sinks.database).await?;
        self.renewed = Instant::now();
        let client = self.sinks.database.client().await?;
        let parameters: database::Parameters<'_> = &[&self.lease.shop.as_str(), &self.name];
        let row = client.query_opt(&sql::delivery::READ_SINK_VERSION, parameters).await?;
        let Some(row) = row else { return Err(Stop::Changed) };
        let (version, state): (i64, &str) =
            (row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?);
        if version == self.version && state == State::Running.name() { Ok(()) } else { Err(Stop::Changed) }
    }

    /// Keeps the lease while something takes its time.
    async fn kept<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(self.heartbeat) => match self.renew().await {
                    // What is under way is ended by its own time limit; the fence tells whether it counts.
                    Ok(()) | Err(Stop::Failing { .. }) => {}
                    Err(stop) => return Err(stop),
                },
            }
        }
    }

    async fn open_publisher(&mut self) -> Result<(), Stop> {
        let context = Context {
            shop: self.lease.shop.clone(),
            sink: self.name.clone(),
            database: self.sinks.database.clone(),
        };
        let (settings, secrets) = (self.settings.clone(), self.secrets.clone());
        let opened = self.kept(publisher::open_in_time(&settings, &secrets, &context)).await?;
        self.publisher = Some(opened.map_err(Stop::failing)?);
        Ok(())
    }

    /// What may be read within the window. Nothing more is set aside when too much waits.
    fn ahead(&self) -> Ahead {
        Ahead {
            database: self.sinks.database.clone(),
            shop: self.lease.shop.clone(),
            selection: self.selection.clone(),
            after: self.course.seen(),
            room: self.course.room(),
        }
    }

    fn take(&mut self, read: Option<Read>) {
        let Some((page, beyond)) = read else { return };
        self.course.read(Some(page));
        self.beyond = beyond;
    }

    /// Publishes what is open, and records what came of it. Whether there was anything to do.
    async fn publish(&mut self) -> Result<bool, Stop> {
        let mut rows = Rows::default();
        let round = self.course.begin(&mut rows, Instant::now());
        if round.is_empty() && rows.is_empty() {
            if self.course.is_through() && self.course.seen() > self.checkpoint {
                self.record(rows, &[]).await?;
            }
            return Ok(false);
        }
        let messages: Vec<Arc<Message>> = round.iter().map(|(_, message)| message.clone()).collect();
        let deliveries = self.deliver(&messages).await?;
        let confirmed = confirmed(&messages, &deliveries);
        let verdict = self.course.end(&mut rows, round, deliveries, Instant::now());
        self.record(rows, &confirmed).await?;
        self.conclude(verdict).await?;
        Ok(true)
    }

    /// Tries again what is due of what was set aside. Each failure is an attempt of the schedule, whatever its reason.
    async fn retry(&mut self) -> Result<bool, Stop> {
        let due = self.course.due(Instant::now());
        if due.is_empty() {
            return Ok(false);
        }
        if self.publisher.is_none() {
            self.open_publisher().await?;
        }
        let messages = {
            let client = self.sinks.database.client().await?;
            let bounds = Bounds::read(&client, &self.lease.shop).await?;
            let events = event_log::read_at(&client, &self.lease.shop, &due).await.map_err(Error::from)?;
            events.iter().map(|event| Arc::new(Message::of_event(event, &bounds))).collect::<Vec<_>>()
        };
        let deliveries = self.deliver(&messages).await?;
        let mut rows = Rows::default();
        let confirmed = confirmed(&messages, &deliveries);
        let verdict = self.course.end_retry(&mut rows, &messages, deliveries, Instant::now());
        self.record(rows, &confirmed).await?;
        match verdict {
            Verdict::Unavailable { wait, .. } if !wait.is_zero() => return Err(Stop::Paused(wait)),
            // They have a schedule of their own, and say nothing of others.
            Verdict::Unavailable { .. } => self.publisher = None,
            verdict => self.conclude(verdict).await?,
        }
        Ok(true)
    }

    /// Publishes them, and reads ahead meanwhile.
    async fn deliver(&mut self, messages: &[Arc<Message>]) -> Result<Vec<Delivery>, Stop> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let Some(mut publisher) = self.publisher.take() else {
            return Err(Stop::failing("it is not open"));
        };
        let ahead = self.ahead();
        let hops = Hops::begin(&self.lease.shop, &self.name, messages);
        let (deliveries, read) = self.kept(join(publisher.publish(hops.messages()), ahead.read())).await?;
        hops.end(&deliveries);
        self.publisher = Some(publisher);
        self.meters.count(&deliveries);
        // What could not be read is read when there is nothing else to do, and told then.
        self.take(read.unwrap_or_default());
        Ok(deliveries)
    }

    /// Moves the checkpoint over what is done with from the front, and keeps what was set aside: one statement, behind the
    /// fence, which also tells when those that are confirmed were.
    async fn record(&mut self, rows: Rows, confirmed: &[DateTime<Utc>]) -> Result<(), Stop> {
        let to = self.course.passed().max(self.checkpoint);
        if to == self.checkpoint && rows.is_empty() {
            return Ok(());
        }
        let lease = &self.lease;
        let client = self.sinks.database.client().await?;
        let row = client
            .query_one(
                &sql::delivery::RECORD_PROGRESS,
                &[
                    &lease.shop.as_str(),
                    &self.name,
                    &lease.epoch,
                    &self.checkpoint.0,
                    &to.0,
                    &lease.duration_ms,
                    &rows.delivered,
                    &rows.positions,
                    &rows.keys,
                    &rows.types,
                    &rows.states,
                    &rows.attempts,
                    &rows.in_ms,
                    &rows.errors,
                ],
            )
            .await;
        match row {
            Ok(row) if row.try_get::<_, i64>(0).map_err(Error::from)? == 1 => {
                self.checkpoint = to;
                self.meters.confirmed(confirmed, row.try_get(1).map_err(Error::from)?);
                Ok(())
            }
            Ok(_) => Err(Stop::Lost),
            // Whether it was recorded is not known: whoever begins anew reads where it stands.
            Err(error) => {
                tracing::warn!(shop = %lease.shop, sink = self.name, %error, "what was delivered is not recorded");
                Err(Stop::Changed)
            }
        }
    }

    async fn conclude(&mut self, verdict: Verdict) -> Result<(), Stop> {
        match verdict {
            Verdict::Well { any } => {
                if any {
                    self.failures = 0;
                    self.tell(None).await;
                }
                Ok(())
            }
            Verdict::Partly { why, wait } => {
                tracing::info!(shop = %self.lease.shop, sink = self.name, why, "some messages are tried again");
                self.publisher = None;
                self.failures = 0;
                self.tell(None).await;
                if wait.is_zero() { Ok(()) } else { Err(Stop::Paused(wait)) }
            }
            Verdict::Unavailable { why, wait } => {
                self.publisher = None;
                Err(Stop::Failing { why, wait })
            }
            Verdict::Gone(why) => {
                tracing::warn!(shop = %self.lease.shop, sink = self.name, why, "the sink wants nothing any more: it is disabled");
                let Self { sinks, lease, name, .. } = self;
                sinks.disable(&lease.shop, name, &why).await?;
                Err(Stop::Changed)
            }
        }
    }

    /// Until there is something to do.
    async fn wait(&mut self, stop: &CancellationToken) -> Result<(), Stop> {
        let until = self.renewed + self.heartbeat;
        let until = self.course.next_due().map_or(until, |due| due.min(until));
        tokio::select! {
            () = self.tail.grown(&self.lease.shop, self.beyond.max(self.course.seen())) => {}
            () = tokio::time::sleep_until(until) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }

    /// Says why nothing gets through, and waits, longer each time, and as long as the sink asks for.
    async fn back_off(&mut self, why: &str, wait: Duration, stop: &CancellationToken) -> Result<(), Stop> {
        self.tell(Some(why)).await;
        let pause = backoff(self.failures, BACKOFF);
        self.failures = self.failures.saturating_add(1);
        self.pause(pause.max(wait), stop).await
    }

    /// Waits, and keeps the lease.
    async fn pause(&mut self, pause: Duration, stop: &CancellationToken) -> Result<(), Stop> {
        let stop = stop.clone();
        self.kept(async move {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        })
        .await
    }

    /// Tells operators how it gets on, when that is another than it was.
    async fn tell(&mut self, error: Option<&str>) {
        if self.told.as_deref() == error {
            return;
        }
        match error {
            Some(why) => {
                tracing::warn!(shop = %self.lease.shop, sink = self.name, why, "nothing gets through")
            }
            None => tracing::info!(shop = %self.lease.shop, sink = self.name, "delivers again"),
        }
        if self.sinks.tell(&self.lease, &self.name, error).await.is_ok() {
            self.told = error.map(str::to_owned);
        }
    }
}

/// When those were recorded that a sink has confirmed.
fn confirmed(messages: &[Arc<Message>], deliveries: &[Delivery]) -> Vec<DateTime<Utc>> {
    let confirmed = messages.iter().zip(deliveries).filter(|(_, delivery)| **delivery == Delivery::Confirmed);
    confirmed.map(|(message, _)| message.at.as_datetime()).collect()
}
