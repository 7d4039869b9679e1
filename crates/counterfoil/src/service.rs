//! The service put together: pool, log, relay, read models, door and API; started and stopped in order.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::ApiKeys;
use actix_web::dev::ServerHandle;
use anyhow::Context;
use audit::tree::{self, Directories, Growing, LogKeys, Origin};
use database::{Database, SystemClock};
use delivery::sinks::{self, Running, Sinks};
use delivery::{Consumers, Feed, Retention, RetentionOptions, Tail};
use event_log::{Appender, Guard, Keeping, KeepingError, StateFileError, StateFiles};
use evidence::Vault;
use http_api::{Api, Delivery, Limits, Tls};
use intake::{Intake, Trusts};
use read_models::{ReadModels, Redrives};
use reconciliation::{Accounts, Reconciler, Reconciling};
use relay::{Relay, RelayHandle};
use tokio::join;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use witnesses::Feeding;

use crate::cli::BUILD;
use crate::day_close::DayClose;
use crate::exit;
use crate::witnessing::{WitnessArgs, Witnessing};

/// Open requests get this long at the end. The server rounds it up to its own ticks, and cuts off what is left.
const SHUTDOWN: Duration = Duration::from_secs(6);
/// What each part has until, counted from the signal, whatever the parts before it took: all end within the 10 s that are
/// promised, also when the database does not answer. The relay waits for the requests, since they may wait for it.
const SERVER_UNTIL: Duration = Duration::from_millis(7_000);
const RELAY_UNTIL: Duration = Duration::from_millis(8_000);
const LOG_UNTIL: Duration = Duration::from_millis(8_500);

/// How often the directories of the logs look for what was published: as often as that may be.
const FOLLOWED_EVERY: Duration = Duration::from_secs(1);
/// Facts of one shop that may wait for their commit: some tenths of a second. Whoever comes then is sent away at once, to come
/// again, which serves everybody better than an answer that comes late.
const QUEUE: usize = 1_024;

/// What the service is made of.
pub(crate) struct Parts {
    /// How it reaches the database.
    pub(crate) database: Database,
    /// Seals and opens.
    pub(crate) vault: Vault,
    /// Whose signatures are believed.
    pub(crate) trusts: Trusts,
    /// Where it listens.
    pub(crate) listener: TcpListener,
    /// The certificate that it shows there.
    pub(crate) tls: Option<Tls>,
    /// How much, how often and how long a client may take.
    pub(crate) limits: Limits,
    /// When what could not be decided is tried again.
    pub(crate) redrives: Redrives,
    /// Whether it decides and delivers. Where it does not, another process has to.
    pub(crate) decides: bool,
    /// How long the outbox is kept.
    pub(crate) retention: RetentionOptions,
    /// How often digests of the read models are recorded; never where it is none.
    pub(crate) digest_every: Option<Duration>,
    /// Where it is written down where each log ends.
    pub(crate) state_dir: Option<PathBuf>,
    /// How the logs are signed; where it is not said, their trees are not grown here.
    pub(crate) signing: Option<Signing>,
    /// Where what is published of the logs is written to.
    pub(crate) log_dir: Option<PathBuf>,
    /// Who else is to see the logs.
    pub(crate) witnesses: WitnessArgs,
    /// The shops' accounts at PayPal, to reconcile with.
    pub(crate) accounts: Accounts,
    /// How often PayPal's events are listed.
    pub(crate) reconcile_every: Duration,
    /// What is in force, as the console shows it.
    pub(crate) settings: Vec<console::Setting>,
    /// Signs in to the console once: of `dev` alone.
    pub(crate) ticket: Option<console::Ticket>,
}

/// How the logs are signed.
pub(crate) struct Signing {
    /// The file with the keys.
    pub(crate) key_file: PathBuf,
    /// What the logs are called.
    pub(crate) origin: Origin,
}

