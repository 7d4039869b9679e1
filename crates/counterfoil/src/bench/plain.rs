//! The baseline: what most shops have instead, driven by pgbench.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use database::sql;
use tokio::process::{Child, Command};

use crate::bench::cluster::BenchCluster;
use crate::output::note;

pub(crate) const DATABASE: &str = "bench_plain";
/// The best of these counts.
const CLIENTS: [u32; 3] = [1, 16, 64];
/// Full pages go into the write-ahead log at their first change: the baseline has that behind it.
const WARM_UP: Duration = Duration::from_secs(2);

/// The plain transaction's tables and script.
pub(crate) struct Plain {
    pgbench: PathBuf,
    folder: PathBuf,
    transaction: PathBuf,
    arguments: Vec<String>,
}

/// The best of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) tps: f64,
    pub(crate) clients: u32,
}

impl Plain {
    /// Makes the tables. Without pgbench the answer is what to do about it, and the rest can be measured.
    pub(crate) async fn prepare(cluster: &BenchCluster) -> anyhow::Result<Result<Self, String>> {
        let Some(pgbench) = find(cluster.binaries().bin_dir()) else {
            return Ok(Err(format!(
                "pgbench is neither in {} nor on the search path, so there is no baseline and there are no ratios. \
                 Get it with `apt-get install postgresql` (Debian), `dnf install postgresql-contrib` (Fedora), or name a \
                 folder that has it with --pg-bin.",
                cluster.binaries().bin_dir().display()
            )));
        };
        note("Filling the tables of the plain transaction ..");
        cluster.execute(&format!("CREATE DATABASE {DATABASE}")).await?;
        let owner = cluster.owner(DATABASE).await?;
        let client = owner.client().await?;
        client.batch_execute("SET statement_timeout = 0").await?;
        client.batch_execute(sql::bench::PLAIN_TABLES.text()).await.context("the plain tables")?;
        cluster.settle(DATABASE).await?;
        let folder = cluster.folder().to_owned();
        let transaction = write(&folder, "plain_transaction", sql::bench::PLAIN_TRANSACTION.text())?;
        let arguments = [
            "-h".to_owned(),
            cluster.socket_dir().display().to_string(),
            "-U".to_owned(),
            cluster.superuser().to_owned(),
            "-n".to_owned(),
            "-M".to_owned(),
            "prepared".to_owned(),
        ];
        Ok(Ok(Self { pgbench, folder, transaction, arguments: arguments.to_vec() }))
    }

    /// A round: every number of clients, and the best of them.
    pub(crate) async fn measure(&self, cluster: &BenchCluster, time: Duration) -> anyhow::Result<Measured> {
        cluster.settle(DATABASE).await?;
        self.run(&self.transaction, 16, WARM_UP).await?;
        let mut best = Measured { tps: 0.0, clients: 0 };
        for clients in CLIENTS {
            let tps = self.run(&self.transaction, clients, time).await?;
            if tps > best.tps {
                best = Measured { tps, clients };
            }
        }
        Ok(best)
    }

    /// Writes another script, to be run on the same tables.
    pub(crate) fn script(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        write(&self.folder, name, text)
    }

    /// Runs a script for so long: transactions a second.
    pub(crate) async fn run(&self, script: &Path, clients: u32, time: Duration) -> anyhow::Result<f64> {
        let mut command = self.command(script, clients);
        command.args(["-T", &time.as_secs().max(1).to_string()]).arg(DATABASE);
        let output = command.output().await.context("pgbench cannot be run")?;
        let said = String::from_utf8_lossy(&output.stdout);
        anyhow::ensure!(
            output.status.success(),
            "pgbench failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        tps(&said).with_context(|| format!("pgbench said no rate: {said}"))
    }

    /// Runs a script with one client until what is returned is dropped.
    pub(crate) fn start(&self, script: &Path) -> anyhow::Result<Child> {
        let mut command = self.command(script, 1);
        command.args(["-T", "3600"]).arg(DATABASE).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("pgbench cannot be run")
    }

    fn command(&self, script: &Path, clients: u32) -> Command {
        let mut command = Command::new(&self.pgbench);
        command
            .args(&self.arguments)
            .args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string(), "-f"])
            .arg(script)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let script = folder.join(format!("{name}.sql"));
    std::fs::write(&script, text)?;
    Ok(script)
}

fn find(beside: &Path) -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(beside.to_owned()).chain(std::env::split_paths(&search));
    folders.map(|folder| folder.join("pgbench")).find(|program| program.is_file())
}

/// `tps = 5612.345678 (without initial connection time)`
fn tps(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with("tps = "))?;
    line.trim_start_matches("tps = ").split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rate_is_read_from_what_pgbench_says() {
        let said = "latency average = 1.1 ms\ninitial connection time = 3 ms\ntps = 5612.5 (without initial connection time)\n";
        assert_eq!(super::tps(said), Some(5612.5));
        assert_eq!(super::tps("tps of nothing"), None);
    }
}
