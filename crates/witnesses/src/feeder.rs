//! Submits what was published to the witnesses. One process at a time does it for a shop; nothing waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use event_log::Guard;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use relay::Lease;
use tlog::{Checkpoint, Note, Signature, Witness};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::memory::believed;
use crate::{Error, Stamper, Witnessed, store};

/// Under which the lease is kept.
const CONSUMER: &str = "witnesses";
/// So many shops are seen to at a time.
const SHOPS_AT_ONCE: usize = 4;
/// After the first failure, the second, ..: doubled each time.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How checkpoints are submitted.
#[derive(Clone, Debug)]
pub struct FeederOptions {
    /// Who submits, for operators: the host and process.
    pub holder: String,
    /// How often it is looked for a new checkpoint.
    pub every: Duration,
    /// How long the lease lasts: longer than a round, which a slow witness makes longer.
    pub lease: Duration,
}

impl Default for FeederOptions {
    fn default() -> Self {
        Self { holder: "witnesses".to_owned(), every: Duration::from_secs(1), lease: Duration::from_secs(20) }
    }
}

/// Submits the checkpoints of all shops.
#[derive(Debug)]
pub struct Feeder {
    database: Database,
    guard: Guard,
    witnessed: Witnessed,
    stamper: Option<Stamper>,
    options: FeederOptions,
    leases: Mutex<HashMap<ShopId, Lease>>,
    /// By shop and witness.
    tries: Mutex<HashMap<(ShopId, String), Try>>,
}

/// How a witness got on with the last checkpoint of a log.
#[derive(Clone, Debug)]
struct Try {
    origin: String,
    /// What it cosigned last.
    size: u64,
    failures: u32,
    not_before: Instant,
}

/// A feeder at work.
#[derive(Debug)]
pub struct Feeding {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Feeding {
    /// Ends it.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Feeder {
    /// A feeder, which has the guard look again when a witness has seen another history.
    #[must_use]
    pub fn new(database: Database, guard: Guard, witnessed: Witnessed, options: FeederOptions) -> Self {
        let (leases, tries) = (Mutex::default(), Mutex::default());
        Self { database, guard, witnessed, stamper: None, options, leases, tries }
    }

    /// Has the checkpoints stamped with a time as well.
    #[must_use]
    pub fn with_stamper(mut self, stamper: Stamper) -> Self {
        self.stamper = Some(stamper);
        self
    }

    /// Has it work until it is stopped.
    #[must_use]
    pub fn start(self) -> Feeding {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let stopped = stop.clone();
        tasks.spawn(async move {
            while !stopped.is_cancelled() {
                tokio::select! {
                    () = self.round() => {}
                    () = stopped.cancelled() => {}
                }
                tokio::select! {
                    () = tokio::time::sleep(self.options.every) => {}
                    () = stopped.cancelled() => {}
                }
            }
            self.release().await;
        });
        tasks.close();
        Feeding { stop, tasks }
    }

    /// Submits what is new, of every shop that nobody else sees to.
    pub async fn round(&self) {
        let shops = match self.shops().await {
            Ok(shops) => shops,
            Err(error) => {
                tracing::debug!(%error, "the shops cannot be listed now");
                return;
            }
        };
        stream::iter(shops)
            .for_each_concurrent(SHOPS_AT_ONCE, |shop| async move {
                // A round that outlives its lease would be somebody else's by then.
                let seen_to = timeout(self.options.lease / 2, self.feed(&shop)).await;
                if let Ok(Err(error)) = seen_to {
                    tracing::warn!(%shop, %error, "checkpoints cannot be submitted now");
                }
            })
            .await;
    }

    async fn shops(&self) -> Result<Vec<ShopId>, Error> {
        let rows = self.database.client().await?.query(&sql::event_log::LIST_SHOPS, &[]).await?;
        let shops = rows.iter().map(|row| row.try_get::<_, &str>(0));
        let shops: Result<Vec<&str>, _> = shops.collect();
        Ok(shops?.into_iter().filter_map(|shop| ShopId::parse(shop).ok()).collect())
    }

    async fn feed(&self, shop: &ShopId) -> Result<(), Error> {
        // Whoever was refused has to hear when it is no more, also if somebody else leads by now.
        if !self.leads(shop).await? && !self.witnessed.is_told(shop) {
            return Ok(());
        }
        let Some(mut note) = self.witnessed.tree().latest(shop).await? else { return Ok(()) };
        let checkpoint = believed(self.witnessed.tree(), &note)?;
        let witnesses = self.witnessed.witnesses().iter();
        let submitted = witnesses.map(|witness| self.submit_if_due(shop, witness, &note, &checkpoint));
        let mut is_new = false;
        for signature in join_all(submitted).await.into_iter().flatten() {
            note.add(signature)?;
            is_new = true;
        }
        if is_new {
            self.witnessed.tree().cosigned(shop, note.clone()).await?;
        }
        match &self.stamper {
            Some(stamper) => stamper.stamp_if_due(&self.database, shop, &note, &checkpoint).await,
            None => Ok(()),
        }
    }

