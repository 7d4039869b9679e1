//! `log`: the Merkle tree over each log.

use audit::tree::{TreeStatus, trees};
use clap::{Args, Subcommand};
use database::Database;
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::config::DatabaseArgs;
use crate::exit::{self, Exit};
use crate::output::{self, Column};
use crate::project::Project;
use crate::verbs::serve::is_migrated;

const COLUMNS: &[Column] = &[
    Column::text("SHOP", "shop"),
    Column::number("SIZE", "size"),
    Column::number("LAG", "lag_events"),
    Column::number("LAG S", "lag_seconds"),
    Column::number("PUBLISHED", "published_size"),
    Column::number("AGO S", "published_age_seconds"),
    Column::text("GROWN BY", "grown_by"),
    Column::text("ROOT", "root"),
    Column::text("ERROR", "error"),
];

/// The Merkle tree over each log.
#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Show how far each tree is, what was published of it, and who grows it
    Status(Status),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Reads the database itself, as its owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else that of `dev` in this folder.
A tree without a root was not begun: `serve` needs COUNTERFOIL_LOG_KEY_FILE. Exit 1 when one was begun and does not grow.

Examples:
  counterfoil log status
  counterfoil log status shop-eu -o json")]
pub(crate) struct Status {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The shop, or all
    #[arg(default_value = "all")]
    shop: String,
}

impl Log {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let Self::Status(Status { database, shop }) = self;
        let project = Project::find(globals.project.as_deref());
        let url = database.owner_url(project.as_ref())?;
        is_migrated(&url, &database.schema).await?;
        let pool = Database::connect(database.pool(url, "counterfoil log", 1)).await?;
        let mut found = trees(&pool).await?;
        if shop != "all" {
            found.retain(|tree| tree.shop == shop);
            if found.is_empty() {
                return Err(exit::finding(format!("there is no shop {shop}")));
            }
        }
        let rows: Vec<Value> = found.iter().map(row).collect();
        output::rows(globals.output, &rows, COLUMNS)?;
        Ok(if found.iter().all(TreeStatus::is_well) { Exit::Ok } else { Exit::Finding })
    }
}

fn row(tree: &TreeStatus) -> Value {
    json!({
        "shop": tree.shop,
        "epoch": tree.epoch,
        "size": tree.size,
        "log_size": tree.log_size,
        "lag_events": tree.lag(),
        "lag_seconds": tree.waiting_age_ms.unwrap_or(0) / 1000,
        "published_size": tree.published_size,
        "published_age_seconds": tree.published_age_ms.map(|age| age / 1000),
        // Whoever was last does not grow it any more.
        "grown_by": tree.is_led.then_some(tree.holder.as_deref()).flatten(),
        "root": tree.root,
        "error": tree.error,
    })
}
