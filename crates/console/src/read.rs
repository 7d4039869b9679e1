//! Reading for a page: with a session of the pool, by the service's own runtime.

use database::Client;

use crate::fault::Fault;
use crate::visit::Visit;

impl Visit {
    /// Reads with a session of the pool.
    pub(crate) async fn read<T, E, F>(
        &self,
        work: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        E: Send + 'static,
        Fault: From<E>,
        F: Future<Output = Result<T, E>> + Send,
    {
        let database = self.api.database.clone();
        let found = self.api.run(async move {
            let client = database.client().await.map_err(Broken::Database)?;
            work(client).await.map_err(Broken::Work)
        });
        match found.await? {
            Ok(found) => Ok(found),
            Err(Broken::Database(error)) => Err(error.into()),
            Err(Broken::Work(error)) => Err(error.into()),
        }
    }

    /// Does something by the service's own runtime.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        E: Send + 'static,
        Fault: From<E>,
    {
        Ok(self.api.run(work).await??)
    }
}

enum Broken<E> {
    Database(database::Error),
    Work(E),
}

/// A number of a query, between bounds.
pub(crate) fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok().filter(|number| *number >= 0)
}
