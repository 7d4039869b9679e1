//! Grows one shop's tree for as long as its lease is not lost.

use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use event_log::Appender;
use relay::{Lease, backoff};
use tlog::EMPTY_ROOT;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::integrate::{Integrated, Integrator};
use super::{Error, LogKeys, Options, settle_key};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Who notes a key, as the log has it.
const BY: &str = "counterfoil tree";

/// Why a worker works no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was stopped, or another one leads.
    Orderly,
    /// The tree must not grow before somebody has looked.
    Refused,
}

/// What came of a turn.
enum Turn {
    More,
    Idle,
}

pub(crate) struct Worker {
    database: Database,
    appender: Appender,
    options: Options,
    lease: Lease,
    stop: CancellationToken,
    /// None before it is opened, and after an error.
    integrator: Option<Integrator>,
    renewed: Instant,
    began: Instant,
    /// Whether there may be something to publish.
    unpublished: bool,
    /// Not before.
    publish_at: Instant,
    failures: u32,
}

impl Worker {
    pub(crate) fn new(
        database: Database,
        appender: Appender,
        options: Options,
        lease: Lease,
        stop: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        Self {
            database,
            appender,
            options,
            lease,
            stop,
            integrator: None,
            renewed: now,
            began: now,
            // What the one before has not published any more.
            unpublished: true,
            publish_at: now,
            failures: 0,
        }
    }

    /// Works until it is stopped, has lost the lease, or must not go on.
    pub(crate) async fn run(mut self) -> Ended {
        let (shop, epoch) = (self.lease.shop.clone(), self.lease.epoch);
        tracing::info!(%shop, epoch, "grows the tree");
        while !self.stop.is_cancelled() {
            match self.turn().await {
                Ok(Turn::More) => self.failures = 0,
                Ok(Turn::Idle) => {
                    self.failures = 0;
                    self.wait().await;
                }
                Err(Error::Lease(relay::Error::LeaseLost)) => {
                    tracing::warn!(%shop, epoch, "has lost the lease of the tree");
                    return Ended::Orderly;
                }
                Err(error) if error.is_refusal() => {
                    tracing::error!(%shop, %error, "the tree does not grow");
                    self.tell(&error).await;
                    self.lease.release(&self.database).await;
                    return Ended::Refused;
                }
                Err(error) => self.back_off(&error).await,
            }
        }
        self.lease.release(&self.database).await;
        Ended::Orderly
    }

    async fn turn(&mut self) -> Result<Turn, Error> {
        if self.renewed.elapsed() >= self.options.heartbeat {
            self.lease.renew(&self.database).await?;
            self.renewed = Instant::now();
        }
        self.began = Instant::now();
        // Where something fails it is dropped, with what it has taken in.
        let mut integrator = match self.integrator.take() {
            Some(integrator) => integrator,
            None => self.open().await?,
        };
        let Integrated::Added { events, is_full } = integrator.integrate(self.options.batch).await? else {
            return Ok(Turn::More);
        };
        if events > 0 {
            self.renewed = Instant::now();
            self.unpublished = true;
        }
        if self.unpublished && integrator.size() > 0 && Instant::now() >= self.publish_at {
            let is_published = integrator.publish(self.options.publish_every).await?;
            self.unpublished = !is_published;
            // Whoever led before may have published a moment ago.
            let pause = if is_published { self.options.publish_every } else { self.options.every };
            self.publish_at = Instant::now() + pause;
        }
        self.integrator = Some(integrator);
        Ok(if is_full { Turn::More } else { Turn::Idle })
    }

    /// With the keys as the file has them now.
    async fn open(&self) -> Result<Integrator, Error> {
        let Options { origin, key_file, .. } = &self.options;
        let file = key_file.clone();
        let read = tokio::task::spawn_blocking(move || LogKeys::from_file(&file)).await;
        let keys = Arc::new(read.map_err(|error| Error::Failed(error.to_string()))??);
        let (database, shop) = (&self.database, &self.lease.shop);
        let settled = settle_key(self.appender.guard(), database, shop, origin, &keys, BY).await?;
        if settled.is_new {
            tracing::info!(%shop, position = settled.noted_at.0, "noted the key that signs the log");
            self.appender.announce(shop, settled.noted_at);
        }
        Integrator::open(database.clone(), self.lease.clone(), origin.clone(), keys, settled.noted_at).await
    }

    /// Until it is time, and there is something to do.
    async fn wait(&self) {
        let next = self.began + self.options.every;
        let size = self.integrator.as_ref().map_or(0, Integrator::size);
        let mut appended = self.appender.appended(&self.lease.shop);
        let until = (self.began + self.options.poll).min(self.renewed + self.options.heartbeat);
        let until = if self.unpublished { until.min(self.publish_at) } else { until };
        let news = async {
            tokio::select! {
                _ = appended.wait_for(|head| u64::try_from(*head).is_ok_and(|head| head >= size)) => {}
                () = sleep_until(until) => {}
            }
            sleep_until(next).await;
        };
        tokio::select! {
            () = news => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn back_off(&mut self, error: &Error) {
        let shop = &self.lease.shop;
        tracing::warn!(%shop, %error, "the tree cannot grow now: will try again");
        self.integrator = None;
        let pause = backoff(self.failures, BACKOFF);
        self.failures = self.failures.saturating_add(1);
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Tells operators why the tree does not grow.
    async fn tell(&self, error: &Error) {
        let told = async {
            let client = self.database.client().await?;
            let said = format!("{} ({})", error, self.options.holder);
            let parameters: database::Parameters<'_> =
                &[&self.lease.shop.as_str(), &EMPTY_ROOT.as_slice(), &said];
            client.execute(&sql::audit::SET_TREE_ERROR, parameters).await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "that cannot be told to others");
        }
    }
}
