//! `doctor`: looks at everything that a service needs, and says what to do.

mod findings;
mod keys;
mod outside;
mod paypal;
mod server;
mod shops;

use std::path::PathBuf;

use clap::Args;
use database::Database;
use intake::shops::ListedShop;

use crate::accounts::PaypalArgs;
use crate::cli::Globals;
use crate::config::{DatabaseArgs, KekArgs, LogArgs, TrustArgs};
use crate::exit::Exit;
use crate::project::Project;
use findings::Findings;

/// Check the database, the keys and the leaders, and say what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes the same options and variables as `serve`, and changes nothing. One line for each thing that was looked at:

  ok|warn|fail  what was looked at: what was found - what to do about it

Exit 1 when a check fails; warnings do not count.

Examples:
  counterfoil doctor
  counterfoil doctor --public-url https://shop.example --roots /etc/counterfoil/roots
  counterfoil doctor -o ndjson")]
pub(crate) struct Doctor {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    kek: KekArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// The folder of `serve --state-dir`, which says where each log ended
    #[arg(long, env = "COUNTERFOIL_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    paypal: PaypalArgs,
    /// Where this service is reached from outside: asked for, and compared with the URLs of webhooks at PayPal
    #[arg(long, env = "COUNTERFOIL_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The most sessions that `serve` has with the database at a time
    #[arg(long, env = "COUNTERFOIL_POOL_SIZE", default_value_t = 8, value_name = "N")]
    pool_size: u16,
}

impl Doctor {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let mut findings = Findings::default();
        let pool = self.reach(project.as_ref(), &mut findings).await;
        let shops = match &pool {
            Some(pool) => findings.asked("shops", intake::shops::list(pool).await).unwrap_or_default(),
            None => Vec::new(),
        };
        server::login(&self.database, &mut findings).await;
        keys::of_evidence(&self.kek, project.as_ref(), &shops, &mut findings);
        keys::of_logs(&self.log, project.as_ref(), pool.as_ref(), &shops, &mut findings).await;
        self.examine_outside(project.as_ref(), &shops, &mut findings).await;
        if let Some(pool) = &pool {
            shops::examine(pool, &shops, self.state_dir.as_deref(), &mut findings).await;
            paypal::examine(pool, &self.paypal, self.public_url.as_deref(), &shops, &mut findings).await;
        }
        findings.show(globals.output)?;
        Ok(if findings.has_failed() { Exit::Finding } else { Exit::Ok })
    }

    /// The database as its owner, where it has all that this program needs.
    async fn reach(&self, project: Option<&Project>, findings: &mut Findings) -> Option<Database> {
        let url = match self.database.owner_url(project) {
            Ok(url) => url,
            Err(error) => {
                findings.fail_as_told("database", &error.to_string());
                return None;
            }
        };
        let connected = Database::connect(self.database.pool(url.clone(), "counterfoil doctor", 2)).await;
        let pool = findings.judge("database", connected, "answers", server::UNREACHABLE)?;
        server::examine(&pool, self.pool_size, findings).await;
        server::is_migrated(&url, &self.database.schema, findings).await.then_some(pool)
    }

    async fn examine_outside(
        &self,
        project: Option<&Project>,
        shops: &[ListedShop],
        findings: &mut Findings,
    ) {
        let is_dev = project.and_then(Project::dev_state).is_some();
        outside::roots(self.trust.roots.as_deref(), is_dev, shops, findings);
        if let Some(url) = &self.public_url {
            outside::public_url(url, findings).await;
        }
        let of_project = project.map(Project::dir);
        for dir in self.state_dir.as_deref().into_iter().chain(of_project) {
            outside::disk(dir, findings);
        }
    }
}
