//! `serve` from the outside: what it refuses to start on, how it ends, and several of it on one database.

use std::net::{SocketAddr, TcpListener};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use access::{ApiKeys, Role};
use domain::ShopId;
use evidence::{KeyEncryptionKey, Vault};
use intake::shops;
use paypal::Environment;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::binary::{self, TempDir, said};
use crate::program::{Serving, free_address};

const SHOP: &str = "several";
/// A process that hangs must not hang the test.
const DEADLINE: Duration = Duration::from_secs(20);
/// What is promised of SIGTERM.
const END: Duration = Duration::from_secs(10);

/// A database with a shop, a key of the shop, and the key-encryption key.
struct Ground {
    dir: TempDir,
    database: TestDatabase,
    key: String,
}

impl Ground {
    async fn prepare() -> Self {
        let (dir, database) = (TempDir::new(), TestDatabase::create().await);
        std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
        let vault = Vault::new(KeyEncryptionKey::from_file(&dir.path().join("kek")).unwrap());
        let (owner, shop) = (database.database_owner(), ShopId::parse(SHOP).unwrap());
        shops::create(&owner, &vault, &shop, Environment::Sandbox).await.unwrap();
        let (key, _) = ApiKeys::new(owner).create(&shop, "a test", Role::Shop.into()).await.unwrap();
        Self { dir, database, key: key.expose().to_owned() }
    }

    fn url(&self) -> String {
        self.database.url_service().expose_secret().to_owned()
    }

    async fn serve(&self, address: SocketAddr, arguments: &[&str], url: String) -> Serving {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let kek = self.dir.path().join("kek").display().to_string();
        Serving::start(
            binary::path(),
            address,
            &arguments,
            &[("DATABASE_URL", url), ("COUNTERFOIL_KEK_FILE", kek)],
        )
        .await
    }

    /// `serve` that cannot start: its exit code and what it says.
    fn refused(&self, listen: &str, url: &str) -> (Option<i32>, String) {
        let mut child = binary::command(self.dir.path())
            .args(["serve", "--kek-file", "kek", "--listen", listen])
            .env("DATABASE_URL", url)
            .env("COUNTERFOIL_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > DEADLINE {
                child.kill().unwrap();
            }
            std::thread::yield_now();
        }
        let output: Output = child.wait_with_output().unwrap();
        (output.status.code(), said(&output))
    }

    /// `projections list`: its exit code and the shop's row.
    fn projections(&self) -> (Option<i32>, Value) {
        let output = binary::command(self.dir.path())
            .args(["projections", "list", "-o", "json"])
            .env("MAINTENANCE_DATABASE_URL", self.database.url_owner().expose_secret())
            .output()
            .unwrap();
        let rows: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        assert_eq!(rows[0]["shop"], SHOP, "{rows}");
        (output.status.code(), rows[0].clone())
    }

    /// Receives stock, and the status: 200 when it was decided while the client waited.
    async fn receive(&self, address: SocketAddr, id: &str, wait_s: u32) -> Option<u16> {
        let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        let sent = client
            .post(format!("http://{address}/v1/stock/tea/receive"))
            .bearer_auth(&self.key)
            .header("prefer", format!("wait={wait_s}"))
            .json(&json!({"id": id, "qty": 1}));
        sent.send().await.ok().map(|answer| answer.status().as_u16())
    }
}

async fn end(serving: Serving) -> (Option<i32>, Duration) {
    let asked = Instant::now();
    let code = serving.terminate().await;
    (code, asked.elapsed())
}

