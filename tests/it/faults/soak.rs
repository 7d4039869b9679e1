//! `make soak`: faults by chance on two instances under load, for hours; memory and tables stay bounded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use test_support::{Server, TestDatabase};

use super::database::{blocking, resident_kb};
use super::round::{Field, QUIET, Round, lasts};
use super::{say, seed, text};
use crate::ground::Ground;

/// Each shop gets so long, and then everything of it is checked.
const SHOP_LASTS: Duration = Duration::from_secs(300);
/// Without hours: enough to see that it works.
const BRIEF: Duration = Duration::from_secs(15);
/// How much the instance that is never killed may grow in that time, once it is warm.
const GROWTH_KB: u64 = 96 << 10;
/// How large the tables may be whose rows are only changed: a few rows each, and what vacuum has not been at yet.
const CHANGED_BYTES: i64 = 64 << 20;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Terminate,
    Freeze,
    FreezeAll,
    RestartDatabase,
    EndSessions,
    LockOutbox,
    Nothing,
}

const FAULTS: [Fault; 8] = [
    Fault::Kill,
    Fault::Terminate,
    Fault::Freeze,
    Fault::FreezeAll,
    Fault::RestartDatabase,
    Fault::EndSessions,
    Fault::LockOutbox,
    Fault::Nothing,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a quarter of a minute, or hours: make soak HOURS=8"]
async fn hours_of_faults_by_chance_leave_memory_and_tables_bounded() {
    let hours: Option<f64> = text("COUNTERFOIL_SOAK_HOURS").and_then(|hours| hours.parse().ok());
    let lasting = hours.map_or(BRIEF, |hours| Duration::from_secs_f64(hours * 3600.0));
    let (end, mut seed) = (Instant::now() + lasting, seed());
    let server = tokio::task::spawn_blocking(Server::alone).await.unwrap();
    while Instant::now() < end {
        let shop_ends = end.min(Instant::now() + SHOP_LASTS);
        one_shop(Round::new(seed, hours.is_some()), &server, shop_ends).await;
        seed += 1;
    }
}

async fn one_shop(mut round: Round, server: &Arc<Server>, end: Instant) {
    say(&format!("COUNTERFOIL_SEED={}", round.seed));
    let ground = Ground::prepare(TestDatabase::create_on(Arc::clone(server)).await).await;
    let mut field = Field::serve(ground, 2).await;
    field.load.gets_through(10 * QUIET).await;
    let warm = resident_kb(field.serving[0].pid());
    let mut faults = 0;
    while Instant::now() < end {
        let fault = FAULTS[round.below(FAULTS.len())];
        suffer(&mut field, server, fault, &mut round).await;
        field.load.gets_through(QUIET).await;
        faults += 1;
    }
    let grown = resident_kb(field.serving[0].pid()).saturating_sub(warm);
    let changed = bytes_of_changed_tables(&field).await;
    let held = field.survived(String::new()).await;
    say(&format!(
        "{faults} faults, {} callbacks, {} refused, {} unanswered; memory grew by {grown} kB, tables that change have {changed} bytes",
        held.acknowledged, held.told.refused, held.told.unanswered
    ));
    assert!(grown < GROWTH_KB, "it has grown by {grown} kB");
    assert!(changed < CHANGED_BYTES, "they have {changed} bytes");
}

/// The first instance is never ended, so that its memory is that of all the time.
async fn suffer(field: &mut Field, server: &Arc<Server>, fault: Fault, round: &mut Round) {
    lasts(round.within(Duration::from_secs(2))).await;
    match fault {
        Fault::Kill => field.replace(1).await,
        Fault::Terminate => {
            let asked = field.serving.remove(1);
            let address = asked.address;
            assert_eq!(asked.terminate().await, Some(0));
            field.serving.push(field.ground.serve(address).await);
        }
        Fault::Freeze | Fault::FreezeAll => {
            let frozen =
                if matches!(fault, Fault::Freeze) { &field.serving[..1] } else { &field.serving[..] };
            frozen.iter().for_each(crate::program::Serving::freeze);
            lasts(round.within(Duration::from_secs(6))).await;
            frozen.iter().for_each(crate::program::Serving::wake);
        }
        Fault::RestartDatabase => blocking(server, |server| (server.stop(), server.start_again()).1).await,
        Fault::EndSessions => super::database::end_sessions(field, "true").await,
        Fault::LockOutbox => {
            let superuser = field.ground.test.superuser().await;
            superuser
                .batch_execute("BEGIN; LOCK TABLE counterfoil.outbox IN ACCESS EXCLUSIVE MODE")
                .await
                .unwrap();
            lasts(round.within(Duration::from_secs(5))).await;
            superuser.batch_execute("ROLLBACK").await.unwrap();
        }
        Fault::Nothing => {}
    }
}

async fn bytes_of_changed_tables(field: &Field) -> i64 {
    let size = "SELECT sum(pg_total_relation_size('counterfoil.' || name))::bigint
        FROM unnest(ARRAY['checkpoints', 'shops', 'stock', 'coupons', 'points']) AS t (name)";
    field.ground.test.superuser().await.query_one(size, &[]).await.unwrap().get(0)
}
