//! `migrate`: brings the schema up to date, as its owner.

use clap::Args;
use serde_json::json;

use crate::cli::Globals;
use crate::config::DatabaseArgs;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::progress::waited_for;
use crate::project::Project;

/// Bring the database's schema up to date.
#[derive(Debug, Args)]
#[command(after_help = "\
Logs in as the owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else the running `counterfoil dev`.
Several at a time wait for each other; a schema that this program did not make is refused.

Examples:
  MAINTENANCE_DATABASE_URL=postgres://owner@db/shop counterfoil migrate
  counterfoil migrate --status
  MAINTENANCE_DATABASE_URL=postgres://owner@coordinator/shop counterfoil migrate --citus")]
pub(crate) struct Migrate {
    /// Say what is to be done, and do nothing; exit 1 when something is
    #[arg(long)]
    status: bool,
    /// Then spread the shops over the nodes of a Citus cluster; the URL is that of its coordinator
    #[arg(long, conflicts_with = "status")]
    citus: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Migrate {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let url = self.database.owner_url(project.as_ref())?;
        if self.status {
            let status = database::migration_status(&url, &self.database.schema).await?;
            let done = status.pending.is_empty() && !status.newer;
            output::one(
                globals.output,
                &json!({
                    "schema": self.database.schema, "version": status.version, "pending": status.pending,
                    "ours": status.ours, "newer_than_this_program": status.newer,
                }),
            )?;
            return Ok(if done { Exit::Ok } else { Exit::Finding });
        }
        let schema = &self.database.schema;
        if self.citus {
            // Nothing is done where it is not there.
            database::citus_version(&url, schema).await?;
        }
        let report = database::migrate(&url, schema).await?;
        let mut done = json!({ "schema": schema, "version": report.version, "applied": report.applied });
        if self.citus {
            let spreading = database::distribute(&url, schema);
            let spread = waited_for("spreading the shops over the nodes", spreading).await?;
            done["citus"] = json!(spread.citus);
            done["distributed"] = json!(spread.now);
            done["tables"] = json!(spread.tables);
        }
        if globals.output != Format::Table {
            done["left_to_an_administrator"] = json!(report.statements);
        }
        output::one(globals.output, &done)?;
        if report.statements.is_empty() {
            return Ok(Exit::Ok);
        }
        output::note("This login may not do what follows; have an administrator run it:\n");
        if globals.output == Format::Table {
            report.statements.iter().try_for_each(|statement| output::line(statement))?;
        }
        Ok(Exit::Finding)
    }
}
