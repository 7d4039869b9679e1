//! Work that nobody else should wait for.

use tokio::task::spawn_blocking;

use crate::Error;

/// Works with many rows or files on a thread of their own: a service may wait for it, and answers others meanwhile.
pub(crate) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|error| Error::Failed(error.to_string()))?
}
