//! `as-of`: one order, article, coupon or buyer as it was.

use audit::{Model, Point, Progress, Snapshot, Source, Subject, as_of};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{LogArgs, point, told};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Format};
use crate::progress::shown;

/// What was: one order, article, coupon or buyer at a point of the log.
#[derive(Debug, Args)]
#[command(after_help = "\
Made from the log alone, never from the live tables. An order shows its payments too, a coupon its buyers. Exit 1: there was
nothing of it by then.

Examples:
  counterfoil as-of 1042 order A-1001
  counterfoil as-of 2026-11-25T18:00:00Z stock TEA-1 -o json")]
pub(crate) struct AsOf {
    #[command(flatten)]
    log: LogArgs,
    /// The position, or the time
    #[arg(value_name = "POSITION|TIME", value_parser = point)]
    point: Point,
    /// What is looked for
    model: ModelName,
    /// Its id: an order's, an article's, a coupon's code, a buyer's
    key: String,
}

/// What can be looked for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    Order,
    Stock,
    Coupon,
    Points,
}

impl From<ModelName> for Model {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::Order => Self::Order,
            ModelName::Stock => Self::Stock,
            ModelName::Coupon => Self::Coupon,
            ModelName::Points => Self::Points,
        }
    }
}

impl AsOf {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let subject = Subject::parse(self.model.into(), &self.key)
            .map_err(|error| exit::usage(format!("{:?} cannot be one: {error}", self.key)))?;
        let (database, shop) = self.log.open(globals).await?;
        let source = Source::Snapshot(Snapshot::take(&database, &shop).await.map_err(told)?);
        let through = source.locate(self.point).await.map_err(told)?;
        let progress = Progress::default();
        let rows = shown(&progress, as_of(&source, through, &subject, &progress)).await.map_err(told)?;
        source.close().await;
        let Some(((_, first), others)) = rows.split_first() else {
            return Err(exit::finding(format!("as of {through} there is nothing of {}", self.key)));
        };
        let mut row = first.clone();
        for (table, cells) in others {
            if let Value::Array(list) = row.entry(*table).or_insert_with(|| json!([])) {
                list.push(Value::Object(cells.clone()));
            }
        }
        row.insert("as_of".to_owned(), json!(through));
        output::one(globals.output, &Value::Object(row))?;
        if globals.output == Format::Table {
            output::note(&format!("As of position {through} of {shop}."));
        }
        Ok(Exit::Ok)
    }
}
