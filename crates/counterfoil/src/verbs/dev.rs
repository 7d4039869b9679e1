//! `dev`: everything for development in one command.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use audit::tree::LogKeys;
use clap::Args;
use database::Database;
use delivery::RetentionOptions;
use domain::ShopId;
use evidence::{KeyEncryptionKey, Vault};
use http_api::Limits;
use intake::{Trust, Trusts};
use paypal::{Certificates, Environment, Sources, TrustAnchors};
use paypal_simulator::Authority;
use read_models::Redrives;
use reconciliation::Accounts;
use secrecy::{ExposeSecret, SecretString};

use crate::accounts;
use crate::cli::Globals;
use crate::config::{DEV_ORIGIN, DatabaseArgs, LOG_KEY_FILE};
use crate::dev::{Ground, SHOP, WEBHOOK_ID, day};
use crate::effective;
use crate::exit::{self, Exit};
use crate::output::{Format, note};
use crate::project::{DevState, Project};
use crate::service::{self, Parts, Service, Signing};
use crate::witnessing::WitnessArgs;

/// How often PayPal's sandbox is asked for events.
const POLLED_EVERY: Duration = Duration::from_secs(5);

/// How far from the wanted port a free one is looked for.
const PORTS: u16 = 20;

/// Start everything for development: a private database, a dev CA, a day of orders.
#[derive(Debug, Args)]
#[command(after_help = "\
The data, keys and certificates are kept in .counterfoil/ and used again the next time. DATABASE_URL, where it is set, is
used instead of a private cluster (and MAINTENANCE_DATABASE_URL for the schema). The development CA is trusted in this
mode only.

Examples:
  counterfoil dev
  counterfoil dev --reset --listen 127.0.0.1:9000
  counterfoil dev --poll sandbox.json
  counterfoil dev --exit-after-day")]
pub(crate) struct Dev {
    /// Where to listen; where that is taken, the next free port
    #[arg(long, env = "COUNTERFOIL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Begin anew: remove the data, keys and certificates of the folder
    #[arg(long)]
    reset: bool,
    /// End when the day's orders have been shown
    #[arg(long)]
    exit_after_day: bool,
    /// Folder of PostgreSQL's programs, where they are not found by themselves
    #[arg(long, env = "COUNTERFOIL_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// File with credentials of an application in PayPal's sandbox ({"client_id": .., "client_secret": ..}): its events are
    /// taken as they happen, without a public URL
    #[arg(long, env = "COUNTERFOIL_DEV_POLL", value_name = "FILE")]
    poll: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Dev {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::make(globals.project.as_deref())?;
        let lock = project.lock()?;
        let ground = Ground::prepare(&project, &self.database, self.pg_bin.clone(), self.reset).await?;
        let ended = self.on(&ground, &project, globals.output).await;
        project.clear_dev_state();
        ground.stop().await;
        drop(lock);
        ended.map(|()| Exit::Ok)
    }

    async fn on(&self, ground: &Ground, project: &Project, format: Format) -> anyhow::Result<()> {
        // One listener for all of it: a second one would cut off the orderly stop that the first one began.
        let mut asked = pin!(service::asked_to_stop());
        let authority = Authority::load_or_create(&project.path("paypal")).context("the development CA")?;
        let (mut service, way_in) = tokio::select! {
            started = self.start(ground, project, &authority) => started?,
            asked = &mut asked => return asked,
        };
        let url = format!("http://{}", service.address());
        let ended = tokio::select! {
            ended = self.stay(&url, way_in, (ground, project), &authority, format) => ended,
            error = service.failed() => return Err(error),
            asked = &mut asked => asked,
        };
        let stopped = service.stop().await;
        ended.and(stopped)
    }

    async fn start(
        &self,
        ground: &Ground,
        project: &Project,
        authority: &Authority,
    ) -> anyhow::Result<(Service, WayIn)> {
        let vault = Vault::new(kek(project)?);
        let key = prepare_shop(ground, project, &vault, &ShopId::parse(SHOP)?).await?;
        let ticket = console::Ticket::new(key.clone()).context("no randomness")?;
        let way_in = WayIn { key, page: ticket.path() };
        let listener = listen(self.listen)?;
        let pool = self.database.pool(ground.service_url().clone(), "counterfoil dev", 8);
        let database = Database::connect(pool).await?;
        if ground.is_private() {
            database.refuse_privileged().await?;
        }
        let trusts = Trusts { paypal: None, dev: Some(trust(authority, project)?), postback: None };
        let service = Service::start(Parts {
            database,
            vault,
            trusts,
            listener,
            tls: None,
            limits: Limits::default(),
            redrives: Redrives::default(),
            decides: true,
            retention: RetentionOptions::default(),
            digest_every: None,
            // Of a private cluster only: whose database it is otherwise knows what becomes of it.
            state_dir: ground.is_private().then(|| project.path("state")),
            signing: Some(Signing { key_file: log_keys(project)?, origin: DEV_ORIGIN.parse()? }),
            log_dir: Some(project.path("log")),
            witnesses: WitnessArgs::default(),
            accounts: self.accounts()?,
            reconcile_every: POLLED_EVERY,
            settings: effective::of_dev(),
            ticket: Some(ticket),
        })
        .await?;
        Ok((service, way_in))
    }

