//! `feed`: what goes downstream, as a reader gets it.

use clap::Args;
use serde_json::{Value, json};

use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::Exit;
use crate::output::{self, Column, Format};

const COLUMNS: &[Column] = &[
    Column::text("TIME", "time"),
    Column::text("SEQUENCE", "sequence"),
    Column::text("TYPE", "type"),
    Column::text("SUBJECT", "subject"),
    Column::text("ID", "id"),
];
const PAGE: u32 = 500;
/// An empty page is held back for so long by the service.
const WAIT_MS: u32 = 20_000;

/// Which events are wanted, and from where on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// Behind this cursor or event id; else from the first event that the outbox has
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Only these types: names or patterns, with commas between
    #[arg(long, value_name = "TYPES")]
    pub(crate) types: Option<String>,
    /// Only of this key, as order:1042
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Facts, timers and notes too
    #[arg(long)]
    pub(crate) all_kinds: bool,
    /// Only this share of the keys, as 0/4
    #[arg(long, value_name = "K/N")]
    pub(crate) partition: Option<String>,
}

impl Wanted {
    /// The query, but for where to begin.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.types.clone().map(|types| ("types", types)));
        query.extend(self.key.clone().map(|key| ("key", key)));
        query.extend(self.partition.clone().map(|partition| ("partition", partition)));
        query.extend(self.all_kinds.then(|| ("kind", "all".to_owned())));
        query
    }
}

/// What goes downstream: every outcome, in order
#[derive(Debug, Args)]
#[command(after_help = "\
With --consumer the service keeps the cursor: it is moved when a page has been printed, and another run goes on from there.

Examples:
  counterfoil feed --types 'order.*' --limit 20
  counterfoil feed --follow -o ndjson | jq .data.order.order
  counterfoil feed --follow --consumer shipping -o ndjson")]
pub(crate) struct Feed {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    wanted: Wanted,
    /// Go on as events come, until you stop it
    #[arg(long, short)]
    follow: bool,
    /// Keep the cursor under this name; it is made when it is not there
    #[arg(long, value_name = "NAME", conflicts_with = "after")]
    consumer: Option<String>,
    /// At most so many; with --follow as many as come
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl Feed {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let mut since = match &self.consumer {
            Some(name) => Some(("after", cursor_of(&client, name).await?)),
            None => self.wanted.after.clone().map(|after| ("lastEventId", after)),
        };
        let mut left = if self.follow { u32::MAX } else { self.limit };
        let mut kept = since.as_ref().map(|(_, cursor)| cursor.clone());
        let mut all = Vec::new();
        while left > 0 {
            let mut query = self.wanted.query();
            query.push(("limit", left.min(PAGE).to_string()));
            query.push(("timeout", if self.follow { WAIT_MS } else { 0 }.to_string()));
            query.extend(since.take());
            let (events, cursor) = client.feed(&query).await?;
            let is_end = events.is_empty();
            left = left.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
            if self.follow || globals.output == Format::Ndjson {
                events.iter().try_for_each(|event| print(globals.output, event))?;
            } else {
                all.extend(events);
            }
            if let (Some(name), Some(was)) = (&self.consumer, &kept)
                && *was != cursor
            {
                let body = json!({ "cursor": cursor, "was": was });
                client.put(&["v1", "consumers", name], &body).await?;
                kept = Some(cursor.clone());
            }
            since = Some(("after", cursor));
            if is_end && !self.follow {
                break;
            }
        }
        if !self.follow && globals.output != Format::Ndjson {
            output::rows(globals.output, &all, COLUMNS)?;
        }
        Ok(Exit::Ok)
    }
}

/// Where a consumer stands; one that is not there begins with what the outbox has.
async fn cursor_of(client: &ApiClient, name: &str) -> anyhow::Result<String> {
    let path = ["v1", "consumers", name];
    let listed = client.get(&["v1", "consumers"], &[]).await?;
    let consumers = listed.get("data").and_then(Value::as_array).into_iter().flatten();
    let known = consumers.into_iter().find(|consumer| consumer["name"] == name).cloned();
    let consumer = match known {
        Some(consumer) => consumer,
        None => client.put(&path, &json!({ "cursor": "start" })).await?,
    };
    consumer["cursor"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("the consumer has no cursor"))
}

fn print(format: Format, event: &Value) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::line(&event.to_string());
    }
    let text = |name: &str| event.get(name).map(output::plain).unwrap_or_default();
    output::line(&format!(
        "{}  {}  {:24}  {:24}  {}",
        text("time"),
        text("sequence"),
        text("type"),
        text("subject"),
        text("id")
    ))
}
