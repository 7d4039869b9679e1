//! Finds the sinks that are to run, takes the leases that are free, and keeps a worker for each.

use std::sync::Arc;
use std::time::Duration;

use database::sql;
use domain::ShopId;
use relay::{Leading, Lease, Rounds};
use tracing::Instrument as _;

use super::store::Sinks;
use super::worker::Worker;
use crate::{Error, Tail};

/// How sinks are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who delivers, for operators: the host and process.
    pub holder: String,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
    /// How often sinks and free leases are looked for.
    pub supervise: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            holder: "sinks".to_owned(),
            lease: Duration::from_secs(3),
            heartbeat: Duration::from_secs(1),
            supervise: Duration::from_millis(500),
        }
    }
}

/// The sinks that this process runs. Clones are the same.
#[derive(Clone, Debug)]
pub struct Running {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sinks: Sinks,
    tail: Tail,
    options: Options,
    led: Leading<(ShopId, String)>,
    rounds: Rounds,
}

impl Running {
    /// Starts; it works until it is stopped.
    #[must_use]
    pub fn start(sinks: Sinks, tail: Tail, options: Options) -> Self {
        let (led, rounds, every) = (Leading::default(), Rounds::default(), options.supervise);
        let running = Self { inner: Arc::new(Inner { sinks, tail, options, led, rounds }) };
        let looking = running.clone();
        running.inner.rounds.start(every, "the sinks cannot be looked through now", move || {
            let running = looking.clone();
            async move { running.take_free_leases().await }
        });
        running
    }

    /// Ends what is under way, releases the leases, and stops.
    pub async fn stop(&self) {
        self.inner.rounds.stop().await;
    }

    async fn take_free_leases(&self) -> Result<(), Error> {
        let rows = {
            let client = self.inner.sinks.database.client().await?;
            client.query(&sql::delivery::LIST_RUNNING_SINKS, &[]).await?
        };
        for row in rows {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            let (name, is_free): (String, bool) = (row.try_get("name")?, row.try_get("is_free")?);
            if is_free && !self.inner.led.contains(&(shop.clone(), name.clone())) {
                self.try_to_lead(shop, name).await?;
            }
        }
        Ok(())
    }

    async fn try_to_lead(&self, shop: ShopId, name: String) -> Result<(), Error> {
        let Inner { sinks, tail, options, led, rounds } = &*self.inner;
        let consumer = format!("sink:{name}");
        let acquired =
            Lease::acquire(&sinks.database, &shop, &consumer, &options.holder, options.lease).await?;
        let Some((lease, checkpoint)) = acquired else { return Ok(()) };
        let leads = led.begin((shop, name.clone()));
        let (sinks, tail, heartbeat, stop) =
            (sinks.clone(), tail.clone(), options.heartbeat, rounds.stopping().clone());
        let leading = tracing::error_span!("sink", shop = %lease.shop, sink = name);
        let work = async move {
            let _leads = leads;
            Worker::run(sinks, tail, name, lease, checkpoint, heartbeat, stop).await;
        };
        rounds.spawn(work.instrument(leading));
        Ok(())
    }
}
