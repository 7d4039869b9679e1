//! Tells other processes that a log has grown. Only a hint: whoever misses it polls.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use tokio::sync::Notify;

/// Between two notifications. NOTIFY takes a lock of the whole cluster at its commit, so under load it must not come with
/// every batch.
const PAUSE: Duration = Duration::from_millis(5);
/// Before a lost session is opened again: everybody polls meanwhile.
const AGAIN: Duration = Duration::from_secs(1);

/// The channel to LISTEN on; the payload is the shop's id.
#[must_use]
pub fn channel(database: &Database) -> String {
    format!("{}_appended", database.schema())
}

/// Says each shop whose log another process tells of, for ever: a session that is lost is opened again. Every login of the
/// database may notify, of whatever it likes: a name that is said need not be a shop's. Behind a pooler nobody can listen:
/// nothing is said, and everybody polls.
pub async fn listen(database: &Database, mut told: impl FnMut(ShopId) + Send) {
    if database.is_pooled() {
        return std::future::pending().await;
    }
    loop {
        let ended = listen_once(database, &mut told).await;
        tracing::debug!(?ended, "listens no more: will try again");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen_once(
    database: &Database,
    told: &mut (impl FnMut(ShopId) + Send),
) -> Result<(), database::Error> {
    let (client, mut notifications) = database.dedicated().await?;
    client.batch_execute(&format!("LISTEN \"{}\"", channel(database))).await?;
    while let Some(notification) = notifications.recv().await {
        if let Ok(shop) = ShopId::parse(&notification.payload) {
            told(shop);
        }
    }
    Ok(())
}

/// Collects shops whose log has grown, and notifies of them in a statement of its own, which no append waits for.
pub(crate) struct Notifier {
    channel: String,
    shops: Mutex<BTreeSet<String>>,
    woken: Notify,
}

impl Notifier {
    pub(crate) fn new(database: &Database) -> Self {
        Self { channel: channel(database), shops: Mutex::default(), woken: Notify::new() }
    }

    pub(crate) fn wake(&self, shop: &ShopId) {
        let new = self.shops().insert(shop.as_str().to_owned());
        if new {
            self.woken.notify_one();
        }
    }

    pub(crate) async fn run(self: std::sync::Arc<Self>, database: Database) {
        loop {
            self.woken.notified().await;
            let shops: Vec<String> = std::mem::take(&mut *self.shops()).into_iter().collect();
            if let Err(error) = self.notify(&database, &shops).await {
                tracing::debug!(%error, "no notification; others find out by polling");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn notify(&self, database: &Database, shops: &[String]) -> Result<(), database::Error> {
        database.client().await?.query(&sql::event_log::NOTIFY_APPENDED, &[&self.channel, &shops]).await?;
        Ok(())
    }

    fn shops(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.shops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
