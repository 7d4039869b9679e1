//! Delivers to one sink for as long as its lease is not lost.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use database::sql;
use domain::Position;
use relay::Lease;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::publisher::{self, Context, Delivery, Publisher};
use super::settings::{Secrets, Settings};
use super::store::{Sinks, State};
use super::undelivered::{Rows, Undelivered};
use super::window::Window;
use crate::{Bounds, Error, Message, Selection, Tail, outbox};

/// Messages that are published together.
const BATCH: usize = 1_000;
/// So many are read at a time.
const READ: usize = 2_000;
/// A way to the sink that takes longer to open is none.
const OPENING: Duration = Duration::from_secs(10);
/// So many refusals in a row, with nothing confirmed between, are no fault of the messages.
const REFUSED_IN_A_ROW: usize = 10;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Why a worker stops, or waits.
enum Stop {
    /// Another has the lease, or it cannot be known.
    Lost,
    /// The sink was changed: whoever takes it next begins anew.
    Changed,
    /// Nothing gets through at the moment.
    Failing(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Relay(relay::Error::LeaseLost) => Self::Lost,
            error => Self::Failing(error.to_string()),
        }
    }
}

impl From<database::Error> for Stop {
    fn from(error: database::Error) -> Self {
        Self::Failing(error.to_string())
    }
}

