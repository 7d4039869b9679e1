//! `stock`: what is on hand, and what of it is held.

use clap::Subcommand;

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("SKU", "sku"),
    Column::number("ON HAND", "on_hand"),
    Column::number("HELD", "held"),
    Column::number("RECEIVED", "received"),
    Column::number("SETTLED", "settled"),
    Column::number("RETURNED", "returned"),
    Column::text("POSITION", "position"),
];

/// Stock.
#[derive(Debug, Subcommand)]
pub(crate) enum Stock {
    /// List stock
    #[command(after_help = "Examples:\n  counterfoil stock list --limit 200")]
    List {
        #[command(flatten)]
        api: ApiArgs,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one stock-keeping unit
    #[command(after_help = "Examples:\n  counterfoil stock get mug-blue")]
    Get {
        #[command(flatten)]
        api: ApiArgs,
        /// Which
        sku: String,
    },
}

impl Stock {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::List { api, limit } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let rows = client.list(&["v1", "stock"], &[], limit).await?;
                output::rows(globals.output, &rows, COLUMNS)?;
            }
            Self::Get { api, sku } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                output::one(globals.output, &client.get(&["v1", "stock", &sku], &[]).await?)?;
            }
        }
        Ok(Exit::Ok)
    }
}
