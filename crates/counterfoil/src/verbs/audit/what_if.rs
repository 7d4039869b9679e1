//! `what-if`: decides the log anew under other rules or settings.

use std::path::PathBuf;

use audit::{Assumptions, Point, Progress, Snapshot, Source, WhatIf as Found, what_if};
use clap::Args;
use domain::Settings;
use read_models::store_all;
use serde_json::{Value, json};

use super::replay::scratch;
use super::{LogArgs, point, told};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;

const COLUMNS: &[Column] = &[
    Column::text("ORDER", "order"),
    Column::text("WAS", "recorded.state"),
    Column::text("WOULD BE", "assumed.state"),
    Column::money("CAPTURED", "recorded.captured_minor"),
    Column::money("WOULD BE", "assumed.captured_minor"),
    Column::money("REFUND DUE", "recorded.refund_due_minor"),
    Column::money("WOULD BE", "assumed.refund_due_minor"),
    Column::text("FULFILMENT", "recorded.fulfilment"),
    Column::text("WOULD BE", "assumed.fulfilment"),
];

/// Decide the log anew under other rules or settings, and show what would have become of each order.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing recorded is obeyed and nothing is written, but for the schema that --into names. Facts are taken as they came: a
hold that would have had another deadline does not run out here.

Exit 0: no order would stand elsewhere. Exit 1: those that would, and by how much.

Examples:
  counterfoil what-if --rules 1
  echo '{\"tracks\": {\"stock\": false}}' > untracked.json; counterfoil what-if --settings untracked.json")]
pub(crate) struct WhatIf {
    #[command(flatten)]
    log: LogArgs,
    /// Under this version of the rules, from the first fact on
    #[arg(long, value_name = "VERSION", required_unless_present = "settings")]
    rules: Option<u32>,
    /// Under these settings, JSON as `shops configure` shows them; what is not named is as by default
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Up to this position or time; else all of it
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    to: Option<Point>,
    /// Write the read models as they would be into this schema, which is made
    #[arg(long, value_name = "SCHEMA")]
    into: Option<String>,
}

impl WhatIf {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let settings = self.settings.as_ref().map(read_settings).transpose()?;
        let (database, shop) = self.log.open(globals).await?;
        let scratch = match &self.into {
            Some(schema) => Some(scratch(&self.log.database, globals, schema, &shop).await?),
            None => None,
        };
        let source = Source::Snapshot(Snapshot::take(&database, &shop).await.map_err(told)?);
        let through = source.locate(self.to.unwrap_or(Point::Head)).await.map_err(told)?;
        let (progress, assumptions) = (Progress::default(), Assumptions { rules: self.rules, settings });
        let deciding = what_if(&source, through, assumptions, &progress);
        let found = shown(&progress, deciding).await.map_err(told)?;
        source.close().await;
        if let Some(scratch) = &scratch {
            let client = scratch.client().await?;
            shown(&progress, store_all(&client, &shop, &found.rows)).await?;
        }
        print(globals.output, &found)?;
        Ok(if found.orders.is_empty() { Exit::Ok } else { Exit::Finding })
    }
}

fn read_settings(file: &PathBuf) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| exit::usage(format!("{} cannot be read: {error}", file.display())))?;
    let settings: Settings = serde_json::from_str(&text)
        .map_err(|error| exit::usage(format!("{} has no settings: {error}", file.display())))?;
    match settings.problems().first() {
        None => Ok(settings),
        Some(problem) => Err(exit::usage(format!("{}: {}", file.display(), problem.detail))),
    }
}

fn print(format: Format, found: &Found) -> anyhow::Result<()> {
    let rows = found.orders.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
    if format != Format::Table {
        return output::one(format, &json!({"facts": found.facts, "orders": rows}));
    }
    if !rows.is_empty() {
        output::rows(format, &rows, COLUMNS)?;
    }
    output::note(&format!("{} facts decided; {} orders would stand elsewhere.", found.facts, rows.len()));
    Ok(())
}
