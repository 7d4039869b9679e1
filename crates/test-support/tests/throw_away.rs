//! Throw-away databases are apart from each other, and as safe as real ones.

use std::time::Duration;

use futures_util::future::join_all;
use test_support::{TestDatabase, wait_until};

#[tokio::test]
async fn databases_are_migrated_and_apart_from_each_other() {
    let databases = join_all((0..4).map(|_| TestDatabase::create())).await;
    for test in &databases {
        let client = test.database_owner().client().await.unwrap();
        // Fails if the table were there already.
        client.batch_execute("CREATE TABLE counterfoil.only_here (n int)").await.unwrap();
        test.database().check().await.unwrap();
        test.database().refuse_privileged().await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let test = TestDatabase::create().await;
    let other = TestDatabase::create().await;
    let name = test.name().to_owned();
    // An open session does not keep it.
    let _session = test.database().client().await.unwrap();
    drop(test);
    let client = other.superuser().await;
    let rows = client.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn waiting_ends_with_the_condition_or_the_deadline() {
    let mut asked = 0;
    assert!(
        wait_until(Duration::from_secs(5), async || {
            asked += 1;
            asked == 3
        })
        .await
    );
    assert!(!wait_until(Duration::from_millis(1), async || false).await);
}
