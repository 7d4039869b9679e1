//! The pool, transactions, start-up checks and migrations against a real server.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use database::{Client, Config, Database, Error, Query, READ_COMMITTED, migrate, migration_status, sql};
use secrecy::ExposeSecret;
use test_support::{TestDatabase, wait_until};

const COUNT: Query = Query::new("test/count", "SELECT count(*) FROM counterfoil.t");
const READ_SETTING: Query = Query::new(
    "test/read_setting",
    "-- $1 name text\nSELECT current_setting($1) AS value, \
     (SELECT count(*) FROM pg_prepared_statements) AS prepared",
);
const INSERT: Query = Query::new("test/insert", "INSERT INTO counterfoil.t (n) VALUES ($1)");

async fn with_table() -> (TestDatabase, Database) {
    let test = TestDatabase::create().await;
    let database = test.database_owner();
    let client = database.client().await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE counterfoil.t (n int CONSTRAINT t_n_unique UNIQUE, x int NOT NULL DEFAULT 0)",
        )
        .await
        .unwrap();
    (test, database)
}

async fn count(database: &Database) -> i64 {
    database.client().await.unwrap().query_one(&COUNT, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_query_file_prepares_and_its_header_says_the_types() {
    let test = TestDatabase::create().await;
    let client = test.database_owner().client().await.unwrap();
    let mut failures = Vec::new();
    for query in sql::all() {
        match client.raw().prepare(query.text()).await {
            Ok(statement) if statement.params() == query.types() => {}
            Ok(statement) => {
                let (params, said) = (statement.params(), query.types());
                failures.push(format!(
                    "sql/queries/{}.sql: its header says {said:?}, it takes {params:?}",
                    query.name()
                ));
            }
            Err(error) => failures.push(format!("sql/queries/{}.sql: {error}", query.name())),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Without a pooler, which asks for no more: what is left in a session would be seen here.
#[tokio::test]
async fn behind_a_pooler_every_statement_has_its_limits_and_leaves_nothing_in_the_session() {
    let test = TestDatabase::create().await;
    let url = format!("{} pooler=transaction", test.url_service().expose_secret());
    let database = Database::connect(Config { pool_size: 1, ..Config::new(url.into()) }).await.unwrap();
    let read = async |client: &Client, name: &str| {
        let row = client.query_one(&READ_SETTING, &[&name]).await.unwrap();
        assert_eq!(row.get::<_, i64>("prepared"), 0);
        row.get::<_, String>("value")
    };
    let client = database.client().await.unwrap();
    assert_eq!(read(&client, "statement_timeout").await, "30s");
    assert_eq!(read(&client, "lock_timeout").await, "2s");
    client.begin(READ_COMMITTED).await.unwrap();
    assert_eq!(read(&client, "idle_in_transaction_session_timeout").await, "3s");
    client.raw().batch_execute("SET LOCAL statement_timeout = '7s'").await.unwrap();
    assert_eq!(read(&client, "statement_timeout").await, "7s", "it is of the same transaction");
    client.commit().await.unwrap();
    let row = client.raw().query_typed_one("SELECT current_setting('statement_timeout')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "0");
    drop(client);

    let dedicated = database.dedicated().await.err().unwrap().to_string();
    assert!(dedicated.contains("pooler"), "{dedicated}");
    let pooled = format!("{} pooler=transaction", test.url_owner().expose_secret());
    assert!(!migration_status(&pooled.clone().into(), "counterfoil").await.unwrap().newer);
    let refused = migrate(&pooled.into(), "counterfoil").await.unwrap_err().to_string();
    assert!(refused.contains("without pooler=transaction"), "{refused}");
}

#[tokio::test]
async fn every_session_has_its_limits() {
    let test = TestDatabase::create().await;
    let client = test.database().client().await.unwrap();
    let expected = [
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "3s"),
        ("statement_timeout", "30s"),
        ("synchronous_commit", "on"),
        ("TimeZone", "UTC"),
        ("fsync", "on"),
        ("application_name", "counterfoil"),
    ];
    for (name, value) in expected {
        let row = client.raw().query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), value, "{name}");
    }
    test.database().now().await.unwrap();
}

#[tokio::test]
async fn a_transaction_commits_what_is_ok_and_rolls_back_what_is_not() {
    let (_test, database) = with_table().await;
    let work = |n: i32, fail: bool| {
        let database = database.clone();
        async move {
            database
                .run_tx("test", move |tx| {
                    Box::pin(async move {
                        tx.execute(&INSERT, &[&n]).await?;
                        if fail { Err(Error::abort("no")) } else { Ok(n) }
                    })
                })
                .await
        }
    };
    assert_eq!(work(1, false).await.unwrap(), 1);
    assert!(matches!(work(2, true).await, Err(Error::Aborted(reason)) if reason.to_string() == "no"));
    let twice = work(1, false).await.unwrap_err();
    assert!(twice.is_constraint("t_n_unique"), "{twice:?}");
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn an_error_that_the_closure_swallowed_is_not_reported_as_a_commit() {
    let (_test, database) = with_table().await;
    let result = database
        .run_tx("test", |tx| {
            Box::pin(async move {
                tx.execute(&INSERT, &[&1]).await?;
                let _ = tx.execute(&INSERT, &[&1]).await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(Error::Sql(_))), "{result:?}");
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_cancel_the_commit() {
    let (_test, database) = with_table().await;
    let (started, wait) = tokio::sync::oneshot::channel();
    let started = Arc::new(std::sync::Mutex::new(Some(started)));
    let other = database.clone();
    let caller = tokio::spawn(async move {
        other
            .run_tx("test", move |tx| {
                let started = Arc::clone(&started);
                Box::pin(async move {
                    tx.execute(&INSERT, &[&1]).await?;
                    if let Some(started) = started.lock().unwrap().take() {
                        let _ = started.send(());
                    }
                    tx.raw().execute("SELECT pg_sleep(0.1)", &[]).await?;
                    Ok(())
                })
            })
            .await
    });
    wait.await.unwrap();
    caller.abort();
    assert!(wait_until(Duration::from_secs(5), async || count(&database).await == 1).await);
}

#[tokio::test]
async fn a_deadlock_is_run_again_and_both_commit() {
    let (_test, database) = with_table().await;
    database
        .client()
        .await
        .unwrap()
        .batch_execute("INSERT INTO counterfoil.t VALUES (1), (2)")
        .await
        .unwrap();
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let attempts = Arc::new(AtomicU32::new(0));
    let run = |first: i32, second: i32| {
        let (meet, attempts) = (Arc::clone(&meet), Arc::clone(&attempts));
        database.run_tx("test", move |tx| {
            let (meet, attempts) = (Arc::clone(&meet), Arc::clone(&attempts));
            Box::pin(async move {
                let add = "UPDATE counterfoil.t SET x = x + 1 WHERE n = $1";
                tx.raw().execute(add, &[&first]).await?;
                // Only the first attempts meet; the loser comes back alone.
                if attempts.fetch_add(1, Ordering::SeqCst) < 2 {
                    meet.wait().await;
                }
                tx.raw().execute(add, &[&second]).await?;
                Ok(())
            })
        })
    };
    let (one, two) = tokio::join!(run(1, 2), run(2, 1));
    one.unwrap();
    two.unwrap();
    // Once more for the loser, and again where it lost against a time-out of a busy machine.
    assert!(attempts.load(Ordering::SeqCst) >= 3);
    let client = database.client().await.unwrap();
    let sum = client.raw().query_one("SELECT sum(x) FROM counterfoil.t", &[]).await.unwrap();
    assert_eq!(sum.get::<_, i64>(0), 4);
}

#[tokio::test]
async fn a_closure_that_panics_leaves_no_transaction_in_the_pool() {
    let (_test, database) = with_table().await;
    let other = database.clone();
    let failed = tokio::spawn(async move {
        other
            .run_tx::<(), _>("test", |tx| {
                Box::pin(async move {
                    tx.execute(&INSERT, &[&1]).await?;
                    panic!("on purpose");
                })
            })
            .await
    });
    assert!(failed.await.unwrap_err().is_panic());
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn a_session_that_is_cut_during_the_work_is_unavailable_and_the_pool_recovers() {
    let (test, database) = with_table().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    let superuser = Arc::new(test.superuser().await);
    let name = test.name().to_owned();
    let result = database
        .run_tx("test", move |tx| {
            let (superuser, name) = (Arc::clone(&superuser), name.clone());
            Box::pin(async move {
                tx.execute(&INSERT, &[&1]).await?;
                superuser.query(cut, &[&name]).await?;
                tx.execute(&INSERT, &[&2]).await?;
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    assert!(wait_until(Duration::from_secs(5), async || database.client().await.is_ok()).await);
    assert_eq!(count(&database).await, 0);
}

/// After a fail-over: one refusal tells of all the sessions that are open.
#[tokio::test]
async fn sessions_with_a_server_that_takes_no_writes_are_thrown_away_together() {
    let (_test, database) = with_table().await;
    {
        let (one, other) = (database.client().await.unwrap(), database.client().await.unwrap());
        for client in [&one, &other] {
            client.batch_execute("SET default_transaction_read_only = on").await.unwrap();
        }
    }
    let insert = async |n: i32| database.client().await.unwrap().execute(&INSERT, &[&n]).await;
    let refused = insert(1).await.unwrap_err();
    assert!(refused.is_temporary(), "{refused:?}");
    for n in 2..6 {
        insert(n).await.unwrap();
    }
    assert_eq!(count(&database).await, 4);
}

#[tokio::test]
async fn a_server_without_writes_is_not_connected_to_unless_the_url_says_so() {
    let test = TestDatabase::create().await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", test.name());
    test.superuser().await.batch_execute(&read_only).await.unwrap();
    let connect = async |url: String| Database::connect(Config::new(url.into())).await;
    let url = secrecy::ExposeSecret::expose_secret(&test.url_service()).to_owned();
    let refused = connect(url.clone()).await.unwrap_err();
    assert!(refused.is_temporary() && refused.to_string().contains("does not allow writes"), "{refused}");
    connect(format!("{url} target_session_attrs=any")).await.unwrap();
}

/// An address that answers nothing: a server's that takes no connections, whose queue is full.
async fn silent() -> (std::net::SocketAddr, Vec<Box<dyn Send>>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held: Vec<Box<dyn Send>> = vec![Box::new(listener)];
    let full = wait_until(Duration::from_secs(10), async || {
        let asked = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(100), asked).await {
            Ok(stream) => {
                held.push(Box::new(stream.unwrap()));
                false
            }
            Err(_) => true,
        }
    });
    assert!(full.await, "its queue is never full");
    (address, held)
}

#[tokio::test]
async fn a_first_host_that_is_silent_keeps_nobody_from_the_second() {
    let test = TestDatabase::create().await;
    let (silent, _held) = silent().await;
    let url = secrecy::ExposeSecret::expose_secret(&test.url_service()).to_owned();
    let url = url.replacen("host=", &format!("host={},", silent.ip()), 1);
    let url = url.replacen("port=", &format!("port={},", silent.port()), 1);
    let since = std::time::Instant::now();
    let database = Database::connect(Config::new(url.clone().into())).await.unwrap();
    database.dedicated().await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(6), "two sessions took {:?}", since.elapsed());
    migration_status(&url.into(), "counterfoil").await.unwrap();
}

#[tokio::test]
async fn an_exhausted_pool_is_unavailable_after_the_wait() {
    let test = TestDatabase::create().await;
    let config =
        Config { pool_size: 1, wait_timeout: Duration::from_millis(50), ..Config::new(test.url_service()) };
    let database = Database::connect(config).await.unwrap();
    let _held = database.client().await.unwrap();
    assert!(matches!(database.client().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_listener_is_told_and_its_end_is_seen() {
    let test = TestDatabase::create().await;
    let database = test.database();
    let (client, mut notifications) = database.dedicated().await.unwrap();
    client.batch_execute("LISTEN bell").await.unwrap();
    database.client().await.unwrap().batch_execute("NOTIFY bell, 'rung'").await.unwrap();
    assert_eq!(notifications.recv().await.unwrap().payload, "rung");
    drop(client);
    assert_eq!(notifications.recv().await, None);
}

#[tokio::test]
async fn owners_and_superusers_are_refused_and_the_service_is_not() {
    let test = TestDatabase::create().await;
    test.database().refuse_privileged().await.unwrap();
    let owner = test.database_owner().refuse_privileged().await.unwrap_err();
    assert!(owner.to_string().contains("owner of the schema"), "{owner}");
}

#[tokio::test]
async fn an_unsafe_commit_setting_in_the_url_is_refused_at_start() {
    use secrecy::ExposeSecret;
    let test = TestDatabase::create().await;
    let url = format!("{} options='-c synchronous_commit=off'", test.url_service().expose_secret());
    let error = Database::connect(Config::new(url.into())).await.unwrap().check().await.unwrap_err();
    assert!(matches!(&error, Error::Refused(what) if what.contains("synchronous_commit is off")), "{error}");
}

#[tokio::test]
async fn migrating_twice_at_once_applies_everything_once() {
    let test = TestDatabase::create_empty().await;
    let url = test.url_owner();
    let before = migration_status(&url, "counterfoil").await.unwrap();
    assert!(!before.schema_exists && !before.ours);
    let (one, two) = tokio::join!(migrate(&url, "counterfoil"), migrate(&url, "counterfoil"));
    let applied = one.unwrap().applied.len() + two.unwrap().applied.len();
    assert_eq!(applied, before.pending.len());
    let after = migration_status(&url, "counterfoil").await.unwrap();
    assert!(after.ours && !after.newer && after.pending.is_empty(), "{after:?}");
}

/// Whoever waits for a table keeps those waiting who come after: no callback would be taken for a minute.
#[tokio::test]
async fn a_migration_that_waits_for_a_table_gives_up_soon_and_says_to_run_it_again() {
    let test = TestDatabase::create().await;
    let user = test.superuser().await;
    let undo = "DROP VIEW counterfoil.outbox_feed;
                DROP TABLE counterfoil.outbox_retention, counterfoil.forks, counterfoil.consumers, counterfoil.sinks,
                    counterfoil.undelivered, counterfoil.delivery_attempts, counterfoil.trees, counterfoil.tree_tiles,
                    counterfoil.tree_checkpoints, counterfoil.witnesses, counterfoil.stamps, counterfoil.reimported,
                    counterfoil.replaced_rows, counterfoil.reconciliation, counterfoil.order_lookups;
                ALTER TABLE counterfoil.shops DROP COLUMN has_reimported;
                ALTER TABLE counterfoil.api_keys DROP COLUMN expires_at, DROP COLUMN replaced_by;
                ALTER TABLE counterfoil.events DROP COLUMN traceparent;
                ALTER TABLE counterfoil.outbox DROP COLUMN traceparent;
                DROP INDEX counterfoil.outbox_id;
                DROP INDEX counterfoil.orders_unpaid;
                DELETE FROM counterfoil.schema_history WHERE version >= 5";
    user.batch_execute(undo).await.unwrap();
    user.batch_execute("BEGIN; LOCK TABLE counterfoil.outbox IN ROW EXCLUSIVE MODE").await.unwrap();
    let since = std::time::Instant::now();
    let error = migrate(&test.url_owner(), "counterfoil").await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(error.is_temporary() && error.to_string().contains("run `counterfoil migrate` again"), "{error}");
    user.batch_execute("ROLLBACK").await.unwrap();
    let applied = migrate(&test.url_owner(), "counterfoil").await.unwrap().applied;
    assert_eq!(applied.first().map(String::as_str), Some("0005_delivery"), "{applied:?}");
}

#[tokio::test]
async fn a_schema_of_somebody_else_is_refused() {
    let test = TestDatabase::create_empty().await;
    test.database_owner().client().await.unwrap().batch_execute("CREATE SCHEMA counterfoil").await.unwrap();
    let error = migrate(&test.url_owner(), "counterfoil").await.unwrap_err();
    assert!(matches!(&error, Error::Refused(what) if what.contains("was not made by")), "{error}");
}

#[tokio::test]
async fn a_schema_of_another_name_has_everything_and_its_queries_prepare() {
    let test = TestDatabase::create_empty().await;
    migrate(&test.url_owner(), "shop_two").await.unwrap();
    let config = Config { schema: "shop_two".to_owned(), ..Config::new(test.url_owner()) };
    let client = Database::connect(config).await.unwrap().client().await.unwrap();
    for query in sql::all() {
        client.prepare(query).await.unwrap_or_else(|error| panic!("{}: {error}", query.name()));
    }
    let row = client.raw().query_one("SELECT to_regnamespace('counterfoil') IS NULL", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
}
