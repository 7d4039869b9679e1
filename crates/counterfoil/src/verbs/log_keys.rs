//! `keys log`: the keys that sign the logs.

use std::path::PathBuf;

use audit::tree::{Error, LogKeys, Origin, TreeStatus, settle_key, trees};
use clap::{Args, Subcommand};
use database::Database;
use domain::ShopId;
use event_log::Guard;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::config::{DatabaseArgs, LogArgs, StateArgs};
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::project::{Project, write_private};

const BY: &str = "counterfoil keys log rotate";

const NOTED: &[Column] = &[
    Column::text("SHOP", "shop"),
    Column::text("NOTED AT", "position"),
    Column::text("VERIFIER KEY", "vkey"),
];

const KEYS: &[Column] =
    &[Column::text("SHOP", "shop"), Column::text("SIGNS", "signs"), Column::text("VERIFIER KEY", "vkey")];

/// The keys that sign the logs.
#[derive(Debug, Subcommand)]
pub(crate) enum LogKeyVerbs {
    /// Make a file with a new key, to be kept as a secret
    #[command(after_help = "\
An Ed25519 key in PKCS#8 PEM, as OpenSSL reads it, which only this user may read. Keep a copy elsewhere: a log goes on only
with a key that it knows.

Examples:
  counterfoil keys log create --file /etc/counterfoil/log.pem")]
    Create {
        /// The file to make
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a new key before the others, and note it in each log
    #[command(after_help = "\
Older keys stay in the file and sign below the new one, so that whoever knows only them goes on; remove their block when
everybody knows the new one. Several hosts: bring the file to all of them at once; a host without the new key leaves the
trees to the others.

Examples:
  counterfoil keys log rotate --log-key-file /etc/counterfoil/log.pem --log-origin shop.example/log")]
    Rotate {
        #[command(flatten)]
        opening: Opening,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Show the public keys: for tools of logs one for each shop, for others as PEM
    #[command(after_help = "\
Examples:
  counterfoil keys log show --log-key-file /etc/counterfoil/log.pem --log-origin shop.example/log")]
    Show(Opening),
}

/// What it takes to say which key is whose.
#[derive(Debug, Args)]
pub(crate) struct Opening {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// The keys, and the logs that they sign.
struct Opened {
    file: PathBuf,
    keys: LogKeys,
    origin: Origin,
    pool: Database,
    shops: Vec<(ShopId, TreeStatus)>,
}

impl LogKeyVerbs {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::Create { file } => {
                if file.exists() {
                    let cure = "a log goes on only with a key that it knows; `keys log rotate` adds one";
                    return Err(exit::finding(format!("{} is there already: {cure}", file.display())));
                }
                write_private(&file, LogKeys::generate()?.to_pem().expose_secret())?;
                let told = format!(
                    "A new key is in {}. Keep a copy elsewhere, and set COUNTERFOIL_LOG_KEY_FILE.",
                    file.display()
                );
                output::done(globals.output, &json!({ "file": file }), &told)?;
            }
            Self::Rotate { opening, state } => {
                let guard = state.guard(Project::find(globals.project.as_deref()).as_ref())?;
                let rows = opening.open(globals).await?.rotate(&guard).await?;
                output::rows(globals.output, &rows, NOTED)?;
            }
            Self::Show(opening) => opening.open(globals).await?.show(globals.output)?,
        }
        Ok(Exit::Ok)
    }
}

impl Opening {
    async fn open(&self, globals: &Globals) -> anyhow::Result<Opened> {
        let project = Project::find(globals.project.as_deref());
        let file = self.log.key_file(project.as_ref());
        let file = file.ok_or_else(|| exit::config("no log key: set COUNTERFOIL_LOG_KEY_FILE"))?;
        let keys = LogKeys::from_file(&file).map_err(told)?;
        let origin = self.log.origin(project.as_ref())?;
        let url = self.database.owner_url(project.as_ref())?;
        let pool = Database::connect(self.database.pool(url, "counterfoil keys", 2)).await?;
        let shops = trees(&pool).await?.into_iter();
        let shops = shops.filter_map(|tree| Some((ShopId::parse(&tree.shop).ok()?, tree))).collect();
        Ok(Opened { file, keys, origin, pool, shops })
    }
}

impl Opened {
    /// The file comes first: were the log to name a key that nobody has kept, it could not go on. What is interrupted here
    /// is finished by whoever grows a tree next.
    async fn rotate(self, guard: &Guard) -> anyhow::Result<Vec<Value>> {
        let Self { file, keys, origin, pool, shops } = self;
        for (shop, _) in &shops {
            settle_key(guard, &pool, shop, &origin, &keys, BY).await.map_err(told)?;
        }
        let keys = keys.rotated().map_err(told)?;
        write_private(&file, keys.to_pem().expose_secret())?;
        let mut rows = Vec::new();
        for (shop, tree) in &shops {
            let settled = settle_key(guard, &pool, shop, &origin, &keys, BY).await.map_err(told)?;
            let vkeys = keys.verifiers(&origin.of(shop, tree.epoch))?;
            let vkey = vkeys.first().map(ToString::to_string);
            rows.push(json!({ "shop": shop.as_str(), "position": settled.noted_at.0, "vkey": vkey }));
        }
        Ok(rows)
    }

    fn show(&self, format: Format) -> anyhow::Result<()> {
        let signs = |place: usize| if place == 0 { "first" } else { "below" };
        let mut rows = Vec::new();
        for (shop, tree) in &self.shops {
            for (place, vkey) in self.keys.verifiers(&self.origin.of(shop, tree.epoch))?.iter().enumerate() {
                rows.push(json!({
                    "shop": shop.as_str(), "signs": signs(place), "vkey": vkey.to_string(), "pem": vkey.to_pem(),
                }));
            }
        }
        output::rows(format, &rows, KEYS)?;
        if format == Format::Table {
            for (place, vkey) in self.keys.verifiers("any")?.iter().enumerate() {
                output::line(&format!("\nSigns {}:\n{}", signs(place), vkey.to_pem().trim_end()))?;
            }
        }
        Ok(())
    }
}

/// What the operator can mend is told as such; the rest keeps its cause.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Key(_) | Error::WrongKey { .. } | Error::OtherOrigin { .. } => exit::config(error.to_string()),
        error => error.into(),
    }
}
