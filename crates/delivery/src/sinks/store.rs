//! Sinks as they are kept, for operators and for whoever leads them.

use chrono::{DateTime, Utc};
use database::{Database, sql};
use domain::{Position, ShopId};
use evidence::Vault;
use relay::Lease;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::meters::Meters;
use super::publisher::{self, Context};
use super::settings::{Secrets, Settings};
use crate::{Bounds, Cursor, Error, Selection};

/// Whether a sink runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SinkState")]
pub enum State {
    /// It does.
    Running,
    /// An operator has stopped it.
    Paused,
    /// The endpoint wants nothing any more.
    Disabled,
    /// The outbox waits for it no longer.
    Lost,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Lost => "lost",
        }
    }

    fn parse(name: &str) -> Result<Self, Error> {
        [Self::Running, Self::Paused, Self::Disabled, Self::Lost]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| Error::Corrupt(format!("sinks.state: {name}")))
    }
}

/// A sink, and how it gets on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// Where to, what, and how.
    #[serde(flatten)]
    pub settings: Settings,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Whether it runs.
    pub state: State,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything up to here is delivered or set aside.
    pub cursor: Cursor,
    /// Events behind it, those included that it does not ask for.
    pub lag_events: i64,
    /// How long the first of them has been there.
    pub lag_seconds: i64,
    /// Set aside, to be tried again.
    pub waiting: i64,
    /// Dead letters.
    pub dead: i64,
    /// Since when nothing gets through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who delivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An event that was not delivered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Letter {
    /// The event.
    pub position: Cursor,
    /// What it is about.
    pub key: String,
    /// What happened.
    #[serde(rename = "type")]
    pub type_name: String,
    /// waiting or dead.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Why it was not delivered.
    pub error: String,
    /// When it was set aside.
    pub since: DateTime<Utc>,
}

/// Which letters are meant; the default is all.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    /// waiting or dead; all when absent.
    pub state: Option<String>,
    /// Of which types and of which key.
    pub selection: Selection,
    /// Behind this one.
    pub after: Option<Position>,
}

/// One attempt of an outgoing webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Attempt {
    /// When.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i32,
    /// The HTTP status, where there was an answer.
    pub status: Option<i32>,
    /// Why it does not count as delivered.
    pub error: Option<String>,
}

/// The sinks of a database.
#[derive(Clone, Debug)]
pub struct Sinks {
    pub(crate) database: Database,
    pub(super) vault: Vault,
    meters: Meters,
}

impl Sinks {
    /// The sinks of a database, whose secrets this vault keeps.
    #[must_use]
    pub fn new(database: Database, vault: Vault) -> Self {
        Self { database, vault, meters: Meters::default() }
    }

