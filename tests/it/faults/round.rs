//! One fault: a shop under load, what breaks, and everything that must hold when it is over.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use paypal_simulator::Ids;
use secrecy::ExposeSecret;
use test_support::{Server, TestDatabase, wait_until};

use crate::binary::{self, said};
use crate::ground::Ground;
use crate::load::{Ledger, Load, Told};
use crate::program::{Serving, free_addresses};
use crate::soundness;

/// So many callbacks are answered before the fault, and again behind it.
pub(crate) const QUIET: usize = 40;

/// What a round makes its choices with: the same seed makes the same ones.
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) is_long: bool,
    ids: Ids,
}

impl Round {
    pub(crate) fn new(seed: u64, is_long: bool) -> Self {
        Self { seed, is_long, ids: Ids::seeded(seed) }
    }

    /// So often in `make test-all`, and so often in `make faults`.
    pub(crate) fn times(&self, short: usize, long: usize) -> usize {
        if self.is_long { long } else { short }
    }

    /// For so many seconds in `make test-all`, and in `make faults`.
    pub(crate) fn seconds(&self, short: u64, long: u64) -> Duration {
        Duration::from_secs(if self.is_long { long } else { short })
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.ids.number() % bound as u64).unwrap()
    }

    /// A moment of this span.
    pub(crate) fn within(&mut self, most: Duration) -> Duration {
        Duration::from_millis(self.ids.number() % u64::try_from(most.as_millis()).unwrap().max(1))
    }
}

/// A fault as the catalogue has it.
pub(crate) type Inject = fn(Round) -> LocalBoxFuture<'static, Verdict>;

/// What came of a round. One that did not hold panics.
pub(crate) enum Verdict {
    Held(Held),
    /// Something is not installed here: what brings it.
    Skipped(String),
}

pub(crate) struct Held {
    /// The callbacks that were answered 200 and found in the log, once.
    pub(crate) acknowledged: usize,
    pub(crate) told: Told,
    /// From the end of the fault until everything was decided.
    pub(crate) recovered: Duration,
    pub(crate) note: String,
}

/// A shop that is served and under load.
pub(crate) struct Field {
    pub(crate) load: Load,
    pub(crate) serving: Vec<Serving>,
    journal: PathBuf,
    // Dropped last: it takes the sessions of the others with it.
    pub(crate) ground: Ground,
}

impl Field {
    /// One `serve` over a database of the tests' own server.
    pub(crate) async fn prepare() -> Self {
        Self::of(1).await
    }

    /// So many of them.
    pub(crate) async fn of(instances: usize) -> Self {
        Self::serve(Ground::prepare(TestDatabase::create().await).await, instances).await
    }

    /// One `serve` over a server that may be broken.
    pub(crate) async fn alone() -> (Self, std::sync::Arc<Server>) {
        let server = tokio::task::spawn_blocking(Server::alone).await.unwrap();
        let ground = Ground::prepare(TestDatabase::create_on(std::sync::Arc::clone(&server)).await).await;
        (Self::serve(ground, 1).await, server)
    }

    pub(crate) async fn serve(ground: Ground, instances: usize) -> Self {
        let mut serving = Vec::new();
        for (number, address) in free_addresses(instances).into_iter().enumerate() {
            serving.push(ground.serve_with(binary::path(), &format!("serve{number}"), address).await);
        }
        Self::load(ground, serving).await
    }

    /// These are there already, and the load begins; until it has got through.
    pub(crate) async fn load(ground: Ground, serving: Vec<Serving>) -> Self {
        let addresses: Vec<SocketAddr> = serving.iter().map(|serving| serving.address).collect();
        ground.stock(addresses[0]).await;
        let journal = ground.folder().join("ledger");
        let load = Load::start_journaled(&ground, &addresses, &journal);
        let field = Self { load, serving, journal, ground };
        field.load.gets_through(QUIET).await;
        field
    }

    /// kill -9 of the one at this place, and another in its stead.
    pub(crate) async fn replace(&mut self, at: usize) {
        let gone = self.serving.remove(at);
        let address = gone.address;
        gone.kill();
        let name = format!("serve{}", self.load.answered());
        self.serving.insert(at, self.ground.serve_with(binary::path(), &name, address).await);
    }

    /// The fault is over. By itself the load gets through again, everything is decided and agrees, what was answered is
    /// there once, and every process ends in order.
    pub(crate) async fn survived(self, note: impl Into<String>) -> Held {
        self.survived_on(note).await.0
    }

