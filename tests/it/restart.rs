//! A database that ends without a word and comes back: `serve` comes back with it, by itself.

use std::sync::Arc;

use test_support::{Server, TestDatabase};

use crate::ground::Ground;
use crate::load::Load;
use crate::program::free_addresses;

const RESTARTS: usize = 3;
const ANSWERS_BETWEEN_RESTARTS: usize = 60;

/// P1, P2, P3, P5, P6, over a server of the test's own: it breaks every session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_immediately_loses_nothing_and_serve_comes_back_by_itself() {
    let server = tokio::task::spawn_blocking(Server::alone).await.unwrap();
    let ground = Ground::prepare(TestDatabase::create_on(Arc::clone(&server)).await).await;
    let address = free_addresses(1)[0];
    let mut serving = ground.serve(address).await;
    ground.stock(address).await;
    let load = Load::start(&ground, &[address]);
    for _ in 0..RESTARTS {
        load.gets_through(ANSWERS_BETWEEN_RESTARTS).await;
        blocking(&server, |server| {
            server.stop();
            server.start_again();
        })
        .await;
    }
    load.gets_through(ANSWERS_BETWEEN_RESTARTS).await;
    assert!(serving.is_running(), "the same process has served all the time");

    // Asked to end while there is no database, it does not wait for one.
    blocking(&server, Server::stop).await;
    assert_eq!(serving.terminate().await, Some(0), "it ends in order when it is asked to");
    blocking(&server, Server::start_again).await;

    let serving = ground.serve(address).await;
    load.gets_through(ANSWERS_BETWEEN_RESTARTS).await;
    let ledger = load.end().await;
    ground.assert_sound(&ledger).await;
    assert_eq!(serving.terminate().await, Some(0), "it ends in order when it is asked to");
}

async fn blocking(server: &Arc<Server>, work: impl FnOnce(&Server) + Send + 'static) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.unwrap();
}
