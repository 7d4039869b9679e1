//! Tells who waits when a log has grown: at once what this process appends or is notified of, and within a poll the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database::{Database, sql};
use domain::{Position, ShopId};
use event_log::Appender;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Error;

/// How late it is known at most, when a notification is lost. The poll is one small statement for all who wait.
const POLL: Duration = Duration::from_millis(250);
/// Between two looks that notifications ask for.
const PAUSE: Duration = Duration::from_millis(2);

/// The ends of the shops' logs. Clones are the same one; the last one dropped ends it.
#[derive(Clone)]
pub struct Tail {
    inner: Arc<Inner>,
    _guard: Arc<DropGuard>,
}

struct Inner {
    database: Database,
    appender: Appender,
    heads: Mutex<HashMap<ShopId, watch::Sender<i64>>>,
    grown: Notify,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

impl Tail {
    /// Starts it, within a runtime.
    #[must_use]
    pub fn start(database: Database, appender: Appender) -> Self {
        let inner = Arc::new(Inner { database, appender, heads: Mutex::default(), grown: Notify::new() });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(poll(inner.clone())));
        tokio::spawn(stop.clone().run_until_cancelled_owned(listen(inner.clone())));
        Self { inner, _guard: Arc::new(stop.drop_guard()) }
    }

    /// Returns when the shop's log may have grown beyond a position. It may come back too early; it never misses anything
    /// for longer than a poll.
    pub async fn grown(&self, shop: &ShopId, beyond: Position) {
        let mut appended = self.inner.appender.appended(shop);
        let mut head =
            self.inner.heads().entry(shop.clone()).or_insert_with(|| watch::Sender::new(-1)).subscribe();
        let is_beyond = |head: &i64| *head > beyond.0;
        tokio::select! {
            _ = appended.wait_for(is_beyond) => {}
            _ = head.wait_for(is_beyond) => {}
        }
    }
}

impl Inner {
    fn heads(&self) -> MutexGuard<'_, HashMap<ShopId, watch::Sender<i64>>> {
        // A panic elsewhere leaves the map whole: each change of it is one step.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks where the logs end that somebody waits for.
    async fn look(&self) -> Result<(), Error> {
        let shops: Vec<String> = {
            let mut heads = self.heads();
            heads.retain(|_, head| head.receiver_count() > 0);
            heads.keys().map(|shop| shop.as_str().to_owned()).collect()
        };
        if shops.is_empty() {
            return Ok(());
        }
        let rows = self.database.client().await?.query(&sql::delivery::READ_HEADS, &[&shops]).await?;
        let heads = self.heads();
        for row in rows {
            let position: i64 = row.try_get("position")?;
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            if let Some(head) = heads.get(&shop) {
                head.send_if_modified(|known| std::mem::replace(known, position) != position);
            }
        }
        Ok(())
    }
}

async fn poll(inner: Arc<Inner>) {
    loop {
        if let Err(error) = inner.look().await {
            tracing::debug!(%error, "the ends of the logs cannot be read now");
            tokio::time::sleep(POLL).await;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = inner.grown.notified() => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn listen(inner: Arc<Inner>) {
    let told = |shop| {
        // Whoever waits for this shop is told by the next look.
        if inner.heads().contains_key(&shop) {
            inner.grown.notify_one();
        }
    };
    event_log::listen(&inner.database, told).await;
}
