//! `shops`: one PayPal merchant account in one environment each.

use anyhow::Context;
use clap::{Args, Subcommand};
use database::Database;
use domain::{RULES_LATEST, ShopId};
use event_log::Operator;
use evidence::{KeyEncryptionKey, Vault};
use intake::shops;
use paypal::Environment;
use serde_json::{Value, json};

use crate::acting::ActingArgs;
use crate::api_client::ApiClient;
use crate::cli::Globals;
use crate::config::{ApiArgs, DatabaseArgs, KekArgs};
use crate::exit::{self, Exit};
use crate::output::{self, Column};
use crate::project::Project;
use crate::verbs::parse_shop;
use crate::verbs::recover::Recover;

const COLUMNS: &[Column] = &[
    Column::text("SHOP", "shop"),
    Column::text("ENVIRONMENT", "environment"),
    Column::text("WEBHOOK IDS", "webhook_ids"),
    Column::number("EPOCH", "feed_epoch"),
    Column::text("CREATED", "created_at"),
];

/// Shops: one PayPal merchant account in one environment each.
#[derive(Debug, Subcommand)]
pub(crate) enum Shops {
    /// Make a shop
    #[command(
        after_help = "Examples:\n  counterfoil shops create shop-eu --environment live --webhook-id 8PT597110X687430LKGECATA"
    )]
    Create {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        kek: KekArgs,
        /// Its name: it stands in URLs, keys and positions for ever
        shop: String,
        /// Which of PayPal's environments it is in: live, sandbox; or dev
        #[arg(long)]
        environment: String,
        /// A webhook id whose callbacks it takes; may be given several times
        #[arg(long = "webhook-id", value_name = "ID")]
        webhook_ids: Vec<String>,
    },
    /// List shops
    #[command(after_help = "Examples:\n  counterfoil shops list -o json")]
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Add and remove webhook ids
    #[command(
        after_help = "Examples:\n  counterfoil shops webhooks shop-eu --add 8PT597110X687430LKGECATA --remove 1JE4291016473214C"
    )]
    Webhooks {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop
        shop: String,
        /// Take callbacks of this webhook id; may be given several times
        #[arg(long, value_name = "ID")]
        add: Vec<String>,
        /// Take them no more; may be given several times
        #[arg(long, value_name = "ID")]
        remove: Vec<String>,
        #[command(flatten)]
        acting: ActingArgs,
    },
    /// Have a shop decide by newer rules, from here on
    #[command(after_help = "\
A new shop begins with the newest rules; an older one goes on with those it has until it is told otherwise (rules.activated in
its log). Do so when every instance that serves it is of a version that knows them: one that does not sets aside what it
meets. `counterfoil what-if --rules 2` shows which orders would stand elsewhere if they had been in force from the first day.

  2  a revision that gives an order another buyer is refused while coupons or points are held for the first one
  3  a buyer's uses of a coupon are counted only where the coupon limits them
  4  a shop moves in: what `import` brings is decided, and the shop may be in shadow

Examples:
  counterfoil shops rules shop-eu --activate 4")]
    Rules {
        #[command(flatten)]
        database: DatabaseArgs,
        /// The shop
        shop: String,
        /// The version of the rules
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..=i64::from(RULES_LATEST)))]
        activate: u32,
    },
    /// Show or change the settings that decisions read, through the service: they are events of the log
    #[command(after_help = "\
What is not named stays as it is.

Examples:
  counterfoil shops configure
  counterfoil shops configure --hold-s 1800 --order-prefix EU- --tracks stock,coupons
  counterfoil shops configure --shadow on")]
    Configure(Configure),
    /// Bring a shop's log back after its database was restored to an earlier state, or begin a new epoch of it
    Recover(Recover),
}

/// What decisions read of the shop itself.
#[derive(Debug, Args)]
pub(crate) struct Configure {
    #[command(flatten)]
    api: ApiArgs,
    /// How long an unpaid order keeps its hold, in seconds
    #[arg(long, value_name = "SECONDS")]
    hold_s: Option<i64>,
    /// The merchant account that must receive the money
    #[arg(long, value_name = "ID")]
    payee: Option<String>,
    /// What the shop's order ids begin with
    #[arg(long, value_name = "TEXT")]
    order_prefix: Option<String>,
    /// What Counterfoil keeps: stock, coupons, points, or none
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    tracks: Option<Vec<String>>,
    /// What comes back at a refund: stock, coupons, points, or none
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    returns: Option<Vec<String>>,
    /// Whether the shop's own systems still act: everything is decided and marked, and sinks deliver none of it
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    shadow: Option<bool>,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}

