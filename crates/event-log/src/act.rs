//! What an operator does to what stands beside the log, and the note that says who did it and why: both, or neither.

use std::sync::Arc;

use aws_lc_rs::rand;
use database::{Database, Query};
use domain::{Key, ShopId};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::note::append_note;
use crate::{Error, Guard, NewNote, NoteType, SealedEvidence};

/// Who does something, and why.
#[derive(Clone, Debug)]
pub struct Operator {
    /// By which the note is appended.
    pub guard: Guard,
    /// An API key's id, or an opaque name: it stands in the log for ever.
    pub by: String,
    /// A free text, sealed: it may name people.
    pub reason: Option<Arc<SealedEvidence>>,
}

impl Operator {
    /// One who gives no reason, and remembers nothing of the log.
    #[must_use]
    pub fn named(by: &str) -> Self {
        Self { guard: Guard::default(), by: by.to_owned(), reason: None }
    }
}

/// One statement that changes something, and what the log says of it. The statement returns one row, or none where there
/// was nothing to do.
pub struct Act {
    kind: NoteType,
    data: Value,
    query: &'static Query,
    parameters: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Act {
    /// A statement, and the note's type and data: never personal ones.
    #[must_use]
    pub fn new(query: &'static Query, kind: NoteType, data: Value) -> Self {
        Self { kind, data, query, parameters: Vec::new() }
    }

    /// The statement's next parameter.
    #[must_use]
    pub fn with(mut self, parameter: impl ToSql + Send + Sync + 'static) -> Self {
        self.parameters.push(Box::new(parameter));
        self
    }

    /// Does it and notes it, and gives what the statement returned. Where there was nothing to do, nothing is noted.
    ///
    /// # Errors
    /// The database's; no such shop; a log that has forked: what cannot be told is not done.
    pub async fn carry_out(
        self,
        database: &Database,
        shop: &ShopId,
        operator: &Operator,
    ) -> Result<Option<Row>, Error> {
        let Operator { guard, by, reason } = operator.clone();
        let note = NewNote {
            kind: self.kind,
            key: Key::Shop(shop.clone()),
            by,
            id: some_id()?,
            data: self.data,
            evidence: reason,
        };
        let shared = Arc::new((guard, shop.clone(), note, self.query, self.parameters));
        let done = database.run_tx("act and note", move |client| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (guard, shop, note, query, parameters) = &*shared;
                let parameters: Vec<&(dyn ToSql + Sync)> =
                    parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
                let Some(row) = client.query_opt(query, &parameters).await? else { return Ok(None) };
                append_note(guard, client, shop, note).await.map_err(Error::abort)?;
                Ok(Some(row))
            })
        });
        Ok(done.await?)
    }
}

/// The same done twice is two acts, and each is told: nothing that they have says which is which.
fn some_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).map_err(|_| Error::Note("the system has no randomness".to_owned()))?;
    Ok(hex::encode(bytes))
}
