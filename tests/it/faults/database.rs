//! What becomes of PostgreSQL: it ends, waits, refuses, takes its time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use relay::Projection as _;
use test_support::{Server, TestDatabase, wait_until};

use super::round::{Field, QUIET, Round, Verdict, lasts};
use super::tools::{self, Strace};
use crate::ground::Ground;

pub(crate) async fn blocking(server: &Arc<Server>, work: impl FnOnce(&Server) + Send + 'static) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap();
}

/// F10: ends without a word, loses one backend to kill -9, has its sessions ended by an administrator.
pub(crate) fn ends(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let (field, server) = Field::alone().await;
        let times = round.times(6, 60);
        for n in 0..times {
            lasts(round.within(Duration::from_millis(300))).await;
            match n % 3 {
                0 => blocking(&server, |server| (server.stop(), server.start_again()).1).await,
                1 => {
                    let backend = session_of_the_service(&field).await;
                    tools::run("kill", &["-9", &backend.to_string()]);
                    server_is_back(&field).await;
                }
                _ => end_sessions(&field, "true").await,
            }
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived(format!("{times} ends: of the server, of a backend, of sessions")).await)
    })
}

async fn session_of_the_service(field: &Field) -> i32 {
    let superuser = field.ground.test.superuser().await;
    let one = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'test_service' LIMIT 1";
    superuser.query_one(one, &[]).await.unwrap().get(0)
}

pub(crate) async fn end_sessions(field: &Field, which: &str) {
    let superuser = field.ground.test.superuser().await;
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'test_service' AND {which}"
    );
    superuser.query_one(&end, &[]).await.unwrap();
}

/// Waits until a superuser is let in again.
async fn server_is_back(field: &Field) {
    let url = field.ground.test.url_owner();
    let config: tokio_postgres::Config = secrecy::ExposeSecret::expose_secret(&url).parse().unwrap();
    let back =
        wait_until(Duration::from_secs(30), async || match config.connect(tokio_postgres::NoTls).await {
            Ok((client, connection)) => {
                let driven = tokio::spawn(connection);
                let answers = client.simple_query("SELECT 1").await.is_ok();
                driven.abort();
                answers
            }
            Err(_) => false,
        });
    assert!(back.await, "the server does not come back");
}

/// F12: the write-ahead log cannot be flushed. PostgreSQL panics, and whether the last commits happened nobody knows.
pub(crate) fn log_cannot_be_flushed(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_strace() {
            return Verdict::Skipped(why);
        }
        let (field, server) = Field::alone().await;
        let times = round.times(2, 15);
        for _ in 0..times {
            let at = 1 + round.below(5);
            // Until the server has come down: each process counts for itself, and one is enough.
            let inject = format!("fdatasync:error=EIO:when={at}..{at}");
            let pids = tools::family(server.pid());
            let strace = Strace::attach(&pids, &inject).await;
            let down = wait_until(Duration::from_secs(10), async || {
                pids[1..].iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
            });
            assert!(down.await, "the server does not panic");
            drop(strace);
            server_is_back(&field).await;
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived(format!("{times} panics of the server")).await)
    })
}

/// F13: each flush takes from a fifth of a second to five.
pub(crate) fn slow_disk(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_strace() {
            return Verdict::Skipped(why);
        }
        let (field, server) = Field::alone().await;
        let before = resident_kb(field.serving[0].pid());
        let delays: &[u64] = if round.is_long { &[200, 500, 1_000, 2_000, 5_000] } else { &[200, 1_500] };
        for delay in delays {
            let inject = format!("fdatasync:delay_enter={}", delay * 1_000);
            let strace = Strace::attach(&tools::family(server.pid()), &inject).await;
            lasts(round.seconds(4, 20) + round.within(Duration::from_secs(1))).await;
            drop(strace);
            field.load.gets_through(QUIET).await;
        }
        let grown = resident_kb(field.serving[0].pid()).saturating_sub(before);
        assert!(grown < 64 << 10, "it has grown by {grown} kB");
        Verdict::Held(field.survived(format!("flushes of {delays:?} ms; memory grew by {grown} kB")).await)
    })
}

pub(crate) fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// F17: one transaction in eight loses: a deadlock, or a serialization failure.
pub(crate) fn storms(round: Round) -> LocalBoxFuture<'static, Verdict> {
    const STORM: &str = "
        CREATE SCHEMA storm;
        CREATE SEQUENCE storm.lost;
        CREATE FUNCTION storm.blow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF random() < 0.125 THEN
                PERFORM nextval('storm.lost');
                IF random() < 0.5 THEN RAISE EXCEPTION 'a deadlock' USING ERRCODE = '40P01'; END IF;
                RAISE EXCEPTION 'no order' USING ERRCODE = '40001';
            END IF;
            RETURN NULL;
        END $$;";
    // Each lock in a transaction of its own: held together, they would deadlock with the load that is already there.
    const BEGINS: [&str; 2] = [
        "CREATE TRIGGER storm AFTER INSERT ON counterfoil.events FOR EACH STATEMENT EXECUTE FUNCTION storm.blow()",
        "CREATE TRIGGER storm AFTER UPDATE ON counterfoil.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION storm.blow()",
    ];
    const ENDS: [&str; 2] =
        ["DROP TRIGGER storm ON counterfoil.events", "DROP TRIGGER storm ON counterfoil.checkpoints"];
    Box::pin(async move {
        let field = Field::prepare().await;
        let superuser = field.ground.test.superuser().await;
        superuser.batch_execute(STORM).await.unwrap();
        for trigger in BEGINS {
            superuser.batch_execute(trigger).await.unwrap();
        }
        field.load.gets_through(round.times(300, 5_000)).await;
        let lost: i64 = superuser.query_one("SELECT last_value FROM storm.lost", &[]).await.unwrap().get(0);
        assert!(lost > 5, "only {lost} transactions lost");
        for trigger in ENDS {
            superuser.batch_execute(trigger).await.unwrap();
        }
        Verdict::Held(field.survived(format!("{lost} transactions lost and were run again")).await)
    })
}

