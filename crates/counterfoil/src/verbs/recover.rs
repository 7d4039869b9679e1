//! `shops recover`: after a database was restored to an earlier state.

use std::path::PathBuf;

use clap::Args;
use database::Database;
use domain::{Position, ShopId};
use event_log::{Forked, StateFiles};
use recovery::{Published, Reimported, missing, reimport};
use serde_json::{Value, json};
use tlog::{Policy, Verifier};

use crate::cli::Globals;
use crate::config::DatabaseArgs;
use crate::exit::{self, Exit};
use crate::output::{self, note};
use crate::project::Project;
use crate::verbs::parse_shop;
use crate::verbs::shops::open;

/// Bring a shop's log back after its database was restored to an earlier state, or begin a new epoch of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Events that were recorded since the backup are gone, and their positions would be given again: nothing is appended until
this was run. It may be run while `serve` runs, which goes on by itself.

First try --from, with the folder that the log was published in: what is missing comes back byte for byte, as far as its
signed checkpoint reaches, and the outcomes among it are folded into the read models. A published log has neither the
evidence of callbacks nor what they were deduplicated by: they are known by their ids from then on, so that what PayPal or
the shop sends again counts once, and brings its evidence as callback.revised.

What cannot be brought back ends an epoch (--new-epoch): readers must not go on from cursors of the time before, and are
answered 409, with where the histories part and where to go on. Then send the commands since the time it says once more:
those that are known count once. PayPal sends its callbacks again by itself, for three days.

Examples:
  counterfoil shops recover shop-eu --from /srv/log/shop-eu --vkey 'shop.example/log/shop-eu+7d1d5901+AWlN..'
  counterfoil shops recover shop-eu --new-epoch --yes")]
pub(crate) struct Recover {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The shop
    shop: String,
    /// Bring back what is missing from this folder, where the log was published
    #[arg(long, value_name = "DIR", requires = "vkeys")]
    from: Option<PathBuf>,
    /// The log's public key, as name+id+key; may be given several times
    #[arg(
        long = "vkey",
        id = "vkeys",
        value_name = "VKEY",
        env = "COUNTERFOIL_LOG_VKEY",
        value_delimiter = ','
    )]
    vkeys: Vec<String>,
    /// The folder of `serve --state-dir`, to see whether something is still missing
    #[arg(long, env = "COUNTERFOIL_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Begin a new epoch: give up what cannot be brought back
    #[arg(long, requires = "yes")]
    new_epoch: bool,
    /// Yes, every reader's cursor becomes useless
    #[arg(long)]
    yes: bool,
}

impl Recover {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        if self.from.is_none() && !self.new_epoch {
            return Err(exit::usage(
                "say --from DIR to bring back what was published, or --new-epoch --yes to go on without what is missing",
            ));
        }
        let shop = parse_shop(&self.shop)?;
        let project = Project::find(globals.project.as_deref());
        let pool = open(&self.database, project.as_ref()).await?;
        let mut told = json!({ "shop": shop.as_str() });
        if let Some(from) = &self.from {
            let published = Published::open(from, &self.policy()?).map_err(found)?;
            bring_back(&pool, &shop, &published, &mut told).await?;
        }
        if self.new_epoch {
            let forked = event_log::fork(&pool, &shop, "counterfoil shops recover").await;
            tell_epoch(&forked.map_err(|error| of_shop(&shop, error))?, &mut told);
        }
        output::one(globals.output, &told)?;
        self.is_whole(&pool, &shop).await
    }

    fn policy(&self) -> anyhow::Result<Policy> {
        let odd = |error: tlog::Error| exit::usage(format!("--vkey: {error}"));
        let mut keys = self.vkeys.iter().map(|vkey| vkey.parse::<Verifier>().map_err(odd));
        let first = keys.next().ok_or_else(|| exit::usage("--from needs the log's public key: --vkey"))??;
        keys.try_fold(Policy::of_log(first).map_err(odd)?, |policy, key| policy.with_log(key?).map_err(odd))
    }

    /// Whether what `serve` wrote down last is there.
    async fn is_whole(&self, pool: &Database, shop: &ShopId) -> anyhow::Result<Exit> {
        let Some(dir) = &self.state_dir else { return Ok(Exit::Ok) };
        let guard = StateFiles::open(dir)
            .and_then(|files| files.guard())
            .map_err(|error| exit::config(error.to_string()))?;
        match guard.check(&pool.client().await?, shop).await {
            Ok(()) => Ok(Exit::Ok),
            Err(event_log::Error::Forked(fork)) => Err(exit::finding(format!(
                "something is still missing: {} remembers an event at {}, which was not published in time; go on without it \
                 with `counterfoil shops recover {shop} --new-epoch --yes`",
                fork.by, fork.position
            ))),
            Err(error) => Err(error.into()),
        }
    }
}

async fn bring_back(
    pool: &Database,
    shop: &ShopId,
    published: &Published,
    told: &mut Value,
) -> anyhow::Result<()> {
    let lacks = missing(&pool.client().await?, shop, published).await.map_err(found)?;
    told["published"] = lacks.published.into();
    told["brought_back"] = 0.into();
    if lacks.count() == 0 {
        note(&format!(
            "Nothing is missing: the database has {} events, and {} were published.",
            lacks.local, lacks.published
        ));
        return Ok(());
    }
    let Reimported { after, through, completed, last_at } =
        reimport(pool, shop, published).await.map_err(found)?;
    told["brought_back"] = lacks.count().into();
    told["from"] = Position(after.0 + 1).0.into();
    told["through"] = through.0.into();
    told["decided_again"] = completed.into();
    told["send_again_since"] = json!(last_at);
    note(&format!(
        "{} events are back. What was answered after the last of them and not yet published is not among them: send the \
         commands since then once more. Evidence of callbacks among them comes back only with what PayPal sends again. If \
         anybody may have read events behind {through}, begin a new epoch as well (--new-epoch --yes).",
        lacks.count()
    ));
    Ok(())
}

fn tell_epoch(forked: &Forked, told: &mut Value) {
    told["old_epoch"] = forked.old_epoch.into();
    told["new_epoch"] = forked.new_epoch.into();
    told["forked_at"] = forked.forked_at.0.into();
    told["send_again_since"] = json!(forked.last_at);
}

fn of_shop(shop: &ShopId, error: event_log::Error) -> anyhow::Error {
    match error {
        event_log::Error::UnknownShop => exit::finding(format!("there is no shop {shop}")),
        error => error.into(),
    }
}

/// What the operator has to decide is a finding.
fn found(error: recovery::Error) -> anyhow::Error {
    use recovery::Error;
    match error {
        Error::Log(event_log::Error::UnknownShop) => exit::finding("there is no such shop"),
        Error::Log(_) | Error::ReadModels(_) => error.into(),
        error => exit::finding(error.to_string()),
    }
}