impl Shops {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        match self {
            Self::Create { database, kek, shop, environment, webhook_ids } => {
                let (shop, environment) = (parse_shop(&shop)?, parse_environment(&environment)?);
                let key = KeyEncryptionKey::from_file(&kek.file(project.as_ref())?)
                    .map_err(|error| exit::config(error.to_string()))?;
                let pool = open(&database, project.as_ref()).await?;
                create(&pool, &Vault::new(key), &shop, environment, &webhook_ids).await?;
                let path = format!("/webhooks/paypal/{shop}");
                let told = format!("Shop {shop} is there. Point PayPal to https://<host>{path}");
                output::done(globals.output, &json!({ "shop": shop.as_str(), "path": path }), &told)?;
            }
            Self::List { database } => {
                let pool = open(&database, project.as_ref()).await?;
                output::rows(globals.output, &listed(&pool).await?, COLUMNS)?;
            }
            Self::Webhooks { database, shop, add, remove, acting } => {
                let shop = parse_shop(&shop)?;
                let pool = open(&database, project.as_ref()).await?;
                let operator = acting.operator(project.as_ref(), &shop, "counterfoil shops webhooks")?;
                change_webhooks(&operator, &pool, &shop, &add, &remove).await?;
                let rows = listed(&pool).await?;
                let one: Vec<_> = rows.into_iter().filter(|row| row["shop"] == shop.as_str()).collect();
                output::rows(globals.output, &one, COLUMNS)?;
            }
            Self::Rules { database, shop, activate } => {
                let shop = parse_shop(&shop)?;
                let pool = open(&database, project.as_ref()).await?;
                let by = "counterfoil shops rules";
                let position = shops::activate_rules(&pool, &shop, activate, by).await.map_err(told)?;
                let noted = json!({"shop": shop.as_str(), "rules": activate, "position": position});
                output::one(globals.output, &noted)?;
            }
            Self::Configure(configure) => configure.run(globals).await?,
            Self::Recover(recover) => return recover.run(globals).await,
        }
        Ok(Exit::Ok)
    }
}

/// Makes a shop with its webhook ids.
pub(crate) async fn create(
    database: &Database,
    vault: &Vault,
    shop: &ShopId,
    environment: Environment,
    webhook_ids: &[String],
) -> anyhow::Result<()> {
    shops::create(database, vault, shop, environment).await.map_err(told)?;
    for id in webhook_ids {
        shops::add_webhook(database, shop, environment, id).await.map_err(told)?;
    }
    // A new log begins with the newest rules.
    shops::activate_rules(database, shop, RULES_LATEST, "counterfoil shops create").await.map_err(told)?;
    Ok(())
}

async fn change_webhooks(
    operator: &Operator,
    database: &Database,
    shop: &ShopId,
    add: &[String],
    remove: &[String],
) -> anyhow::Result<()> {
    let rows = listed(database).await?;
    let row = rows.iter().find(|row| row["shop"] == shop.as_str());
    let row = row.ok_or_else(|| exit::finding(format!("there is no shop {shop}")))?;
    let environment = parse_environment(row["environment"].as_str().unwrap_or_default())?;
    for id in add {
        shops::allow_webhook(operator, database, shop, environment, id).await.map_err(told)?;
    }
    for id in remove {
        if !shops::remove_webhook(operator, database, shop, id).await.map_err(told)? {
            return Err(exit::finding(format!("{shop} has no webhook id {id}")));
        }
    }
    Ok(())
}

impl Configure {
    async fn run(self, globals: &Globals) -> anyhow::Result<()> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let shown = client.get(&["v1", "settings"], &[]).await?;
        let settings = shown.get("settings").unwrap_or(&shown);
        let mut changed = settings.as_object().cloned().context("the settings are no object")?;
        changed.remove("position");
        let before = changed.clone();
        let flags = |list: Vec<String>| {
            let kept = |what: &str| list.iter().any(|word| word == what);
            json!({ "stock": kept("stock"), "coupons": kept("coupons"), "points": kept("points") })
        };
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                changed.insert(name.to_owned(), value);
            }
        };
        set("hold_s", self.hold_s.map(Value::from));
        set("payee", self.payee.map(Value::from));
        set("order_prefix", self.order_prefix.map(Value::from));
        set("tracks", self.tracks.map(flags));
        set("returns", self.returns.map(flags));
        set("shadow", self.shadow.map(Value::from));
        if changed == before {
            return output::one(globals.output, &shown);
        }
        changed.insert("id".to_owned(), format!("cli:configure:{}", crate::verbs::random_id()?).into());
        let answer = client.put(&["v1", "settings"], &changed.into()).await?;
        output::one(globals.output, &answer)
    }
}

pub(crate) async fn open(database: &DatabaseArgs, project: Option<&Project>) -> anyhow::Result<Database> {
    let url = database.owner_url(project)?;
    // The log appends over one, and tells others over another.
    Ok(Database::connect(database.pool(url, "counterfoil shops", 2)).await?)
}

async fn listed(database: &Database) -> anyhow::Result<Vec<Value>> {
    let rows = shops::list(database).await.map_err(told)?;
    Ok(rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

fn parse_environment(text: &str) -> anyhow::Result<Environment> {
    text.parse().map_err(|_| exit::usage(format!("{text:?} is no environment: live, sandbox or dev")))
}

/// What the operator can mend is a finding; the rest keeps its cause.
fn told(error: intake::ShopError) -> anyhow::Error {
    use intake::ShopError;
    match error {
        ShopError::Exists
        | ShopError::Unknown
        | ShopError::InvalidWebhookId
        | ShopError::Log(event_log::Error::Forked(_) | event_log::Error::UnknownShop) => {
            exit::finding(error.to_string())
        }
        error => error.into(),
    }
}
