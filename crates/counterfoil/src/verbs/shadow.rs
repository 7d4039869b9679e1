//! `shadow`: what a shop in shadow has decided, beside the statuses of its own systems.

use std::path::PathBuf;

use audit::Progress;
use clap::{Args, Subcommand};
use domain::ShopId;
use moving_in::shadow::{self, Difference, Differences, Options, Words};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::verbs::audit::LogArgs;
use crate::verbs::import::told;

/// A table or one document shows so many.
const SHOWN_MAX: usize = 1_000;

const COLUMNS: &[Column] = &[
    Column::text("DIFFERS", "kind"),
    Column::text("ORDER", "order"),
    Column::text("HERE", "here.status"),
    Column::number("CAPTURED", "here.captured_minor"),
    Column::number("REFUNDED", "here.refunded_minor"),
    Column::text("", "here.currency"),
    Column::text("THERE", "there.status"),
    Column::number("CAPTURED", "there.captured_minor"),
    Column::number("REFUNDED", "there.refunded_minor"),
    Column::text("", "there.currency"),
    Column::number("LINE", "line"),
];

/// A shop in shadow: decided beside the shop's own systems, and delivered to nobody
#[derive(Debug, Subcommand)]
pub(crate) enum Shadow {
    /// Compare the orders here with the shop's own statuses
    Diff(Diff),
}

/// Compare the orders here with the shop's own statuses.
#[derive(Debug, Args)]
#[command(after_help = "\
The file has an order a line, as CSV (*.csv, with a heading) or NDJSON: order, status, and where they are to be compared
currency, captured_minor, refunded_minor. Other fields are passed over. Statuses are refused, open, partially_paid, paid,
shipped, refunded, unfulfillable, cancelled, expired, closed; the shop's own words are given with --as.

Differences: status, money, missing_here, missing_there, twice (in the file). Exit 0 when there is none, else 1.

Examples:
  counterfoil shadow diff orders.csv --as processing=paid --as completed=shipped
  counterfoil shadow diff today.ndjson --partial -o ndjson")]
pub(crate) struct Diff {
    #[command(flatten)]
    log: LogArgs,
    /// The shop's orders and their statuses: NDJSON, or CSV by its name's end
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What one of the shop's words stands for; may be given several times
    #[arg(long = "as", value_name = "THEIRS=OURS")]
    words: Vec<String>,
    /// The file has only some of the shop's orders: what it lacks is no difference
    #[arg(long)]
    partial: bool,
}

impl Shadow {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::Diff(diff) => diff.run(globals).await,
        }
    }
}

impl Diff {
    async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let format = globals.output;
        let mut words = Words::default();
        for pair in &self.words {
            words = words.with(pair).ok_or_else(|| {
                exit::usage(format!("--as {pair:?}: give THEIRS=OURS, where OURS is a status as `paid`"))
            })?;
        }
        let options = Options { words, is_partial: self.partial };
        let (database, shop) = self.log.open(globals).await?;
        let (progress, mut found, mut printed) = (Progress::default(), Vec::new(), Ok(()));
        let each = |difference: Difference| {
            let row = json!(difference);
            match format {
                Format::Ndjson if printed.is_ok() => printed = output::line(&row.to_string()),
                Format::Ndjson => {}
                _ if found.len() < SHOWN_MAX => found.push(row),
                _ => {}
            }
        };
        let comparing = shadow::diff(&database, &shop, &self.file, &options, &progress, each);
        let differences = match shown(&progress, comparing).await.map_err(told)? {
            Ok(differences) => differences,
            Err(problems) => {
                for problem in &problems.named {
                    output::note(&format!("line {}: {}", problem.line, problem.detail));
                }
                return Err(exit::finding(format!("{} lines cannot be read", problems.count)));
            }
        };
        printed?;
        print(format, &shop, &differences, &found)?;
        Ok(if differences.is_none() { Exit::Ok } else { Exit::Finding })
    }
}

fn print(format: Format, shop: &ShopId, differences: &Differences, found: &[Value]) -> anyhow::Result<()> {
    let totals = serde_json::to_value(differences)?;
    match format {
        Format::Ndjson => output::line(&json!({"shop": shop.as_str(), "totals": totals}).to_string()),
        Format::Json => {
            output::one(format, &json!({"shop": shop.as_str(), "totals": totals, "differences": found}))
        }
        Format::Table => {
            output::one(format, &totals)?;
            if found.is_empty() {
                return Ok(());
            }
            output::line("")?;
            output::rows(format, found, COLUMNS)?;
            if found.len() == SHOWN_MAX {
                output::note(&format!("The first {SHOWN_MAX} are shown: -o ndjson shows all of them."));
            }
            Ok(())
        }
    }
}