/// The running service.
pub(crate) struct Service {
    api: Arc<Api>,
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    relay: Option<RelayHandle>,
    downstream: Option<(Running, Retention)>,
    day_close: Option<DayClose>,
    growing: Option<Growing>,
    directories: Option<Directories>,
    feeding: Option<Feeding>,
    reconciling: Option<Reconciling>,
    appender: Appender,
    keeping: Keeping,
    database: Database,
}

impl Service {
    /// Starts everything; when this returns, requests are taken.
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts { database, vault, trusts, listener, redrives, decides, retention, .. } = parts;
        let Parts { digest_every, state_dir, signing, log_dir, witnesses, accounts, reconcile_every, .. } =
            parts;
        let Parts { tls, limits, settings, ticket, .. } = parts;
        let pages = console::routes(vault.clone(), settings, state_dir.as_deref(), ticket);
        database.check().await?;
        let address = listener.local_addr()?;
        let witnessing = witnessing(&database, &witnesses, signing.as_ref(), log_dir.clone())?;
        let guard = Guard::new(witnessing.as_ref().map(Witnessing::memories).unwrap_or_default());
        if let Some(witnessing) = &witnessing {
            witnessing.ask(&database).await?;
        }
        let keeping = keep(&guard, &database, state_dir.as_deref()).await?;
        let options = event_log::Options { queue: QUEUE, ..event_log::Options::default() };
        let appender = Appender::start_guarded(database.clone(), options, guard.clone());
        let feeding = witnessing.filter(|_| decides).and_then(|w| w.start(&database, &guard, holder()));
        let relay = decides.then(|| {
            let options = relay::Options { holder: holder(), ..relay::Options::default() };
            Relay::start(database.clone(), appender.clone(), ReadModels { redrives }, options)
        });
        let tail = Tail::start(database.clone(), appender.clone());
        let sinks = Sinks::new(database.clone(), vault.clone());
        let downstream = decides.then(|| {
            let options = sinks::Options { holder: holder(), ..sinks::Options::default() };
            let running = Running::start(sinks.clone(), tail.clone(), options);
            (running, Retention::start(database.clone(), retention))
        });
        let day_close = digest_every
            .filter(|_| decides)
            .map(|every| DayClose::start(database.clone(), guard.clone(), every));
        let growing = signing.filter(|_| decides).map(|Signing { key_file, origin }| {
            Growing::start(database.clone(), appender.clone(), tree::Options::new(holder(), origin, key_file))
        });
        let directories = log_dir.map(|dir| Directories::start(database.clone(), dir, FOLLOWED_EVERY));
        let delivery = Delivery {
            feed: Feed::new(database.clone(), tail),
            consumers: Consumers::new(database.clone()),
            sinks,
        };
        let intake = Intake::new(database.clone(), appender.clone(), vault, trusts, Arc::new(SystemClock));
        let reconciler = (!accounts.is_empty()).then(|| {
            let options =
                reconciliation::Options { every: reconcile_every, ..reconciliation::Options::new(holder()) };
            Reconciler::new(database.clone(), intake.clone(), accounts, options)
        });
        let reconciling = reconciler.clone().filter(|_| decides).map(Reconciling::start);
        let keys = ApiKeys::new(database.clone());
        let limits = Limits { shutdown: SHUTDOWN, ..limits };
        let api = Api::new(http_api::Parts {
            intake,
            database: database.clone(),
            keys,
            delivery,
            relay: relay.clone(),
            reconciler,
            limits,
            build: BUILD,
        });
        let server = http_api::server_with(Arc::clone(&api), listener, tls, pages)
            .context("the server cannot be started")?;
        let handle = server.handle();
        let server = tokio::spawn(server);
        tracing::info!(%address, decides, "serving");
        Ok(Self {
            api,
            address,
            handle,
            server,
            relay,
            downstream,
            day_close,
            growing,
            directories,
            feeding,
            reconciling,
            appender,
            keeping,
            database,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server ends by itself, which it does only when something is badly wrong.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.server).await {
            Ok(Ok(())) => anyhow::anyhow!("the server ended"),
            Ok(Err(error)) => anyhow::Error::from(error).context("the server ended"),
            Err(error) => anyhow::Error::from(error).context("the server ended"),
        }
    }

