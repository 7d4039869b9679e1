//! `run_tx`: the one way to run a transaction.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::{BoxFuture, Client, Database, Error, READ_COMMITTED, error};

/// How often a transaction that lost against another is run.
const MAX_ATTEMPTS: u32 = 6;

impl Database {
    /// Runs the closure in a READ COMMITTED transaction and commits when it returns `Ok`. The closure may run more than
    /// once: a transaction that lost against another is run again, a few times. It runs in a task of its own, so that a
    /// caller who goes away does not cancel it.
    ///
    /// [`Error::CommitUnknown`] means what it says. [`Error::abort`] hands a reason of the closure's own through.
    pub async fn run_tx<T, F>(&self, name: &'static str, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Client) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        let database = self.clone();
        let task = tokio::spawn(async move { database.run_with_retries(name, &work).await });
        match task.await {
            Ok(result) => result,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Unavailable("the process is stopping".to_owned())),
            },
        }
    }

    async fn run_with_retries<T, F>(&self, name: &'static str, work: &F) -> Result<T, Error>
    where
        F: for<'t> Fn(&'t Client) -> BoxFuture<'t, Result<T, Error>>,
    {
        let mut attempt = 1;
        loop {
            match self.run_once(work).await {
                Err(Error::Serialization(code)) if attempt < MAX_ATTEMPTS => {
                    tracing::debug!(transaction = name, attempt, code, "lost against another transaction");
                    tokio::time::sleep(pause(attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn run_once<T, F>(&self, work: &F) -> Result<T, Error>
    where
        F: for<'t> Fn(&'t Client) -> BoxFuture<'t, Result<T, Error>>,
    {
        let open = Open(Some(self.client().await?));
        let Some(client) = &open.0 else { return Err(Error::Unavailable("no session".to_owned())) };
        client.begin(READ_COMMITTED).await?;
        match work(client).await {
            Ok(value) => {
                if let Err(failed) = client.commit().await {
                    let error = commit_error(failed);
                    open.roll_back().await;
                    return Err(error);
                }
                open.close();
                Ok(value)
            }
            Err(error) => {
                open.roll_back().await;
                Err(error)
            }
        }
    }
}

/// A session with an open transaction. Dropped as it is, when the closure panics or the process stops, the session is
/// closed: it must not go back into the pool.
struct Open(Option<Client>);

impl Open {
    /// The transaction has ended: the session goes back.
    fn close(mut self) {
        self.0 = None;
    }

    async fn roll_back(self) {
        if let Some(client) = &self.0
            && client.roll_back().await.is_ok()
        {
            self.close();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            client.discard();
        }
    }
}

/// An answer of the server to COMMIT is a refusal, unless the server was stopping; no answer is no answer.
fn commit_error(failed: tokio_postgres::Error) -> Error {
    let refused = failed.as_db_error().is_some_and(|db| {
        let code = db.code().code();
        !(code.starts_with("57") || code.starts_with("08") || code.starts_with("58") || code == "40003")
    });
    if refused { failed.into() } else { Error::CommitUnknown(error::describe(&failed)) }
}

/// Doubles with each attempt, and is of random length, so that two losers do not meet again.
fn pause(attempt: u32) -> Duration {
    let most = 5_u64 << attempt.min(6);
    let random = RandomState::new().build_hasher().finish();
    Duration::from_millis(1 + random % most)
}
