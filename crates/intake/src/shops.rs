//! Shops: one PayPal merchant account in one environment each, with its webhook ids and its hash key.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use database::{Database, Query, sql};
use domain::{Fact, Position, Rules, ShopId};
use event_log::{Act, AppendError, Appender, Dedupe, NewFact, NoteType, Operator};
use evidence::{HashKey, Vault};
use moka::future::Cache;
use paypal::{Environment, SIMULATOR_WEBHOOK_ID, Verifier};
use serde::Serialize;
use serde_json::json;

use crate::command::content_sha256;
use crate::{ShopError, Trust, Trusts};

/// How long a process may act on what a shop was: another process may have changed it.
const FRESH: Duration = Duration::from_secs(3);
/// Unknown names are remembered too, so that a flood of them asks the database once each.
const REMEMBERED: u64 = 10_000;

/// A shop as the door needs it.
pub struct Shop {
    /// Its name.
    pub id: ShopId,
    /// Which of PayPal's environments it is in.
    pub environment: Environment,
    /// The webhook ids whose callbacks it takes.
    pub webhook_ids: Vec<String>,
    /// Counts the forks of its log.
    pub feed_epoch: i64,
    /// `None` where no authority is trusted for its environment.
    pub(crate) verifier: Option<Verifier>,
    pub(crate) hash_key: HashKey,
}

impl Shop {
    /// Whose signatures are believed for its environment; none where nobody's are.
    #[must_use]
    pub fn anchors(&self) -> Option<std::sync::Arc<paypal::TrustAnchors>> {
        self.verifier.as_ref().map(|verifier| verifier.anchors())
    }
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop")
            .field("id", &self.id)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// A shop as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct ListedShop {
    /// Its name.
    pub shop: String,
    /// live, sandbox or dev.
    pub environment: String,
    /// The webhook ids whose callbacks it takes.
    pub webhook_ids: Vec<String>,
    /// Counts the forks of its log.
    pub feed_epoch: i64,
    /// Names the key-encryption key that its own keys are wrapped by; says nothing about it.
    pub kek_id: String,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
}

/// Creates a shop with a hash key of its own.
///
/// # Errors
/// [`ShopError::Exists`], or what the database says.
pub async fn create(
    database: &Database,
    vault: &Vault,
    shop: &ShopId,
    environment: Environment,
) -> Result<(), ShopError> {
    let mut key = [0_u8; 32];
    rand::fill(&mut key).map_err(|_| ShopError::Unusable("no random bytes are to be had".into()))?;
    let wrapped = vault.wrap(shop.as_str(), &key).map_err(|e| ShopError::Unusable(e.to_string()))?;
    let client = database.client().await?;
    let added = client
        .execute(
            &sql::intake::INSERT_SHOP,
            &[&shop.as_str(), &environment.as_str(), &wrapped, &vault.kek_id()],
        )
        .await?;
    if added == 0 { Err(ShopError::Exists) } else { Ok(()) }
}

/// Has a shop decide by these rules from here on: appends `rules.activated`, once for each version. Every instance that
/// runs must know them; one that does not parks what it meets.
///
/// # Errors
/// [`ShopError::Unknown`], or what the log says.
pub async fn activate_rules(
    database: &Database,
    shop: &ShopId,
    version: u32,
    by: &str,
) -> Result<Position, ShopError> {
    let rules = Fact::RulesActivated(Rules { shop: shop.clone(), version });
    let content = content_sha256(&rules).map_err(|error| ShopError::Unusable(error.to_string()))?;
    let fact = NewFact {
        fact: rules,
        by: by.to_owned(),
        dedupe: Dedupe::Command { id: version.to_string(), content_sha256: content },
        evidence: None,
        certificate: None,
    };
    let appender = Appender::start(database.clone(), event_log::Options::default());
    let appended = appender.append(shop, fact).await;
    appender.drain().await;
    match appended {
        Ok(appended) => Ok(appended.position()),
        Err(AppendError::UnknownShop) => Err(ShopError::Unknown),
        Err(error) => Err(ShopError::Unusable(error.to_string())),
    }
}

/// All shops, by name.
///
/// # Errors
/// What the database says.
pub async fn list(database: &Database) -> Result<Vec<ListedShop>, ShopError> {
    let client = database.client().await?;
    let rows = client.query(&sql::intake::LIST_SHOPS, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| ListedShop {
            shop: row.get("shop_id"),
            environment: row.get("environment"),
            webhook_ids: row.get("webhook_ids"),
            feed_epoch: i64::from(row.get::<_, i32>("feed_epoch")),
            kek_id: row.get("kek_id"),
            created_at: row.get("created_at"),
        })
        .collect())
}

/// Takes callbacks of this webhook id from now on; of one that is there already, changes nothing.
///
/// # Errors
/// [`ShopError::InvalidWebhookId`], [`ShopError::Unknown`], or what the database says.
pub async fn add_webhook(
    database: &Database,
    shop: &ShopId,
    environment: Environment,
    webhook_id: &str,
) -> Result<(), ShopError> {
    check_webhook_id(environment, webhook_id)?;
    let client = database.client().await?;
    client.execute(&sql::intake::INSERT_WEBHOOK, &[&shop.as_str(), &webhook_id]).await?;
    is_there(database, shop).await
}

