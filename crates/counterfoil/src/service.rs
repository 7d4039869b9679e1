//! The service put together: pool, log, relay, read models, door and API; started and stopped in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use access::ApiKeys;
use actix_web::dev::ServerHandle;
use anyhow::Context;
use database::{Database, SystemClock};
use event_log::Appender;
use evidence::Vault;
use http_api::{Api, Limits};
use intake::{Intake, Trusts};
use read_models::{ReadModels, Redrives};
use relay::{Relay, RelayHandle};
use tokio::task::JoinHandle;

/// Open requests get this long at the end; the relay's last batch comes after it, within the 10 s that are promised.
const SHUTDOWN: Duration = Duration::from_secs(6);

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
    /// Whether it decides too, or only takes.
    pub(crate) relay: bool,
}

/// The running service.
pub(crate) struct Service {
    api: Arc<Api>,
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    relay: Option<RelayHandle>,
    appender: Appender,
    database: Database,
}

impl Service {
    /// Starts everything; when this returns, requests are taken.
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts { database, vault, trusts, listener, redrives, relay } = parts;
        database.check().await?;
        let address = listener.local_addr()?;
        let appender = Appender::start(database.clone(), event_log::Options::default());
        let relay = relay.then(|| {
            Relay::start(
                database.clone(),
                appender.clone(),
                ReadModels { redrives },
                relay::Options::default(),
            )
        });
        let intake = Intake::new(database.clone(), appender.clone(), vault, trusts, Arc::new(SystemClock));
        let keys = ApiKeys::new(database.clone());
        let limits = Limits { shutdown: SHUTDOWN, ..Limits::default() };
        let api = Api::new(intake, database.clone(), keys, relay.clone(), limits);
        let server = http_api::server(Arc::clone(&api), listener).context("the server cannot be started")?;
        let handle = server.handle();
        let server = tokio::spawn(server);
        tracing::info!(%address, "serving");
        Ok(Self { api, address, handle, server, relay, appender, database })
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

    /// Stops in order: no new requests, then those under way, then the relay's batch, then what is to be appended.
    pub(crate) async fn stop(self) {
        tracing::info!("stopping");
        self.api.drain();
        self.handle.stop(true).await;
        if let Some(relay) = &self.relay {
            relay.stop().await;
        }
        self.appender.drain().await;
        self.database.close();
        tracing::info!("stopped");
    }
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
