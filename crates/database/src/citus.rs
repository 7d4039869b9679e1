//! Spreads the shops over the nodes of a Citus cluster: the schema stays as it is, and every table is distributed by the shop.

use secrecy::SecretString;
use tokio_postgres::Client;

use crate::migrate::{in_one_transaction, named, session_of_the_owner};
use crate::{Error, sql};

/// What [`distribute`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distributed {
    /// The version of Citus.
    pub citus: String,
    /// The tables that were distributed now.
    pub now: Vec<String>,
    /// How many tables are distributed.
    pub tables: usize,
}

/// The version of Citus in this database.
///
/// # Errors
/// [`Error::Refused`] where the extension is not installed; the database's.
pub async fn citus_version(url: &SecretString, schema: &str) -> Result<String, Error> {
    version(&session_of_the_owner(url, schema).await?).await
}

/// Distributes by the shop what is not distributed yet. Needs a schema that is migrated, and the login that owns it. While it
/// works, nobody else reads or writes.
///
/// # Errors
/// [`Error::Refused`] where the extension is not installed; the database's.
pub async fn distribute(url: &SecretString, schema: &str) -> Result<Distributed, Error> {
    let client = session_of_the_owner(url, schema).await?;
    let citus = version(&client).await?;
    let before = list(&client, schema).await?;
    in_one_transaction(&client, &named(sql::CITUS, "distribute_by_shop")?.text_for(schema)).await?;
    let mut now = list(&client, schema).await?;
    let tables = now.len();
    now.retain(|name| !before.contains(name));
    Ok(Distributed { citus, now, tables })
}

async fn version(client: &Client) -> Result<String, Error> {
    let installed = client.query_typed(sql::database::READ_CITUS.text(), &[]).await?.pop();
    let row = installed.ok_or_else(|| {
        Error::Refused(
            "the extension citus is not installed in this database: have a superuser run CREATE EXTENSION citus on every \
             node, and citus_add_node here for each of the others; or migrate without --citus"
                .to_owned(),
        )
    })?;
    Ok(row.try_get("version")?)
}

async fn list(client: &Client, schema: &str) -> Result<Vec<String>, Error> {
    let text = named(sql::CITUS, "list_distributed")?.text_for(schema);
    let rows = client.query_typed(text.as_ref(), &[]).await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}
