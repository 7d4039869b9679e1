//! What an auditor does: verify, replay, look back. Each reads the log itself, as the schema's owner.

pub(crate) mod as_of;
pub(crate) mod digest;
pub(crate) mod erase;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod legal_hold;
pub(crate) mod prove;
pub(crate) mod rebuild;
pub(crate) mod reconcile;
pub(crate) mod replay;
pub(crate) mod verify;
pub(crate) mod what_if;

use audit::{Error, Point};
use clap::Args;
use database::Database;
use domain::{Position, ShopId, Timestamp};
use event_log::Guard;

use crate::cli::Globals;
use crate::config::{DatabaseArgs, StateArgs};
use crate::exit;
use crate::project::Project;
use crate::verbs::parse_shop;
use crate::verbs::serve::is_migrated;

/// Whose log, and where it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Whose log; needed where there is more than one shop
    #[arg(long, env = "COUNTERFOIL_SHOP", value_name = "SHOP")]
    pub(crate) shop: Option<String>,
}

impl LogArgs {
    /// The database as its owner, and the shop: the one that was named, or the only one.
    pub(crate) async fn open(&self, globals: &Globals) -> anyhow::Result<(Database, ShopId)> {
        let project = Project::find(globals.project.as_deref());
        let url = self.database.owner_url(project.as_ref())?;
        is_migrated(&url, &self.database.schema).await?;
        let database = Database::connect(self.database.pool(url, "counterfoil audit", 2)).await?;
        let shop = match &self.shop {
            Some(name) => parse_shop(name)?,
            None => the_only_shop(&database).await?,
        };
        Ok((database, shop))
    }
}

/// As [`LogArgs`], for what appends a note to the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct NotingArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl NotingArgs {
    /// As [`LogArgs::open`], with who knows whether the log is the one that it was.
    pub(crate) async fn open(&self, globals: &Globals) -> anyhow::Result<(Database, ShopId, Guard)> {
        let guard = self.state.guard(Project::find(globals.project.as_deref()).as_ref())?;
        let (database, shop) = self.log.open(globals).await?;
        Ok((database, shop, guard))
    }
}

async fn the_only_shop(database: &Database) -> anyhow::Result<ShopId> {
    let shops = intake::shops::list(database).await?;
    match shops.as_slice() {
        [shop] => Ok(ShopId::parse(&shop.shop)?),
        [] => Err(exit::finding("there is no shop yet: make one with `counterfoil shops create`")),
        several => {
            let names: Vec<&str> = several.iter().map(|shop| shop.shop.as_str()).collect();
            Err(exit::usage(format!(
                "there are several shops: name one with --shop, of {}",
                names.join(", ")
            )))
        }
    }
}

/// A point of the log, from the command line: a position, `<epoch>-<position>` as the API gives it, or an RFC 3339 time.
pub(crate) fn point(text: &str) -> Result<Point, String> {
    let digits = text.rsplit_once('-').filter(|(epoch, _)| epoch.bytes().all(|b| b.is_ascii_digit()));
    if let Ok(position) = digits.map_or(text, |(_, position)| position).parse() {
        return Ok(Point::Position(Position(position)));
    }
    let time: Result<Timestamp, _> = serde_json::from_value(text.into());
    time.map(Point::Time)
        .map_err(|_| "give a position, as 1042 or 0-1042, or a time, as 2026-11-25T18:00:00Z".to_owned())
}

/// What somebody who audits can mend or has found keeps its words; trouble with the database keeps its cause.
pub(crate) fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Log(event_log::Error::Database(error))
        | Error::Evidence(::evidence::Error::Database(error)) => error.into(),
        Error::UnknownRules(_) => exit::usage(error.to_string()),
        Error::OutOfRange(..)
        | Error::File { .. }
        | Error::Account(_)
        | Error::Report(_)
        | Error::Unfoldable(_)
        | Error::Held { .. }
        | Error::NoHold { .. }
        | Error::Log(
            event_log::Error::Entry { .. } | event_log::Error::UnknownShop | event_log::Error::Forked(_),
        ) => exit::finding(error.to_string()),
        Error::Tree(tree) if matches!(*tree, audit::tree::Error::NotPublished) => {
            exit::finding(tree.to_string())
        }
        Error::Evidence(error) => exit::config(format!("{error}: is --kek-file the key of `serve`?")),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_position_a_cursor_or_a_time() {
        assert_eq!(point("12"), Ok(Point::Position(Position(12))));
        assert_eq!(point("3-12"), Ok(Point::Position(Position(12))));
        assert!(matches!(point("2026-11-25T18:00:00Z"), Ok(Point::Time(_))));
        for odd in ["", "yesterday", "2026-11-25", "1.5", "-x"] {
            assert!(point(odd).is_err(), "{odd}");
        }
    }
}
