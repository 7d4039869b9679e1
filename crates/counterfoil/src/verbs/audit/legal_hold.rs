//! `legal-hold`: keeps a buyer's evidence from being destroyed.

use audit::erasure;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{LogArgs, NotingArgs, told};
use crate::cli::Globals;
use crate::exit::Exit;
use crate::output::{self, Column};
use crate::verbs::{by, opaque, parse_buyer};

const COLUMNS: &[Column] = &[
    Column::text("BUYER", "buyer"),
    Column::text("CASE", "case"),
    Column::text("PLACED", "placed_at"),
    Column::text("BY", "by"),
    Column::number("POSITION", "position"),
];

/// Keep a buyer's evidence from being destroyed: `erase` refuses while a hold is in force.
#[derive(Debug, Subcommand)]
pub(crate) enum LegalHold {
    /// Keep the evidence of a buyer, for a case
    #[command(after_help = "\
The log says so (legal_hold.placed). A hold that is in force already stays as it is.

Examples:
  counterfoil legal-hold place --buyer B-1042 --case 7-O-123.26")]
    Place(Case),
    /// Let it be destroyed again
    #[command(after_help = "Examples:\n  counterfoil legal-hold lift --buyer B-1042 --case 7-O-123.26")]
    Lift(Case),
    /// List the holds that are in force
    #[command(after_help = "Examples:\n  counterfoil legal-hold list --shop shop-eu -o json")]
    List {
        #[command(flatten)]
        log: LogArgs,
        /// Only of this buyer
        #[arg(long, value_name = "ID")]
        buyer: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Case {
    #[command(flatten)]
    log: NotingArgs,
    /// The buyer, as the shop calls them
    #[arg(long, value_name = "ID")]
    buyer: String,
    /// Why: an opaque reference, for the log
    #[arg(long, value_name = "REF")]
    case: String,
    /// Who says so: an opaque name, for the log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl LegalHold {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let (case, is_placed) = match self {
            Self::List { log, buyer } => {
                let buyer = buyer.as_deref().map(parse_buyer).transpose()?;
                let (database, shop) = log.open(globals).await?;
                let holds = erasure::list_holds(&database, &shop, buyer.as_ref()).await.map_err(told)?;
                let rows: Vec<Value> = holds.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
                output::rows(globals.output, &rows, COLUMNS)?;
                return Ok(Exit::Ok);
            }
            Self::Place(case) => (case, true),
            Self::Lift(case) => (case, false),
        };
        let buyer = parse_buyer(&case.buyer)?;
        let reference = opaque("--case", &case.case)?;
        let by = by(case.by.as_deref(), "counterfoil legal-hold")?;
        let (database, shop, guard) = case.log.open(globals).await?;
        let noted = if is_placed {
            erasure::place_hold(&guard, &database, &shop, (&buyer, &reference), &by).await
        } else {
            erasure::lift_hold(&guard, &database, &shop, (&buyer, &reference), &by).await
        };
        let noted = noted.map_err(told)?;
        let row = json!({
            "shop": shop.as_str(), "buyer": buyer, "case": reference, "in_force": is_placed,
            "position": noted.position, "was_known": noted.was_known,
        });
        output::one(globals.output, &row)?;
        Ok(Exit::Ok)
    }
}
