//! `import`: a shop that already sells moves in.

use std::path::PathBuf;

use audit::Progress;
use clap::Args;
use event_log::{AppendError, Appender};
use moving_in::{Brought, Checked, Error, Problems, Totals};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::verbs::audit::NotingArgs;
use crate::verbs::by;

/// The first rules by which it is decided.
const RULES: u32 = 4;

const TOTALS: &[Column] = &[
    Column::text("KIND", "kind"),
    Column::text("STATUS", "status"),
    Column::text("CURRENCY", "currency"),
    Column::number("COUNT", "count"),
    Column::number("AMOUNT", "amount"),
    Column::money("TOTAL", "total_minor"),
    Column::money("CAPTURED", "captured_minor"),
    Column::money("REFUNDED", "refunded_minor"),
];

const PROBLEMS: &[Column] =
    &[Column::number("LINE", "line"), Column::text("AT", "pointer"), Column::text("WHAT", "detail")];

/// Bring a shop along that already sells: opening balances, and orders that are open or were paid lately
#[derive(Debug, Args)]
#[command(after_help = "\
The file has one JSON object a line, in any order (crates/counterfoil/docs/MOVING-IN.md says what each has):

  {\"kind\":\"stock\",\"sku\":\"MUG\",\"on_hand\":40}
  {\"kind\":\"coupon\",\"code\":\"SPRING\",\"max_uses\":100,\"used\":12}
  {\"kind\":\"points\",\"buyer\":\"b-17\",\"balance\":250}
  {\"kind\":\"order\",\"status\":\"paid\",\"placement\":{..},\"captures\":[{\"capture\":\"3C67..\",\"amount_minor\":1800}]}

It is read whole and checked first, and what it comes to is printed. Where anything is wrong, it is named with its line and
nothing is written. Then it becomes facts of the log (*.imported), which the service decides. Each line counts once: a run
that was cut goes on when it is run again, and a file that was imported adds nothing. A line that says something else of
what was imported before is a conflict.

Reads and writes the database itself, as its owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else that of `dev` in this
folder.

Examples:
  counterfoil import shop.ndjson --dry-run
  counterfoil import shop.ndjson --shop shop-eu")]
pub(crate) struct Import {
    #[command(flatten)]
    log: NotingArgs,
    /// The file, one JSON object a line
    #[arg(value_name = "FILE.ndjson")]
    file: PathBuf,
    /// Who imports: an opaque name, for the log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Check everything, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let (format, by) = (globals.output, by(self.by.as_deref(), "counterfoil import")?);
        let (database, shop, guard) = self.log.open(globals).await?;
        let progress = Progress::default();
        let checking = moving_in::check(&database, &shop, &self.file, &progress);
        let checked = shown(&progress, checking).await.map_err(told)?;
        print_totals(format, &checked.totals)?;
        if !checked.problems.is_empty() {
            print_problems(format, &checked.problems)?;
            return Ok(Exit::Finding);
        }
        if self.dry_run {
            say(format, &checked, None)?;
            return Ok(Exit::Ok);
        }
        if checked.rules < RULES {
            return Err(exit::finding(format!(
                "{shop} decides by rules {}, and a shop moves in by rules {RULES} and later: when every instance that serves \
                 it knows them, run `counterfoil shops rules {shop} --activate {RULES}`",
                checked.rules
            )));
        }
        if checked.totals.known == checked.totals.lines {
            let known = Brought { known: checked.totals.known, ..Brought::default() };
            say(format, &checked, Some(known))?;
            return Ok(Exit::Ok);
        }
        let appender = Appender::start_guarded(database, event_log::Options::default(), guard);
        let appending =
            moving_in::append(&appender, &shop, &self.file, (&by, checked.totals.lines), &progress);
        let brought = shown(&progress, appending).await;
        appender.drain().await;
        say(format, &checked, Some(brought.map_err(told)?))?;
        Ok(Exit::Ok)
    }
}

fn print_totals(format: Format, totals: &Totals) -> anyhow::Result<()> {
    match format {
        Format::Table => output::rows(format, &totals.rows(), TOTALS),
        // One document holds all of it.
        Format::Json => Ok(()),
        Format::Ndjson => totals.rows().iter().try_for_each(|row| output::one(format, row)),
    }
}

fn print_problems(format: Format, problems: &Problems) -> anyhow::Result<()> {
    let rows: Vec<Value> = problems.named.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    match format {
        Format::Table => output::line("")?,
        Format::Json => return output::one(format, &json!({"problems": rows, "count": problems.count})),
        Format::Ndjson => {}
    }
    output::rows(format, &rows, PROBLEMS)?;
    let more = problems.count - problems.named.len() as u64;
    if more > 0 {
        output::note(&format!("and {more} more"));
    }
    output::note(&format!("{} things are wrong: nothing was written.", problems.count));
    Ok(())
}

fn say(format: Format, checked: &Checked, brought: Option<Brought>) -> anyhow::Result<()> {
    let mut said = json!({"lines": checked.totals.lines, "known": checked.totals.known});
    match brought {
        None => said["dry_run"] = true.into(),
        Some(Brought { new, known, last }) => {
            said["known"] = known.into();
            said["appended"] = new.into();
            if let Some(last) = last {
                said["last_position"] = json!(last);
            }
        }
    }
    match format {
        Format::Json => said["totals"] = serde_json::to_value(&checked.totals)?,
        Format::Table => output::line("")?,
        Format::Ndjson => {}
    }
    output::one(format, &said)?;
    if brought.is_some_and(|brought| brought.new > 0) {
        output::note(
            "The service decides them now. What it refuses: counterfoil events --kind outcome --type 'order.rejected'",
        );
    }
    Ok(())
}

/// What is in the file is the shop's to mend; trouble with the database keeps its cause.
pub(crate) fn told(error: Error) -> anyhow::Error {
    match error {
        Error::File { .. } => exit::usage(error.to_string()),
        Error::Log(event_log::Error::Database(error)) | Error::Database(error) => error.into(),
        Error::Changed
        | Error::Conflict { .. }
        | Error::Append { source: AppendError::Forked(_) | AppendError::UnknownShop, .. }
        | Error::Log(event_log::Error::UnknownShop) => exit::finding(error.to_string()),
        Error::Append { source: AppendError::Unavailable(_) | AppendError::Busy { .. }, .. } => {
            exit::unavailable(format!("{error}: run it again, and it goes on where it was"))
        }
        error => error.into(),
    }
}
