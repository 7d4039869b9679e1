//! kill -9 in a loop under load: what was answered 2xx is on disk, and everything still agrees.

use test_support::TestDatabase;

use crate::ground::Ground;
use crate::load::Load;
use crate::program::free_addresses;

/// So many kills in `make test`; `COUNTERFOIL_KILLS` asks for more.
const KILLS: usize = 6;
const ANSWERS_BETWEEN_KILLS: usize = 60;

/// P1, P2, P3, P5, P6: whatever moment it dies in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_what_was_answered_survives_kill_9() {
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let address = free_addresses(1)[0];
    let mut serving = ground.serve(address).await;
    ground.stock(address).await;
    let load = Load::start(&ground, &[address]);
    for _ in 0..kills() {
        load.gets_through(ANSWERS_BETWEEN_KILLS).await;
        serving.kill();
        serving = ground.serve(address).await;
    }
    let ledger = load.end().await;
    assert!(ledger.len() >= kills() * ANSWERS_BETWEEN_KILLS, "{} answers", ledger.len());
    ground.assert_sound(&ledger).await;
    assert_eq!(serving.terminate().await, Some(0), "it ends in order when it is asked to");
}

#[expect(clippy::disallowed_methods, reason = "a longer round is asked for from outside")]
fn kills() -> usize {
    std::env::var("COUNTERFOIL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}
