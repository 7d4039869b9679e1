//! Finds the shops, takes the leases that are free, and keeps a leader for each. Where others lead more, it asks them for
//! some: the right to be a shop's next leader is a lease too, and whoever leads a shop that has a next one hands it over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use event_log::Appender;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::fair_share::{Seen, to_ask_for};
use crate::leader::Leader;
use crate::lease::{Lease, end_stale_leaders};
use crate::led::Led;
use crate::{Error, Health, Meters, Projection, Rounds};

/// So many shops are led at a time that were led by nobody: one whose row cannot be had keeps none of the others waiting.
const TAKEN_AT_ONCE: usize = 4;

/// So many shops are asked for in one round, so that not all of a process's shops change hands at a time.
const ASKED_AT_ONCE: usize = 16;

/// The most that taking one shop's lease takes; then it is the next round's. Longer than any lock is waited for.
const TAKING: Duration = Duration::from_secs(3);

/// How the relay works. Whatever becomes of a leader, another leads within the lease, a look of the supervisor and the
/// end of the old session: 4 s with these.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who leads, for operators: the host and process.
    pub holder: String,
    /// The most facts, and about the most outcomes, of one batch.
    pub batch_max: usize,
    /// For how many facts, of all shops that are led together, rows are kept from batch to batch; then they are read afresh
    /// when they are asked for. What is asked for again and again stays near, and memory stays bounded.
    pub facts_kept: usize,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How often an idle leader renews it.
    pub heartbeat: Duration,
    /// How often a leader looks for facts that nobody told it of.
    pub poll: Duration,
    /// How often shops and free leases are looked for.
    pub supervise: Duration,
    /// How often timers are looked for.
    pub timers: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            holder: "relay".to_owned(),
            batch_max: 500,
            facts_kept: 2_000,
            // Most of a take-over is waiting for it. Three heart-beats: one may be late, and one be lost.
            lease: Duration::from_secs(3),
            heartbeat: Duration::from_secs(1),
            poll: Duration::from_millis(500),
            // One small statement, which also tells those who do not lead how far the leader is.
            supervise: Duration::from_millis(500),
            timers: Duration::from_secs(1),
        }
    }
}

/// The relay of one process.
#[derive(Debug)]
pub struct Relay;

impl Relay {
    /// Starts it; it works until it is stopped.
    pub fn start<P: Projection>(
        database: Database,
        appender: Appender,
        projection: P,
        options: Options,
    ) -> RelayHandle {
        let handle = RelayHandle {
            inner: Arc::new(Inner {
                consumer: projection.consumer(),
                next: format!("{}:next", projection.consumer()),
                database,
                shops: Mutex::default(),
                leaders: Arc::default(),
                meters: Meters::default(),
                rounds: Rounds::default(),
            }),
        };
        let (projection, every) = (Arc::new(projection), options.supervise);
        let supervisor = Arc::new(Supervisor { handle: handle.clone(), appender, projection, options });
        handle.inner.rounds.spawn(listen(handle.clone()));
        handle.inner.rounds.start(every, "the shops cannot be looked through now", move || {
            let supervisor = Arc::clone(&supervisor);
            async move { supervisor.look_through().await }
        });
        handle
    }
}

/// A running relay. Clones are the same one.
#[derive(Clone)]
pub struct RelayHandle {
    inner: Arc<Inner>,
}

struct Inner {
    consumer: &'static str,
    /// Of whom the leases are to lead next; `list_shops` has the same name.
    next: String,
    database: Database,
    shops: Mutex<HashMap<ShopId, Shop>>,
    /// How many of them are led.
    leaders: Arc<AtomicUsize>,
    meters: Meters,
    rounds: Rounds,
}

struct Shop {
    applied: watch::Sender<i64>,
    wake: Arc<Notify>,
    /// Has the leader end after its batch; none: it is not led here.
    led: Option<CancellationToken>,
}

impl std::fmt::Debug for RelayHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayHandle").field("consumer", &self.inner.consumer).finish_non_exhaustive()
    }
}

impl RelayHandle {
    /// Up to which position the shop's facts are decided and their read models written, by whichever process leads;
    /// -1: nothing yet.
    #[must_use]
    pub fn applied(&self, shop: &ShopId) -> watch::Receiver<i64> {
        self.with_shop(shop, |state| state.applied.subscribe())
    }

    /// Whether this process leads the shop.
    #[must_use]
    pub fn leads(&self, shop: &ShopId) -> bool {
        self.with_shop(shop, |state| state.led.is_some())
    }

    /// Every shop's health.
    ///
    /// # Errors
    /// The database cannot be had.
    pub async fn health(&self) -> Result<Vec<Health>, Error> {
        crate::health(&self.inner.database, self.inner.consumer).await
    }

    /// What is counted of the shops that this process leads.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    /// Ends the batches that are under way, releases the leases, and stops.
    pub async fn stop(&self) {
        self.inner.rounds.stop().await;
    }

    fn wake(&self, shop: &ShopId) {
        if let Some(state) = self.shops().get(shop) {
            state.wake.notify_one();
        }
    }

    fn with_shop<T>(&self, shop: &ShopId, work: impl FnOnce(&mut Shop) -> T) -> T {
        work(self.shops().entry(shop.clone()).or_insert_with(|| Shop {
            applied: watch::Sender::new(-1),
            wake: Arc::new(Notify::new()),
            led: None,
        }))
    }