impl From<relay::Error> for Stop {
    fn from(error: relay::Error) -> Self {
        Error::from(error).into()
    }
}

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
    checkpoint: Position,
    window: Window,
    undelivered: Undelivered,
    refused_in_a_row: usize,
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
            Self::open(sinks, tail, name.clone(), lease.clone(), Position(checkpoint), heartbeat).await;
        let mut worker = match opened {
            Ok(Some(worker)) => worker,
            Ok(None) => return lease.release(&database).await,
            Err(error) => {
                tracing::warn!(%shop, sink = name, %error, "a sink cannot be begun now");
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
                Err(Stop::Failing(why)) => worker.back_off(&why, &stop).await,
                Err(stop) => Err(stop),
            };
            match waited {
                Ok(()) | Err(Stop::Failing(_)) => {}
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
        let undelivered = Undelivered::load(&sinks.database, &lease.shop, &name).await?;
        let told = sinks.get(&lease.shop, &name).await?.and_then(|sink| sink.error);
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
            checkpoint,
            window: Window::new(checkpoint),
            undelivered,
            refused_in_a_row: 0,
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
        let retried = self.retry().await?;
        self.read().await?;
        let published = self.publish().await?;
        Ok(if retried || published { Turn::Moved } else { Turn::Idle })
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
                    Ok(()) | Err(Stop::Failing(_)) => {}
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
        let opening = timeout(OPENING, publisher::open(&settings, &secrets, &context));
        let opened = self.kept(opening).await?;
        let opened =
            opened.unwrap_or_else(|_| Err(format!("it did not answer within {} s", OPENING.as_secs())));
        self.publisher = Some(opened.map_err(Stop::Failing)?);
        Ok(())
    }

    /// Reads ahead, within the window. Nothing more is set aside when too much waits.
    async fn read(&mut self) -> Result<(), Stop> {
        let room = self.window.room().min(READ);
        if room == 0 || self.undelivered.is_full() {
            return Ok(());
        }
        let client = self.sinks.database.client().await?;
        let bounds = Bounds::read(&client, &self.lease.shop).await?;
        if self.window.seen() >= bounds.head {
            return Ok(());
        }
        let seen = self.window.seen();
        let page = outbox::read(&client, &self.lease.shop, &bounds, seen, room, &self.selection).await?;
        self.window.add(page.messages, page.seen);
        Ok(())
    }

    /// Publishes what is open, and records what came of it. Whether there was anything to do.
    async fn publish(&mut self) -> Result<bool, Stop> {
        let mut rows = Rows::default();
        let mut batch = Vec::new();
        for (place, message) in self.window.open(BATCH) {
            if !self.undelivered.holds_back(&message.key) {
                batch.push((place, message));
            } else if !self.undelivered.is_full() {
                self.undelivered.keep_back(&mut rows, &message);
                self.window.done(place);
            }
        }
        if batch.is_empty() && rows.is_empty() {
            if self.window.is_empty() && self.window.seen() > self.checkpoint {
                self.record(rows).await?;
            }
            return if self.undelivered.is_full() {
                Err(Stop::Failing(
                    "too many events were refused one by one: none is set aside any more".to_owned(),
                ))
            } else {
                Ok(false)
            };
        }
        let (places, messages): (Vec<usize>, Vec<Arc<Message>>) = batch.into_iter().unzip();
        let deliveries = self.deliver(&messages).await?;
        let verdict = self.judge(&deliveries, true);
        for ((place, message), delivery) in places.into_iter().zip(&messages).zip(deliveries) {
            match self.settle(&mut rows, message, delivery, &verdict) {
                Settled::Done => self.window.done(place),
                Settled::Open => {}
            }
        }
        self.record(rows).await?;
        self.conclude(verdict).await?;
        Ok(true)
    }

    /// Tries again what is due of what was set aside.
    async fn retry(&mut self) -> Result<bool, Stop> {
        let due = self.undelivered.due(Instant::now());
        if due.is_empty() {
            return Ok(false);
        }
        let messages = {
            let client = self.sinks.database.client().await?;
            let bounds = Bounds::read(&client, &self.lease.shop).await?;
            let events = event_log::read_at(&client, &self.lease.shop, &due).await.map_err(Error::from)?;
            events.iter().map(|event| Arc::new(Message::of_event(event, &bounds))).collect::<Vec<_>>()
        };
        let deliveries = self.deliver(&messages).await?;
        // They were set aside while others got through: that they are refused again says nothing of the sink.
        let verdict = self.judge(&deliveries, false);
        let mut rows = Rows::default();
        for (message, delivery) in messages.iter().zip(deliveries) {
            match delivery {
                Delivery::Confirmed => self.undelivered.delivered(&mut rows, message),
                delivery => {
                    self.settle(&mut rows, message, delivery, &verdict);
                }
            }
        }
        self.record(rows).await?;
        self.conclude(verdict).await?;
        Ok(true)
    }

    async fn deliver(&mut self, messages: &[Arc<Message>]) -> Result<Vec<Delivery>, Stop> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let Some(mut publisher) = self.publisher.take() else {
            return Err(Stop::Failing("it is not open".to_owned()));
        };
        let deliveries = self.kept(publisher.publish(messages)).await?;
        self.publisher = Some(publisher);
        Ok(deliveries)
    }

    /// Whether the sink as a whole is at fault, or single messages are. Refusals may say something of it, or not.
    fn judge(&mut self, deliveries: &[Delivery], are_telling: bool) -> Verdict {
        let confirmed = deliveries.iter().filter(|delivery| **delivery == Delivery::Confirmed).count();
        let is_refused = |delivery: &&Delivery| are_telling && matches!(delivery, Delivery::Refused { .. });
        let refused = deliveries.iter().filter(is_refused).count();
        self.refused_in_a_row = if confirmed > 0 { 0 } else { self.refused_in_a_row + refused };
        for delivery in deliveries {
            match delivery {
                Delivery::Gone(why) => return Verdict::Gone(why.clone()),
                Delivery::Unavailable(why) if confirmed == 0 => return Verdict::Unavailable(why.clone()),
                Delivery::Refused { why, .. } if are_telling && self.refused_in_a_row >= REFUSED_IN_A_ROW => {
                    return Verdict::Unavailable(format!("nothing is taken: {why}"));
                }
                _ => {}
            }
        }
        // Others got through beside it; it is tried again, by itself or with its connection.
        let lost = deliveries.iter().find_map(|delivery| match delivery {
            Delivery::Unavailable(why) => Some(why.clone()),
            _ => None,
        });
        lost.map_or(Verdict::Well { any: confirmed > 0 }, Verdict::Partly)
    }

    fn settle(
        &mut self,
        rows: &mut Rows,
        message: &Message,
        delivery: Delivery,
        verdict: &Verdict,
    ) -> Settled {
        match delivery {
            Delivery::Confirmed => Settled::Done,
            Delivery::Undeliverable(why) => {
                tracing::warn!(shop = %self.lease.shop, sink = self.name, position = message.position.0, why, "a dead letter");
                self.undelivered.bury(rows, message, &why);
                Settled::Done
            }
            Delivery::Refused { why, retry_after }
                if verdict.is_of_messages() && !self.undelivered.is_full() =>
            {
                self.undelivered.refuse(rows, message, &self.settings.retry_s, &why, retry_after);
                Settled::Done
            }
            _ => Settled::Open,
        }
    }

    /// Moves the checkpoint over what is done with from the front, and keeps what was set aside: one statement, behind the
    /// fence.
    async fn record(&mut self, rows: Rows) -> Result<(), Stop> {
        let to = self.window.settle().max(self.checkpoint);
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
            Verdict::Partly(why) => {
                tracing::info!(shop = %self.lease.shop, sink = self.name, why, "some messages are tried again");
                self.publisher = None;
                Ok(())
            }
            Verdict::Unavailable(why) => {
                self.publisher = None;
                Err(Stop::Failing(why))
            }
            Verdict::Gone(why) => {
                tracing::warn!(shop = %self.lease.shop, sink = self.name, why, "the sink wants nothing any more: it is disabled");
                let Self { sinks, lease, name, .. } = self;
                sinks.set_state(&lease.shop, name, State::Disabled, Some(&why)).await?;
                Err(Stop::Changed)
            }
        }
    }

    /// Until there is something to do.
    async fn wait(&mut self, stop: &CancellationToken) -> Result<(), Stop> {
        let until = self.renewed + self.heartbeat;
        let until = self.undelivered.next_due().map_or(until, |due| due.min(until));
        tokio::select! {
            () = self.tail.grown(&self.lease.shop, self.window.seen()) => {}
            () = tokio::time::sleep_until(until) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }

    /// Says why nothing gets through, and waits, longer each time.
    async fn back_off(&mut self, why: &str, stop: &CancellationToken) -> Result<(), Stop> {
        self.tell(Some(why)).await;
        let most = BACKOFF_MIN.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        let percent = 50 + RandomState::new().build_hasher().finish() % 51;
        self.failures = self.failures.saturating_add(1);
        let pause = most * u32::try_from(percent).unwrap_or(100) / 100;
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
        if self.sinks.tell(&self.lease.shop, &self.name, error).await.is_ok() {
            self.told = error.map(str::to_owned);
        }
    }
}

/// Whose fault it is that something was not delivered.
enum Verdict {
    /// Nobody's, or single messages'.
    Well {
        /// Something was confirmed.
        any: bool,
    },
    /// Some got through, and some were lost with their connection.
    Partly(String),
    /// The sink's.
    Unavailable(String),
    /// The sink is to be left alone.
    Gone(String),
}

impl Verdict {
    fn is_of_messages(&self) -> bool {
        matches!(self, Self::Well { .. } | Self::Partly(_))
    }
}

/// What becomes of a message's place in the window.
enum Settled {
    Done,
    Open,
}
