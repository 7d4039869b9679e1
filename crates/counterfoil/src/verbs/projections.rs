//! `projections`: how far each shop's read models are, and who keeps them.

use clap::{Args, Subcommand};
use database::Database;
use read_models::ReadModels;
use relay::{Health, Projection};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::config::DatabaseArgs;
use crate::exit::Exit;
use crate::output::{self, Column};
use crate::project::Project;
use crate::verbs::serve::is_migrated;

const COLUMNS: &[Column] = &[
    Column::text("SHOP", "shop"),
    Column::text("PROJECTION", "projection"),
    Column::number("POSITION", "position"),
    Column::number("HEAD", "head"),
    Column::number("LAG", "lag_events"),
    Column::number("LAG S", "lag_seconds"),
    Column::text("LEADER", "leader"),
    Column::number("EPOCH", "epoch"),
    Column::number("HEART-BEAT MS", "heartbeat_age_ms"),
    Column::number("PROGRESS MS", "progress_age_ms"),
    Column::text("STANDING", "standing"),
];

/// How far each shop's read models are, and who keeps them.
#[derive(Debug, Subcommand)]
pub(crate) enum Projections {
    /// Show each shop's position, lag, leader and standing
    List(List),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Reads the database itself, as its owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else that of `dev` in this folder.
Standings: idle (led, all is decided), working (led, facts are being decided, however many wait), vacant (nobody leads, and
nothing has waited for long), stalled (led, but what waits is not decided), leaderless (nobody leads, and facts wait).
Exit 1 when one is stalled or leaderless.

Examples:
  counterfoil projections list
  counterfoil projections list -o json")]
pub(crate) struct List {
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Projections {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let Self::List(list) = self;
        let project = Project::find(globals.project.as_deref());
        let url = list.database.owner_url(project.as_ref())?;
        is_migrated(&url, &list.database.schema).await?;
        let database = Database::connect(list.database.pool(url, "counterfoil projections", 1)).await?;
        let projection = ReadModels::default().consumer();
        let shops = relay::health(&database, projection).await?;
        let rows: Vec<Value> = shops.iter().map(|health| row(projection, health)).collect();
        output::rows(globals.output, &rows, COLUMNS)?;
        let all_well = shops.iter().all(|health| health.standing().is_well());
        Ok(if all_well { Exit::Ok } else { Exit::Finding })
    }
}

fn row(projection: &str, health: &Health) -> Value {
    json!({
        "shop": health.shop,
        "projection": projection,
        "position": health.position,
        "head": health.head,
        "lag_events": health.lag(),
        "lag_seconds": health.undecided_age_ms.unwrap_or(0) / 1000,
        // Whoever was last is no leader any more.
        "leader": health.is_led.then_some(health.holder.as_deref()).flatten(),
        "epoch": health.epoch,
        "heartbeat_age_ms": health.heartbeat_age_ms,
        "progress_age_ms": health.progress_age_ms,
        "standing": health.standing().name(),
    })
}
