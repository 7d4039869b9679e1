//! The shops' accounts at PayPal: one file of credentials for each shop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use database::Database;
use domain::ShopId;
use paypal::Environment;
use paypal::rest::{Client, Credentials, Options};
use reconciliation::{Account, Accounts};
use secrecy::SecretString;
use serde::Deserialize;

use crate::config::duration;
use crate::exit;

/// The most bytes of such a file.
const FILE_MAX: u64 = 64 * 1024;

/// How PayPal is asked.
#[derive(Clone, Debug, Args)]
pub(crate) struct PaypalArgs {
    /// Folder with the shops' credentials at PayPal, each in `<shop>.json`: {"client_id": .., "client_secret": ..}; a shop
    /// without a file is not reconciled
    #[arg(long = "paypal-credentials", env = "COUNTERFOIL_PAYPAL_CREDENTIALS", value_name = "DIR")]
    pub(crate) credentials: Option<PathBuf>,
    /// List PayPal's events so often, for those that never came
    #[arg(
        long,
        env = "COUNTERFOIL_RECONCILE_EVERY",
        default_value = "5m",
        value_parser = duration,
        value_name = "TIME"
    )]
    pub(crate) reconcile_every: Duration,
}

/// A file of credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    client_id: String,
    client_secret: String,
    /// Another address than the environment's.
    base_url: Option<String>,
}

impl PaypalArgs {
    /// The accounts of the shops that are there. A file that cannot be used is told at once.
    pub(crate) async fn accounts(&self, database: &Database) -> anyhow::Result<Accounts> {
        let Some(dir) = &self.credentials else { return Ok(Accounts::default()) };
        let mut accounts = BTreeMap::new();
        for listed in intake::shops::list(database).await? {
            let file = dir.join(format!("{}.json", listed.shop));
            let shop = ShopId::parse(&listed.shop)?;
            let environment = listed.environment.parse()?;
            if file.exists() {
                accounts.insert(shop, read(&file, environment)?);
            } else {
                tracing::warn!(%shop, file = %file.display(), "no PayPal credentials: the shop is not reconciled");
            }
        }
        Ok(Accounts::new(accounts))
    }
}

/// Reads a file of credentials.
pub(crate) fn read(file: &Path, environment: Environment) -> anyhow::Result<Account> {
    let odd = |why: &str| exit::config(format!("{}: {why}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| odd(&error.to_string()))?.len();
    if size > FILE_MAX {
        return Err(odd("is too large for credentials"));
    }
    let text = std::fs::read(file).map_err(|error| odd(&error.to_string()))?;
    // The parser's own text may repeat what it read.
    let File { client_id, client_secret, base_url } = serde_json::from_slice(&text).map_err(|_| {
        odd("must be {\"client_id\": .., \"client_secret\": ..}, and base_url where it is another")
    })?;
    let credentials = Credentials { client_id, secret: SecretString::from(client_secret) };
    let options = Options { base_url, ..Options::default() };
    let client = Client::new(environment, credentials, &options).map_err(|error| odd(&error.to_string()))?;
    Ok(Account { client })
}