    async fn leads(&self, shop: &ShopId) -> Result<bool, Error> {
        let known = self.leases.lock().unwrap_or_else(PoisonError::into_inner).get(shop).cloned();
        if let Some(lease) = known {
            if lease.renew(&self.database).await.is_ok() {
                return Ok(true);
            }
            self.leases.lock().unwrap_or_else(PoisonError::into_inner).remove(shop);
        }
        let FeederOptions { holder, lease, .. } = &self.options;
        let Some((lease, _)) = Lease::acquire(&self.database, shop, CONSUMER, holder, *lease).await? else {
            return Ok(false);
        };
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).insert(shop.clone(), lease);
        Ok(true)
    }

    async fn release(&self) {
        let leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(leases.values().map(|lease| lease.release(&self.database))).await;
    }

    /// Submits a checkpoint that the witness has not cosigned yet, unless it failed lately.
    async fn submit_if_due(
        &self,
        shop: &ShopId,
        witness: &Witness,
        note: &Note,
        checkpoint: &Checkpoint,
    ) -> Option<Signature> {
        let known = self.try_of(shop, witness, checkpoint.origin()).await.ok()?;
        if known.size == checkpoint.size() && known.failures == 0 || Instant::now() < known.not_before {
            return None;
        }
        let submitted = self.witnessed.submit(witness, shop, note, checkpoint, known.size).await;
        let kept = self.keep(shop, witness, checkpoint, known, &submitted).await;
        if let Err(error) = kept {
            tracing::warn!(%shop, witness = witness.name, %error, "what a witness has seen is not written down");
        }
        submitted.ok().map(|(signature, _)| signature)
    }

    async fn try_of(&self, shop: &ShopId, witness: &Witness, origin: &str) -> Result<Try, Error> {
        let key = (shop.clone(), witness.name.clone());
        let known = self.tries.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known.filter(|known| known.origin == origin) {
            return Ok(known);
        }
        let client = self.database.client().await?;
        let size = store::size(&client, shop, origin, &witness.name).await?;
        Ok(Try { origin: origin.to_owned(), size, failures: 0, not_before: Instant::now() })
    }

    async fn keep(
        &self,
        shop: &ShopId,
        witness: &Witness,
        checkpoint: &Checkpoint,
        mut known: Try,
        submitted: &Result<(Signature, u64), Error>,
    ) -> Result<(), Error> {
        let (origin, name) = (checkpoint.origin(), witness.name.as_str());
        if let Err(error @ (Error::OtherHistory { .. } | Error::Ahead { .. })) = submitted {
            if matches!(error, Error::OtherHistory { .. }) {
                tracing::error!(%shop, witness = name, %error, "THE LOG HAS FORKED, says a witness");
            }
            if let Err(error) = self.witnessed.ask(witness, shop, origin).await {
                tracing::warn!(%shop, witness = name, %error, "and it cannot be asked what it has seen");
            }
            self.witnessed.heed(witness, shop, origin, error);
            // Nothing more is appended, unless the log is what the witness has seen after all.
            self.guard.doubt(shop);
        }
        match submitted {
            Ok(_) => {
                known = Try { size: checkpoint.size(), failures: 0, not_before: Instant::now(), ..known };
                self.witnessed.remember(witness, shop, checkpoint.clone());
            }
            Err(error) => {
                if known.failures == 0 {
                    tracing::warn!(%shop, witness = name, %error, "a witness does not cosign; it will be tried again");
                }
                let pause = PAUSE_MIN.saturating_mul(1 << known.failures.min(10)).min(PAUSE_MAX);
                known.failures = known.failures.saturating_add(1);
                known.not_before = Instant::now() + pause;
            }
        }
        let key = (shop.clone(), witness.name.clone());
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known);
        let client = self.database.client().await?;
        match submitted {
            Ok((_, time_s)) => {
                store::cosigned(&client, shop, origin, name, checkpoint.size(), *time_s).await?
            }
            Err(error) => store::failed(&client, shop, origin, name, &error.to_string()).await?,
        }
        // So that a fork is told also while nobody appends.
        self.guard.check(&client, shop).await.or_else(not_forked)
    }
}

/// The guard has told it.
fn not_forked(error: event_log::Error) -> Result<(), Error> {
    if matches!(error, event_log::Error::Forked(_)) { Ok(()) } else { Err(error.into()) }
}
