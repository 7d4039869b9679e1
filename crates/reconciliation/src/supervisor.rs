//! Finds the shops that have an account at PayPal, takes the leases that are free, and keeps a worker for each.

use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use intake::Intake;
use relay::{Leading, Lease, Rounds};

use crate::events::OVERLAP_LEAST;
use crate::patience::Patience;
use crate::worker::Worker;
use crate::{Accounts, CONSUMER, Error};

/// How often, and how much.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who does it, for operators: the host and process.
    pub holder: String,
    /// How long after the last listing of PayPal's events the next one begins.
    pub every: Duration,
    /// How far before the cursor a listing begins; an hour at least.
    pub overlap: Duration,
    /// The most pages that are read of one window of time.
    pub pages_max: usize,
    /// How often captures that await confirmation are looked for.
    pub poll: Duration,
    /// How often orders are looked for that are to be looked up.
    pub lookups_every: Duration,
    /// At which ages of an unpaid order it is looked up.
    pub lookup_ages: Vec<Duration>,
    /// How long before its hold ends an order is looked up once more.
    pub before_hold_ends: Duration,
    /// The most captures, and the most orders, that PayPal is asked about in one turn.
    pub turn_max: usize,
    /// How often PayPal is asked the same before a run ends, and between which pauses.
    pub tries: u32,
    /// The pauses between, doubling.
    pub pauses: (Duration, Duration),
    /// The pauses between runs that failed, doubling.
    pub backoff: (Duration, Duration),
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
    /// How often free leases are looked for.
    pub supervise: Duration,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(holder: String) -> Self {
        Self {
            holder,
            every: Duration::from_secs(300),
            overlap: OVERLAP_LEAST,
            pages_max: 100,
            poll: Duration::from_secs(1),
            lookups_every: Duration::from_secs(30),
            lookup_ages: [600, 3_600, 86_400].map(Duration::from_secs).to_vec(),
            before_hold_ends: Duration::from_secs(120),
            turn_max: 50,
            tries: 4,
            pauses: (Duration::from_millis(500), Duration::from_secs(10)),
            backoff: (Duration::from_secs(2), Duration::from_secs(300)),
            lease: Duration::from_secs(10),
            heartbeat: Duration::from_secs(3),
            supervise: Duration::from_secs(1),
        }
    }
}

/// Asks PayPal and hands over to the intake what it finds. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    pub(crate) database: Database,
    pub(crate) intake: Intake,
    pub(crate) accounts: Accounts,
    pub(crate) options: Arc<Options>,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl Reconciler {
    /// One over a database, its intake, and the accounts of its shops.
    #[must_use]
    pub fn new(database: Database, intake: Intake, accounts: Accounts, options: Options) -> Self {
        let options = Options { overlap: options.overlap.max(OVERLAP_LEAST), ..options };
        Self { database, intake, accounts, options: Arc::new(options) }
    }

    pub(crate) fn patience(&self) -> Patience {
        // A lease is kept meanwhile, but a run that stands still for minutes tells nobody why.
        let most = Duration::from_secs(30);
        Patience { tries: self.options.tries, pauses: self.options.pauses, most }
    }
}

/// The shops that this process reconciles. Clones are the same.
#[derive(Clone, Debug)]
pub struct Reconciling {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    reconciler: Reconciler,
    led: Leading<ShopId>,
    rounds: Rounds,
}

impl Reconciling {
    /// Starts; it works until it is stopped.
    #[must_use]
    pub fn start(reconciler: Reconciler) -> Self {
        let (led, rounds, every) = (Leading::default(), Rounds::default(), reconciler.options.supervise);
        let reconciling = Self { inner: Arc::new(Inner { reconciler, led, rounds }) };
        let looking = reconciling.clone();
        let why = "the shops cannot be looked through for reconciliation now";
        reconciling.inner.rounds.start(every, why, move || {
            let reconciling = looking.clone();
            async move { reconciling.take_free_leases().await }
        });
        reconciling
    }

    /// Ends what is under way, releases the leases, and stops.
    pub async fn stop(&self) {
        self.inner.rounds.stop().await;
    }

    async fn take_free_leases(&self) -> Result<(), Error> {
        let reconciler = &self.inner.reconciler;
        let rows = {
            let client = reconciler.database.client().await?;
            client.query(&sql::relay::LIST_SHOPS, &[&CONSUMER]).await?
        };
        for row in rows {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            let has_account = reconciler.accounts.get(&shop).is_some();
            if has_account && row.try_get("is_free")? && !self.inner.led.contains(&shop) {
                self.try_to_lead(shop).await?;
            }
        }
        Ok(())
    }

    async fn try_to_lead(&self, shop: ShopId) -> Result<(), Error> {
        let Inner { reconciler, led, rounds } = &*self.inner;
        let Options { holder, lease, .. } = &*reconciler.options;
        let acquired = Lease::acquire(&reconciler.database, &shop, CONSUMER, holder, *lease).await?;
        let Some((lease, _)) = acquired else { return Ok(()) };
        let leads = led.begin(shop);
        let worker = Worker::new(reconciler.clone(), lease, rounds.stopping().clone());
        rounds.spawn(async move {
            let _leads = leads;
            worker.run().await;
        });
        Ok(())
    }
}
