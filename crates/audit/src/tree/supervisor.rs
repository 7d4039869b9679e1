//! Finds the shops, takes the leases that are free, and keeps a worker for each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use event_log::Appender;
use relay::{Lease, Rounds};
use tokio::time::Instant;

use super::worker::{Ended, Worker};
use super::{CONSUMER, Error, Origin};

/// How trees are grown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who does, for operators: the host and process.
    pub holder: String,
    /// What the logs are called.
    pub origin: Origin,
    /// The file with the keys, read anew whenever a shop is led.
    pub key_file: PathBuf,
    /// How long after the last integration the next one begins, where it was not full.
    pub every: Duration,
    /// The most events that one integration takes.
    pub batch: usize,
    /// How long after the last publication the next one may be.
    pub publish_every: Duration,
    /// How often events are looked for that nobody told of.
    pub poll: Duration,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
    /// How often shops and free leases are looked for.
    pub supervise: Duration,
    /// How long a shop whose tree must not grow is left to others, who may have the right key.
    pub refused_for: Duration,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(holder: String, origin: Origin, key_file: PathBuf) -> Self {
        Self {
            holder,
            origin,
            key_file,
            every: Duration::from_millis(100),
            batch: 5_000,
            publish_every: Duration::from_secs(1),
            poll: Duration::from_millis(500),
            lease: Duration::from_secs(3),
            heartbeat: Duration::from_secs(1),
            supervise: Duration::from_millis(500),
            refused_for: Duration::from_secs(10),
        }
    }
}

/// The trees that this process grows. Clones are the same.
#[derive(Clone, Debug)]
pub struct Growing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    appender: Appender,
    options: Options,
    shops: Mutex<HashMap<ShopId, Standing>>,
    rounds: Rounds,
}

/// What this process does with a shop's tree.
#[derive(Debug)]
enum Standing {
    Led,
    /// It must not grow by what this process has and knows: another try then.
    Refused(Instant),
}

impl Growing {
    /// Starts; it works until it is stopped.
    #[must_use]
    pub fn start(database: Database, appender: Appender, options: Options) -> Self {
        let (shops, rounds, every) = (Mutex::default(), Rounds::default(), options.supervise);
        let growing = Self { inner: Arc::new(Inner { database, appender, options, shops, rounds }) };
        let looking = growing.clone();
        growing.inner.rounds.start(every, "the trees cannot be looked through now", move || {
            let growing = looking.clone();
            async move { growing.take_free_leases().await }
        });
        growing
    }

    /// Ends what is under way, releases the leases, and stops.
    pub async fn stop(&self) {
        self.inner.rounds.stop().await;
    }

    async fn take_free_leases(&self) -> Result<(), Error> {
        let rows = {
            let client = self.inner.database.client().await?;
            client.query(&sql::relay::LIST_SHOPS, &[&CONSUMER]).await?
        };
        for row in rows {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            if row.try_get("is_free")? && self.may_lead(&shop) {
                self.try_to_lead(shop).await?;
            }
        }
        Ok(())
    }

    fn may_lead(&self, shop: &ShopId) -> bool {
        match self.shops().get(shop) {
            None => true,
            Some(Standing::Led) => false,
            Some(Standing::Refused(until)) => Instant::now() >= *until,
        }
    }

    async fn try_to_lead(&self, shop: ShopId) -> Result<(), Error> {
        let Inner { database, appender, options, rounds, .. } = &*self.inner;
        let acquired = Lease::acquire(database, &shop, CONSUMER, &options.holder, options.lease).await?;
        let Some((lease, _)) = acquired else { return Ok(()) };
        self.shops().insert(shop.clone(), Standing::Led);
        let leads = Leads { growing: self.clone(), shop, refused: false };
        let stop = rounds.stopping().clone();
        let worker = Worker::new(database.clone(), appender.clone(), options.clone(), lease, stop);
        rounds.spawn(async move {
            let mut leads = leads;
            leads.refused = worker.run().await == Ended::Refused;
        });
        Ok(())
    }

    fn shops(&self) -> MutexGuard<'_, HashMap<ShopId, Standing>> {
        // A panic elsewhere leaves the map whole: each change of it is one step.
        self.inner.shops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a shop's tree is grown by this process, for as long as its task runs, however that ends.
struct Leads {
    growing: Growing,
    shop: ShopId,
    refused: bool,
}

impl Drop for Leads {
    fn drop(&mut self) {
        let mut shops = self.growing.shops();
        if self.refused {
            let until = Instant::now() + self.growing.inner.options.refused_for;
            shops.insert(self.shop.clone(), Standing::Refused(until));
        } else {
            shops.remove(&self.shop);
        }
    }
}