/// Its login must not be able to change the log.
#[tokio::test]
async fn serve_refuses_the_owner_a_missing_key_and_a_schema_that_is_not_there() {
    let (dir, database) = (TempDir::new(), TestDatabase::create().await);
    std::fs::write(dir.path().join("kek"), "0".repeat(64)).unwrap();
    let serve = |url: &secrecy::SecretString, kek: &str| {
        binary::command(dir.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--kek-file", kek])
            .env("DATABASE_URL", url.expose_secret())
            .output()
            .unwrap()
    };
    let owner = serve(&database.url_owner(), "kek");
    assert_eq!(owner.status.code(), Some(78), "{}", said(&owner));
    assert!(said(&owner).contains("could change the log"), "{}", said(&owner));
    let without = serve(&database.url_service(), "no-such-file");
    assert_eq!(without.status.code(), Some(78), "{}", said(&without));
    let empty = TestDatabase::create_empty().await;
    let unmigrated = serve(&empty.url_service(), "kek");
    assert_eq!(unmigrated.status.code(), Some(78), "{}", said(&unmigrated));
    assert!(said(&unmigrated).contains("counterfoil migrate"), "{}", said(&unmigrated));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_says_what_to_do_about_a_server_or_a_port_that_it_cannot_have() {
    let ground = Ground::prepare().await;
    let check = |listen: &str, url: &str, code: i32, words: &[&str]| {
        let (ended, said) = ground.refused(listen, url);
        assert_eq!(ended, Some(code), "{url}: {said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
        assert!(!said.contains("password=test"), "{said}");
    };
    let any = "127.0.0.1:0";
    let missing = ground.url().replace(ground.database.name(), "no_such_database");
    check(any, &missing, 69, &["no_such_database", "DATABASE_URL"]);
    check(any, "host=127.0.0.1 port=1 user=x dbname=x", 69, &["refused", "DATABASE_URL names a server"]);
    check(any, "postgres://[", 78, &["postgres://user:password@host/database"]);
    let lossy = format!("{} options='-c synchronous_commit=off'", ground.url());
    check(any, &lossy, 78, &["synchronous_commit is off", "take it out of the URL's options"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(&address, &ground.url(), 78, &[&address, "another --listen", "ss -ltnp"]);
    check("192.0.2.1:8080", &ground.url(), 78, &["no such address"]);

    let superuser = ground.database.superuser().await;
    let name = ground.database.name();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    superuser.batch_execute(&read_only).await.unwrap();
    check(any, &ground.url(), 69, &["does not allow writes", "takes writes"]);
    let anyway = format!("{} target_session_attrs=any", ground.url());
    check(any, &anyway, 78, &["takes no writes", "give the URL of the primary"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_name_the_build_that_the_version_names() {
    let ground = Ground::prepare().await;
    let address = free_address();
    let serving = ground.serve(address, &[], ground.url()).await;
    let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
    let metrics = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    let info = metrics.lines().find(|line| line.starts_with("counterfoil_build_info{")).unwrap();
    let label = |name: &str| {
        let rest = info.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {info}")).1;
        rest.split_once('"').unwrap().0
    };
    let version = binary::run(ground.dir.path(), &["--version"]);
    let version = String::from_utf8(version.stdout).unwrap();
    let expected = match label("commit") {
        "unknown" => format!("counterfoil {}", label("version")),
        commit => format!("counterfoil {} ({commit})", label("version")),
    };
    assert_eq!(version.trim(), expected, "{info}");
    assert_eq!(end(serving).await.0, Some(0));
}

/// What signs in without a key is of `dev` alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_knows_no_link_that_signs_in() {
    let ground = Ground::prepare().await;
    let address = free_address();
    let serving = ground.serve(address, &[], ground.url()).await;
    let none = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().no_proxy().redirect(none).timeout(DEADLINE).build().unwrap();
    for token in ["0".repeat(64), "x".to_owned()] {
        let path = format!("/console/sign-in/{token}");
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        // As any page that there is not.
        let place = answer.headers()["location"].to_str().unwrap();
        let expected = format!("/console/sign-in?to={}", path.replace('/', "%2F"));
        assert_eq!((answer.status().as_u16(), place), (303, expected.as_str()));
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    assert_eq!(end(serving).await.0, Some(0));
}

/// The login's and the database's settings do not reach the service's sessions; the URL's do, and are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_commits_durably_where_the_database_is_set_otherwise() {
    let ground = Ground::prepare().await;
    let superuser = ground.database.superuser().await;
    let lossy = format!("ALTER DATABASE {} SET synchronous_commit = off", ground.database.name());
    superuser.batch_execute(&lossy).await.unwrap();
    let client = ground.database.database().client().await.unwrap();
    let row = client.raw().query_one("SELECT current_setting('synchronous_commit')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "on");
    let serving = ground.serve(free_address(), &[], ground.url()).await;
    assert_eq!(ground.receive(serving.address, "1", 20).await, Some(200));
    assert_eq!(end(serving).await.0, Some(0));
}

/// A leader hands over when it is asked to end; a door without a relay works beside it; `projections` says who leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_on_one_database_hand_over_to_each_other() {
    let ground = Ground::prepare().await;
    let leader = ground.serve(free_address(), &[], ground.url()).await;
    let door = ground.serve(free_address(), &["--no-relay"], ground.url()).await;
    assert_eq!(ground.receive(door.address, "1", 20).await, Some(200), "the other process decides");
    let (code, row) = ground.projections();
    assert_eq!((code, &row["standing"], &row["lag_events"]), (Some(0), &json!("idle"), &json!(0)), "{row}");
    let holder = row["leader"].as_str().unwrap();
    let (host, pid) = holder.rsplit_once(':').unwrap();
    assert!(!host.is_empty() && pid == leader.pid().to_string(), "{row}");

    let next = ground.serve(free_address(), &[], ground.url()).await;
    let (code, took) = end(leader).await;
    assert!(code == Some(0) && took < END, "{code:?} after {took:?}");
    let since = Instant::now();
    assert_eq!(ground.receive(door.address, "2", 20).await, Some(200));
    assert!(since.elapsed() < Duration::from_secs(3), "sooner than a lease runs out: {:?}", since.elapsed());
    let (_, row) = ground.projections();
    assert!(row["leader"].as_str().unwrap().ends_with(&format!(":{}", next.pid())), "{row}");
    assert_eq!(row["epoch"], 2, "{row}");
    assert_eq!(end(next).await.0, Some(0));
    assert_eq!(end(door).await.0, Some(0));

    let superuser = ground.database.superuser().await;
    superuser
        .batch_execute(
            "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
             UPDATE counterfoil.events SET at = at - interval '1 h';
             UPDATE counterfoil.checkpoints SET position = -1, heartbeat_at = now() - interval '1 h'",
        )
        .await
        .unwrap();
    let (code, row) = ground.projections();
    assert_eq!(
        (code, &row["standing"], &row["leader"]),
        (Some(1), &json!("leaderless"), &Value::Null),
        "{row}"
    );
}

/// SIGSTOP at any moment: the other leads in under 5 s, and the one that wakes again changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_stopped_is_taken_over_from_and_does_no_harm_when_it_wakes() {
    let ground = Ground::prepare().await;
    let leader = ground.serve(free_address(), &[], ground.url()).await;
    assert_eq!(ground.receive(leader.address, "1", 20).await, Some(200));
    let next = ground.serve(free_address(), &[], ground.url()).await;
    leader.freeze();
    let since = Instant::now();
    assert_eq!(ground.receive(next.address, "2", 20).await, Some(200));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    leader.wake();
    for (n, serving) in [&leader, &next, &leader, &next].into_iter().enumerate() {
        assert_eq!(ground.receive(serving.address, &format!("again-{n}"), 20).await, Some(200));
    }
    let (code, row) = ground.projections();
    assert_eq!((code, &row["epoch"]), (Some(0), &json!(2)), "{row}");
    assert_eq!(end(leader).await.0, Some(0));
    assert_eq!(end(next).await.0, Some(0));
    crate::soundness::assert_sound(&ground.database.database(), &ShopId::parse(SHOP).unwrap()).await;
}

/// The way to the database, which can be made to hand nothing on: the sessions stay open, and nothing is answered.
struct Way {
    url: String,
    hangs: watch::Sender<bool>,
}

impl Way {
    async fn to(ground: &Ground) -> Self {
        let config: tokio_postgres::Config = ground.url().parse().unwrap();
        let tokio_postgres::config::Host::Unix(socket) = &config.get_hosts()[0] else {
            panic!("the test server is reached by a socket")
        };
        let socket = socket.join(format!(".s.PGSQL.{}", config.get_ports()[0]));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (hangs, hung) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let (socket, mut hung) = (socket.clone(), hung.clone());
                tokio::spawn(async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut inner, &mut server) => return,
                        _ = hung.wait_for(|hung| *hung) => {}
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        let host = config.get_hosts()[0].clone();
        let tokio_postgres::config::Host::Unix(host) = host else { unreachable!() };
        let url = ground.url().replace(&format!("host={}", host.display()), "host=127.0.0.1");
        Self { url: url.replace(&format!("port={}", config.get_ports()[0]), &format!("port={port}")), hangs }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_within_10_s_though_the_database_hangs_and_a_client_does_not_go_on() {
    let ground = Ground::prepare().await;
    let way = Way::to(&ground).await;
    let serving = ground.serve(free_address(), &[], way.url.clone()).await;
    let address = serving.address;
    assert_eq!(ground.receive(address, "1", 20).await, Some(200));
    let mut half = std::net::TcpStream::connect(address).unwrap();
    let head = "POST /v1/stock/tea/receive HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    std::io::Write::write_all(&mut half, head.as_bytes()).unwrap();
    way.hangs.send_replace(true);
    let (hung, ended) = tokio::join!(ground.receive(address, "2", 20), end(serving));
    assert_ne!(hung, Some(200), "it is not in the log");
    let (code, took) = ended;
    assert!(took < END, "{took:?}");
    assert_eq!(code, Some(69), "it says that something was left");

    // Its lease runs out, and whatever its sessions held is freed.
    let next = ground.serve(free_address(), &[], ground.url()).await;
    assert_eq!(ground.receive(next.address, "2", 20).await, Some(200));
    assert_eq!(end(next).await.0, Some(0));
}

/// After a fail-over: sessions with a server that takes no writes any more are thrown away, and new ones find the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_answers_503_while_the_database_takes_no_writes_and_goes_on_by_itself() {
    let ground = Ground::prepare().await;
    let superuser = ground.database.superuser().await;
    let name = ground.database.name().to_owned();
    // Also where the URL has it use any session: then the sessions are read-only, and must not stay.
    for (n, attrs) in ["read-write", "any"].into_iter().enumerate() {
        let url = format!("{} target_session_attrs={attrs}", ground.url());
        let serving = ground.serve(free_address(), &[], url).await;
        assert_eq!(ground.receive(serving.address, &format!("{n}-before"), 20).await, Some(200));
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        // Committed before the cut: a session that is opened again in between must find it so.
        superuser.batch_execute(&read_only).await.unwrap();
        superuser.batch_execute(cut).await.unwrap();
        let id = format!("{n}-during");
        assert_eq!(ground.receive(serving.address, &id, 1).await, Some(503), "{attrs}");
        assert_eq!(ground.receive(serving.address, &id, 1).await, Some(503), "{attrs}");
        let reset = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
        superuser.batch_execute(&format!("SET default_transaction_read_only = off; {reset}")).await.unwrap();
        let goes_on =
            wait_until(DEADLINE, async || ground.receive(serving.address, &id, 20).await == Some(200));
        assert!(goes_on.await, "{attrs}: it does not come back by itself");
        assert_eq!(end(serving).await.0, Some(0), "{attrs}");
    }
    crate::soundness::assert_sound(&ground.database.database(), &ShopId::parse(SHOP).unwrap()).await;
}
