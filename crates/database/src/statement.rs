//! A query that is ready to be sent: by its name where sessions are ours, as a whole where a pooler lends them.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, RowStream};

use crate::{Client, Parameters};

/// A query that is ready to be sent over the sessions of one [`Database`](crate::Database). Its methods send at their
/// first poll, so that what is joined is sent together, and look at nothing else: not at what the session is at, nor at
/// what an error says of the server ([`Database::heed`](crate::Database::heed)).
#[derive(Clone, Debug)]
pub struct Statement(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Of this session.
    Named(tokio_postgres::Statement),
    /// Of none: parsed, planned and run in one message.
    Unnamed { text: String, types: Vec<Type> },
}

impl Statement {
    pub(crate) fn named(statement: tokio_postgres::Statement) -> Self {
        Self(Kind::Named(statement))
    }

    pub(crate) fn unnamed(text: String, types: Vec<Type>) -> Self {
        Self(Kind::Unnamed { text, types })
    }

    /// All rows.
    ///
    /// # Errors
    /// The driver's, as of all of these.
    pub async fn query(&self, client: &Client, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        match &self.0 {
            Kind::Named(statement) => client.raw().query(statement, parameters).await,
            Kind::Unnamed { text, types } => client.raw().query_typed(text, &typed(parameters, types)).await,
        }
    }

    /// The one row that there must be.
    pub async fn query_one(&self, client: &Client, parameters: Parameters<'_>) -> Result<Row, Error> {
        match &self.0 {
            Kind::Named(statement) => client.raw().query_one(statement, parameters).await,
            Kind::Unnamed { text, types } => {
                client.raw().query_typed_one(text, &typed(parameters, types)).await
            }
        }
    }

    /// The one row, if there is one.
    pub async fn query_opt(&self, client: &Client, parameters: Parameters<'_>) -> Result<Option<Row>, Error> {
        match &self.0 {
            Kind::Named(statement) => client.raw().query_opt(statement, parameters).await,
            Kind::Unnamed { text, types } => {
                client.raw().query_typed_opt(text, &typed(parameters, types)).await
            }
        }
    }

    /// The rows as they come.
    pub async fn stream(&self, client: &Client, parameters: Parameters<'_>) -> Result<RowStream, Error> {
        match &self.0 {
            Kind::Named(statement) => client.raw().query_raw(statement, parameters.iter().copied()).await,
            Kind::Unnamed { text, types } => {
                client.raw().query_typed_raw(text, typed(parameters, types)).await
            }
        }
    }

    /// How many rows were changed.
    pub async fn execute(&self, client: &Client, parameters: Parameters<'_>) -> Result<u64, Error> {
        match &self.0 {
            Kind::Named(statement) => client.raw().execute(statement, parameters).await,
            Kind::Unnamed { text, types } => {
                client.raw().execute_typed(text, &typed(parameters, types)).await
            }
        }
    }
}

fn typed<'a>(parameters: Parameters<'a>, types: &[Type]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    parameters.iter().copied().zip(types.iter().cloned()).collect()
}
