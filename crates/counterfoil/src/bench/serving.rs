//! `serve` as a process of its own, as everybody runs it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use access::{ApiKeys, Role};
use anyhow::Context;
use audit::tree::LogKeys;
use database::sql;
use domain::ShopId;
use evidence::{KeyEncryptionKey, Vault};
use paypal::Environment;
use secrecy::{ExposeSecret, SecretString};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::api_client;
use crate::bench::cluster::BenchCluster;
use crate::bench::workload::{SHOP, WEBHOOK_ID, Workload};

/// The migrated database that every run copies.
pub(crate) const TEMPLATE: &str = "bench_template";
/// What the log is called.
pub(crate) const ORIGIN: &str = "bench.invalid/log";
/// How often the one key may ask that all orders are placed with: never less often than it does.
const KEY_RATE: &str = "4000000/4000000";
const READY: Duration = Duration::from_secs(30);

/// What `serve` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It takes callbacks and commands, and answers.
    Door,
    /// It decides and delivers too.
    Settle,
    /// It grows the Merkle tree too.
    SettleAndSign,
}

/// What `serve` is told, and a shop that it serves.
pub(crate) struct BenchGround {
    kek: PathBuf,
    log_key: PathBuf,
    roots: PathBuf,
    certs: PathBuf,
    pub(crate) vault: Vault,
    pub(crate) shop: ShopId,
    pub(crate) api_key: SecretString,
}

impl BenchGround {
    /// Makes the template with a shop in it.
    pub(crate) async fn prepare(cluster: &BenchCluster, workload: &Workload) -> anyhow::Result<Self> {
        let folder = cluster.folder();
        let (kek, roots, log_key) = (folder.join("kek"), folder.join("roots"), folder.join("log.pem"));
        std::fs::write(&kek, KeyEncryptionKey::generate()?.expose_secret())?;
        std::fs::write(&log_key, LogKeys::generate()?.to_pem().expose_secret())?;
        std::fs::create_dir_all(&roots)?;
        std::fs::write(roots.join("root.pem"), workload.authority.root_pem())?;

        cluster.execute(&format!("CREATE DATABASE {TEMPLATE}")).await?;
        database::migrate(&cluster.owner_url(TEMPLATE), sql::DEFAULT_SCHEMA).await?;
        let owner = cluster.owner(TEMPLATE).await?;
        owner.client().await?.execute(&sql::counterfoil::CREATE_DEV_LOGIN, &[]).await?;
        let vault = Vault::new(KeyEncryptionKey::from_file(&kek)?);
        let shop = ShopId::parse(SHOP)?;
        intake::shops::create(&owner, &vault, &shop, Environment::Sandbox).await?;
        intake::shops::add_webhook(&owner, &shop, Environment::Sandbox, WEBHOOK_ID).await?;
        let (key, _) = ApiKeys::new(owner).create(&shop, "counterfoil bench", Role::Shop.into()).await?;
        let api_key = key.expose().to_owned().into();
        Ok(Self { kek, log_key, roots, certs: folder.join("paypal"), vault, shop, api_key })
    }

    /// The file with the key of the log.
    pub(crate) fn log_key(&self) -> &Path {
        &self.log_key
    }

    /// Starts `serve` on a database, and waits until it takes requests.
    pub(crate) async fn serve(
        &self,
        cluster: &BenchCluster,
        database: &str,
        work: Work,
    ) -> anyhow::Result<Serving> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--listen", &address.to_string(), "--roots"])
            .arg(&self.roots)
            .arg("--certs")
            .arg(&self.certs)
            .args((work == Work::Door).then_some("--no-relay"))
            .env("DATABASE_URL", cluster.service_url(database))
            .env("COUNTERFOIL_KEK_FILE", &self.kek)
            .env("COUNTERFOIL_KEY_RATE", KEY_RATE)
            .env("COUNTERFOIL_LOG", "info")
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if work == Work::SettleAndSign {
            command.env("COUNTERFOIL_LOG_KEY_FILE", &self.log_key).env("COUNTERFOIL_LOG_ORIGIN", ORIGIN);
        } else {
            command.env_remove("COUNTERFOIL_LOG_KEY_FILE");
        }
        let child = command.spawn().context("serve cannot be started")?;
        let pid = child.id().context("serve has ended")?;
        let mut serving = Serving { child, pid, address };
        serving.is_ready().await?;
        Ok(serving)
    }
}

/// A running `serve`. Killed when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
}

impl Serving {
    async fn is_ready(&mut self) -> anyhow::Result<()> {
        let client = api_client::http()?;
        let url = format!("http://{}/readyz", self.address);
        let deadline = Instant::now() + READY;
        loop {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("serve has ended: {status}");
            }
            anyhow::ensure!(Instant::now() < deadline, "serve does not become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("no pid")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "serve ended with {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::workload::commands_at_most;

    #[test]
    fn the_key_may_ask_for_the_largest_load_all_at_once() {
        let rate: access::Rate = KEY_RATE.parse().unwrap();
        let most = commands_at_most(crate::bench::CALLBACKS_MAX);
        assert!(rate.burst.get() >= most && rate.per_second.get() >= most, "{rate} for {most} commands");
        let (keys, key) = (access::RateLimit::new(rate), "a key".to_owned());
        assert!((0..100_000).all(|_| keys.take(&key).is_ok()));
    }
}
