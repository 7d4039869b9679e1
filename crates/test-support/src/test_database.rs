//! A database of one test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use database::{Config, Database};
use secrecy::SecretString;

use crate::server::{OWNER_LOGIN, SERVICE_LOGIN, Server};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A migrated, empty database, dropped with this value.
pub struct TestDatabase {
    name: String,
    server: Arc<Server>,
}

impl std::fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDatabase").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TestDatabase {
    /// Copies the migrated template.
    pub async fn create() -> Self {
        let server = tokio::task::spawn_blocking(Server::get).await.expect("the test server starts");
        Self::create_on(server).await
    }

    /// The same on a server of the caller's own.
    pub async fn create_on(server: Arc<Server>) -> Self {
        let template = server.template().to_owned();
        Self::copy(server, &template).await
    }

    /// A database without a schema, for tests of the migrations themselves.
    pub async fn create_empty() -> Self {
        let server = tokio::task::spawn_blocking(Server::get).await.expect("the test server starts");
        Self::copy(server, "template0").await
    }

    /// The same on a server of the caller's own.
    pub async fn create_empty_on(server: Arc<Server>) -> Self {
        Self::copy(server, "template0").await
    }

    async fn copy(server: Arc<Server>, template: &str) -> Self {
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        server
            .on_every_node(&[&format!("CREATE DATABASE {name} OWNER {OWNER_LOGIN} TEMPLATE {template}")])
            .await;
        Self { name, server }
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the owner of the schema connects with.
    pub fn url_owner(&self) -> SecretString {
        self.server.url(OWNER_LOGIN, &self.name)
    }

    /// What the service connects with: a member of `counterfoil_service` that owns nothing.
    pub fn url_service(&self) -> SecretString {
        self.server.url(SERVICE_LOGIN, &self.name)
    }

    /// A pool of the service's sessions.
    pub fn database(&self) -> Database {
        Self::pool(self.url_service())
    }

    /// A pool of the owner's sessions, to plant what the service may not.
    pub fn database_owner(&self) -> Database {
        Self::pool(self.url_owner())
    }

    /// A superuser's session with this database, for tests that break things.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        self.server.superuser(&self.name).await
    }

    /// Ends every session with this database and lets nobody in, or lets everybody in again.
    pub async fn allow_connections(&self, allow: bool) {
        let client = self.server.superuser("postgres").await;
        let allowed = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", self.name);
        client.batch_execute(&allowed).await.unwrap();
        if !allow {
            let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
            client.query(end, &[&self.name]).await.unwrap();
        }
    }

    /// What a backup of now would bring back. Every session is ended for it.
    pub async fn back_up(&self) -> Backup {
        self.allow_connections(false).await;
        let copy = Self::copy(Arc::clone(&self.server), &self.name).await;
        self.allow_connections(true).await;
        Backup(copy)
    }

    /// Brings a backup back in place of what is there. Every session is ended for it.
    pub async fn restore(&self, backup: &Backup) {
        let client = self.server.superuser("postgres").await;
        let Self { name, .. } = self;
        client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        let create = format!("CREATE DATABASE {name} OWNER {OWNER_LOGIN} TEMPLATE {}", backup.0.name);
        client.batch_execute(&create).await.unwrap();
    }

    /// The same database on another server: on a standby that has taken over.
    #[must_use]
    pub fn on(mut self, server: Arc<Server>) -> Self {
        self.server = server;
        self
    }

    fn pool(url: SecretString) -> Database {
        // Tests with many tasks wait for a session longer than a service should.
        let config = Config { wait_timeout: Duration::from_secs(10), ..Config::new(url) };
        Database::lazy(config).expect("the test server's URL is in order")
    }
}

/// A database as it was once.
#[derive(Debug)]
pub struct Backup(TestDatabase);

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let server = Arc::clone(&self.server);
        // A thread, because a destructor cannot wait for the runtime that it runs in.
        let drop = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                server.drop_database(&name).await;
            });
        });
        let _ = drop.join();
    }
}
