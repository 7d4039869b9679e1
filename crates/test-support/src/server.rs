//! The PostgreSQL of this test process, and others for tests that break theirs.
//!
//! The data stays in the build directory, in numbered slots. A process takes the first slot that no living process holds,
//! so that most find their data made and their template migrated already, and no number of killed processes fills the disk.

use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use private_postgres::{Binaries, Cluster, Options};
use secrecy::SecretString;
use tokio_postgres::{Client, Config, NoTls};

use crate::build_dir::build_dir;
use crate::citus;

/// The service's login in every test: a member of counterfoil_service that owns nothing.
pub(crate) const SERVICE_LOGIN: &str = "test_service";
/// Owns the schema and everything in it, and is no superuser.
pub(crate) const OWNER_LOGIN: &str = "test_owner";
const SERVICE_ROLE: &str = "counterfoil_service";
const PASSWORD: &str = "test";

static SERVER: OnceLock<Arc<Server>> = OnceLock::new();

/// A server: that of this process, or one test's own. The latter ends when it is dropped.
pub struct Server {
    /// Key words and values of a superuser's session, without a database.
    config: Config,
    /// The other nodes of a Citus cluster.
    nodes: Vec<Config>,
    template: String,
    cluster: Option<Mutex<Cluster>>,
    /// Held, and so locked, for the life of the process.
    slot: Option<File>,
}

impl Server {
    /// That of this process; starts it when it is not there yet. Blocks.
    pub fn get() -> Arc<Self> {
        let start = || {
            Self::start(|| match citus::given() {
                Some(config) => (config, None, None),
                None => our_own(),
            })
        };
        Arc::clone(SERVER.get_or_init(|| Arc::new(start())))
    }

    /// One of the caller's own, which may be stopped without breaking the sessions of other tests. Blocks.
    pub fn alone() -> Arc<Self> {
        Arc::new(Self::start(our_own))
    }

    /// The same over a cluster that the caller has made, of whatever kind. Blocks.
    pub fn on(cluster: Cluster) -> Arc<Self> {
        Arc::new(Self::start(move || place(cluster, None)))
    }

    /// The process id of the server, until it is started again.
    pub fn pid(&self) -> u32 {
        self.cluster().pid()
    }

    /// Ends it as a crash would: every session breaks.
    pub fn stop(&self) {
        self.cluster().stop_immediate();
    }

