//! `replay`: decides and folds the log from nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use audit::{Bundle, Digests, Point, Progress, Run, Snapshot, Source, run};
use clap::Args;
use database::{Database, sql};
use domain::ShopId;
use read_models::{Difference, compare_live, store_all};
use serde_json::{Value, json};

use super::{LogArgs, point, told};
use crate::cli::Globals;
use crate::config::DatabaseArgs;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::project::Project;

const COLUMNS: &[Column] = &[Column::text("WHERE", "where"), Column::text("WHAT DIFFERS", "what")];

/// Decide and fold the log from nothing, and compare.
#[derive(Debug, Args)]
#[command(after_help = "\
Every fact is decided anew by the rules that were in force, and every outcome compared with the recorded one, byte for byte;
the digests that the log has are compared on the way. Live tables are never written.

Exit 0: all is as it was. Exit 1: the first decisions, digests and (with --diff) rows that are not.

Examples:
  counterfoil replay --diff
  counterfoil replay --to 2026-11-25T00:00:00Z -o json
  counterfoil replay --to 5000 --into scratch
  counterfoil replay --bundle november/")]
pub(crate) struct Replay {
    #[command(flatten)]
    log: LogArgs,
    /// Up to this position or time; else all of it
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    to: Option<Point>,
    /// Write the read models into this schema, which is made, and must have nothing of the shop
    #[arg(long, value_name = "SCHEMA")]
    into: Option<String>,
    /// Compare with the live read models, row by row
    #[arg(long, conflicts_with = "to")]
    diff: bool,
    /// Replay this evidence bundle, and ask no database
    #[arg(long, value_name = "DIR", conflicts_with_all = ["diff", "into"])]
    bundle: Option<PathBuf>,
}

impl Replay {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        if let Some(folder) = &self.bundle {
            return self.replay_bundle(folder, globals).await;
        }
        let (database, shop) = self.log.open(globals).await?;
        let scratch = match &self.into {
            Some(schema) => Some(scratch(&self.log.database, globals, schema, &shop).await?),
            None => None,
        };
        let progress = Progress::default();
        let source = Source::Snapshot(Snapshot::take(&database, &shop).await.map_err(told)?);
        let through = source.locate(self.to.unwrap_or(Point::Head)).await.map_err(told)?;
        let ran = shown(&progress, run(&source, through, &progress)).await.map_err(told)?;
        let mut differences = Vec::new();
        if let Source::Snapshot(snapshot) = &source
            && self.diff
        {
            let comparing = compare_live(snapshot.client()?, &shop, ran.replayed.folded());
            differences = shown(&progress, comparing).await?;
        }
        source.close().await;
        if let Some(scratch) = &scratch {
            let client = scratch.client().await?;
            shown(&progress, store_all(&client, &shop, ran.replayed.folded())).await?;
        }
        print(globals.output, &ran, &differences)?;
        Ok(if ran.is_clean() && differences.is_empty() { Exit::Ok } else { Exit::Finding })
    }
}

impl Replay {
    async fn replay_bundle(&self, folder: &Path, globals: &Globals) -> anyhow::Result<Exit> {
        let source = Source::Bundle(Bundle::open(folder).map_err(told)?);
        let through = source.locate(self.to.unwrap_or(Point::Head)).await.map_err(told)?;
        let progress = Progress::default();
        let ran = shown(&progress, run(&source, through, &progress)).await.map_err(told)?;
        print(globals.output, &ran, &[])?;
        Ok(if ran.is_clean() { Exit::Ok } else { Exit::Finding })
    }
}

/// A schema of its own, with every table.
pub(crate) async fn scratch(
    args: &DatabaseArgs,
    globals: &Globals,
    schema: &str,
    shop: &ShopId,
) -> anyhow::Result<Database> {
    if schema == args.schema {
        return Err(exit::usage(format!("{schema} is the live schema: name another")));
    }
    let project = Project::find(globals.project.as_deref());
    let url = args.owner_url(project.as_ref())?;
    let migrated = database::migrate(&url, schema).await;
    migrated.with_context(|| format!("the schema {schema} cannot be made"))?;
    let of_scratch = DatabaseArgs { schema: schema.to_owned() };
    let database = Database::connect(of_scratch.pool(url, "counterfoil scratch", 1)).await?;
    let client = database.client().await?;
    if !read_models::is_empty(&client, shop).await? {
        return Err(exit::finding(format!(
            "the schema {schema} has read models of {shop} already: name another, or drop it"
        )));
    }
    client.execute(&sql::counterfoil::NAME_SCRATCH_SHOP, &[&shop.as_str()]).await?;
    drop(client);
    Ok(database)
}

fn print(format: Format, ran: &Run, differences: &[Difference]) -> anyhow::Result<()> {
    let digests = Digests::of(ran.replayed.folded(), ran.through)?;
    if format != Format::Table {
        let mismatches: Vec<_> = ran.replayed.mismatches.iter().chain(&ran.mismatches).collect();
        return output::one(
            format,
            &json!({
                "through": ran.through, "facts": ran.replayed.facts, "outcomes": ran.replayed.outcomes,
                "digests_compared": ran.digests, "models": digests.models, "mismatches": mismatches,
                "differences": differences,
            }),
        );
    }
    let mismatches = ran.replayed.mismatches.iter().chain(&ran.mismatches);
    let mut rows: Vec<Value> = mismatches
        .map(|mismatch| json!({"where": mismatch.position.to_string(), "what": mismatch.what}))
        .collect();
    rows.extend(differences.iter().flat_map(difference_rows));
    if !rows.is_empty() {
        output::rows(format, &rows, COLUMNS)?;
    }
    let is_well = ran.is_clean() && differences.is_empty();
    output::note(&format!(
        "{} up to {}: {} facts decided again, {} outcomes and {} digests compared.",
        if is_well { "As it was recorded" } else { "NOT as it was recorded" },
        ran.through,
        ran.replayed.facts,
        ran.replayed.outcomes,
        ran.digests,
    ));
    Ok(())
}

/// A row that differs, a line for each column.
pub(crate) fn difference_rows(difference: &Difference) -> Vec<Value> {
    let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let place = format!("{} {}", difference.table, difference.key);
    let columns = difference.columns.iter().map(|column| {
        let (live, replayed) = (show(column.live.as_ref()), show(column.replayed.as_ref()));
        json!({"where": place, "what": format!("{} is {live}, replay makes it {replayed}", column.column)})
    });
    match difference.found {
        read_models::Found::Changed => columns.collect(),
        read_models::Found::Missing => vec![json!({"where": place, "what": "the row is missing"})],
        read_models::Found::Surplus => vec![json!({"where": place, "what": "the row should not be there"})],
    }
}
