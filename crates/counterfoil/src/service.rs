//! The service put together: pool, log, relay, read models, door and API; started and stopped in order.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::ApiKeys;
use actix_web::dev::ServerHandle;
use anyhow::Context;
use database::{Database, SystemClock};
use delivery::sinks::{self, Running, Sinks};
use delivery::{Consumers, Feed, Retention, RetentionOptions, Tail};
use event_log::{Appender, Guard, Keeping, KeepingError, StateFileError, StateFiles};
use evidence::Vault;
use http_api::{Api, Delivery, Limits};
use intake::{Intake, Trusts};
use read_models::{ReadModels, Redrives};
use relay::{Relay, RelayHandle};
use tokio::join;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::exit;

/// Open requests get this long at the end. The server rounds it up to its own ticks, and cuts off what is left.
const SHUTDOWN: Duration = Duration::from_secs(6);
/// What each part has until, counted from the signal, whatever the parts before it took: all end within the 10 s that are
/// promised, also when the database does not answer. The relay waits for the requests, since they may wait for it.
const SERVER_UNTIL: Duration = Duration::from_millis(7_000);
const RELAY_UNTIL: Duration = Duration::from_millis(8_000);
const LOG_UNTIL: Duration = Duration::from_millis(8_500);

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
    /// When what could not be decided is tried again.
    pub(crate) redrives: Redrives,
    /// Whether it decides and delivers. Where it does not, another process has to.
    pub(crate) decides: bool,
    /// How long the outbox is kept.
    pub(crate) retention: RetentionOptions,
    /// Where it is written down where each log ends.
    pub(crate) state_dir: Option<PathBuf>,
}

/// The running service.
pub(crate) struct Service {
    api: Arc<Api>,
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    relay: Option<RelayHandle>,
    downstream: Option<(Running, Retention)>,
    appender: Appender,
    keeping: Keeping,
    database: Database,
}

impl Service {
    /// Starts everything; when this returns, requests are taken.
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts { database, vault, trusts, listener, redrives, decides, retention, state_dir } = parts;
        database.check().await?;
        let address = listener.local_addr()?;
        let guard = Guard::default();
        let keeping = keep(&guard, &database, state_dir.as_deref()).await?;
        let appender = Appender::start_guarded(database.clone(), event_log::Options::default(), guard);
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
        let delivery = Delivery {
            feed: Feed::new(database.clone(), tail),
            consumers: Consumers::new(database.clone()),
            sinks,
        };
        let intake = Intake::new(database.clone(), appender.clone(), vault, trusts, Arc::new(SystemClock));
        let keys = ApiKeys::new(database.clone());
        let limits = Limits { shutdown: SHUTDOWN, ..Limits::default() };
        let api = Api::new(intake, database.clone(), keys, delivery, relay.clone(), limits);
        let server = http_api::server(Arc::clone(&api), listener).context("the server cannot be started")?;
        let handle = server.handle();
        let server = tokio::spawn(server);
        tracing::info!(%address, decides, "serving");
        Ok(Self { api, address, handle, server, relay, downstream, appender, keeping, database })
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

/// Who leads, for operators: the host and the process. Two hosts of one name only confuse their readers: the epoch is what
/// decides.
fn holder() -> String {
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
