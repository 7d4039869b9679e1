//! `sinks`: where events are sent to.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::acting::Why;
use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::{self, ApiArgs};
use crate::exit::{self, Exit};
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("NAME", "name"),
    Column::text("KIND", "kind"),
    Column::text("STATE", "state"),
    Column::text("CURSOR", "cursor"),
    Column::number("LAG", "lag_events"),
    Column::number("SECONDS", "lag_seconds"),
    Column::number("WAITING", "waiting"),
    Column::number("DEAD", "dead"),
    Column::text("ERROR", "error"),
];

const LETTERS: &[Column] = &[
    Column::text("POSITION", "position"),
    Column::text("TYPE", "type"),
    Column::text("KEY", "key"),
    Column::text("STATE", "state"),
    Column::number("ATTEMPTS", "attempts"),
    Column::text("NEXT AT", "next_at"),
    Column::text("ERROR", "error"),
];

/// Where events are sent to
#[derive(Debug, Subcommand)]
pub(crate) enum Sinks {
    /// List them, with how each gets on
    #[command(after_help = "Examples:\n  counterfoil sinks list")]
    List {
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Show one
    #[command(after_help = "Examples:\n  counterfoil sinks show warehouse")]
    Show {
        #[command(flatten)]
        one: One,
    },
    /// Make one; it delivers from then on
    #[command(after_help = CREATE)]
    Create(Create),
    /// See that one can be reached and used, and what is missing
    #[command(after_help = "Examples:\n  counterfoil sinks check warehouse")]
    Check {
        #[command(flatten)]
        one: One,
    },
    /// Stop one; nothing is lost meanwhile
    #[command(after_help = "Examples:\n  counterfoil sinks pause warehouse --reason 'moving the broker'")]
    Pause {
        #[command(flatten)]
        changed: Changed,
    },
    /// Let one go on that was paused or disabled
    #[command(after_help = "Examples:\n  counterfoil sinks resume warehouse")]
    Resume {
        #[command(flatten)]
        changed: Changed,
    },
    /// Put one elsewhere in the log: what follows is delivered (again)
    #[command(after_help = "Examples:\n  counterfoil sinks reset warehouse --to start")]
    Reset {
        #[command(flatten)]
        changed: Changed,
        /// start, end, a cursor as 0-1042, or a time
        #[arg(long, value_name = "WHERE")]
        to: String,
    },
    /// List what one could not deliver
    #[command(after_help = "Examples:\n  counterfoil sinks undelivered warehouse --state dead")]
    Undelivered {
        #[command(flatten)]
        one: One,
        /// waiting or dead
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Try dead letters again, all that fit
    #[command(after_help = "Examples:\n  counterfoil sinks redrive warehouse --types 'order.*' --dry-run")]
    Redrive {
        #[command(flatten)]
        changed: Changed,
        /// Only these types: names or patterns, with commas between
        #[arg(long, default_value = "")]
        types: String,
        /// Only of this key, as order:1042
        #[arg(long)]
        key: Option<String>,
        /// Only count them
        #[arg(long)]
        dry_run: bool,
    },
    /// Forget one, with everything that is about it
    #[command(after_help = "Examples:\n  counterfoil sinks delete warehouse")]
    Delete {
        #[command(flatten)]
        changed: Changed,
    },
}

const CREATE: &str = "\
Settings by kind (others have sane defaults; a secret is read from its file and kept wrapped):
  webhook   --set url=https://..            --secret signing_key=FILE
  kafka     --set brokers=host:9092         [--set username=.. --secret password=FILE --set tls=true]
  rabbitmq  --set url=amqp://user@host/%2f  --secret password=FILE
  nats      --set servers=nats://host:4222  [--set username=.. --secret password=FILE]

Examples:
  counterfoil sinks create warehouse --kind nats --set servers=nats://127.0.0.1:4222 --types 'order.*'
  counterfoil sinks create mail --kind webhook --set url=https://mail.example/hook --secret signing_key=hook.key";

/// Which one.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    api: ApiArgs,
    /// Its name
    name: String,
}

/// Which one is changed, and why.
#[derive(Debug, Args)]
pub(crate) struct Changed {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    why: Why,
}

/// A new one.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    changed: Changed,
    /// webhook, kafka, rabbitmq or nats
    #[arg(long)]
    kind: String,
    /// A setting of its kind
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A secret of its kind
    #[arg(long, value_name = "NAME=FILE")]
    secret: Vec<String>,
    /// Only these types: names or patterns, with commas between
    #[arg(long, default_value = "")]
    types: String,
    /// Facts, timers and notes too
    #[arg(long)]
    all_kinds: bool,
    /// Seconds between the attempts of one event that is refused by itself
    #[arg(long, value_delimiter = ',', value_name = "SECONDS,..")]
    retry: Vec<u32>,
    /// start, end, a cursor as 0-1042, or a time
    #[arg(long, default_value = "end", value_name = "WHERE")]
    from: String,
}

