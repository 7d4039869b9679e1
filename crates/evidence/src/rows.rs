//! Evidence in the database. It is written with its fact, by the append; here it is read and destroyed.

use database::{Client, sql};

use crate::Error;

/// A piece of evidence as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Which key-encryption key wrapped its key, and the wrapped key; none once it was destroyed.
    pub key: Option<(String, Vec<u8>)>,
}

/// The evidence of the fact at this position; none when it has none.
///
/// # Errors
/// The database's.
pub async fn load(client: &Client, shop: &str, position: i64) -> Result<Option<Row>, Error> {
    let Some(row) = client.query_opt(&sql::evidence::LOAD_EVIDENCE, &[&shop, &position]).await? else {
        return Ok(None);
    };
    let get = |error: tokio_postgres::Error| Error::Database(error.into());
    let kek_id: Option<String> = row.try_get("kek_id").map_err(get)?;
    let wrapped_key: Option<Vec<u8>> = row.try_get("wrapped_key").map_err(get)?;
    Ok(Some(Row { sealed: row.try_get("sealed").map_err(get)?, key: kek_id.zip(wrapped_key) }))
}

/// A certificate that signed callbacks of the shop, DER, by its SHA-256.
///
/// # Errors
/// The database's.
pub async fn certificate(client: &Client, shop: &str, sha256: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let row = client.query_opt(&sql::evidence::FIND_CERTIFICATE, &[&shop, &sha256]).await?;
    let der = row.map(|row| row.try_get("der")).transpose();
    der.map_err(|error: tokio_postgres::Error| Error::Database(error.into()))
}

/// Those of the positions whose evidence has its key still, in order.
///
/// # Errors
/// The database's.
pub async fn list_keys(client: &Client, shop: &str, positions: &[i64]) -> Result<Vec<i64>, Error> {
    read_positions(&client.query(&sql::evidence::LIST_KEYS, &[&shop, &positions]).await?)
}

/// Destroys the keys of the evidence at these positions, and says which there were, in order. The service's role may not
/// do this: it is the owner's.
///
/// # Errors
/// The database's.
pub async fn destroy(client: &Client, shop: &str, positions: &[i64]) -> Result<Vec<i64>, Error> {
    let mut destroyed =
        read_positions(&client.query(&sql::evidence::DESTROY_KEYS, &[&shop, &positions]).await?)?;
    destroyed.sort_unstable();
    Ok(destroyed)
}

fn read_positions(rows: &[tokio_postgres::Row]) -> Result<Vec<i64>, Error> {
    let positions: Result<Vec<i64>, tokio_postgres::Error> =
        rows.iter().map(|row| row.try_get("position")).collect();
    positions.map_err(|error| Error::Database(error.into()))
}
