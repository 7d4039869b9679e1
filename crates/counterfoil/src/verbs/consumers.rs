//! `consumers`: readers of the feed whose cursor is kept by the service.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::acting::Why;
use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("NAME", "name"),
    Column::text("CURSOR", "cursor"),
    Column::number("LAG", "lag_events"),
    Column::number("SECONDS", "lag_seconds"),
    Column::text("MOVED AT", "moved_at"),
    Column::text("LOST AT", "lost_at"),
];

/// Readers of the feed whose cursor is kept by the service
#[derive(Debug, Subcommand)]
pub(crate) enum Consumers {
    /// List them, with what each has before it
    #[command(after_help = "Examples:\n  counterfoil consumers list")]
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Make one; the outbox waits for it from then on
    #[command(after_help = "Examples:\n  counterfoil consumers create shipping --from end")]
    Create {
        #[command(flatten)]
        one: One,
        /// start, end, a cursor as 0-1042, or a time
        #[arg(long, default_value = "start", value_name = "WHERE")]
        from: String,
    },
    /// Put one elsewhere, wherever it was
    #[command(after_help = "Examples:\n  counterfoil consumers reset shipping --to 2026-01-01T00:00:00Z")]
    Reset {
        #[command(flatten)]
        one: One,
        /// start, end, a cursor as 0-1042, or a time
        #[arg(long, value_name = "WHERE")]
        to: String,
        #[command(flatten)]
        why: Why,
    },
    /// Declare one lost: the outbox waits for it no longer, until it moves again
    #[command(after_help = "Examples:\n  counterfoil consumers lose shipping")]
    Lose {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        why: Why,
    },
    /// Forget one
    #[command(after_help = "Examples:\n  counterfoil consumers delete shipping")]
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        why: Why,
    },
}

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    api: ApiArgs,
    /// Its name
    name: String,
}

impl Consumers {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let find = |api: &ApiArgs| ApiClient::find(api, globals.project.as_deref());
        let answer: Value = match self {
            Self::List { api } => {
                let listed = find(&api)?.get(&["v1", "consumers"], &[]).await?;
                let rows = listed.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
                output::rows(globals.output, &rows, COLUMNS)?;
                return Ok(Exit::Ok);
            }
            Self::Create { one, from } => {
                find(&one.api)?.put(&["v1", "consumers", &one.name], &json!({ "cursor": from })).await?
            }
            Self::Reset { one, to, why } => {
                let body = why.body(json!({ "to": to }));
                find(&one.api)?.command(&["v1", "consumers", &one.name, "reset"], &body).await?
            }
            Self::Lose { one, why } => {
                let body = why.body(json!({}));
                find(&one.api)?.command(&["v1", "consumers", &one.name, "lose"], &body).await?
            }
            Self::Delete { one, why } => {
                let body = why.body(json!({}));
                find(&one.api)?.delete(&["v1", "consumers", &one.name], &body).await?;
                let told = format!("The consumer {} is gone.", one.name);
                output::done(globals.output, &json!({ "name": one.name, "deleted": true }), &told)?;
                return Ok(Exit::Ok);
            }
        };
        output::one(globals.output, &answer)?;
        Ok(Exit::Ok)
    }
}
