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

/// Destroys the keys of the evidence at these positions, and says how many there were. The service's role may not do
/// this: it is the owner's.
///
/// # Errors
/// The database's.
pub async fn destroy(client: &Client, shop: &str, positions: &[i64]) -> Result<u64, Error> {
    Ok(client.execute(&sql::evidence::DESTROY_KEYS, &[&shop, &positions]).await?)
}