    /// What is counted of those that this process runs.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// All of a shop, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, shop: &ShopId) -> Result<Vec<Sink>, Error> {
        self.select(shop, None).await
    }

    /// One of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, shop: &ShopId, name: &str) -> Result<Option<Sink>, Error> {
        Ok(self.select(shop, Some(name)).await?.pop())
    }

    async fn select(&self, shop: &ShopId, name: Option<&str>) -> Result<Vec<Sink>, Error> {
        let client = self.database.client().await?;
        let bounds = Bounds::read(&client, shop).await?;
        let rows = client.query(&sql::delivery::LIST_SINKS, &[&shop.as_str(), &name]).await?;
        rows.iter().map(|row| self.sink_of(shop, &bounds, row)).collect()
    }

    fn sink_of(&self, shop: &ShopId, bounds: &Bounds, row: &Row) -> Result<Sink, Error> {
        let (position, head): (i64, i64) = (row.try_get("position")?, row.try_get("head")?);
        let lag_ms: Option<i64> = row.try_get("lag_ms")?;
        let is_led: bool = row.try_get("is_led")?;
        Ok(Sink {
            name: row.try_get("name")?,
            settings: settings_of(row)?,
            secrets: self.open(shop, row)?.names().map(str::to_owned).collect(),
            state: State::parse(row.try_get("state")?)?,
            reason: row.try_get("reason")?,
            cursor: bounds.at(Position(position)),
            lag_events: (head - position).max(0),
            lag_seconds: lag_ms.unwrap_or(0) / 1000,
            waiting: row.try_get("waiting")?,
            dead: row.try_get("dead")?,
            failing_since: row.try_get("failing_since")?,
            error: row.try_get("error")?,
            leader: row.try_get::<_, Option<String>>("lease_holder")?.filter(|_| is_led),
            created_at: row.try_get("created_at")?,
        })
    }

    fn open(&self, shop: &ShopId, row: &Row) -> Result<Secrets, Error> {
        let wrapped: &[u8] = row.try_get("secrets")?;
        let opened = self.vault.unwrap(shop.as_str(), wrapped);
        let opened = opened.map_err(|error| Error::Corrupt(format!("sinks.secrets: {error}")))?;
        Secrets::parse(&opened).map_err(|error| Error::Corrupt(format!("sinks.secrets: {error}")))
    }

    /// What a leader needs of a sink, and its version.
    pub(crate) async fn config(
        &self,
        shop: &ShopId,
        name: &str,
    ) -> Result<Option<(Settings, Secrets, i64)>, Error> {
        let client = self.database.client().await?;
        let rows = client.query(&sql::delivery::LIST_SINKS, &[&shop.as_str(), &Some(name)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some((settings_of(row)?, self.open(shop, row)?, row.try_get("version")?)))
    }

    /// Opens the way to a sink, and says what is wrong with it.
    ///
    /// # Errors
    /// The database's.
    pub async fn check(&self, shop: &ShopId, name: &str) -> Result<Option<Result<(), String>>, Error> {
        let Some((settings, secrets, _)) = self.config(shop, name).await? else { return Ok(None) };
        let context = Context { shop: shop.clone(), sink: name.to_owned(), database: self.database.clone() };
        Ok(Some(publisher::open_in_time(&settings, &secrets, &context).await.map(drop)))
    }

    pub(super) fn wrap(&self, shop: &ShopId, secrets: &Secrets) -> Result<Vec<u8>, Error> {
        let wrapped = self.vault.wrap(shop.as_str(), &secrets.to_json());
        wrapped.map_err(|error| Error::Corrupt(format!("secrets cannot be wrapped: {error}")))
    }

    /// Tells how a sink gets on: nothing, or why nothing gets through. Who has lost the lease tells nothing.
    pub(crate) async fn tell(&self, lease: &Lease, name: &str, error: Option<&str>) -> Result<(), Error> {
        let client = self.database.client().await?;
        let parameters: database::Parameters<'_> = &[&lease.shop.as_str(), &name, &lease.epoch, &error];
        client.execute(&sql::delivery::SET_SINK_HEALTH, parameters).await?;
        Ok(())
    }

    /// What was not delivered, in the order of the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn letters(
        &self,
        shop: &ShopId,
        name: &str,
        which: &Letters,
        limit: i64,
    ) -> Result<Vec<Letter>, Error> {
        let client = self.database.client().await?;
        let bounds = Bounds::read(&client, shop).await?;
        let after = which.after.map_or(-1, |after| after.0);
        let (patterns, key) =
            (which.selection.patterns(), which.selection.key.as_ref().map(ToString::to_string));
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &name, &which.state, &after, &limit, &patterns, &key];
        let rows = client.query(&sql::delivery::LIST_UNDELIVERED, parameters).await?;
        rows.iter()
            .map(|row| {
                let state: String = row.try_get("state")?;
                Ok(Letter {
                    position: bounds.at(Position(row.try_get("position")?)),
                    key: row.try_get("key")?,
                    type_name: row.try_get("type")?,
                    attempts: row.try_get("attempts")?,
                    next_at: if state == "waiting" { Some(row.try_get("next_at")?) } else { None },
                    error: row.try_get("error")?,
                    since: row.try_get("since")?,
                    state,
                })
            })
            .collect()
    }

    /// How many dead letters are selected.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_dead(&self, shop: &ShopId, name: &str, which: &Selection) -> Result<i64, Error> {
        let client = self.database.client().await?;
        let (patterns, key) = (which.patterns(), which.key.as_ref().map(ToString::to_string));
        let parameters: database::Parameters<'_> = &[&shop.as_str(), &name, &patterns, &key];
        Ok(client.query_one(&sql::delivery::COUNT_DEAD, parameters).await?.try_get(0)?)
    }

    /// The endpoint wants nothing any more: it is disabled, by itself.
    pub(crate) async fn disable(&self, shop: &ShopId, name: &str, why: &str) -> Result<(), Error> {
        let client = self.database.client().await?;
        let parameters: database::Parameters<'_> = &[&shop.as_str(), &name, &State::Disabled.name(), &why];
        client.execute(&sql::delivery::SET_SINK_STATE, parameters).await?;
        Ok(())
    }

    /// The attempts of one event, the last first.
    ///
    /// # Errors
    /// The database's.
    pub async fn attempts(
        &self,
        shop: &ShopId,
        name: &str,
        position: Position,
        limit: i64,
    ) -> Result<Vec<Attempt>, Error> {
        let client = self.database.client().await?;
        let parameters: database::Parameters<'_> = &[&shop.as_str(), &name, &position.0, &limit];
        let rows = client.query(&sql::delivery::LIST_ATTEMPTS, parameters).await?;
        rows.iter()
            .map(|row| {
                Ok(Attempt {
                    at: row.try_get("at")?,
                    duration_ms: row.try_get("duration_ms")?,
                    status: row.try_get("status")?,
                    error: row.try_get("error")?,
                })
            })
            .collect()
    }
}

fn settings_of(row: &Row) -> Result<Settings, Error> {
    let text: &str = row.try_get("settings")?;
    serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("sinks.settings: {error}")))
}

pub(super) fn text_of(settings: &Settings) -> Result<String, Error> {
    serde_json::to_string(settings)
        .map_err(|error| Error::Corrupt(format!("settings cannot be written: {error}")))
}