async fn is_there(database: &Database, shop: &ShopId) -> Result<(), ShopError> {
    let rows = database.client().await?.query(&sql::intake::GET_SHOP, &[&shop.as_str()]).await?;
    if rows.is_empty() { Err(ShopError::Unknown) } else { Ok(()) }
}

fn check_webhook_id(environment: Environment, webhook_id: &str) -> Result<(), ShopError> {
    let shaped = (1..=64).contains(&webhook_id.len())
        && webhook_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    // PayPal's own simulator signs with this text, and so may anybody who uses it.
    let anybodys = webhook_id == SIMULATOR_WEBHOOK_ID && environment != Environment::Dev;
    if shaped && !anybodys { Ok(()) } else { Err(ShopError::InvalidWebhookId) }
}

/// Takes callbacks of this webhook id from now on, and notes who has said so.
///
/// # Errors
/// As [`add_webhook`]; a log that has forked.
pub async fn allow_webhook(
    operator: &Operator,
    database: &Database,
    shop: &ShopId,
    environment: Environment,
    webhook_id: &str,
) -> Result<(), ShopError> {
    check_webhook_id(environment, webhook_id)?;
    let allowed = act(&sql::intake::INSERT_WEBHOOK, shop, webhook_id, "added");
    allowed.carry_out(database, shop, operator).await?;
    is_there(database, shop).await
}

/// Takes no more callbacks of this webhook id, and notes who has said so; whether there was one. It is done also where it
/// cannot be noted.
///
/// # Errors
/// What the database says.
pub async fn remove_webhook(
    operator: &Operator,
    database: &Database,
    shop: &ShopId,
    webhook_id: &str,
) -> Result<bool, ShopError> {
    let removed = act(&sql::intake::DELETE_WEBHOOK, shop, webhook_id, "removed").urgent();
    Ok(removed.carry_out(database, shop, operator).await?.is_some())
}

fn act(query: &'static Query, shop: &ShopId, webhook_id: &str, change: &str) -> Act {
    let data = json!({ "change": change, "webhook_id": webhook_id });
    Act::new(query, NoteType::WebhookChanged, data).with(shop.as_str().to_owned()).with(webhook_id.to_owned())
}

/// Shops as this process remembers them, for a few seconds each.
#[derive(Clone)]
pub(crate) struct Registry {
    database: Database,
    vault: Vault,
    trusts: Trusts,
    shops: Cache<ShopId, Option<Arc<Shop>>>,
}

impl Registry {
    pub(crate) fn new(database: Database, vault: Vault, trusts: Trusts) -> Self {
        let shops = Cache::builder().max_capacity(REMEMBERED).time_to_live(FRESH).build();
        Self { database, vault, trusts, shops }
    }

    /// The shop, if it is remembered.
    pub(crate) async fn remembered(&self, id: &ShopId) -> Option<Arc<Shop>> {
        self.shops.get(id).await.flatten()
    }

    /// The shop, or `None` when there is none of that name.
    pub(crate) async fn get(&self, id: &ShopId) -> Result<Option<Arc<Shop>>, Arc<ShopError>> {
        if let Some(known) = self.shops.get(id).await {
            return Ok(known);
        }
        self.shops.try_get_with(id.clone(), self.load(id)).await
    }

    /// Forgets what is remembered of the shop.
    pub(crate) async fn forget(&self, id: &ShopId) {
        self.shops.invalidate(id).await;
    }

    async fn load(&self, id: &ShopId) -> Result<Option<Arc<Shop>>, ShopError> {
        let client = self.database.client().await?;
        let rows = client.query(&sql::intake::GET_SHOP, &[&id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let environment: String = row.get("environment");
        let environment: Environment =
            environment.parse().map_err(|_| ShopError::Unusable("unknown environment".into()))?;
        let wrapped: Vec<u8> = row.get("hash_key_wrapped");
        let hash_key = HashKey::unwrap(&self.vault, id.as_str(), &wrapped)
            .map_err(|e| ShopError::Unusable(e.to_string()))?;
        let webhook_ids: Vec<String> = row.get("webhook_ids");
        Ok(Some(Arc::new(Shop {
            id: id.clone(),
            environment,
            verifier: self.verifier(environment, &webhook_ids),
            webhook_ids,
            feed_epoch: i64::from(row.get::<_, i32>("feed_epoch")),
            hash_key,
        })))
    }

    fn verifier(&self, environment: Environment, webhook_ids: &[String]) -> Option<Verifier> {
        let dev = environment == Environment::Dev;
        let Trust { anchors, certificates } =
            if dev { &self.trusts.dev } else { &self.trusts.paypal }.as_ref()?;
        // `add_webhook` lets none in, but a hand on the table might.
        let ids = webhook_ids.iter().filter(|id| dev || *id != SIMULATOR_WEBHOOK_ID).cloned().collect();
        Verifier::new(environment, ids, Arc::clone(anchors), certificates.clone()).ok()
    }
}