impl Sinks {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let find = |api: &ApiArgs| ApiClient::find(api, globals.project.as_deref());
        let act = async |one: &One, verb: &str, body: Value| {
            find(&one.api)?.command(&["v1", "sinks", &one.name, verb], &body).await
        };
        let change = async |changed: Changed, verb: &str, more: Value| {
            act(&changed.one, verb, changed.why.body(more)).await
        };
        let answer = match self {
            Self::List { api } => {
                let listed = find(&api)?.get(&["v1", "sinks"], &[]).await?;
                let rows = listed.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
                output::rows(globals.output, &rows, COLUMNS)?;
                return Ok(Exit::Ok);
            }
            Self::Show { one } => find(&one.api)?.get(&["v1", "sinks", &one.name], &[]).await?,
            Self::Create(create) => {
                let body = create.body()?;
                find(&create.changed.one.api)?.command(&["v1", "sinks"], &body).await?
            }
            Self::Check { one } => return check(globals, &act(&one, "check", json!({})).await?),
            Self::Pause { changed } => change(changed, "pause", json!({})).await?,
            Self::Resume { changed } => change(changed, "resume", json!({})).await?,
            Self::Reset { changed, to } => change(changed, "reset", json!({ "to": to })).await?,
            Self::Redrive { changed, types, key, dry_run } => {
                change(changed, "redrive", json!({ "types": types, "key": key, "dry_run": dry_run })).await?
            }
            Self::Undelivered { one, state, limit } => {
                let mut query = vec![("limit", limit.min(1000).to_string())];
                query.extend(state.map(|state| ("state", state)));
                let listed = find(&one.api)?.get(&["v1", "sinks", &one.name, "undelivered"], &query).await?;
                let rows = listed.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
                output::rows(globals.output, &rows, LETTERS)?;
                return Ok(Exit::Ok);
            }
            Self::Delete { changed } => {
                let (one, body) = (&changed.one, changed.why.body(json!({})));
                find(&one.api)?.delete(&["v1", "sinks", &one.name], &body).await?;
                let told = format!("The sink {} is gone.", one.name);
                output::done(globals.output, &json!({ "name": one.name, "deleted": true }), &told)?;
                return Ok(Exit::Ok);
            }
        };
        output::one(globals.output, &answer)?;
        Ok(Exit::Ok)
    }
}

fn check(globals: &Globals, answer: &Value) -> anyhow::Result<Exit> {
    output::one(globals.output, answer)?;
    Ok(if answer["ok"] == true { Exit::Ok } else { Exit::Finding })
}

impl Create {
    fn body(&self) -> anyhow::Result<Value> {
        let mut target = Map::new();
        for setting in &self.set {
            let (name, value) = pair("--set", setting)?;
            target.insert(name.to_owned(), value_of(value));
        }
        let mut secrets = Map::new();
        for secret in &self.secret {
            let (name, file) = pair("--secret", secret)?;
            let value = config::secret_file(name, PathBuf::from(file))?;
            secrets.insert(name.to_owned(), value.expose_secret().into());
        }
        let mut body = json!({
            "name": self.changed.one.name, "kind": self.kind, "target": target, "secrets": secrets, "types": self.types,
            "all_kinds": self.all_kinds, "from": self.from,
        });
        if !self.retry.is_empty() {
            body["retry_s"] = json!(self.retry);
        }
        Ok(self.changed.why.body(body))
    }
}

fn pair<'a>(flag: &str, text: &'a str) -> anyhow::Result<(&'a str, &'a str)> {
    text.split_once('=').ok_or_else(|| exit::config(format!("{flag} {text}: give NAME=VALUE")))
}

/// Numbers and yes or no as such, everything else as text.
fn value_of(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<u32>().map_or_else(|_| text.into(), Value::from),
    }
}