    /// The sandbox's account, where it is polled: what it lists enters the shop of this mode.
    fn accounts(&self) -> anyhow::Result<Accounts> {
        let Some(file) = &self.poll else { return Ok(Accounts::default()) };
        let account = accounts::read(file, Environment::Sandbox)?;
        note(&format!("Takes the events of {} as they happen.", account.client.base_url()));
        Ok(Accounts::new([(ShopId::parse(SHOP)?, account)].into()))
    }

    async fn stay(
        &self,
        url: &str,
        way_in: WayIn,
        (ground, project): (&Ground, &Project),
        authority: &Authority,
        format: Format,
    ) -> anyhow::Result<()> {
        project.set_dev_state(&DevState {
            url: url.to_owned(),
            shop: SHOP.to_owned(),
            webhook_id: WEBHOOK_ID.to_owned(),
            owner_url: ground.is_private().then(|| ground.owner_url().expose_secret().to_owned()),
        })?;
        note(&format!(
            "Counterfoil for development at {url}, shop {SHOP}.\n\
             Callbacks are signed by the development CA in {}, which is trusted in this mode only.\n\
             The day has one callback that is forged, on purpose: it is refused.",
            project.path("paypal").display()
        ));
        day::show(url, way_in.key, authority, format).await?;
        if self.exit_after_day {
            return Ok(());
        }
        note(&what_next(url, &way_in.page));
        std::future::pending().await
    }
}

/// How the day's orders are sent, and how a developer comes in.
struct WayIn {
    key: SecretString,
    /// The page that signs in once: a secret until then, so that it is only printed.
    page: String,
}

fn kek(project: &Project) -> anyhow::Result<KeyEncryptionKey> {
    let file = project.path("kek");
    if !file.exists() {
        project.write_private("kek", KeyEncryptionKey::generate()?.expose_secret())?;
    }
    KeyEncryptionKey::from_file(&file).map_err(|error| exit::config(error.to_string()))
}

fn log_keys(project: &Project) -> anyhow::Result<PathBuf> {
    let file = project.path(LOG_KEY_FILE);
    if !file.exists() {
        project.write_private(LOG_KEY_FILE, LogKeys::generate()?.to_pem().expose_secret())?;
    }
    Ok(file)
}

/// The shop, its webhook id, and a key that may do everything in it.
async fn prepare_shop(
    ground: &Ground,
    project: &Project,
    vault: &Vault,
    shop: &ShopId,
) -> anyhow::Result<SecretString> {
    let owner = ground.owner().await?;
    match intake::shops::create(&owner, vault, shop, Environment::Dev).await {
        Ok(()) => {
            let latest = domain::RULES_LATEST;
            intake::shops::activate_rules(&owner, shop, latest, "counterfoil dev").await?;
        }
        Err(intake::ShopError::Exists) => {}
        Err(error) => return Err(error).context("the shop cannot be made"),
    }
    intake::shops::add_webhook(&owner, shop, Environment::Dev, WEBHOOK_ID).await?;
    let keys = access::ApiKeys::new(owner);
    if let Some(key) = project.api_key("operator")
        && keys.authenticate(key.expose_secret()).await.is_ok()
    {
        return Ok(key);
    }
    let roles = "shop,operator,viewer,feed,audit".parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    let (text, _) = keys.create(shop, "counterfoil dev", roles).await?;
    project.set_api_key("operator", text.expose())?;
    Ok(text.expose().into())
}

fn trust(authority: &Authority, project: &Project) -> anyhow::Result<Trust> {
    let anchors = TrustAnchors::from_pem(authority.root_pem().as_bytes())?;
    let sources = Sources { directory: Some(project.path("paypal")), ..Sources::default() };
    Ok(Trust { anchors: Arc::new(anchors), certificates: Certificates::new(sources)? })
}

fn listen(wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    let mut address = wanted;
    for _ in 0..PORTS {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                let Some(next) = address.port().checked_add(1) else { break };
                address.set_port(next);
            }
            bound => {
                if address != wanted {
                    note(&format!("{wanted} is taken, so it is {address}."));
                }
                return bound
                    .map_err(|error| exit::config(format!("{address} cannot be listened on: {error}")));
            }
        }
    }
    Err(exit::config(format!("{wanted} is taken, and so are the ports after it: give --listen")))
}

fn what_next(url: &str, page: &str) -> String {
    format!(
        "\nThe console, signed in once by this link: {url}{page}\n\
         (later, or in another browser: {url}/console, with the key in .counterfoil/operator.key)\n\
         \nTry next, in another terminal (the binary is {program}):\n\
         \n  counterfoil orders get A-1001\
         \n  counterfoil trigger PAYMENT.CAPTURE.REFUNDED --order A-1001\
         \n  counterfoil trigger PAYMENT.CAPTURE.COMPLETED --order A-1001 --duplicate\
         \n  counterfoil payments list --standing unmatched\
         \n  counterfoil events --follow\
         \n  curl -s {url}/v1/orders/A-1001 -H \"Authorization: Bearer $(cat .counterfoil/operator.key)\"\
         \n\nCtrl-C stops everything; `counterfoil dev --reset` begins anew.",
        program =
            std::env::current_exe().map_or_else(|_| "counterfoil".into(), |path| path.display().to_string())
    )
}
