//! What operators do to a shop that is at work: move it, migrate it, rebuild it, read from it or not.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use access::Role;
use futures_util::future::{LocalBoxFuture, join_all};
use secrecy::ExposeSecret;
use serde_json::Value;
use test_support::{Server, TestDatabase};

use super::database::resident_kb;
use super::round::{Field, QUIET, Round, Verdict, lasts};
use super::tools;
use crate::binary::{self, said};
use crate::ground::{Ground, client};
use crate::schema;

/// F21: dumped, restored into another server whose transaction ids begin again, and served from there.
pub(crate) fn restored_elsewhere(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need("pg_dump", "postgresql-client") {
            return Verdict::Skipped(why);
        }
        let mut field = Field::prepare().await;
        let servers = [0; 2].map(|_| tokio::task::spawn_blocking(Server::alone));
        for server in servers.into_iter().take(round.times(1, 2)) {
            let server = server.await.unwrap();
            let asked = field.serving.remove(0);
            let address = asked.address;
            assert_eq!(asked.terminate().await, Some(0));
            let test = restore(&field.ground.test, &server).await;
            field.ground.test = test;
            field.serving.push(field.ground.serve(address).await);
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived("positions go on").await)
    })
}

async fn restore(from: &TestDatabase, server: &Arc<Server>) -> TestDatabase {
    let to = TestDatabase::create_empty_on(Arc::clone(server)).await;
    let superuser = |test: &TestDatabase| {
        test.url_owner().expose_secret().replace("user=test_owner", "user=counterfoil_owner")
    };
    let programs = test_support::binaries();
    let mut dump = Command::new(programs.program("pg_dump"))
        .args(["--dbname", &superuser(from)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let load = Command::new(programs.program("psql"))
        .args(["-q", "-v", "ON_ERROR_STOP=1", "--dbname", &superuser(&to)])
        .stdin(dump.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(dump.wait().unwrap().success() && load.status.success(), "{}", said(&load));
    to
}

/// F47: `migrate` is killed at any moment, again and again, and in the end runs twice at once. It goes on from where the
/// last one ended, and makes what it would have made at once.
pub(crate) fn migrations_that_end(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let Some(whole) = schema::made(&TestDatabase::create().await) else {
            return Verdict::Skipped("pg_dump is missing: apt-get install postgresql-client".to_owned());
        };
        let times = round.times(2, 20);
        let mut killed = 0;
        for _ in 0..times {
            let test = TestDatabase::create_empty().await;
            for _ in 0..5 {
                let mut child = migrate(&test).spawn().unwrap();
                lasts(Duration::from_millis(20) + round.within(Duration::from_millis(400))).await;
                killed += usize::from(child.try_wait().unwrap().is_none());
                let _ = child.kill();
                child.wait().unwrap();
            }
            let both = [migrate(&test).spawn().unwrap(), migrate(&test).spawn().unwrap()];
            for child in both {
                let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
                assert!(output.status.success(), "{}", said(&output));
            }
            assert!(schema::made(&test).unwrap() == whole, "another schema than that of one run");
        }
        // It serves.
        let test = TestDatabase::create_empty().await;
        assert!(migrate(&test).output().unwrap().status.success());
        let field = Field::serve(Ground::prepare(test).await, 1).await;
        Verdict::Held(
            field.survived(format!("{killed} migrations killed, {} at the same time", 2 * times)).await,
        )
    })
}

fn migrate(test: &TestDatabase) -> Command {
    let mut command = binary::command(&std::env::temp_dir());
    command.arg("migrate").env("MAINTENANCE_DATABASE_URL", test.url_owner().expose_secret());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// F48: read models are rebuilt under load, and a reader begins at the beginning.
pub(crate) fn rebuilt_under_load(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let field = Field::prepare().await;
        for _ in 0..round.times(1, 8) {
            for model in ["stock", "orders", "payments", "coupons", "points"] {
                let mut rebuild = binary::command(field.ground.folder());
                rebuild
                    .args(["rebuild", model])
                    .env("MAINTENANCE_DATABASE_URL", field.ground.test.url_owner().expose_secret());
                let output = tokio::task::spawn_blocking(move || rebuild.output().unwrap()).await.unwrap();
                assert!(output.status.success(), "{model}: {}", said(&output));
            }
            field.load.gets_through(QUIET).await;
        }
        let read = read_all(&field).await;
        Verdict::Held(
            field.survived(format!("a reader from the beginning had {read} outcomes in order")).await,
        )
    })
}

/// Reads the feed from its beginning to where it ended when it began; every outcome is there, in order.
async fn read_all(field: &Field) -> usize {
    let superuser = field.ground.test.superuser().await;
    let ids = "SELECT id::text FROM counterfoil.events WHERE kind = 'outcome' ORDER BY position";
    let expected: Vec<String> =
        superuser.query(ids, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let key = field.ground.key_of(Role::Feed).await;
    let (sender, mut since) = (client(Duration::from_secs(10)), "0-start".to_owned());
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let url = format!("http://{}/v1/feed?after={since}&limit=500", field.serving[0].address);
        let answer = sender.get(url).bearer_auth(&key).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        since = answer.headers()["counterfoil-cursor"].to_str().unwrap().to_owned();
        let events: Vec<Value> = answer.json().await.unwrap();
        got.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
    }
    assert!(got[..expected.len()] == expected, "the feed is the log's outcomes in their order");
    expected.len()
}

/// F49: readers that ask and do not read, and consumers that never come.
pub(crate) fn nobody_reads(round: Round) -> LocalBoxFuture<'static, Verdict> {
    const READERS: usize = 20;
    Box::pin(async move {
        let field = Field::prepare().await;
        let (key, sender) = (field.ground.key_of(Role::Feed).await, client(Duration::from_secs(3600)));
        let url = |path: &str| format!("http://{}/v1/{path}", field.serving[0].address);
        for n in 0..5 {
            let made = sender.put(url(&format!("consumers/never-{n}"))).bearer_auth(&key);
            let status = made.json(&serde_json::json!({"cursor": "start"})).send().await.unwrap().status();
            assert!(status.is_success(), "{status}");
        }
        let open = || {
            let request = sender.get(url("feed?kind=all")).bearer_auth(&key);
            request.header("accept", "text/event-stream").send()
        };
        let stalled: Vec<_> = join_all((0..READERS).map(|_| open())).await;
        assert!(stalled.iter().all(|opened| opened.as_ref().is_ok_and(|answer| answer.status() == 200)));
        let before = resident_kb(field.serving[0].pid());
        field.load.gets_through(round.times(400, 30_000)).await;
        let grown = resident_kb(field.serving[0].pid()).saturating_sub(before);
        assert!(grown < 128 << 10, "it has grown by {grown} kB");
        drop(stalled);
        Verdict::Held(
            field.survived(format!("{READERS} readers that stalled; memory grew by {grown} kB")).await,
        )
    })
}
