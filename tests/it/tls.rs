//! TLS at the door and to PostgreSQL, with certificates of authorities of the tests' own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use database::{Config, Database};
use private_postgres::{Cluster, Options};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use secrecy::ExposeSecret;
use test_support::{TestDatabase, wait_until};

use crate::binary::{self, TempDir};
use crate::program::{Serving, free_address};

const DEADLINE: Duration = Duration::from_secs(30);

/// An authority, and what it signs for a name: the chain and the key.
struct Issued {
    root: String,
    chain: String,
    key: String,
}

fn issue(name: &str) -> Issued {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    Issued { root: authority.pem(), chain: leaf.pem(), key: key.serialize_pem() }
}

/// Trusts one root alone, and finds localhost at the loopback.
fn client(issued: &Issued, address: SocketAddr) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(issued.root.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only([root]).timeout(DEADLINE);
    builder.resolve("localhost", address).build().unwrap()
}

fn put(dir: &Path, issued: &Issued) {
    // Each at once, as whoever renews certificates does it.
    for (name, text) in [("chain.pem", &issued.chain), ("key.pem", &issued.key)] {
        std::fs::write(dir.join("new"), text).unwrap();
        std::fs::rename(dir.join("new"), dir.join(name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_changes_is_shown_to_new_connections_and_the_open_ones_go_on() {
    let (dir, database, address) = (TempDir::new(), TestDatabase::create().await, free_address());
    std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
    let (first, second) = (issue("localhost"), issue("localhost"));
    put(dir.path(), &first);
    let file = |name: &str| dir.path().join(name).display().to_string();
    let arguments = [
        "--tls-cert".to_owned(),
        file("chain.pem"),
        "--tls-key".to_owned(),
        file("key.pem"),
        "--no-relay".to_owned(),
    ];
    let environment = [
        ("DATABASE_URL", database.url_service().expose_secret().to_owned()),
        ("COUNTERFOIL_KEK_FILE", file("kek")),
    ];
    let serving = Serving::spawn(binary::path(), address, &arguments, &environment);
    let url = format!("https://localhost:{}/livez", address.port());
    let is_shown = async |issued: &Issued| {
        let client = client(issued, address);
        wait_until(DEADLINE, async || client.get(&url).send().await.is_ok()).await
    };
    assert!(is_shown(&first).await);

    let open = client(&first, address);
    let answer = open.get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let before = answer.remote_addr();
    answer.bytes().await.unwrap();

    // Half of it, and nonsense: the one before stays.
    std::fs::write(dir.path().join("chain.pem"), "nonsense").unwrap();
    assert!(is_shown(&first).await);
    put(dir.path(), &second);
    assert!(is_shown(&second).await);
    assert!(client(&first, address).get(&url).send().await.is_err(), "new connections get the new one");
    let answer = open.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.remote_addr()), (200, before), "this one was open");
    assert!(
        reqwest::get(format!("http://{address}/livez"))
            .await
            .map_or(true, |answer| !answer.status().is_success()),
        "nothing is told without TLS"
    );
    drop(open);
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_says_what_is_wrong_with_a_certificate() {
    let (dir, database) = (TempDir::new(), TestDatabase::create().await);
    std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
    put(dir.path(), &issue("localhost"));
    std::fs::write(dir.path().join("other.pem"), issue("localhost").key).unwrap();
    for (certificate, key, code, word) in [
        ("chain.pem", "other.pem", 78, "cannot be used"),
        ("missing.pem", "key.pem", 78, "missing.pem cannot be read"),
        ("key.pem", "key.pem", 78, "key.pem has no certificate"),
        ("chain.pem", "chain.pem", 78, "chain.pem has no private key"),
    ] {
        let output = binary::command(dir.path())
            .args(["serve", "--kek-file", "kek", "--listen", "127.0.0.1:0"])
            .args(["--tls-cert", certificate, "--tls-key", key])
            .env("DATABASE_URL", database.url_service().expose_secret())
            .output()
            .unwrap();
        let said = binary::said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word) && !said.contains("PRIVATE"), "no {word:?} in {said}");
    }
}

/// A PostgreSQL of its own that listens on the loopback, with a certificate for localhost.
struct SecurePostgres {
    cluster: Cluster,
    port: u16,
    _dir: TempDir,
}

impl SecurePostgres {
    async fn start(issued: &Issued) -> Self {
        let (dir, port) = (TempDir::new(), free_address().port());
        let data = dir.path().join("data");
        let options = Options::new(data).on_loopback(port);
        let cluster =
            tokio::task::spawn_blocking(move || Cluster::start(&test_support::binaries(), &options).unwrap());
        let started = Self { cluster: cluster.await.unwrap(), port, _dir: dir };
        let data = started.cluster.data_dir().display().to_string();
        // Written by the server itself, so that the key is its own.
        for (name, text) in [("server.crt", &issued.chain), ("server.key", &issued.key)] {
            let copy = format!(
                "COPY (SELECT unnest(string_to_array($pem${}$pem$, E'\\n'))) TO PROGRAM 'umask 077; cat > {data}/{name}'",
                text.trim_end()
            );
            started.execute(&copy).await;
        }
        started.set_ssl(true).await;
        started
    }

    async fn execute(&self, statement: &str) {
        let url = self.cluster.connection_string(self.cluster.superuser(), "postgres");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }

    async fn set_ssl(&self, on: bool) {
        self.execute(&format!("ALTER SYSTEM SET ssl = {on}")).await;
        self.execute("SELECT pg_reload_conf()").await;
    }

    /// Whether a session is encrypted, or why there is none.
    async fn ask(&self, host: &str, parameters: &str) -> Result<bool, String> {
        let user = self.cluster.superuser();
        let url = format!("host={host} port={} user={user} dbname=postgres {parameters}", self.port);
        let database = Database::lazy(Config::new(url.into())).map_err(|error| error.to_string())?;
        let client = database.client().await.map_err(|error| error.to_string())?;
        let asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.raw().query_one(asked, &[]).await.unwrap().get(0))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_reached_by_tls_as_the_url_asks_for_it() {
    let (issued, other, dir) = (issue("localhost"), issue("localhost"), TempDir::new());
    let postgres = SecurePostgres::start(&issued).await;
    let root = |name: &str, issued: &Issued| {
        std::fs::write(dir.path().join(name), &issued.root).unwrap();
        format!("sslrootcert='{}'", dir.path().join(name).display())
    };
    let (ours, theirs) = (root("ours.pem", &issued), root("theirs.pem", &other));
    let on = wait_until(DEADLINE, async || postgres.ask("localhost", "sslmode=require").await == Ok(true));
    assert!(on.await, "the server has taken its certificate");
    for (host, parameters, encrypted) in [
        ("localhost", "sslmode=disable".to_owned(), Some(false)),
        ("localhost", String::new(), Some(true)),
        ("localhost", "sslmode=prefer".to_owned(), Some(true)),
        ("127.0.0.1", "sslmode=require".to_owned(), Some(true)),
        ("localhost", format!("sslmode=require {theirs}"), None),
        ("127.0.0.1", format!("sslmode=verify-ca {ours}"), Some(true)),
        ("127.0.0.1", format!("sslmode=verify-ca {theirs}"), None),
        ("localhost", format!("sslmode=verify-full {ours}"), Some(true)),
        ("127.0.0.1", format!("sslmode=verify-full {ours}"), None),
        ("localhost", format!("sslmode=verify-full {theirs}"), None),
        ("localhost", "sslmode=verify-full sslrootcert=/nowhere.pem".to_owned(), None),
    ] {
        let asked = postgres.ask(host, &parameters).await;
        assert_eq!(asked.clone().ok(), encrypted, "{host} {parameters}: {asked:?}");
    }
    // Whatever verifies has the migrations go by TLS too.
    let url = format!(
        "host=localhost port={} user={} dbname=postgres",
        postgres.port,
        postgres.cluster.superuser()
    );
    let verified = format!("{url} sslmode=verify-full {theirs}");
    assert!(database::migration_status(&verified.into(), "counterfoil").await.is_err());
    let verified = format!("{url} sslmode=verify-full {ours}");
    assert!(database::migration_status(&verified.into(), "counterfoil").await.is_ok());

    postgres.set_ssl(false).await;
    let off = wait_until(DEADLINE, async || postgres.ask("localhost", "sslmode=prefer").await == Ok(false));
    assert!(off.await, "it goes on without where that may be");
    assert!(postgres.ask("localhost", "sslmode=require").await.is_err());
    assert!(postgres.ask("localhost", &format!("sslmode=verify-full {ours}")).await.is_err());
}