    /// Stops in order: no new requests, then those under way, then the relay's batch and its leases, then what is to be
    /// appended. What does not end in time is left: the log has what was answered, and leases run out.
    ///
    /// # Errors
    /// Something was left.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.api.drain();
        let began = Instant::now();
        let mut left = Vec::new();
        if timeout_at(began + SERVER_UNTIL, self.handle.stop(true)).await.is_err() {
            left.push("open requests");
        }
        if let Some(relay) = &self.relay
            && timeout_at(began + RELAY_UNTIL, relay.stop()).await.is_err()
        {
            left.push("the relay's batch or its lease, which runs out");
        }
        if let Some((sinks, retention)) = &self.downstream
            && timeout_at(began + RELAY_UNTIL, async { join!(sinks.stop(), retention.stop()) }).await.is_err()
        {
            left.push("a sink's lease, which runs out");
        }
        if let Some(day_close) = &self.day_close
            && timeout_at(began + RELAY_UNTIL, day_close.stop()).await.is_err()
        {
            left.push("the digests of the day, which another process records");
        }
        if let Some(reconciling) = &self.reconciling
            && timeout_at(began + RELAY_UNTIL, reconciling.stop()).await.is_err()
        {
            left.push("the lease of the reconciliation, which runs out");
        }
        let trees = async {
            if let Some(growing) = &self.growing {
                growing.stop().await;
            }
            if let Some(directories) = &self.directories {
                directories.stop().await;
            }
            if let Some(feeding) = &self.feeding {
                feeding.stop().await;
            }
        };
        if timeout_at(began + RELAY_UNTIL, trees).await.is_err() {
            left.push("a tree's lease, which runs out");
        }
        if timeout_at(began + LOG_UNTIL, self.appender.drain()).await.is_err() {
            left.push("appends that were not answered");
        }
        self.keeping.stop().await;
        self.database.close();
        if left.is_empty() {
            tracing::info!("stopped");
            return Ok(());
        }
        Err(exit::unavailable(format!("stopped without waiting any longer; left: {}", left.join(", "))))
    }
}

/// What the logs are compared with beside what this host remembers, where they are signed.
fn witnessing(
    database: &Database,
    args: &WitnessArgs,
    signing: Option<&Signing>,
    log_dir: Option<PathBuf>,
) -> anyhow::Result<Option<Witnessing>> {
    let Some(Signing { key_file, origin }) = signing else {
        if args.policy.is_some() || args.tsa_url.is_some() {
            return Err(exit::config(
                "witnesses and time stamps are for signed logs: set COUNTERFOIL_LOG_KEY_FILE",
            ));
        }
        return Ok(None);
    };
    let keys = LogKeys::from_file(key_file).map_err(|error| exit::config(error.to_string()))?;
    Witnessing::new(args, database, origin.clone(), keys, log_dir).map(Some)
}

/// Has the guard know what an earlier process remembered, and compares all logs with what is remembered of them. One that
/// has forked is served, and takes nothing.
async fn keep(guard: &Guard, database: &Database, dir: Option<&Path>) -> anyhow::Result<Keeping> {
    let odd = |error: StateFileError| exit::config(error.to_string());
    let files = dir.map(StateFiles::open).transpose().map_err(odd)?;
    Keeping::start(guard.clone(), database.clone(), files).await.map_err(|error| match error {
        KeepingError::StateFile(error) => odd(error),
        KeepingError::Log(error) => error.into(),
    })
}

/// Who leads, for operators: the host and the process. Two of one name only confuse their readers, and share
/// no shops with each other: the epoch is what decides.
pub(crate) fn holder() -> String {
    format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}

/// Waits for Ctrl-C or for the signal that service managers send.
pub(crate) async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
