//! Behind PgBouncer, which lends a session for each transaction.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use private_postgres::{Cluster, Options};
use secrecy::ExposeSecret;
use serde_json::json;
use test_support::{Server, TestDatabase, wait_until};
use tokio_postgres::{Client, NoTls};

use crate::binary::{self, TempDir};
use crate::ground::{Ground, client};
use crate::load::Load;
use crate::program::{free_address, free_addresses};

const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// So many sessions for all.
const SESSIONS: i64 = 2;
const ANSWERS: usize = 200;

/// A server that PgBouncer can reach, who runs as another user and cannot enter the folder of its socket.
struct Reachable {
    server: Arc<Server>,
    port: u16,
    // Its data.
    _folder: TempDir,
}

impl Reachable {
    async fn start() -> Self {
        let (folder, port) = (TempDir::new(), free_address().port());
        let options = Options::new(folder.path().join("data")).on_loopback(port);
        let start = move || Server::on(Cluster::start(&test_support::binaries(), &options).unwrap());
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        Self { server, port, _folder: folder }
    }
}

/// A PgBouncer in front of one database.
struct Pooler {
    child: Child,
    url: String,
    // It reads its settings there.
    _folder: TempDir,
}

impl Pooler {
    /// None where the program is missing.
    async fn start(server: &Reachable, test: &TestDatabase) -> Option<Self> {
        if !Path::new(PROGRAM).is_file() {
            test_support::skip("pgbouncer is missing", "apt-get install pgbouncer");
            return None;
        }
        let (folder, address) = (TempDir::new(), free_address());
        let login: tokio_postgres::Config = test.url_service().expose_secret().parse().unwrap();
        let settings = format!(
            "[databases]\n{name} = host=127.0.0.1 port={} user={} password={} dbname={name}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nmax_db_connections = {SESSIONS}\n\
             server_login_retry = 0.1\n",
            server.port,
            login.get_user().unwrap(),
            String::from_utf8_lossy(login.get_password().unwrap()),
            address.ip(),
            address.port(),
            name = test.name(),
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(PROGRAM);
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            // It does not run as root.
            command.args(["-u", "postgres"]);
        }
        let log = folder.path().join("pgbouncer.log");
        let stderr = std::fs::File::create(&log).unwrap();
        let child = command.arg(&file).stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        let url = format!("host={} port={} user=any dbname={}", address.ip(), address.port(), test.name());
        let mut pooler = Self { child, url, _folder: folder };
        let answers = wait_until(Duration::from_secs(30), async || {
            assert!(pooler.child.try_wait().unwrap().is_none(), "pgbouncer has ended: {}", said());
            tokio_postgres::connect(&pooler.url, NoTls).await.is_ok()
        });
        assert!(answers.await, "pgbouncer does not answer: {}", said());
        Some(pooler)
    }

    fn environment(&self) -> [(&'static str, String); 1] {
        [("DATABASE_URL", format!("{} pooler=transaction", self.url))]
    }

    /// A session that it has lent, kept by a transaction.
    async fn borrow_session(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("BEGIN").await.unwrap();
        client
    }

    /// Nothing is left in its sessions that the next client would find.
    async fn assert_clean(&self) {
        // Held at once, so that they are all that there are.
        for session in [self.borrow_session().await, self.borrow_session().await] {
            let left = "SELECT (SELECT count(*) FROM pg_prepared_statements) AS prepared,
                (SELECT count(*) FROM pg_listening_channels()) AS channels,
                (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks,
                current_setting('lock_timeout') AS lock_timeout, current_setting('enable_seqscan') AS enable_seqscan";
            let left = session.query_typed_one(left, &[]).await.unwrap();
            for name in ["prepared", "channels", "locks"] {
                assert_eq!(left.get::<_, i64>(name), 0, "{name}");
            }
            for (name, value) in [("lock_timeout", "0"), ("enable_seqscan", "on")] {
                assert_eq!(left.get::<_, &str>(name), value, "{name}");
            }
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer: make test-all"]
async fn behind_pgbouncer_orders_are_placed_paid_and_settled_over_two_sessions_also_when_the_server_is_another()
 {
    let reachable = Reachable::start().await;
    let ground = Ground::prepare(TestDatabase::create_on(reachable.server.clone()).await).await;
    let Some(pooler) = Pooler::start(&reachable, &ground.test).await else { return };
    let addresses = free_addresses(2);
    let serve =
        async |address| ground.serve_told(binary::path(), "serve", address, &pooler.environment()).await;
    let (first, second) = (serve(addresses[0]).await, serve(addresses[1]).await);
    ground.stock(addresses[0]).await;
    let load = Load::start(&ground, &addresses);
    load.gets_through(ANSWERS).await;
    let superuser = ground.test.superuser().await;
    let sessions = "SELECT count(*), count(*) FILTER (WHERE query ILIKE 'LISTEN%') FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let sessions = superuser.query_one(sessions, &[]).await.unwrap();
    assert!(sessions.get::<_, i64>(0) <= SESSIONS, "{sessions:?}");
    assert_eq!(sessions.get::<_, i64>(1), 0);

    // For PgBouncer's clients nothing ends: they are lent sessions with another server.
    reachable.server.stop();
    reachable.server.start_again();
    load.gets_through(ANSWERS).await;
    let ledger = load.end().await;
    ground.assert_sound(&ledger).await;
    assert_eq!((first.terminate().await, second.terminate().await), (Some(0), Some(0)));
    pooler.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs pgbouncer: make test-all"]
async fn behind_pgbouncer_a_log_that_was_restored_is_not_appended_to() {
    let reachable = Reachable::start().await;
    let ground = Ground::prepare(TestDatabase::create_on(reachable.server.clone()).await).await;
    let Some(pooler) = Pooler::start(&reachable, &ground.test).await else { return };
    let address = free_address();
    let serving = ground.serve_told(binary::path(), "serve", address, &pooler.environment()).await;
    let backup = ground.test.back_up().await;
    let receive = async |id: &str| {
        let sent = client(Duration::from_secs(10))
            .post(format!("http://{address}/v1/stock/tea/receive"))
            .bearer_auth(&ground.key)
            .json(&json!({"id": id, "qty": 1}));
        let answer = sent.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    let is_taken = wait_until(Duration::from_secs(30), async || receive("one").await.0 < 300);
    assert!(is_taken.await, "it is taken before");
    ground.test.restore(&backup).await;
    // Others have written where the lost event stood.
    let other = ground.serve(free_address()).await;
    ground.stock(other.address).await;
    let is_refused = wait_until(Duration::from_secs(30), async || {
        let (status, text) = receive("two").await;
        assert_eq!(status, 503, "{text}");
        text.contains("log_forked")
    });
    assert!(is_refused.await);
    drop((serving, other));
}