    /// Starts it again after [`Server::stop`]: it has to recover.
    pub fn start_again(&self) {
        self.cluster().start_again().unwrap();
    }

    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        let cluster = self.cluster.as_ref().expect("only a server of our own can be stopped");
        cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(place: impl FnOnce() -> Place + Send + 'static) -> Self {
        // A runtime of its own: the caller's may be of one thread, which is blocked here.
        let start = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Self::prepare(place()))
        };
        std::thread::spawn(start).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn prepare((config, cluster, slot): Place) -> Self {
        let nodes = if cluster.is_none() { citus::nodes(&config).await } else { Vec::new() };
        let mut server = Self { config, nodes, template: String::new(), cluster, slot };
        server.create_logins().await;
        // Only a slot's server has what killed processes left.
        if server.slot.is_some() {
            server.sweep().await;
        }
        server.template = format!("template_{:016x}", schema_digest());
        server.create_template().await;
        server
    }

    /// A superuser's session with this database.
    pub(crate) async fn superuser(&self, dbname: &str) -> Client {
        superuser(&self.config, dbname).await
    }

    /// Runs each of these by itself, on every node.
    pub(crate) async fn on_every_node(&self, statements: &[&str]) {
        for config in std::iter::once(&self.config).chain(&self.nodes) {
            let client = superuser(config, "postgres").await;
            if !self.nodes.is_empty() {
                client.batch_execute("SET citus.enable_ddl_propagation = off").await.unwrap();
            }
            for statement in statements {
                let done = client.batch_execute(statement).await;
                done.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            }
        }
    }

    /// On every node, if it is there.
    pub(crate) async fn drop_database(&self, name: &str) {
        self.on_every_node(&[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await;
    }

    /// What this login connects with.
    pub(crate) fn url(&self, login: &str, dbname: &str) -> SecretString {
        let host = match self.config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            Some(tokio_postgres::config::Host::Unix(dir)) => dir.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("host={host} port={port} user={login} password={PASSWORD} dbname={dbname}").into()
    }

    /// The migrated database that tests copy.
    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    async fn create_logins(&self) {
        // In the database that knows the other nodes, roles are made on all of them.
        let client = self.superuser(self.config.get_dbname().unwrap_or("postgres")).await;
        let statements = [
            format!("CREATE ROLE {SERVICE_ROLE} NOLOGIN"),
            format!("CREATE ROLE {SERVICE_LOGIN} LOGIN PASSWORD '{PASSWORD}' IN ROLE {SERVICE_ROLE}"),
            format!("CREATE ROLE {OWNER_LOGIN} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"),
        ];
        for statement in statements {
            if let Err(error) = client.batch_execute(&statement).await {
                let code = error.code().map_or("", |code| code.code());
                // Another process may make the same at the same time on a given server.
                assert!(matches!(code, "42710" | "23505"), "{statement}: {error:?}");
            }
        }
    }

    /// Drops what killed processes left on the slot's server, and templates of other migrations.
    async fn sweep(&self) {
        let client = self.superuser("postgres").await;
        let keep = format!("template_{:016x}", schema_digest());
        let listed = "SELECT datname::text FROM pg_database WHERE datname ~ '^(test|template)_[0-9a-f_]+$'";
        for row in client.query(listed, &[]).await.unwrap() {
            let name: String = row.get(0);
            if name != keep {
                let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            }
        }
    }

    async fn create_template(&self) {
        let client = self.superuser("postgres").await;
        // Whole or not at all: the name is given when everything is in it. The lock is for given servers, which several
        // processes may use at a time.
        client.query("SELECT pg_advisory_lock(7351)", &[]).await.unwrap();
        let exists = "SELECT 1 FROM pg_database WHERE datname = $1";
        if client.query_opt(exists, &[&self.template]).await.unwrap().is_some() {
            return;
        }
        let making = format!("{}_making", self.template);
        self.drop_database(&making).await;
        self.on_every_node(&[&format!(
            "CREATE DATABASE {making} OWNER {OWNER_LOGIN} TEMPLATE template0 ENCODING 'UTF8'"
        )])
        .await;
        let (url, schema) = (self.url(OWNER_LOGIN, &making), database::sql::DEFAULT_SCHEMA);
        if !self.nodes.is_empty() {
            citus::join(&self.config, &self.nodes, &making).await;
        }
        let report = database::migrate(&url, schema)
            .await
            .unwrap_or_else(|error| panic!("the template cannot be migrated: {error}"));
        assert!(report.statements.is_empty(), "the owner may not grant: {:?}", report.statements);
        if !self.nodes.is_empty() {
            database::distribute(&url, schema).await.expect("the template can be distributed");
        }
        // The migration's session may take a moment to end, and a database in use can be neither renamed nor copied.
        self.on_every_node(&[
            &format!("ALTER DATABASE {making} ALLOW_CONNECTIONS false"),
            &format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{making}'"
            ),
            &format!("ALTER DATABASE {making} RENAME TO {}", self.template),
        ])
        .await;
    }
}

pub(crate) async fn superuser(config: &Config, dbname: &str) -> Client {
    let mut config = config.clone();
    let (client, connection) = config.dbname(dbname).connect(NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

/// How to reach a server, and what it stands on when it is our own.
type Place = (Config, Option<Mutex<Cluster>>, Option<File>);

fn our_own() -> Place {
    let (cluster, slot) = start_cluster();
    place(cluster, Some(slot))
}

fn place(cluster: Cluster, slot: Option<File>) -> Place {
    let url = cluster.connection_string(cluster.superuser(), "postgres");
    (url.parse().unwrap(), Some(Mutex::new(cluster)), slot)
}

/// The PostgreSQL under test: that of `COUNTERFOIL_PG_BIN`, else what is found.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn binaries() -> Binaries {
    let named = std::env::var_os("COUNTERFOIL_PG_BIN").map(PathBuf::from);
    Binaries::find(named.as_deref(), None).unwrap_or_else(|error| panic!("{error}"))
}

fn start_cluster() -> (Cluster, File) {
    let binaries = binaries();
    let base = build_dir().join(format!("test-postgres-{}", binaries.major()));
    std::fs::create_dir_all(&base).unwrap();
    for number in 0..64 {
        let slot = File::create(base.join(format!("slot-{number}.lock"))).unwrap();
        match slot.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => panic!("a slot cannot be locked: {error}"),
        }
        let options = Options::new(base.join(format!("slot-{number}")))
            .with_setting("max_connections", "300")
            .with_setting("shared_buffers", "64MB");
        let mut cluster = Cluster::start(&binaries, &options).unwrap_or_else(|error| panic!("{error}"));
        // The server of a process that was killed a moment ago may still answer, and is about to end.
        while cluster.was_running() {
            std::thread::sleep(std::time::Duration::from_millis(20));
            cluster = Cluster::start(&binaries, &options).unwrap_or_else(|error| panic!("{error}"));
        }
        return (cluster, slot);
    }
    panic!("64 test processes at a time are more than this is made for");
}

/// Another text of any migration or grant is another template.
fn schema_digest() -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in database::sql::schema_files() {
        file.hash(&mut hasher);
    }
    hasher.finish()
}
