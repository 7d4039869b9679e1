//! `payments` and `refunds-due`: money that came, and money that is to go back.

use clap::{Args, Subcommand};

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("KIND", "kind"),
    Column::text("ID", "id"),
    Column::text("STATE", "state"),
    Column::text("STANDING", "standing"),
    Column::text("ORDER", "order"),
    Column::some_money("AMOUNT", "amount_minor"),
    Column::text("POSITION", "position"),
];
const REFUNDS_DUE: &[Column] = &[
    Column::text("ORDER", "order"),
    Column::text("STATE", "state"),
    Column::money("REFUND DUE", "money.refund_due_minor"),
    Column::money("CAPTURED", "money.captured_minor"),
    Column::some_money("REFUNDED", "money.refunded_minor"),
    Column::text("FLAGS", "flags"),
];

/// Payments: captures, authorisations, refunds, disputes.
#[derive(Debug, Subcommand)]
pub(crate) enum Payments {
    /// List payments
    #[command(
        after_help = "Examples:\n  counterfoil payments list --standing unmatched\n  counterfoil payments list --order A-1001"
    )]
    List {
        #[command(flatten)]
        api: ApiArgs,
        /// Only those that stand so to orders: matched, unmatched, mismatched, foreign, dismissed, awaiting, refuted
        #[arg(long)]
        standing: Option<String>,
        /// Only those in this state: pending, captured, denied, ..
        #[arg(long)]
        state: Option<String>,
        /// Only those of this kind: capture, authorization, refund, dispute, ..
        #[arg(long)]
        kind: Option<String>,
        /// Only those of this order
        #[arg(long)]
        order: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// Money that is owed to buyers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  counterfoil refunds-due -o json")]
pub(crate) struct RefundsDue {
    #[command(flatten)]
    api: ApiArgs,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

impl Payments {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let Self::List { api, standing, state, kind, order, limit } = self;
        let filters = [("standing", standing), ("state", state), ("kind", kind), ("order", order)];
        let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let client = ApiClient::find(&api, globals.project.as_deref())?;
        let rows = client.list(&["v1", "payments"], &query, limit).await?;
        output::rows(globals.output, &rows, COLUMNS)?;
        Ok(Exit::Ok)
    }
}

impl RefundsDue {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let rows = client.list(&["v1", "refunds-due"], &[], self.limit).await?;
        output::rows(globals.output, &rows, REFUNDS_DUE)?;
        Ok(Exit::Ok)
    }
}
