//! What is done for a guard once a second: what it remembers is written down, and logs that had forked are looked at again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use domain::ShopId;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Error, Guard, Point, StateFileError, StateFiles};

const EVERY: Duration = Duration::from_secs(1);

/// Keeps a guard. Dropped, it ends without a last word.
#[derive(Debug)]
pub struct Keeping {
    inner: Arc<Inner>,
    stop: CancellationToken,
    _guard: DropGuard,
}

#[derive(Debug)]
struct Inner {
    guard: Guard,
    database: Database,
    files: Option<StateFiles>,
    written: Mutex<HashMap<ShopId, Point>>,
}

impl Keeping {
    /// Tells the guard what the files say, compares the logs of all shops once, and goes on from there. A log that has
    /// forked is told in the log of the service and by [`Guard::forks`].
    ///
    /// # Errors
    /// A state file that cannot be read; the database's.
    pub async fn start(
        guard: Guard,
        database: Database,
        mut files: Option<StateFiles>,
    ) -> Result<Self, KeepingError> {
        if let Some(files) = &mut files {
            files.recall(&guard)?;
            files.set_system_identifier(system_identifier(&database).await);
        }
        guard.check_all(&database).await?;
        let inner = Arc::new(Inner { guard, database, files, written: Mutex::default() });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(keep(Arc::clone(&inner))));
        Ok(Self { inner, _guard: stop.clone().drop_guard(), stop })
    }

    /// Writes down what is remembered now, and ends: when nothing is appended any more.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.inner.write().await;
    }
}

/// Why a guard cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepingError {
    /// What an earlier process remembered.
    #[error(transparent)]
    StateFile(#[from] StateFileError),
    /// The database.
    #[error(transparent)]
    Log(#[from] Error),
}

async fn keep(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(EVERY).await;
        inner.write().await;
        if let Err(error) = inner.guard.check_forked(&inner.database).await {
            tracing::debug!(%error, "a log that has forked cannot be looked at now");
        }
    }
}

impl Inner {
    async fn write(&self) {
        let Some(files) = &self.files else { return };
        let mut written = self.written.lock().await;
        for (shop, point) in self.guard.remembered() {
            if written.get(&shop) == Some(&point) {
                continue;
            }
            let (files, of) = (files.clone(), shop.clone());
            match spawn_blocking(move || files.write(&of, &point)).await {
                Ok(Ok(())) => {
                    written.insert(shop, point);
                }
                Ok(Err(error)) => tracing::error!(%shop, %error, "what is remembered is not written down"),
                Err(error) => tracing::error!(%shop, %error, "what is remembered is not written down"),
            }
        }
    }
}

/// Which server it is, where it says so.
async fn system_identifier(database: &Database) -> Option<String> {
    let client = database.client().await.ok()?;
    let row = client.query_one(&sql::event_log::READ_SYSTEM_IDENTIFIER, &[]).await.ok()?;
    row.try_get(0).ok()
}