/// F18: a table is locked against everybody.
pub(crate) fn lock_queue(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let field = Field::prepare().await;
        for table in ["outbox", "events", "checkpoints"].iter().take(round.times(1, 3)) {
            let superuser = field.ground.test.superuser().await;
            let lock = format!("BEGIN; LOCK TABLE counterfoil.{table} IN ACCESS EXCLUSIVE MODE");
            superuser.batch_execute(&lock).await.unwrap();
            lasts(round.seconds(5, 30)).await;
            superuser.batch_execute("ROLLBACK").await.unwrap();
            field.load.gets_through(QUIET).await;
        }
        // What is tried again for a while need not be refused in a short one.
        assert!(!round.is_long || field.load.told().refused > 0, "nobody was told to come again");
        Verdict::Held(field.survived("outbox, then the log, locked against everybody").await)
    })
}

/// F18: no session is to be had: all are taken by others.
pub(crate) fn no_sessions(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let (field, _server) = Field::alone().await;
        for _ in 0..round.times(1, 4) {
            let mut held = Vec::new();
            let url = field.ground.test.url_owner();
            let config: tokio_postgres::Config = secrecy::ExposeSecret::expose_secret(&url).parse().unwrap();
            let mut take = async || match config.connect(tokio_postgres::NoTls).await {
                Ok((client, connection)) => {
                    held.push((client, tokio::spawn(connection)));
                    true
                }
                Err(error) => {
                    assert_eq!(error.code().map(|code| code.code()), Some("53300"), "{error}");
                    false
                }
            };
            while take().await {}
            // Sessions that end are taken by others at once.
            end_sessions(&field, "true").await;
            while take().await {}
            lasts(round.seconds(3, 30)).await;
            while take().await {}
            drop(held);
            field.load.gets_through(QUIET).await;
        }
        assert!(field.load.told().refused > 0, "nobody was told to come again");
        Verdict::Held(field.survived("all sessions of the server taken").await)
    })
}

/// F22: somebody writes in another database of the server and does not commit.
pub(crate) fn long_write_elsewhere(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let elsewhere = TestDatabase::create().await;
        let writer = elsewhere.superuser().await;
        writer.batch_execute("CREATE TABLE long (n int); BEGIN; INSERT INTO long VALUES (1)").await.unwrap();
        let field = Field::prepare().await;
        field.load.gets_through(round.times(200, 5_000)).await;
        let database = field.ground.test.database();
        let shop = field.ground.shop.clone();
        // While the load goes on: how far the relay is behind stays small.
        let close = wait_until(Duration::from_secs(30), async || {
            let health =
                relay::health(&database, read_models::ReadModels::default().consumer()).await.unwrap();
            health.iter().any(|health| health.shop == shop.as_str() && health.lag() < 100)
        });
        assert!(close.await, "the relay waits for a transaction of somebody else");
        let held = field.survived("decided while it stood open").await;
        writer.batch_execute("COMMIT").await.unwrap();
        Verdict::Held(held)
    })
}

/// F45: those who wait for a word of what happens have their sessions ended, and no word comes.
pub(crate) fn lost_wake_ups(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        // One takes, the other decides: it is told by the database, or has to look.
        let mut ground = Ground::prepare(TestDatabase::create().await).await;
        let deciding =
            ground.serve_with(crate::binary::path(), "decides", crate::program::free_address()).await;
        ground.tell(&["--no-relay"]);
        let door = ground.serve_with(crate::binary::path(), "takes", crate::program::free_address()).await;
        let mut field = Field::load(ground, vec![door]).await;
        let mut slowest = Duration::ZERO;
        for n in 0..round.times(8, 100) {
            end_sessions(&field, "query ILIKE 'LISTEN%'").await;
            let body = serde_json::json!({"id": format!("wake-{n}"), "qty": 1});
            let since = std::time::Instant::now();
            let sent = crate::ground::client(Duration::from_secs(20))
                .post(format!("http://{}/v1/stock/tea/receive", field.serving[0].address))
                .bearer_auth(&field.ground.key)
                .header("prefer", "wait=10")
                .json(&body);
            let status = sent.send().await.unwrap().status().as_u16();
            assert_eq!(status, 200, "it is not decided within 10 s");
            slowest = slowest.max(since.elapsed());
        }
        field.serving.push(deciding);
        Verdict::Held(field.survived(format!("decided elsewhere within {} ms", slowest.as_millis())).await)
    })
}
