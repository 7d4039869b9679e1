//! `reconcile`: PayPal's settlement report against the log.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use audit::settlement::{self, Books, Comparison, Options, Report};
use audit::{Progress, Snapshot, Source, read_into};
use clap::Args;
use database::Database;
use domain::{ShopId, Timestamp};
use serde_json::{Value, json};

use super::{NotingArgs, told};
use crate::cli::Globals;
use crate::config::duration;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::verbs::by;

const TOTALS: &[Column] = &[
    Column::text("CLASS", "class"),
    Column::text("KIND", "kind"),
    Column::text("CURRENCY", "currency"),
    Column::number("COUNT", "count"),
    Column::number("HERE", "here_minor"),
    Column::number("THERE", "there_minor"),
];

const UNMATCHED: &[Column] = &[
    Column::text("CLASS", "class"),
    Column::text("KIND", "kind"),
    Column::text("TRANSACTION", "id"),
    Column::text("DIFFERS", "differs"),
    Column::number("HERE", "here.gross_minor"),
    Column::number("FEE", "here.fee_minor"),
    Column::text("", "here.currency"),
    Column::text("ORDER", "here.order"),
    Column::text("POSITION", "here.position"),
    Column::number("THERE", "there.gross_minor"),
    Column::number("FEE", "there.fee_minor"),
    Column::text("", "there.currency"),
    Column::text("CODE", "there.code"),
    Column::number("LINE", "there.line"),
];

/// Compare PayPal's settlement report with the log: what never came, and what nobody sent.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes the file as PayPal puts it on its SFTP server (STL-<date>...CSV). What the log itself says is compared, never the
tables: captures with gross, fee and currency, refunds and reversals with their amounts, each by PayPal's transaction id.
Amounts are in the currency's smallest unit.

Classes: matched; amount_differs (or twice in the report); missing_here (a lost callback, unless it is younger than an
hour); missing_there (the log has it, PayPal does not list it); timing (it may be of the report before or after, for a
callback may be late: no finding). Fees, transfers, holds and conversions are counted by their codes.

Exit 0 when there is no finding, else 1. The report's SHA-256 and what it came to go into the log, once for each state of
the log. A file that is not as PayPal writes it is named with its line, and nothing is written.

Reads the database itself, as its owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else that of `dev` in this folder.

Examples:
  counterfoil reconcile --settlement STL-20261125.01.009.CSV
  counterfoil reconcile --shop shop-eu --settlement STL-20261125.01.009.CSV --late 2h -o json --dry-run")]
pub(crate) struct Reconcile {
    #[command(flatten)]
    log: NotingArgs,
    /// PayPal's report
    #[arg(long, value_name = "FILE")]
    settlement: PathBuf,
    /// The merchant account, where the report has several; else the payee of the shop's settings
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// How late a callback may have come, as 2h or 1d
    #[arg(long, default_value = "1d", value_parser = duration, value_name = "TIME")]
    late: Duration,
    /// Who compares: an opaque name, for the log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Write nothing into the log
    #[arg(long)]
    dry_run: bool,
}

impl Reconcile {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let by = by(self.by.as_deref(), "counterfoil reconcile")?;
        let report = self.read().await?;
        let (database, shop, guard) = self.log.open(globals).await?;
        let comparison = self.compare(&database, &shop, report).await?;
        let noted = match self.dry_run {
            true => None,
            false => {
                Some(settlement::record(&guard, &database, &shop, &comparison, &by).await.map_err(told)?)
            }
        };
        let clean = comparison.is_clean();
        let noted = noted.map(|noted| json!({"position": noted.position, "was_known": noted.was_known}));
        print(globals.output, &shop, &comparison, noted)?;
        Ok(if clean { Exit::Ok } else { Exit::Finding })
    }

    async fn read(&self) -> anyhow::Result<Report> {
        let name = self.settlement.display().to_string();
        let file = File::open(&self.settlement)
            .map_err(|error| exit::usage(format!("{name} cannot be read: {error}")))?;
        let read = tokio::task::spawn_blocking(move || Report::read(file)).await?;
        read.map_err(|malformed| exit::finding(format!("{name}, {malformed}")))
    }

    async fn compare(
        &self,
        database: &Database,
        shop: &ShopId,
        report: Report,
    ) -> anyhow::Result<Comparison> {
        let snapshot = Snapshot::take(database, shop).await.map_err(told)?;
        let source = Source::Snapshot(snapshot);
        let head = source.head();
        let progress = Progress::default();
        let reading = read_into(&source, head, Books::default(), ("reading the log", &progress));
        let books = shown(&progress, reading).await.map_err(told)?;
        let options = Options {
            account: self.account.clone(),
            now: Timestamp::new(database.now().await?),
            late_s: i64::try_from(self.late.as_secs()).context("--late is too long")?,
        };
        let compared =
            tokio::task::spawn_blocking(move || settlement::compare(&report, books, &options)).await?;
        compared.map_err(told)
    }
}

fn print(format: Format, shop: &ShopId, comparison: &Comparison, noted: Option<Value>) -> anyhow::Result<()> {
    let mut shown = serde_json::to_value(comparison)?;
    if format != Format::Table {
        shown["shop"] = shop.as_str().into();
        shown["noted"] = noted.into();
        return output::one(format, &shown);
    }
    let rows = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
    output::note(&format!(
        "{} transactions from {} to {}, against the log of {shop} up to {}",
        comparison.rows, comparison.from, comparison.to, comparison.as_of
    ));
    let mut totals = rows("totals");
    let others = comparison.others.iter();
    totals.extend(others.map(|(code, count)| json!({"class": "other", "kind": code, "count": count})));
    output::rows(format, &totals, TOTALS)?;
    if !comparison.unmatched.is_empty() {
        output::line("")?;
        output::rows(format, &rows("unmatched"), UNMATCHED)?;
    }
    Ok(())
}
