//! Several instances on one database, under load, while their leaders are killed, stopped, cut off and asked to end.
//!
//! In `make test` each fault comes once. `make hunt` goes on for as long as it is told to, with a fresh shop and another
//! seed each few rounds; `COUNTERFOIL_SEED` brings a seed's faults again in their order.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use database::sql;
use paypal_simulator::Ids;
use test_support::TestDatabase;

use crate::binary;
use crate::ground::{Ground, SHOP};
use crate::load::Load;
use crate::moves::{Led, Moves, TAKE_OVER};
use crate::program::{Serving, free_addresses};

const INSTANCES: usize = 3;
/// Longer than a lease.
const FROZEN: Duration = Duration::from_secs(4);
/// So many callbacks are answered between one fault and the next.
const ANSWERS_BETWEEN_FAULTS: usize = 30;
/// So many faults of a hunt on one shop, before everything is checked.
const ROUNDS: usize = 12;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9; another instance is started when somebody leads again.
    Kill,
    /// SIGSTOP for longer than its lease; then it wakes and believes that it still leads.
    Freeze,
    /// The same of one that does not lead, but may stand at the door with the shop's lock in its hand.
    FreezeFollower,
    /// Its sessions with the database are ended.
    Cut,
    /// SIGTERM; another is started.
    Terminate,
    /// Somebody takes the lease while the leader is at work, and dies before its first move.
    Rival,
    /// Writers take the shop's lock, insert at the head, stall, and roll back. No leader is touched.
    RollBack,
}

const FAULTS: [Fault; 7] = [
    Fault::Kill,
    Fault::Freeze,
    Fault::FreezeFollower,
    Fault::Cut,
    Fault::Terminate,
    Fault::Rival,
    Fault::RollBack,
];

/// P1, P2, P3, P5, P6, and: a leader that is gone is replaced in time, and there are never two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_lose_no_callback_and_never_have_two_writers() {
    let mut seed = number("COUNTERFOIL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let Some(seconds) = number("COUNTERFOIL_HUNT_SECONDS") else {
        let mut faults = FAULTS;
        shuffle(&mut faults, seed);
        return suffer(seed, &faults).await;
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let mut ids = Ids::seeded(seed);
        let faults: Vec<Fault> = (0..ROUNDS).map(|_| FAULTS[below(&mut ids, FAULTS.len())]).collect();
        suffer(seed, &faults).await;
        seed += 1;
    }
}

/// These faults, one after the other, on a shop of their own; and then everything must still be so.
async fn suffer(seed: u64, faults: &[Fault]) {
    say(&format!("COUNTERFOIL_SEED={seed}: {faults:?}"));
    let mut field = Field::prepare(seed).await;
    for (round, fault) in faults.iter().enumerate() {
        field.load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
        let away = field.suffer(*fault).await;
        say(&format!("seed {seed}, round {round}: {fault:?}, decided again after {} ms", away.as_millis()));
        assert!(away < TAKE_OVER, "{fault:?}: nobody decided for {away:?}");
    }
    field.load.gets_through(ANSWERS_BETWEEN_FAULTS).await;
    let ledger = field.load.end().await;
    field.ground.assert_sound(&ledger).await;
    for instance in field.instances {
        assert_eq!(instance.serving.terminate().await, Some(0), "it ends in order when it is asked to");
    }
    field.moves.assert_one_writer().await;
}

struct Field {
    moves: Moves,
    load: Load,
    instances: Vec<Instance>,
    started: usize,
    ids: Ids,
    ground: Ground,
}

struct Instance {
    name: String,
    serving: Serving,
}

