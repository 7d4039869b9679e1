//! Reconciles one shop for as long as its lease is not lost.

use std::collections::HashMap;
use std::time::Duration;

use database::sql;
use paypal::rest::Client;
use relay::{Lease, backoff};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::{self, Tally};
use crate::{Error, Reconciler};

/// So many captures that cannot be told yet are remembered, with when they are asked about again.
const DEFERRED_MAX: usize = 10_000;
/// Between two questions about the same capture, doubling.
const DEFERRED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(600));

pub(crate) struct Worker {
    reconciler: Reconciler,
    lease: Lease,
    stop: CancellationToken,
    /// When each of the parts is due.
    list_at: Instant,
    look_up_at: Instant,
    deferred: HashMap<String, (u32, Instant)>,
    failures: u32,
    /// Whether a failure was told, which stands until a run ends well.
    is_told: bool,
}

impl Worker {
    pub(crate) fn new(reconciler: Reconciler, lease: Lease, stop: CancellationToken) -> Self {
        let now = Instant::now();
        Self {
            reconciler,
            lease,
            stop,
            list_at: now,
            look_up_at: now,
            deferred: HashMap::new(),
            failures: 0,
            is_told: true,
        }
    }

    /// Works until it is stopped or has lost the lease.
    pub(crate) async fn run(mut self) {
        let (shop, epoch) = (self.lease.shop.clone(), self.lease.epoch);
        let (database, lease, stop) =
            (self.reconciler.database.clone(), self.lease.clone(), self.stop.clone());
        tracing::info!(%shop, epoch, "reconciles with PayPal");
        let heartbeat = self.reconciler.options.heartbeat;
        let renewed = async {
            loop {
                sleep(heartbeat).await;
                match lease.renew(&database).await {
                    Err(relay::Error::LeaseLost) => return,
                    Err(error) => tracing::debug!(%error, "the lease of the reconciliation was not renewed"),
                    Ok(()) => {}
                }
            }
        };
        tokio::select! {
            () = self.work() => lease.release(&database).await,
            // What is under way is left: all of it may be done twice.
            () = stop.cancelled() => lease.release(&database).await,
            () = renewed => tracing::warn!(%shop, epoch, "has lost the lease of the reconciliation"),
        }
    }

    /// Turn after turn; ends only where the shop has no account any more.
    async fn work(&mut self) {
        let shop = self.lease.shop.clone();
        let Some(client) = self.reconciler.accounts.get(&shop).map(|account| account.client.clone()) else {
            return;
        };
        loop {
            let mut tally = Tally::default();
            let turned = self.turn(&client, &mut tally).await;
            let pause = match &turned {
                Ok(_) => {
                    self.failures = 0;
                    self.reconciler.options.poll
                }
                Err(error) => {
                    tracing::warn!(%shop, %error, "PayPal cannot be reconciled with now: will try again");
                    let pause = backoff(self.failures, self.reconciler.options.backoff);
                    self.failures = self.failures.saturating_add(1);
                    pause.max(error.retry_after().unwrap_or_default())
                }
            };
            self.tell(turned, tally).await;
            sleep(pause).await;
        }
    }

    /// Does what is due; whether that was a whole run. One part that fails does not keep the others from their turn.
    async fn turn(&mut self, client: &Client, tally: &mut Tally) -> Result<bool, Error> {
        let now = Instant::now();
        let shop = self.reconciler.intake.shop(&self.lease.shop).await.map_err(Error::Shop)?;
        let confirmed = self.confirm(&shop, client, tally).await;
        let mut listed = Ok(());
        let is_run = now >= self.list_at;
        if is_run {
            listed = self.reconciler.list_events(&self.lease, &shop, client).await;
            if listed.is_ok() {
                self.list_at = now + self.reconciler.options.every;
            }
        }
        let mut looked_up = Ok(());
        if now >= self.look_up_at {
            looked_up = self.look_up(&shop, client, tally).await;
            if looked_up.is_ok() {
                self.look_up_at = now + self.reconciler.options.lookups_every;
            }
        }
        confirmed.and(listed).and(looked_up).map(|()| is_run)
    }

    async fn confirm(
        &mut self,
        shop: &intake::Shop,
        client: &Client,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let most = self.reconciler.options.turn_max;
        let (mut after, mut asked) = (String::new(), 0);
        loop {
            let page = self.reconciler.awaiting(&shop.id, &after, 500).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.capture.to_string();
            for awaiting in &page {
                let id = awaiting.capture.as_str();
                let is_deferred = self.deferred.get(id).is_some_and(|(_, until)| Instant::now() < *until);
                if is_deferred || asked == most {
                    continue;
                }
                asked += 1;
                // Until the relay has decided what was said, it is not asked about again; nor is one that cannot be told
                // yet, or that PayPal will say nothing about, before all others.
                self.defer(id);
                self.reconciler.confirm(shop, client, awaiting, tally).await?;
            }
            if asked == most {
                return Ok(());
            }
        }
    }

    fn defer(&mut self, id: &str) {
        if self.deferred.len() >= DEFERRED_MAX {
            let now = Instant::now();
            self.deferred.retain(|_, (_, until)| *until > now);
        }
        let times = self.deferred.get(id).map_or(0, |(times, _)| times + 1);
        self.deferred.insert(id.to_owned(), (times, Instant::now() + backoff(times, DEFERRED)));
    }

    async fn look_up(
        &mut self,
        shop: &intake::Shop,
        client: &Client,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let options = &self.reconciler.options;
        let seconds = |time: &Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let ages: Vec<i64> = options.lookup_ages.iter().map(seconds).collect();
        let limit = i64::try_from(options.turn_max).unwrap_or(i64::MAX);
        let before_end = seconds(&options.before_hold_ends);
        let database = &self.reconciler.database;
        let due = store::due_orders(&database.client().await?, &shop.id, &ages, before_end, limit).await?;
        for order in due {
            match self.reconciler.look_up(shop, client, &order).await {
                // One that PayPal says nothing of keeps nobody from the others.
                Ok(_) | Err(Error::UnknownOrder | Error::NotAtPaypal) => tally.looked_up += 1,
                Err(Error::Paypal(error)) if !error.is_passing() => {
                    tracing::warn!(shop = %shop.id, %order, %error, "an order cannot be looked up at PayPal");
                }
                Err(error) => return Err(error),
            }
            store::note_lookup(&database.client().await?, &shop.id, &order).await?;
        }
        if tally.looked_up > 0 {
            let client = database.client().await?;
            client.execute(&sql::reconciliation::PRUNE_LOOKUPS, &[&shop.id.as_str()]).await?;
        }
        Ok(())
    }

    /// Tells operators, where there is something to tell.
    async fn tell(&mut self, turned: Result<bool, Error>, tally: Tally) {
        let did = tally.confirmed + tally.refuted + tally.looked_up > 0;
        let error = turned.as_ref().err().map(ToString::to_string);
        if matches!(turned, Ok(false)) && !did && !self.is_told {
            return;
        }
        let told = async {
            let client = self.reconciler.database.client().await?;
            store::record_run(&client, &self.lease.shop, error.as_deref(), tally).await
        };
        match told.await {
            Ok(()) => self.is_told = error.is_some(),
            Err(error) => tracing::debug!(%error, "how the reconciliation gets on was not recorded"),
        }
    }
}
