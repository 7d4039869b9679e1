//! `events`: reads the log, follows it, and has an old callback read again.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column, Format};

const COLUMNS: &[Column] = &[
    Column::text("POSITION", "position"),
    Column::text("AT", "at"),
    Column::text("KIND", "kind"),
    Column::text("TYPE", "type"),
    Column::text("KEY", "key"),
    Column::text("CAUSE", "cause"),
];
/// The log has no end, and `--follow` asks for it this often.
const FOLLOW_STEP: Duration = Duration::from_millis(500);

/// The log: facts and outcomes.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  counterfoil events --follow\n  counterfoil events --kind outcome --type 'order.*' -o ndjson\n  counterfoil events get 0-12"
)]
pub(crate) struct Events {
    #[command(subcommand)]
    one: Option<OneEvent>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    api: ApiArgs,
    /// Go on as the log grows, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Only events after this position
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Only facts, outcomes or notes
    #[arg(long)]
    kind: Option<String>,
    /// Only events of this type; a * at the end stands for any rest
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,
    /// Only events of this key, as order:A-1001
    #[arg(long)]
    key: Option<String>,
    /// At most so many; with --follow, for each step
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum OneEvent {
    /// Show one event
    #[command(after_help = "Examples:\n  counterfoil events get 0-12 -o json")]
    Get {
        #[command(flatten)]
        api: ApiArgs,
        /// Its position
        position: String,
    },
    /// Read an old callback again, from its evidence, by today's translation
    #[command(after_help = "Examples:\n  counterfoil events retranslate 0-12")]
    Retranslate {
        #[command(flatten)]
        api: ApiArgs,
        /// The callback's position
        position: String,
    },
}

impl Events {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self.one {
            None => self.list.run(globals).await?,
            Some(OneEvent::Get { api, position }) => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                output::one(globals.output, &client.get(&["v1", "events", &position], &[]).await?)?;
            }
            Some(OneEvent::Retranslate { api, position }) => {
                let client = ApiClient::find(&api, globals.project.as_deref())?;
                let answer = client.command(&["v1", "events", &position, "retranslate"], &json!({})).await?;
                output::one(globals.output, &answer)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl List {
    async fn run(self, globals: &Globals) -> anyhow::Result<()> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let filters = [("kind", self.kind), ("type", self.type_name), ("key", self.key)];
        let filters: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut after = self.after;
        loop {
            let mut query = filters.clone();
            query.extend(after.clone().map(|after| ("after", after)));
            let rows = client.list(&["v1", "events"], &query, self.limit).await?;
            if !self.follow {
                return output::rows(globals.output, &rows, COLUMNS);
            }
            for row in &rows {
                output::line(&followed(globals.output, row))?;
            }
            match rows.last().and_then(|row| row.get("position")) {
                Some(last) => after = Some(output::plain(last)),
                None => {
                    tokio::select! {
                        () = tokio::time::sleep(FOLLOW_STEP) => {}
                        _ = tokio::signal::ctrl_c() => return Ok(()),
                    }
                }
            }
        }
    }
}

/// A log that grows is told line by line, whatever the format.
fn followed(format: Format, row: &Value) -> String {
    if format != Format::Table {
        return row.to_string();
    }
    let cell = |name: &str| row.get(name).map(output::plain).unwrap_or_default();
    format!(
        "{:>10}  {}  {:<8} {:<26} {}",
        cell("position"),
        cell("at"),
        cell("kind"),
        cell("type"),
        cell("key")
    )
}
