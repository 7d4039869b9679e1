//! `rebuild`: brings a read model to what the log says.

use audit::{Progress, Rebuildable, Rebuilt, rebuild, undo};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::replay::difference_rows;
use super::{LogArgs, told};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::verbs::random_id;

const COLUMNS: &[Column] = &[Column::text("WHERE", "where"), Column::text("WHAT DIFFERS", "what")];

/// Bring a read model to what the log says, while callbacks keep coming.
#[derive(Debug, Args)]
#[command(after_help = "\
The log is folded beside the live tables, and what differs is shown: rows, columns, and amounts by currency. Then the rows
that differ are replaced in one transaction; callbacks and commands are taken all the while. What was replaced is kept:
--undo puts it back at once, but for rows that have changed since.

Examples:
  counterfoil rebuild stock --dry-run
  counterfoil rebuild orders
  counterfoil rebuild orders --undo")]
pub(crate) struct Rebuild {
    #[command(flatten)]
    log: LogArgs,
    /// Which
    model: ModelName,
    /// Only show what differs
    #[arg(long)]
    dry_run: bool,
    /// Put back what the last rebuild of this model replaced
    #[arg(long, conflicts_with = "dry_run")]
    undo: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    Orders,
    Payments,
    Stock,
    Coupons,
    Points,
}

impl From<ModelName> for Rebuildable {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::Orders => Self::Orders,
            ModelName::Payments => Self::Payments,
            ModelName::Stock => Self::Stock,
            ModelName::Coupons => Self::Coupons,
            ModelName::Points => Self::Points,
        }
    }
}

impl Rebuild {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let model = Rebuildable::from(self.model);
        let (database, shop) = self.log.open(globals).await?;
        if self.undo {
            let Some((back, of)) = undo(&database, &shop, model).await.map_err(told)? else {
                let what = format!("there is no rebuild of {} to take back", model.name());
                return Err(exit::finding(what));
            };
            output::one(
                globals.output,
                &json!({"model": model, "put_back": back, "changed_since": of - back}),
            )?;
            return Ok(if back == of { Exit::Ok } else { Exit::Finding });
        }
        let (progress, id) = (Progress::default(), random_id()?);
        let rebuilding = rebuild(&database, &shop, model, (&id, self.dry_run), &progress);
        let rebuilt = shown(&progress, rebuilding).await.map_err(told)?;
        print(globals.output, &rebuilt)?;
        // A dry run answers a question; a rebuild has done what was asked.
        Ok(if self.dry_run && rebuilt.differing > 0 { Exit::Finding } else { Exit::Ok })
    }
}

fn print(format: Format, rebuilt: &Rebuilt) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::one(format, &serde_json::to_value(rebuilt)?);
    }
    let rows: Vec<Value> = rebuilt.differences.iter().flat_map(difference_rows).collect();
    if !rows.is_empty() {
        output::rows(format, &rows, COLUMNS)?;
    }
    for (currency, columns) in &rebuilt.money {
        for (column, change) in columns {
            output::line(&format!("{column} {change:+} {currency} (minor units)"))?;
        }
    }
    output::note(&format!(
        "{}, as of {}: {} rows differ, {} were replaced.",
        rebuilt.model.name(),
        rebuilt.as_of,
        rebuilt.differing,
        rebuilt.replaced
    ));
    Ok(())
}
