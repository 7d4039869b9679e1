//! The session of one batch, which must not go back into the pool with its transaction open.

use database::{Client, Database};

use crate::Error;

/// A session whose transaction is open. Dropped as it is, the session is closed.
pub(crate) struct Open(Option<Client>);

impl Open {
    pub(crate) async fn take(database: &Database) -> Result<Self, Error> {
        Ok(Self(Some(database.client().await?)))
    }

    pub(crate) fn client(&self) -> Result<&Client, Error> {
        let gone = || database::Error::Unavailable("the session is closed".to_owned());
        Ok(self.0.as_ref().ok_or_else(gone)?)
    }

    /// Sends COMMIT. An error says nothing about what happened: the checkpoint does.
    pub(crate) async fn send_commit(&self) -> Result<(), Error> {
        Ok(self.client()?.commit().await?)
    }

    /// The transaction has ended: the session goes back into the pool.
    pub(crate) fn end(mut self) {
        self.0 = None;
    }

    pub(crate) async fn roll_back(mut self) {
        if let Some(client) = &self.0
            && client.roll_back().await.is_ok()
        {
            self.0 = None;
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
