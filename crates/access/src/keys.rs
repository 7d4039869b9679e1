//! API keys: made, listed, revoked, recognised.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::{DateTime, Utc};
use database::{Database, Query, sql};
use domain::ShopId;
use event_log::{Act, NoteType, Operator};
use moka::future::Cache;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::key_text::{self, KeyText, TEXT_MAX, sha256};
use crate::{Role, RoleSet};

/// How long a key is believed without looking: a revoked one may live so much longer.
const BELIEVED_FOR: Duration = Duration::from_secs(5);
const CACHED_MAX: u64 = 10_000;
const HOLDER_MAX: usize = 200;
/// Uses are noted together, so long after the first of them.
const NOTED_AFTER: Duration = Duration::from_secs(5);
/// Keys that are not believed yet take no more sessions with the database than these at a time, so that a flood of
/// invented ones leaves the others to callbacks.
const LOOKS: usize = 2;

/// Who uses a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The shop that the key is bound to.
    pub shop: ShopId,
    /// The key's id: stands as `by` in the events of its holder.
    pub key_id: String,
    /// The holder's name.
    pub holder: String,
    /// What the key may be used for.
    pub roles: RoleSet,
}

impl Identity {
    /// Whether the key may be used so.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(role)
    }
}

/// Why a key is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It has not the form of a key.
    #[error("this is no API key")]
    Malformed,
    /// Unknown, revoked, or its secret is wrong: which of them is not told.
    #[error("the API key is not valid")]
    Invalid,
    /// The database cannot be had: try again later.
    #[error("API keys cannot be checked now: {0}")]
    Unavailable(String),
}

/// Why a key was not made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for is no key; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// No shop has this id.
    #[error("there is no shop {0}")]
    UnknownShop(ShopId),
    /// The database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// Who has done it cannot be noted, so it was not done.
    #[error(transparent)]
    Log(#[from] event_log::Error),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A key as it is listed: all but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// Its id.
    pub key_id: String,
    /// Who answers for it.
    pub holder: String,
    /// What it may be used for.
    pub roles: RoleSet,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From when it is refused by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// The key that it was rotated to.
    pub replaced_by: Option<String>,
}

/// Keys that were used and whose use is not noted yet.
type Used = Arc<Mutex<BTreeSet<(ShopId, String)>>>;

