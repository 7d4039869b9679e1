//! `keys`: API keys, bound to a shop and to roles; and those that sign the logs.

use std::time::Duration;

use access::{ApiKeys, RoleSet};
use anyhow::Context;
use clap::Subcommand;
use domain::ShopId;
use serde_json::json;

use crate::acting::ActingArgs;
use crate::cli::Globals;
use crate::config::{DatabaseArgs, duration};
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::project::Project;
use crate::verbs::log_keys::LogKeyVerbs;

const COLUMNS: &[Column] = &[
    Column::text("KEY", "key_id"),
    Column::text("HOLDER", "holder"),
    Column::text("ROLES", "roles"),
    Column::text("CREATED", "created_at"),
    Column::text("LAST USED", "last_used_at"),
    Column::text("REVOKED", "revoked_at"),
    Column::text("ENDS", "expires_at"),
    Column::text("REPLACED BY", "replaced_by"),
];

/// API keys, and those that sign the logs.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; it is printed once and kept nowhere
    #[command(
        after_help = "Examples:\n  counterfoil keys create shop-eu --holder 'checkout service' --role shop > checkout.key"
    )]
    Create {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop that it is for
        shop: String,
        /// Who will use it
        #[arg(long)]
        holder: String,
        /// What it may do: shop, feed, audit, operator, viewer; may be given several times
        #[arg(long = "role", required = true, value_delimiter = ',')]
        roles: Vec<String>,
        /// Let it end by itself after so long, as 90d
        #[arg(long, value_parser = duration, value_name = "TIME")]
        expires_in: Option<Duration>,
        #[command(flatten)]
        acting: ActingArgs,
    },
    /// Make a key in place of another, which goes on beside it for a while
    #[command(after_help = "\
The new key has the holder and the roles of the old one. Give it to its user before the overlap is over: from then on the old
one is refused. `keys list` shows when each was last used. A key that has leaked is revoked instead.

Examples:
  counterfoil keys rotate shop-eu 7f3a2c8d1e5b --overlap 7d > checkout.key")]
    Rotate {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop
        shop: String,
        /// The old key's id, as `keys list` shows it
        key_id: String,
        /// How long the old one goes on
        #[arg(long, default_value = "7d", value_parser = duration, value_name = "TIME")]
        overlap: Duration,
        /// Let the new one end by itself after so long, as 90d
        #[arg(long, value_parser = duration, value_name = "TIME")]
        expires_in: Option<Duration>,
        #[command(flatten)]
        acting: ActingArgs,
    },
    /// List a shop's keys
    #[command(after_help = "Examples:\n  counterfoil keys list shop-eu")]
    List {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop
        shop: String,
    },
    /// Let a key do nothing any more, within seconds
    #[command(after_help = "Examples:\n  counterfoil keys revoke shop-eu 7f3a2c")]
    Revoke {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop
        shop: String,
        /// The key's id, as `keys list` shows it
        key_id: String,
        #[command(flatten)]
        acting: ActingArgs,
    },
    /// The keys that sign the logs
    #[command(subcommand)]
    Log(LogKeyVerbs),
}

impl Keys {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        match self {
            Self::Create { database, shop, holder, roles, expires_in, acting } => {
                let (keys, shop) = open(&database, &shop, globals).await?;
                let operator = acting.operator(project.as_ref(), &shop, "counterfoil keys create")?;
                let roles: RoleSet =
                    roles.join(",").parse().map_err(|error| exit::usage(format!("{error}")))?;
                let (text, id) = keys
                    .issue(&operator, &shop, &holder, roles, expires_in)
                    .await
                    .map_err(told)
                    .context("the key cannot be made")?;
                match globals.output {
                    Format::Table => {
                        output::line(text.expose())?;
                        output::note(&format!("Key {id} of {shop} for {holder}. It is shown this once."));
                    }
                    format => {
                        output::one(format, &json!({ "key": text.expose(), "key_id": id, "shop": shop }))?
                    }
                }
            }
            Self::Rotate { database, shop, key_id, overlap, expires_in, acting } => {
                let (keys, shop) = open(&database, &shop, globals).await?;
                let operator = acting.operator(project.as_ref(), &shop, "counterfoil keys rotate")?;
                let rotated =
                    keys.rotate(&operator, &shop, &key_id, overlap, expires_in).await.map_err(told)?;
                let Some((text, id, ends)) = rotated else {
                    return Err(exit::finding(format!(
                        "{shop} has no key {key_id} that is in use and was not rotated before: see `counterfoil keys list \
                         {shop}`"
                    )));
                };
                let ends = ends.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                match globals.output {
                    Format::Table => {
                        output::line(text.expose())?;
                        output::note(&format!(
                            "Key {id} of {shop} in place of {key_id}, which goes on until {ends}. It is shown this once."
                        ));
                    }
                    format => output::one(
                        format,
                        &json!({ "key": text.expose(), "key_id": id, "shop": shop, "replaces": key_id, "until": ends }),
                    )?,
                }
            }
            Self::List { database, shop } => {
                let (keys, shop) = open(&database, &shop, globals).await?;
                let rows = keys.list(&shop).await?;
                let rows = rows.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
                output::rows(globals.output, &rows, COLUMNS)?;
            }
            Self::Revoke { database, shop, key_id, acting } => {
                let (keys, shop) = open(&database, &shop, globals).await?;
                let operator = acting.operator(project.as_ref(), &shop, "counterfoil keys revoke")?;
                if !keys.revoke(&operator, &shop, &key_id).await.map_err(told)? {
                    return Err(exit::finding(format!("{shop} has no key {key_id} that is in use")));
                }
                let told = format!("Key {key_id} of {shop} does nothing any more.");
                output::done(
                    globals.output,
                    &json!({ "shop": shop, "key_id": key_id, "revoked": true }),
                    &told,
                )?;
            }
            Self::Log(verb) => return verb.run(globals).await,
        }
        Ok(Exit::Ok)
    }
}

/// What the operator can mend is a finding.
fn told(error: access::Error) -> anyhow::Error {
    match error {
        access::Error::Log(error @ (event_log::Error::Forked(_) | event_log::Error::UnknownShop)) => {
            exit::finding(error.to_string())
        }
        error => error.into(),
    }
}

async fn open(database: &DatabaseArgs, shop: &str, globals: &Globals) -> anyhow::Result<(ApiKeys, ShopId)> {
    let shop = ShopId::parse(shop).map_err(|error| exit::usage(format!("{shop:?} is no shop: {error}")))?;
    let project = Project::find(globals.project.as_deref());
    let url = database.owner_url(project.as_ref())?;
    let pool = database::Database::connect(database.pool(url, "counterfoil keys", 1)).await?;
    Ok((ApiKeys::new(pool), shop))
}