    /// The same, and what it stood on, to be asked more.
    pub(crate) async fn survived_on(mut self, note: impl Into<String>) -> (Held, Ground) {
        let since = Instant::now();
        self.load.gets_through(QUIET).await;
        for serving in &mut self.serving {
            assert!(serving.is_running(), "it is the same process all the time");
        }
        let told = self.load.told();
        let ledger = self.load.end().await;
        ledger.assert_journaled(&self.journal);
        let database = self.ground.test.database();
        soundness::wait_until_decided(&database, &self.ground.shop).await;
        let recovered = since.elapsed();
        check(&self.ground, &ledger).await;
        for serving in self.serving {
            assert_eq!(serving.terminate().await, Some(0), "it ends in order when it is asked to");
        }
        (Held { acknowledged: ledger.len(), told, recovered, note: note.into() }, self.ground)
    }
}

/// Everything, of what was answered: in the log exactly once, every effect once, every invariant, and the verbs an
/// auditor would use.
pub(crate) async fn check(ground: &Ground, ledger: &Ledger) {
    ground.assert_sound(ledger).await;
    let client = ground.test.superuser().await;
    for (what, sql) in NONE {
        let rows = client.query(*sql, &[]).await.unwrap();
        assert!(rows.is_empty(), "{what}: {} rows", rows.len());
    }
    let mut paid = ledger.paid();
    for row in client.query(PAID, &[]).await.unwrap() {
        let (order, times): (String, i64) = (row.get(0), row.get(1));
        assert_eq!(times, 1, "{order} is settled once");
        paid.remove(&order);
    }
    assert!(paid.is_empty(), "placed and paid, and not settled: {paid:?}");
    let open = async || client.query(OPEN, &[]).await.unwrap().is_empty();
    assert!(wait_until(Duration::from_secs(10), open).await, "a session stands in an open transaction");
    verb(ground, &["verify"]);
    verb(ground, &["replay", "--diff"]);
}

/// What must not be there, of which the rest is in `audit::verify`.
const NONE: &[(&str, &str)] = &[
    ("a fact or an outcome twice", "SELECT id FROM counterfoil.events GROUP BY id HAVING count(*) > 1"),
    (
        "a position of two callbacks, or of one that is not in the log",
        "SELECT c.position FROM counterfoil.callbacks AS c
         LEFT JOIN counterfoil.events AS e ON e.shop_id = c.shop_id AND e.position = c.position
         GROUP BY c.shop_id, c.position HAVING count(*) > 1 OR count(e.position) = 0",
    ),
    (
        "a callback that was taken for another",
        "SELECT position FROM counterfoil.events WHERE type IN ('callback.revised', 'callback.unreadable')",
    ),
    ("something is set aside", "SELECT position FROM counterfoil.events WHERE type = 'event.parked'"),
    (
        "an event without its outbox row, or the other way round",
        "SELECT 1 FROM counterfoil.events AS e FULL JOIN counterfoil.outbox AS o
             ON o.shop_id = e.shop_id AND o.position = e.position
         WHERE e.id IS DISTINCT FROM o.id",
    ),
];

const PAID: &str =
    "SELECT substr(key, 7), count(*) FROM counterfoil.events WHERE type = 'order.paid' GROUP BY key";

const OPEN: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";

/// A verb of an auditor's, which must be content.
fn verb(ground: &Ground, arguments: &[&str]) {
    let folder = ground.folder();
    let output = binary::command(folder)
        .args(arguments)
        .env("MAINTENANCE_DATABASE_URL", ground.test.url_owner().expose_secret())
        .env("COUNTERFOIL_KEK_FILE", folder.join("kek"))
        .env("COUNTERFOIL_ROOTS", folder.join("roots"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
}

/// Waits on purpose: the fault lasts so long.
pub(crate) async fn lasts(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A file of its own that runs the service in some other way; the line ends where its arguments go.
pub(crate) fn script(folder: &Path, name: &str, line: &str) -> PathBuf {
    let path = folder.join(name);
    // By a process of its own: no child of ours inherits the file while it is open, which would make it busy.
    let write = format!("cat > '{0}' && chmod 755 '{0}'", path.display());
    let mut child = std::process::Command::new("sh")
        .args(["-c", &write])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("#!/bin/sh\n{line}\n").as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    path
}
