//! A primary with a synchronous standby: the standby stops, the primary dies, the standby takes over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use private_postgres::{Cluster, Options};
use secrecy::ExposeSecret;
use test_support::{Server, TestDatabase, wait_until};

use super::database::blocking;
use super::round::{Field, QUIET, Round, Verdict, lasts};
use super::tools;
use crate::binary::{self, TempDir};
use crate::ground::Ground;
use crate::program::free_address;

/// F20: nothing that was answered is lost when the synchronous standby takes over, nor while there is none.
pub(crate) fn takes_over(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let (mut acknowledged, mut last) = (0, None);
        let times = round.times(1, 6);
        for _ in 0..times {
            let held = once(&round).await;
            acknowledged += held.acknowledged;
            last = Some(held);
        }
        let held = last.unwrap();
        Verdict::Held(super::round::Held {
            acknowledged,
            note: format!("{times} times: the standby stops, goes on, takes over"),
            ..held
        })
    })
}

async fn once(round: &Round) -> super::round::Held {
    let folder = TempDir::new();
    let (primary, standby) = tokio::task::spawn_blocking({
        let dir = folder.path().to_owned();
        move || pair(dir)
    })
    .await
    .unwrap();
    let test = TestDatabase::create_on(Arc::clone(&primary)).await;
    synchronous(&test).await;
    let ground = Ground::prepare(test).await;
    let url = format!(
        "host={},{} user=test_service password=test dbname={}",
        socket_dir(&ground.test),
        standby.socket_dir().display(),
        ground.test.name()
    );
    let serving = ground.serve_told(binary::path(), "serve0", free_address(), &[("DATABASE_URL", url)]).await;
    let mut field = Field::load(ground, vec![serving]).await;

    // Nobody confirms: nothing may be answered.
    let pids = tools::family(standby.pid());
    signal(&pids, "-STOP");
    lasts(Duration::from_secs(1)).await;
    let answered = field.load.answered();
    lasts(round.seconds(5, 35)).await;
    assert_eq!(field.load.answered(), answered, "answered, and no standby has it");
    signal(&pids, "-CONT");
    field.load.gets_through(QUIET).await;

    blocking(&primary, Server::stop).await;
    promote(&standby).await;
    let second = tokio::task::spawn_blocking(move || Server::on(standby)).await.unwrap();
    field.ground.test = field.ground.test.on(second);
    field.survived(String::new()).await
}

/// A primary, and a copy that follows it.
fn pair(dir: PathBuf) -> (Arc<Server>, Cluster) {
    let binaries = test_support::binaries();
    let start = |name: &str| {
        let options = Options::new(dir.join(name)).with_setting("hot_standby", "on");
        Cluster::start(&binaries, &options).unwrap_or_else(|error| panic!("{error}"))
    };
    let primary = start("primary");
    let (host, user) = (primary.socket_dir().display().to_string(), primary.superuser().to_owned());
    let copy = dir.join("standby");
    let backup = binaries.bin_dir().join("pg_basebackup");
    let arguments =
        ["-h", &host, "-U", &user, "-D", copy.to_str().unwrap(), "-R", "-X", "stream", "-c", "fast"];
    tools::run(backup.to_str().unwrap(), &arguments);
    (Server::on(primary), start("standby"))
}

/// Waits until the standby follows, and has every commit wait for it.
async fn synchronous(test: &TestDatabase) {
    let superuser = test.superuser().await;
    superuser.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let follows = wait_until(Duration::from_secs(30), async || {
        let state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        superuser.query_one(state, &[]).await.unwrap().get::<_, i64>(0) == 1
    });
    assert!(follows.await, "the standby does not follow");
}

fn socket_dir(test: &TestDatabase) -> String {
    let config: tokio_postgres::Config = test.url_owner().expose_secret().parse().unwrap();
    match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Unix(dir)) => dir.display().to_string(),
        _ => panic!("a server of the tests' own listens on a socket"),
    }
}

fn signal(pids: &[u32], name: &str) {
    for pid in pids {
        tools::run("kill", &[name, &pid.to_string()]);
    }
}

async fn promote(standby: &Cluster) {
    let url = standby.connection_string(standby.superuser(), "postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = ''").await.unwrap();
    client.batch_execute("SELECT pg_promote(true, 60)").await.unwrap();
}
