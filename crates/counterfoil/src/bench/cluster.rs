//! The cluster that everything is measured on, and its databases.

use std::path::{Path, PathBuf};

use anyhow::Context;
use database::{Config, Database, sql};
use private_postgres::{Binaries, Cluster, Options};
use secrecy::SecretString;

use crate::project::Project;
use crate::verbs::postgres::find_or_install;

/// The login of the service on clusters of our own.
pub(crate) const LOGIN: &str = "counterfoil_dev";
/// Every contestant's; durability is the cluster's own matter, which no setting can change.
const SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    // A server that has run under load for a while has its segments, and writes over them; a new one would write each
    // twice.
    ("min_wal_size", "2GB"),
    // No checkpoint of the clock's falls into one contestant's time and not into another's.
    ("checkpoint_timeout", "30min"),
    ("max_connections", "200"),
    ("synchronous_commit", "on"),
];

/// A setting of PostgreSQL and its value.
pub(crate) type Setting = (&'static str, &'static str);

/// A private cluster that is removed at the end.
pub(crate) struct BenchCluster {
    settings: Vec<Setting>,
    cluster: Cluster,
    binaries: Binaries,
    folder: PathBuf,
}

impl BenchCluster {
    /// Starts one, with some settings other than usual.
    pub(crate) async fn start(
        project: &Project,
        pg_bin: Option<PathBuf>,
        others: &[Setting],
    ) -> anyhow::Result<Self> {
        let usual = SETTINGS.iter().filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
        let settings: Vec<Setting> = usual.chain(others).copied().collect();
        let folder = project.path(&format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let install = project.dir().to_owned();
        let data = folder.join("pg");
        let set = settings.clone();
        let started = tokio::task::spawn_blocking(move || -> anyhow::Result<(Cluster, Binaries)> {
            let binaries = find_or_install(pg_bin.as_deref(), &install)?;
            let mut options = Options::new(data);
            for (name, value) in set {
                options = options.with_setting(name, value);
            }
            Ok((Cluster::start(&binaries, &options)?, binaries))
        });
        let (cluster, binaries) = started.await??;
        Ok(Self { settings, cluster, binaries, folder })
    }

    /// For keys, certificates and whatever else a run needs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Bytes that are free on its disk.
    pub(crate) fn free_bytes(&self) -> anyhow::Result<u64> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(disk.f_bavail * disk.f_frsize)
    }

    pub(crate) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.cluster.pid()
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        self.cluster.socket_dir()
    }

    pub(crate) fn superuser(&self) -> &str {
        self.cluster.superuser()
    }

    pub(crate) fn owner_url(&self, database: &str) -> SecretString {
        self.cluster.connection_string(self.superuser(), database).into()
    }

    pub(crate) fn service_url(&self, database: &str) -> String {
        self.cluster.connection_string(LOGIN, database)
    }

    /// The owner's pool.
    pub(crate) async fn owner(&self, database: &str) -> anyhow::Result<Database> {
        let mut config = Config::new(self.owner_url(database));
        config.application_name = "counterfoil bench".to_owned();
        config.pool_size = 2;
        Ok(Database::connect(config).await?)
    }

    /// One statement, in the database that every cluster has. It makes and drops databases, whose names are ours.
    pub(crate) async fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let owner = self.owner("postgres").await?;
        let client = owner.client().await?;
        // Copying a database takes as long as it takes.
        client.batch_execute("SET statement_timeout = 0").await?;
        client.batch_execute(statement).await.with_context(|| statement.to_owned())
    }

    /// A fresh copy of a database in place of the last one, behind a checkpoint, so that no contestant pays for another's
    /// writes.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        self.drop(to).await?;
        self.execute(&format!("CREATE DATABASE {to} TEMPLATE {from} STRATEGY file_copy")).await?;
        self.execute("CHECKPOINT").await
    }

    pub(crate) async fn drop(&self, database: &str) -> anyhow::Result<()> {
        self.execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await
    }

    /// Statistics, so that no contestant's first statements are planned blindly.
    pub(crate) async fn settle(&self, database: &str) -> anyhow::Result<()> {
        let owner = self.owner(database).await?;
        let client = owner.client().await?;
        client.batch_execute("SET statement_timeout = 0").await?;
        client.batch_execute("VACUUM (ANALYZE)").await?;
        Ok(client.batch_execute("CHECKPOINT").await?)
    }

    /// How much write-ahead log was written since the beginning, in bytes.
    pub(crate) async fn wal(&self) -> anyhow::Result<i64> {
        let owner = self.owner("postgres").await?;
        let client = owner.client().await?;
        Ok(client.query_one(&sql::counterfoil::READ_WAL, &[]).await?.try_get("bytes")?)
    }

    /// Stops the server and removes what it wrote.
    pub(crate) async fn remove(self) {
        let (data, folder) = (self.cluster.data_dir().to_owned(), self.folder);
        let cluster = self.cluster;
        let removed = tokio::task::spawn_blocking(move || {
            cluster.stop();
            let _ = std::fs::remove_dir_all(data);
            let _ = std::fs::remove_dir_all(folder);
        });
        let _ = removed.await;
    }
}