impl Field {
    async fn prepare(seed: u64) -> Self {
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let moves = Moves::record(&ground.test).await;
        let addresses = free_addresses(INSTANCES);
        let mut instances = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            instances.push(start(&ground, number, *address).await);
        }
        ground.stock(addresses[0]).await;
        let load = Load::start(&ground, &addresses);
        Self { moves, load, instances, started: INSTANCES, ids: Ids::seeded(!seed), ground }
    }

    /// For how long nothing was decided.
    async fn suffer(&mut self, fault: Fault) -> Duration {
        if let Fault::RollBack = fault {
            return self.roll_back().await;
        }
        let (leader, led) = self.leader().await;
        let since = Instant::now();
        match fault {
            Fault::Kill => {
                let gone = self.instances.remove(leader).serving;
                let address = gone.address;
                gone.kill();
                let away = self.moves.taken_over(led.epoch, since).await;
                self.start(address).await;
                away
            }
            Fault::Freeze => {
                self.instances[leader].serving.freeze();
                let away = self.moves.taken_over(led.epoch, since).await;
                self.wake(leader, since).await;
                away
            }
            Fault::FreezeFollower => {
                let follower = (leader + 1) % self.instances.len();
                self.instances[follower].serving.freeze();
                let head = self.head().await;
                let away = self.moves.went_on(head, since).await;
                self.wake(follower, since).await;
                away
            }
            Fault::Cut => {
                assert!(self.moves.cut(&led.instance).await > 0, "the leader has a session");
                // It may lead on over new sessions.
                self.moves.went_on(led.position, since).await
            }
            Fault::Terminate => {
                let asked = self.instances.remove(leader).serving;
                let address = asked.address;
                assert_eq!(asked.terminate().await, Some(0), "it ends in order when it is asked to");
                // Until then it has decided itself.
                let away = self.moves.taken_over(led.epoch, Instant::now()).await;
                self.start(address).await;
                away
            }
            Fault::Rival => {
                let epoch = self.moves.take_and_die().await;
                self.moves.taken_over(epoch, since).await
            }
            Fault::RollBack => unreachable!("it has no leader"),
        }
    }

    /// The leader's place among the instances, once there is one that has moved.
    async fn leader(&self) -> (usize, Led) {
        let mut found = None;
        let led = test_support::wait_until(Duration::from_secs(30), async || {
            let Some(led) = self.moves.led().await else { return false };
            found = self.instances.iter().position(|one| one.name == led.instance).map(|at| (at, led));
            found.is_some()
        });
        assert!(led.await, "nobody leads");
        found.unwrap()
    }

    /// When it has been frozen for longer than a lease.
    async fn wake(&mut self, instance: usize, since: Instant) {
        tokio::time::sleep(FROZEN.saturating_sub(since.elapsed())).await;
        self.instances[instance].serving.wake();
        self.instances[instance].serving.is_ready().await;
    }

    /// Where the log ends.
    async fn head(&self) -> i64 {
        let client = self.ground.test.database().client().await.unwrap();
        event_log::head(&client, &self.ground.shop).await.unwrap().unwrap().0.0
    }

    async fn start(&mut self, address: SocketAddr) {
        self.instances.push(start(&self.ground, self.started, address).await);
        self.started += 1;
    }

    /// Positions that were given and taken back must leave no hole, and nothing that was seen there may be missed.
    async fn roll_back(&mut self) -> Duration {
        let database = self.ground.test.database();
        let mut left = Duration::from_secs(2);
        for _ in 0..3 {
            let stall = Duration::from_millis(self.ids.number() % 2_000).min(left);
            left -= stall;
            let events = 1 + i64::try_from(self.ids.number() % 5).unwrap();
            let (client, _notifications) = database.dedicated().await.unwrap();
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await.unwrap();
            client.query_one(database.sql(&sql::event_log::LOCK_SHOP), &[&SHOP]).await.unwrap();
            for table in [LOST_EVENTS, LOST_OUTBOX] {
                let inserted = client.execute(table, &[&SHOP, &events]).await.unwrap();
                assert_eq!(i64::try_from(inserted), Ok(events));
            }
            client.execute("SELECT pg_sleep($1::bigint / 1000.0)", &[&millis(stall)]).await.unwrap();
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        let since = Instant::now();
        let head = self.head().await;
        self.moves.went_on(head, since).await
    }
}

/// Rows at the head of the log that never come to be.
const LOST_EVENTS: &str = "
INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
SELECT $1, head + n, gen_random_uuid(), 'fact', 'order.placed', 'order:lost', clock_timestamp(), '{}', ''
FROM (SELECT max(position) AS head FROM counterfoil.events WHERE shop_id = $1) AS h, generate_series(1, $2::bigint) AS n";
const LOST_OUTBOX: &str = "
INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
SELECT shop_id, position, id, 'command', 'lost', type, entry FROM counterfoil.events
WHERE shop_id = $1 AND key = 'order:lost' AND $2::bigint > 0";

async fn start(ground: &Ground, number: usize, address: SocketAddr) -> Instance {
    let name = format!("serve{number}");
    let serving = ground.serve_with(binary::path(), &name, address).await;
    Instance { name, serving }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

fn below(ids: &mut Ids, bound: usize) -> usize {
    usize::try_from(ids.number() % bound as u64).unwrap()
}

fn shuffle(faults: &mut [Fault], seed: u64) {
    let mut ids = Ids::seeded(seed);
    for last in (1..faults.len()).rev() {
        faults.swap(last, below(&mut ids, last + 1));
    }
}

#[expect(clippy::disallowed_methods, reason = "a seed and a longer round are asked for from outside")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}

#[expect(clippy::print_stderr, reason = "how far a hunt is, and how to hunt the same again")]
fn say(line: &str) {
    eprintln!("{line}");
}
