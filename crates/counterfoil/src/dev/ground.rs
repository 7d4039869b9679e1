//! The database under `dev`: a private cluster, or one that the user gave.

use std::path::{Path, PathBuf};

use anyhow::Context;
use database::{Database, sql};
use private_postgres::{Cluster, Options};
use secrecy::{ExposeSecret, SecretString};

use crate::config::DatabaseArgs;
use crate::output::note;
use crate::project::Project;
use crate::verbs::postgres::find_or_install;

/// The one that every cluster has.
const DATABASE: &str = "postgres";
const LOGIN: &str = "counterfoil_dev";
/// Says where the data is, which is elsewhere when the server runs as another user.
const DATA_DIR_FILE: &str = "data-dir";
/// What stays at a reset: the lock is held, and the programs hold nothing of anybody's.
const KEPT: [&str; 3] = ["lock", "pgbin", ".gitignore"];

/// A migrated database with a login for the service.
pub(crate) struct Ground {
    cluster: Option<Cluster>,
    args: DatabaseArgs,
    owner_url: SecretString,
    service_url: SecretString,
}

impl Ground {
    /// Starts or finds the database, and migrates it.
    pub(crate) async fn prepare(
        project: &Project,
        args: &DatabaseArgs,
        pg_bin: Option<PathBuf>,
        reset: bool,
    ) -> anyhow::Result<Self> {
        if reset {
            remove_all(project)?;
        }
        let ground = match args.service_url()? {
            Some(service_url) => {
                if reset {
                    note("--reset leaves the database of DATABASE_URL as it is.");
                }
                let owner_url = args.owner_url(None)?;
                Self { cluster: None, args: args.clone(), owner_url, service_url }
            }
            None => Self::start(project, args, pg_bin).await?,
        };
        let report = database::migrate(&ground.owner_url, &args.schema).await?;
        if !report.statements.is_empty() {
            note("This login may not do what follows; have an administrator run it:");
            report.statements.iter().for_each(|statement| note(statement));
        }
        if ground.is_private() {
            let owner = ground.owner().await?;
            owner.client().await?.execute(&sql::counterfoil::CREATE_DEV_LOGIN, &[]).await?;
        }
        Ok(ground)
    }

    async fn start(project: &Project, args: &DatabaseArgs, pg_bin: Option<PathBuf>) -> anyhow::Result<Self> {
        let dir = project.dir().to_owned();
        let started = tokio::task::spawn_blocking(move || -> anyhow::Result<Cluster> {
            let binaries = find_or_install(pg_bin.as_deref(), &dir)?;
            Ok(Cluster::start(&binaries, &Options::new(dir.join("pg")))?)
        });
        let cluster = started.await??;
        project.write_private(DATA_DIR_FILE, &cluster.data_dir().display().to_string())?;
        let url = |user: &str| SecretString::from(cluster.connection_string(user, DATABASE));
        let (owner_url, service_url) = (url(cluster.superuser()), url(LOGIN));
        Ok(Self { cluster: Some(cluster), args: args.clone(), owner_url, service_url })
    }

    /// Whether the cluster is `dev`'s own.
    pub(crate) fn is_private(&self) -> bool {
        self.cluster.is_some()
    }

    /// How the owner logs in.
    pub(crate) fn owner_url(&self) -> &SecretString {
        &self.owner_url
    }

    /// How the service logs in.
    pub(crate) fn service_url(&self) -> &SecretString {
        &self.service_url
    }

    /// A small pool of the owner's.
    pub(crate) async fn owner(&self) -> anyhow::Result<Database> {
        let url = SecretString::from(self.owner_url.expose_secret());
        Ok(Database::connect(self.args.pool(url, "counterfoil dev (owner)", 2)).await?)
    }

    /// Stops the cluster, where it was started here.
    pub(crate) async fn stop(self) {
        // Stopping waits for the server's last checkpoint.
        let _ = tokio::task::spawn_blocking(move || self.cluster.map(Cluster::stop)).await;
    }
}

fn remove_all(project: &Project) -> anyhow::Result<()> {
    if let Ok(data_dir) = std::fs::read_to_string(project.path(DATA_DIR_FILE)) {
        remove(Path::new(&data_dir))?;
    }
    for entry in std::fs::read_dir(project.dir())? {
        let path = entry?.path();
        if !KEPT.iter().any(|name| path.ends_with(name)) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}
