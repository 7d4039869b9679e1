//! What operators do to sinks: each is one statement, and a note of the log that says who did it and why.
//!
//! All of them fail as [`Act::carry_out`] does: what cannot be noted, as in a log that has forked, is not done; but for a pause.

use database::{Query, sql};
use domain::ShopId;
use event_log::{Act, NoteType, Operator};
use serde_json::{Value, json};

use super::settings::{InvalidSettings, Secrets, Settings};
use super::store::{Sinks, State, text_of};
use crate::consumers::{To, resolve};
use crate::{Error, Selection};

/// A statement about a sink, whose first parameters are the shop and the name.
fn act(query: &'static Query, shop: &ShopId, name: &str, (change, more): (&str, Value)) -> Act {
    let mut data = json!({ "name": name, "change": change });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    Act::new(query, NoteType::SinkChanged, data).with(shop.as_str().to_owned()).with(name.to_owned())
}

impl Sinks {
    async fn carry_out(&self, act: Act, shop: &ShopId, operator: &Operator) -> Result<bool, Error> {
        Ok(act.carry_out(&self.database, shop, operator).await?.is_some())
    }

    /// Makes a sink that begins there; `false` when there is one of this name.
    ///
    /// # Errors
    /// The log does not go on from there.
    pub async fn create(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        (settings, secrets): (&Settings, &Secrets),
        from: To,
    ) -> Result<bool, Error> {
        let from = resolve(&self.database.client().await?, shop, from).await?;
        let kind = settings.target.kind();
        let told = ("made", json!({ "kind": kind, "cursor": from.to_string() }));
        let act = act(&sql::delivery::INSERT_SINK, shop, name, told)
            .with(kind)
            .with(text_of(settings)?)
            .with(self.wrap(shop, secrets)?)
            .with(self.vault.kek_id().to_owned())
            .with(from.position.0);
        self.carry_out(act, shop, operator).await
    }

    /// Gives a sink other settings and secrets; whoever leads it begins anew. `false` when there is none of this name.
    ///
    /// # Errors
    /// The secrets cannot be wrapped.
    pub async fn update(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        (settings, secrets): (&Settings, &Secrets),
    ) -> Result<bool, Error> {
        let told = ("updated", json!({}));
        let act = act(&sql::delivery::UPDATE_SINK, shop, name, told)
            .with(text_of(settings)?)
            .with(self.wrap(shop, secrets)?)
            .with(self.vault.kek_id().to_owned());
        self.carry_out(act, shop, operator).await
    }

    /// Reads new settings of a sink, and takes them; secrets stay as they are where none are given. Nothing where there is no
    /// sink of this name.
    ///
    /// # Errors
    /// As [`Sinks::update`].
    pub async fn change(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        document: &Value,
        secrets: Option<Secrets>,
    ) -> Result<Option<Result<(), InvalidSettings>>, Error> {
        let Some((_, kept, _)) = self.config(shop, name).await? else { return Ok(None) };
        let secrets = secrets.unwrap_or(kept);
        let settings = match Settings::parse(document, &secrets) {
            Ok(settings) => settings,
            Err(invalid) => return Ok(Some(Err(invalid))),
        };
        Ok(self.update(operator, shop, name, (&settings, &secrets)).await?.then_some(Ok(())))
    }

    /// Stops it; `shown` is what others read beside it. `false` when there is none of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn pause(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        shown: Option<&str>,
    ) -> Result<bool, Error> {
        let act = act(&sql::delivery::SET_SINK_STATE, shop, name, ("paused", json!({})))
            .urgent()
            .with(State::Paused.name())
            .with(shown.map(str::to_owned));
        self.carry_out(act, shop, operator).await
    }

    /// Lets it go on, wherever it stands. `false` when there is none of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn resume(&self, operator: &Operator, shop: &ShopId, name: &str) -> Result<bool, Error> {
        let act = act(&sql::delivery::SET_SINK_STATE, shop, name, ("resumed", json!({})))
            .with(State::Running.name())
            .with(None::<String>);
        self.carry_out(act, shop, operator).await
    }

    /// Puts it elsewhere in the log, and forgets what waits. One that was lost runs again.
    ///
    /// # Errors
    /// The log does not go on from there.
    pub async fn reset(&self, operator: &Operator, shop: &ShopId, name: &str, to: To) -> Result<bool, Error> {
        let to = resolve(&self.database.client().await?, shop, to).await?;
        let told = ("reset", json!({ "cursor": to.to_string() }));
        let act = act(&sql::delivery::RESET_SINK, shop, name, told).with(to.position.0);
        self.carry_out(act, shop, operator).await
    }

    /// Takes up dead letters again, all that are selected: how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn redrive(
        &self,
        operator: &Operator,
        shop: &ShopId,
        name: &str,
        which: &Selection,
    ) -> Result<i64, Error> {
        let key = which.key.as_ref().map(ToString::to_string);
        let mut more = json!({ "types": which.types() });
        if let Some(key) = &key {
            more["key"] = key.as_str().into();
        }
        let act = act(&sql::delivery::REDRIVE_DEAD, shop, name, ("redriven", more))
            .with(which.patterns())
            .with(key);
        let row = act.carry_out(&self.database, shop, operator).await?;
        Ok(row.map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// Forgets it with everything that is about it; whether it was there.
    ///
    /// # Errors
    /// The database's.
    pub async fn delete(&self, operator: &Operator, shop: &ShopId, name: &str) -> Result<bool, Error> {
        let act = act(&sql::delivery::DELETE_SINK, shop, name, ("removed", json!({})));
        self.carry_out(act, shop, operator).await
    }
}
