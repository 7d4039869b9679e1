//! `orders`: what was bought, and whether it may be shipped.

use clap::Subcommand;
use serde_json::json;

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column};

/// How orders are listed; the first day of `dev` shows the same table.
pub(crate) const COLUMNS: &[Column] = &[
    Column::text("ORDER", "order"),
    Column::text("STATE", "state"),
    Column::text("FULFILMENT", "fulfilment"),
    Column::money("TOTAL", "total_minor"),
    Column::some_money("CAPTURED", "money.captured_minor"),
    Column::some_money("REFUNDED", "money.refunded_minor"),
    Column::some_money("REFUND DUE", "money.refund_due_minor"),
    Column::text("FLAGS", "flags"),
    Column::text("WHY NOT", "reasons"),
];

/// Orders and whether they may be shipped.
#[derive(Debug, Subcommand)]
pub(crate) enum Orders {
    /// List orders
    #[command(
        after_help = "Examples:\n  counterfoil orders list\n  counterfoil orders list --fulfilment ship -o ndjson"
    )]
    List {
        #[command(flatten)]
        api: ApiArgs,
        /// Only orders in this state: open, paid, refused, unfulfillable, ..
        #[arg(long)]
        state: Option<String>,
        /// Only orders that may be shipped (ship), or may not (wait, stop), or were (shipped)
        #[arg(long)]
        fulfilment: Option<String>,
        /// Only orders with this flag: review, disputed, overpaid, ..
        #[arg(long)]
        flag: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one order with everything that is known of it
    #[command(after_help = "Examples:\n  counterfoil orders get A-1001")]
    Get {
        #[command(flatten)]
        api: ApiArgs,
        /// The shop's id of the order
        order: String,
    },
    /// Ask PayPal about one order at once, and bring in what never came
    #[command(after_help = "\
Needs a key with the role shop or operator, and a service that was given the shop's credentials at PayPal.

Examples:
  counterfoil orders sync A-1001")]
    Sync {
        #[command(flatten)]
        api: ApiArgs,
        /// The shop's id of the order
        order: String,
    },
}

impl Orders {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::List { api, state, fulfilment, flag, limit } => {
                let filters = [("state", state), ("fulfilment", fulfilment), ("flag", flag)];
                let query: Vec<_> =
                    filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let rows = client.list(&["v1", "orders"], &query, limit).await?;
                output::rows(globals.output, &rows, COLUMNS)?;
            }
            Self::Get { api, order } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let row = client.get(&["v1", "orders", &order], &[]).await?;
                output::one(globals.output, &row)?;
            }
            Self::Sync { api, order } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let found = client.command(&["v1", "orders", &order, "sync"], &json!({})).await?;
                output::one(globals.output, &found)?;
            }
        }
        Ok(Exit::Ok)
    }
}