/// The keys of all shops. Clones share the cache.
#[derive(Clone)]
pub struct ApiKeys {
    database: Database,
    /// By the SHA-256 of the whole text, so that no key lies about in memory.
    believed: Cache<[u8; 32], Arc<Identity>>,
    looks: Arc<Semaphore>,
    used: Used,
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// Keys over this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let believed = Cache::builder().max_capacity(CACHED_MAX).time_to_live(BELIEVED_FOR).build();
        Self { database, believed, looks: Arc::new(Semaphore::new(LOOKS)), used: Used::default() }
    }

    /// Makes a key. Its text is shown this once; only a digest is stored.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create(
        &self,
        shop: &ShopId,
        holder: &str,
        roles: RoleSet,
    ) -> Result<(KeyText, String), Error> {
        let new = NewKey::generate(shop, holder, &roles)?;
        let client = self.database.client().await?;
        let none: Option<i64> = None;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &new.id, &&new.secret[..], &holder, &new.roles, &none];
        let made = client.query_opt(&sql::access::INSERT_KEY, parameters).await?;
        made.map(|_| (new.text, new.id)).ok_or_else(|| Error::UnknownShop(shop.clone()))
    }

    /// Makes a key that ends by itself after `lifetime`, if one is given, and notes who has done so.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn issue(
        &self,
        operator: &Operator,
        shop: &ShopId,
        holder: &str,
        roles: RoleSet,
        lifetime: Option<Duration>,
    ) -> Result<(KeyText, String), Error> {
        let new = NewKey::generate(shop, holder, &roles)?;
        let data = json!({ "change": "made", "key_id": new.id, "roles": new.roles });
        let made = act(&sql::access::INSERT_KEY, shop, &new.id, data)
            .with(new.secret.to_vec())
            .with(holder.to_owned())
            .with(new.roles)
            .with(lifetime.map(seconds));
        let made = made.carry_out(&self.database, shop, operator).await?;
        made.map(|_| (new.text, new.id)).ok_or_else(|| Error::UnknownShop(shop.clone()))
    }

    /// Makes a key for the holder and the roles of another, which goes on for `overlap` beside it and then ends: the new
    /// key's text and id, and when the old one ends. None when there is no such key in use, or it was rotated before.
    ///
    /// # Errors
    /// The database's; a log that has forked.
    pub async fn rotate(
        &self,
        operator: &Operator,
        shop: &ShopId,
        key_id: &str,
        overlap: Duration,
        lifetime: Option<Duration>,
    ) -> Result<Option<(KeyText, String, DateTime<Utc>)>, Error> {
        let (text, new_id, secret) = generate(shop)?;
        let data = json!({ "change": "rotated", "key_id": key_id, "replaced_by": new_id });
        let rotated = act(&sql::access::ROTATE_KEY, shop, key_id, data)
            .with(new_id.clone())
            .with(secret.to_vec())
            .with(seconds(overlap))
            .with(lifetime.map(seconds));
        let Some(row) = rotated.carry_out(&self.database, shop, operator).await? else { return Ok(None) };
        // Where it was to end sooner, a process may still believe it for its few seconds.
        self.believed.invalidate_all();
        Ok(Some((text, new_id, row.try_get("expires_at")?)))
    }

    /// The shop's keys, the oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, shop: &ShopId) -> Result<Vec<KeyRow>, Error> {
        let rows = self.database.client().await?.query(&sql::access::LIST_KEYS, &[&shop.as_str()]).await?;
        let keys = rows.iter().map(|row| {
            Ok(KeyRow {
                key_id: row.try_get("key_id")?,
                holder: row.try_get("holder")?,
                roles: known_roles(row.try_get("roles")?),
                created_at: row.try_get("created_at")?,
                revoked_at: row.try_get("revoked_at")?,
                last_used_at: row.try_get("last_used_at")?,
                expires_at: row.try_get("expires_at")?,
                replaced_by: row.try_get("replaced_by")?,
            })
        });
        keys.collect()
    }

    /// Lets a key be refused from now on: here at once, in other processes within seconds. False when there is no such
    /// key, or it was revoked before. It is done also where it cannot be noted.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke(&self, operator: &Operator, shop: &ShopId, key_id: &str) -> Result<bool, Error> {
        let data = json!({ "change": "revoked", "key_id": key_id });
        let revoked = act(&sql::access::REVOKE_KEY, shop, key_id, data).urgent();
        let revoked = revoked.carry_out(&self.database, shop, operator).await?;
        self.believed.invalidate_all();
        Ok(revoked.is_some())
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn authenticate(&self, text: &str) -> Result<Identity, Denied> {
        if text.len() > TEXT_MAX {
            return Err(Denied::Malformed);
        }
        let parts = key_text::parse(text).ok_or(Denied::Malformed)?;
        // Many requests with one key that is not believed yet share one look.
        let identity = self
            .believed
            .try_get_with(sha256(text.as_bytes()), self.look_up(parts.shop, parts.key_id, parts.secret))
            .await;
        identity.map(|identity| (*identity).clone()).map_err(|denied| (*denied).clone())
    }

    /// Whose key this is, where this process has seen it within the last seconds: it costs nothing to ask.
    pub async fn recall(&self, text: &str) -> Option<Identity> {
        if text.len() > TEXT_MAX {
            return None;
        }
        self.believed.get(&sha256(text.as_bytes())).await.map(|identity| (*identity).clone())
    }

    async fn look_up(&self, shop: ShopId, key_id: &str, secret: &str) -> Result<Arc<Identity>, Denied> {
        let unavailable = |error: database::Error| Denied::Unavailable(error.to_string());
        let unread = |error: tokio_postgres::Error| unavailable(error.into());
        let _look = self.looks.acquire().await.map_err(|error| Denied::Unavailable(error.to_string()))?;
        let client = self.database.client().await.map_err(unavailable)?;
        let row = client
            .query_opt(&sql::access::FIND_KEY, &[&shop.as_str(), &key_id])
            .await
            .map_err(unavailable)?;
        let row = row.ok_or(Denied::Invalid)?;
        let stored: &[u8] = row.try_get("secret_sha256").map_err(unread)?;
        verify_slices_are_equal(stored, &sha256(secret.as_bytes())).map_err(|_| Denied::Invalid)?;
        let identity = Identity {
            holder: row.try_get("holder").map_err(unread)?,
            roles: known_roles(row.try_get("roles").map_err(unread)?),
            key_id: key_id.to_owned(),
            shop,
        };
        self.note_use(&identity);
        Ok(Arc::new(identity))
    }

    /// Keeps in mind that the key was used. The first of several has all of them noted a while later, by one statement;
    /// nobody waits for it, and it may fail.
    fn note_use(&self, identity: &Identity) {
        let first = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert((identity.shop.clone(), identity.key_id.clone())) && used.len() == 1
        };
        if !first {
            return;
        }
        let (database, used) = (self.database.clone(), Arc::clone(&self.used));
        tokio::spawn(async move {
            tokio::time::sleep(NOTED_AFTER).await;
            let uses = std::mem::take(&mut *used.lock().unwrap_or_else(PoisonError::into_inner));
            let (shops, keys): (Vec<&str>, Vec<&str>) =
                uses.iter().map(|(shop, key)| (shop.as_str(), key.as_str())).unzip();
            let noted =
                async { database.client().await?.execute(&sql::access::NOTE_USES, &[&shops, &keys]).await };
            if let Err(error) = noted.await {
                tracing::debug!(%error, "the use of keys was not noted");
            }
        });
    }
}

/// What an operator does to a key: a statement whose first parameters are the shop and the key's id.
fn act(query: &'static Query, shop: &ShopId, key_id: &str, data: Value) -> Act {
    Act::new(query, NoteType::ApiKeyChanged, data).with(shop.as_str().to_owned()).with(key_id.to_owned())
}

/// A key that is not stored yet.
struct NewKey {
    text: KeyText,
    id: String,
    secret: [u8; 32],
    roles: Vec<&'static str>,
}

impl NewKey {
    fn generate(shop: &ShopId, holder: &str, roles: &RoleSet) -> Result<Self, Error> {
        if !(1..=HOLDER_MAX).contains(&holder.len()) || holder.contains(char::is_control) {
            return Err(Error::Invalid(format!(
                "a holder's name has 1 to {HOLDER_MAX} printable characters"
            )));
        }
        if roles.is_empty() {
            return Err(Error::Invalid("a key needs a role".to_owned()));
        }
        let (text, id, secret) = generate(shop)?;
        Ok(Self { text, id, secret, roles: roles.iter().map(Role::name).collect() })
    }
}

fn generate(shop: &ShopId) -> Result<(KeyText, String, [u8; 32]), Error> {
    key_text::generate(shop).ok_or_else(|| Error::Invalid("the system has no randomness".to_owned()))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A role of a later version gives nothing here.
fn known_roles(names: Vec<&str>) -> RoleSet {
    names.into_iter().filter_map(|name| name.parse::<Role>().ok()).collect()
}
