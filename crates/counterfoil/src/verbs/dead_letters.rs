//! `dead-letters`: facts that could not be decided, and the ways past them.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("POSITION", "position"),
    Column::text("TYPE", "type"),
    Column::text("KEY", "key"),
    Column::number("ATTEMPTS", "attempts"),
    Column::text("GROUP", "group"),
    Column::text("ERROR", "group_error"),
];

/// Facts that could not be decided, and the ways past them.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them
    #[command(after_help = "Examples:\n  counterfoil dead-letters list")]
    List {
        #[command(flatten)]
        api: ApiArgs,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one with its error
    #[command(after_help = "Examples:\n  counterfoil dead-letters show 0-12")]
    Show {
        #[command(flatten)]
        api: ApiArgs,
        /// The parked fact's position
        position: String,
    },
    /// Decide it again, with all that waits behind it
    #[command(after_help = "Examples:\n  counterfoil dead-letters redrive 0-12 --reason 'fixed in 1.2'")]
    Redrive(Way),
    /// Leave it out for good, and decide what waits behind it
    #[command(
        after_help = "Examples:\n  counterfoil dead-letters dismiss 0-12 --reason 'a test of the provider'"
    )]
    Dismiss(Way),
}

/// A way past a parked fact.
#[derive(Debug, Args)]
pub(crate) struct Way {
    #[command(flatten)]
    api: ApiArgs,
    /// The parked fact's position
    position: String,
    /// Why, in your words; kept sealed
    #[arg(long)]
    reason: Option<String>,
    /// An id of yours, so that repeating this counts once
    #[arg(long)]
    id: Option<String>,
}

impl DeadLetters {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::List { api, limit } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let rows = client.list(&["v1", "dead-letters"], &[], limit).await?;
                output::rows(globals.output, &rows, COLUMNS)?;
            }
            Self::Show { api, position } => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                output::one(globals.output, &client.get(&["v1", "dead-letters", &position], &[]).await?)?;
            }
            Self::Redrive(way) => way.take("redrive", globals).await?,
            Self::Dismiss(way) => way.take("dismiss", globals).await?,
        }
        Ok(Exit::Ok)
    }
}

impl Way {
    async fn take(self, verb: &str, globals: &Globals) -> anyhow::Result<()> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let mut body = Map::new();
        // Without an id of the operator's, every call is a command of its own.
        let id = match self.id {
            Some(id) => id,
            None => format!("cli:{verb}:{}", crate::verbs::random_id()?),
        };
        body.insert("id".to_owned(), id.into());
        body.extend(self.reason.map(|reason| ("reason".to_owned(), Value::from(reason))));
        let answer = client.command(&["v1", "dead-letters", &self.position, verb], &body.into()).await?;
        output::one(globals.output, &answer)
    }
}