    fn shops(&self) -> MutexGuard<'_, HashMap<ShopId, Shop>> {
        // A panic elsewhere leaves the map whole: each change of it is one step.
        self.inner.shops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Supervisor<P> {
    handle: RelayHandle,
    appender: Appender,
    projection: Arc<P>,
    options: Options,
}

impl<P: Projection> Supervisor<P> {
    async fn look_through(&self) -> Result<(), Error> {
        let (mut free, mut shops) = (Vec::new(), Vec::new());
        for (seen, position) in self.see().await? {
            let is_ours = seen.next.as_ref().is_none_or(|next| *next == self.options.holder);
            let led = self.handle.with_shop(&seen.shop, |state| {
                state.applied.send_if_modified(|applied| {
                    let moved = position > *applied;
                    *applied = position.max(*applied);
                    moved
                });
                state.led.clone()
            });
            match led {
                Some(led) if !is_ours && !led.is_cancelled() => {
                    tracing::info!(shop = %seen.shop, next = ?seen.next, "hands over");
                    led.cancel();
                }
                None if is_ours && seen.leader.is_none() => free.push(seen.shop.clone()),
                _ => {}
            }
            shops.push(seen);
        }
        stream::iter(free).for_each_concurrent(TAKEN_AT_ONCE, |shop| self.try_to_lead(shop)).await;
        let asked = to_ask_for(&self.options.holder, &shops);
        stream::iter(asked.into_iter().take(ASKED_AT_ONCE))
            .for_each_concurrent(TAKEN_AT_ONCE, |shop| self.ask_for(shop))
            .await;
        Ok(())
    }

    /// Every shop, and up to where it is decided.
    async fn see(&self) -> Result<Vec<(Seen, i64)>, Error> {
        let inner = &self.handle.inner;
        let client = inner.database.client().await?;
        let rows = client.query(&sql::relay::LIST_SHOPS, &[&inner.consumer]).await?;
        let mut shops = Vec::with_capacity(rows.len());
        for row in rows {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            let is_free: bool = row.try_get("is_free")?;
            let leader = row.try_get::<_, Option<String>>("lease_holder")?.filter(|_| !is_free);
            shops.push((Seen { shop, leader, next: row.try_get("next")? }, row.try_get("position")?));
        }
        Ok(shops)
    }

    /// Whoever leads the shop sees it in the next round. The lease to be next is not renewed: a leader that does not hear of it
    /// is asked again, and of one who asks and dies nothing stays.
    async fn ask_for(&self, shop: &ShopId) {
        let (inner, Options { holder, lease, .. }) = (&self.handle.inner, &self.options);
        let asked = Lease::acquire(&inner.database, shop, &inner.next, holder, *lease);
        match timeout(TAKING, asked).await {
            Ok(Ok(Some(_))) => tracing::info!(%shop, "asks to lead next"),
            // Another was quicker.
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%shop, %error, "the shop cannot be asked for now"),
            Err(_) => tracing::warn!(%shop, "the shop cannot be asked for now: the database takes too long"),
        }
    }

    /// Takes the shop's lease, or leaves it for the next round.
    async fn try_to_lead(&self, shop: ShopId) {
        if self.handle.inner.rounds.stopping().is_cancelled() {
            return;
        }
        match timeout(TAKING, self.acquire(&shop)).await {
            Ok(Ok(Some((lease, checkpoint)))) => self.lead(&shop, lease, checkpoint),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%shop, %error, "the lease cannot be taken now"),
            Err(_) => tracing::warn!(%shop, "the lease cannot be taken now: the database takes too long"),
        }
    }

    /// A lease that was free and could not be had was taken by another a moment ago, or is held by a stale leader: that
    /// one's session is ended.
    async fn acquire(&self, shop: &ShopId) -> Result<Option<(Lease, i64)>, Error> {
        let inner = &self.handle.inner;
        let Options { holder, lease, .. } = &self.options;
        let acquired = Lease::acquire(&inner.database, shop, inner.consumer, holder, *lease).await?;
        if acquired.is_some() || !end_stale_leaders(&inner.database, *lease).await? {
            return Ok(acquired);
        }
        Lease::acquire(&inner.database, shop, inner.consumer, holder, *lease).await
    }

    fn lead(&self, shop: &ShopId, lease: Lease, checkpoint: i64) {
        let inner = &self.handle.inner;
        let stop = inner.rounds.stopping().child_token();
        let (applied, wake) = self.handle.with_shop(shop, |state| {
            state.led = Some(stop.clone());
            (state.applied.clone(), Arc::clone(&state.wake))
        });
        let led = Led {
            database: inner.database.clone(),
            appender: self.appender.clone(),
            appended: self.appender.appended(shop),
            projection: Arc::clone(&self.projection),
            options: self.options.clone(),
            lease,
            applied,
            wake,
            stop,
            leaders: Arc::clone(&inner.leaders),
            meters: inner.meters.clone(),
        };
        tracing::info!(%shop, epoch = led.lease.epoch, checkpoint, "leads");
        let leading = tracing::error_span!("leader", %shop, epoch = led.lease.epoch);
        let leader = Leader::new(led, self.options.clone(), checkpoint);
        inner.leaders.fetch_add(1, Ordering::Relaxed);
        let leads = Leads { handle: self.handle.clone(), shop: shop.clone() };
        inner.rounds.spawn(async move {
            let _leads = leads;
            leader.run().instrument(leading).await;
        });
    }
}

/// Says that a shop is led by this process, for as long as its task runs, however that ends.
struct Leads {
    handle: RelayHandle,
    shop: ShopId,
}

impl Drop for Leads {
    fn drop(&mut self) {
        self.handle.with_shop(&self.shop, |state| state.led = None);
        self.handle.inner.leaders.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wakes the leaders when another process has appended. Losing it only costs time: everybody polls. What is not known to be
/// a shop is left to the supervisor, who finds new ones by himself.
async fn listen(handle: RelayHandle) {
    let stop = handle.inner.rounds.stopping().clone();
    let listening = event_log::listen(&handle.inner.database, |shop| handle.wake(&shop));
    stop.run_until_cancelled(listening).await;
}
