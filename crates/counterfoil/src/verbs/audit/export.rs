//! `export`: the log and the read models as files.

use std::path::PathBuf;

use audit::export::{self, Request};
use audit::{Point, Progress, Snapshot, Source};
use clap::{Args, ValueEnum};
use domain::Position;
use serde_json::Value;

use super::{LogArgs, point, told};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;

const COLUMNS: &[Column] =
    &[Column::text("FILE", "file"), Column::number("ROWS", "rows"), Column::text("SHA-256", "sha256")];

/// Write the log and the read models into files, with a manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
events.jsonl has the entries, byte for byte, one a line; each table of the read models is made from the log alone, as of the
last of them. manifest.json says what was asked for, how many rows each file has and its SHA-256, and the sums by currency.
The SHA-256 of a table written as jsonl is the digest that `counterfoil digest` records.

Examples:
  counterfoil export --format jsonl --out export/
  counterfoil export --format csv --to 2026-11-25T00:00:00Z --out books/")]
pub(crate) struct Export {
    #[command(flatten)]
    log: LogArgs,
    /// How the read models are written
    #[arg(long, value_enum)]
    format: FormatName,
    /// The folder: a new one, or one that is empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only entries from this position on; the read models are whole in any case
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: i64,
    /// Up to this position or time; else all of it
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    to: Option<Point>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// A JSON object a line
    Jsonl,
    /// For spreadsheets: no text in it is taken for a formula
    Csv,
}

impl Export {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let (database, shop) = self.log.open(globals).await?;
        let source = Source::Snapshot(Snapshot::take(&database, &shop).await.map_err(told)?);
        let through = source.locate(self.to.unwrap_or(Point::Head)).await.map_err(told)?;
        if self.from < 0 || (self.from > through.0 && through.0 >= 0) {
            return Err(exit::finding(format!("--from {} is not in the log up to {through}", self.from)));
        }
        let request = Request {
            format: match self.format {
                FormatName::Jsonl => export::Format::Jsonl,
                FormatName::Csv => export::Format::Csv,
            },
            from: Position(self.from),
            through,
            arguments: std::env::args().skip(1).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let progress = Progress::default();
        let writing = export::export(&source, &self.out, request, &progress);
        let manifest = shown(&progress, writing).await.map_err(told)?;
        source.close().await;
        if globals.output != Format::Table {
            output::one(globals.output, &serde_json::to_value(&manifest)?)?;
            return Ok(Exit::Ok);
        }
        let rows = manifest.files.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        output::rows(globals.output, &rows, COLUMNS)?;
        output::note(&format!("Everything up to {through} of {shop} is in {}.", self.out.display()));
        Ok(Exit::Ok)
    }
}
