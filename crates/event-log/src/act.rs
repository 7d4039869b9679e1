//! What an operator does to what stands beside the log, and the note that says who did it and why: both, or neither.

use std::sync::Arc;

use aws_lc_rs::rand;
use database::{Client, Database, Query};
use domain::{Key, ShopId};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::note::{append_note, record_note};
use crate::{Error, Guard, NewNote, NoteType, NotedAt, SealedEvidence};

/// Who does something, and why.
#[derive(Clone, Debug)]
pub struct Operator {
    /// By which the note is appended. Without it nothing is noted: an append must know that the log is the one that it was.
    pub guard: Option<Guard>,
    /// An API key's id, or an opaque name: it stands in the log for ever.
    pub by: String,
    /// A free text, sealed: it may name people.
    pub reason: Option<Arc<SealedEvidence>>,
}

impl Operator {
    /// One who gives no reason, and remembers nothing of the log.
    #[must_use]
    pub fn named(by: &str) -> Self {
        Self { guard: Some(Guard::default()), by: by.to_owned(), reason: None }
    }

    /// The same, of whom nothing is noted.
    #[must_use]
    pub fn unnoted(self) -> Self {
        Self { guard: None, ..self }
    }

    /// Notes what was done without a statement: what was read, or looked at.
    ///
    /// # Errors
    /// As [`record_note`], and where nothing may be noted.
    pub async fn note(
        &self,
        database: &Database,
        shop: &ShopId,
        kind: NoteType,
        key: Key,
        data: Value,
    ) -> Result<NotedAt, Error> {
        let Some(guard) = &self.guard else {
            return Err(Error::Note("it is not known whether the log is the one that it was".to_owned()));
        };
        let Self { by, reason, .. } = self.clone();
        let note = NewNote { kind, key, by, id: some_id()?, data, evidence: reason };
        record_note(guard, database, shop, note).await
    }
}

/// One statement that changes something, and what the log says of it. The statement returns one row, or none where there
/// was nothing to do.
pub struct Act {
    kind: NoteType,
    data: Value,
    query: &'static Query,
    parameters: Vec<Box<dyn ToSql + Send + Sync>>,
    /// Whether it is done also where it cannot be noted.
    is_urgent: bool,
}

impl Act {
    /// A statement, and the note's type and data: never personal ones.
    #[must_use]
    pub fn new(query: &'static Query, kind: NoteType, data: Value) -> Self {
        Self { kind, data, query, parameters: Vec::new(), is_urgent: false }
    }

    /// The statement's next parameter.
    #[must_use]
    pub fn with(mut self, parameter: impl ToSql + Send + Sync + 'static) -> Self {
        self.parameters.push(Box::new(parameter));
        self
    }

    /// It is done also where it cannot be noted, as in a log that has forked: what only takes rights away, or stops
    /// something, must not wait until a log is mended.
    #[must_use]
    pub fn urgent(mut self) -> Self {
        self.is_urgent = true;
        self
    }

    /// Does it and notes it, and gives what the statement returned. Where there was nothing to do, nothing is noted.
    ///
    /// # Errors
    /// The database's; no such shop; a log that has forked: what cannot be told is not done, unless it is urgent.
    pub async fn carry_out(
        self,
        database: &Database,
        shop: &ShopId,
        operator: &Operator,
    ) -> Result<Option<Row>, Error> {
        let Operator { guard, by, reason } = operator.clone();
        let (kind, is_urgent) = (self.kind, self.is_urgent);
        let note = NewNote {
            kind,
            key: Key::Shop(shop.clone()),
            by,
            id: some_id()?,
            data: self.data,
            evidence: reason,
        };
        let change = Arc::new(Change { query: self.query, parameters: self.parameters });
        let Some(guard) = guard else { return change.alone(database).await };
        match change.noted(database, shop, &guard, note).await {
            // It may be done.
            Err(error @ Error::Database(database::Error::CommitUnknown(_))) => Err(error),
            Err(error) if is_urgent => {
                let done = change.alone(database).await?;
                if done.is_some() {
                    tracing::error!(%shop, what = kind.name(), %error, "it is done, and cannot be noted in the log");
                }
                Ok(done)
            }
            done => done,
        }
    }
}

struct Change {
    query: &'static Query,
    parameters: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Change {
    async fn send(&self, client: &Client) -> Result<Option<Row>, database::Error> {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            self.parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
        client.query_opt(self.query, &parameters).await
    }

    async fn alone(&self, database: &Database) -> Result<Option<Row>, Error> {
        Ok(self.send(&database.client().await?).await?)
    }

    async fn noted(
        self: &Arc<Self>,
        database: &Database,
        shop: &ShopId,
        guard: &Guard,
        note: NewNote,
    ) -> Result<Option<Row>, Error> {
        let shared = Arc::new((Arc::clone(self), guard.clone(), shop.clone(), note));
        let done = database.run_tx("act and note", move |client| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (change, guard, shop, note) = &*shared;
                // Nothing is locked while logs are compared.
                guard.check(client, shop).await.map_err(Error::abort)?;
                let Some(row) = change.send(client).await? else { return Ok(None) };
                let noted = append_note(guard, client, shop, note).await.map_err(Error::abort)?;
                Ok(Some((row, noted)))
            })
        });
        let Some((row, noted)) = done.await? else { return Ok(None) };
        noted.remember(guard, shop);
        Ok(Some(row))
    }
}

/// The same done twice is two acts, and each is told: nothing that they have says which is which.
fn some_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).map_err(|_| Error::Note("the system has no randomness".to_owned()))?;
    Ok(hex::encode(bytes))
}
