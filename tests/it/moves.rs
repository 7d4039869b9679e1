//! Every change of a checkpoint, in the order in which they were committed: who led when, and whether that was in order.
//!
//! A trigger records them, under the lock of the checkpoint's row. Who wrote is told by a setting of the session, which
//! each `serve` gets in its URL: it does not rest on what the service says of itself.

use std::time::{Duration, Instant};

use test_support::{TestDatabase, wait_until};
use tokio_postgres::Client;

use crate::ground::SHOP;

/// What a shop is promised: somebody decides again so soon after a leader is gone.
pub(crate) const TAKE_OVER: Duration = Duration::from_secs(5);
/// Longer, so that a take-over that is late is measured before it is blamed.
const PATIENCE: Duration = Duration::from_secs(30);

const RECORD: &str = "
CREATE SCHEMA test;
CREATE SEQUENCE test.move;
CREATE TABLE test.moves (
    seq bigint PRIMARY KEY, shop_id text, epoch_before bigint, epoch bigint, position_before bigint, position bigint,
    holder text, instance text, backend integer, xid xid8, at timestamptz
);
CREATE FUNCTION test.record_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO test.moves VALUES (nextval('test.move'), NEW.shop_id, OLD.epoch, NEW.epoch, OLD.position,
        NEW.position, NEW.lease_holder, coalesce(current_setting('test.instance', true), ''), pg_backend_pid(),
        pg_current_xact_id(), clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER record_move AFTER INSERT OR UPDATE ON counterfoil.checkpoints
    FOR EACH ROW EXECUTE FUNCTION test.record_move();";

/// What each transaction did, in the order of their commits: a batch may move its checkpoint to and fro before that.
const TRANSACTIONS: &str = "
WITH spans AS (SELECT min(seq) AS first, max(seq) AS last FROM test.moves GROUP BY xid),
done AS (
    SELECT b.seq, f.epoch_before, f.position_before, b.epoch, b.position, b.holder, b.instance
    FROM spans AS s JOIN test.moves AS f ON f.seq = s.first JOIN test.moves AS b ON b.seq = s.last
)";

/// A lease: who leads, under which epoch, and how far that one has come.
#[derive(Clone, Debug)]
pub(crate) struct Led {
    pub(crate) instance: String,
    pub(crate) epoch: i64,
    pub(crate) position: i64,
}

pub(crate) struct Moves(Client);

impl Moves {
    /// Records from now on; call it before the first `serve` is started.
    pub(crate) async fn record(test: &TestDatabase) -> Self {
        let client = test.superuser().await;
        client.batch_execute(RECORD).await.unwrap();
        Self(client)
    }

    /// Who wrote last, unless the lease was released since.
    pub(crate) async fn led(&self) -> Option<Led> {
        let last = "SELECT instance, epoch, position FROM test.moves
            WHERE seq = (SELECT max(seq) FROM test.moves) AND holder IS NOT NULL";
        let row = self.0.query_opt(last, &[]).await.unwrap()?;
        Some(Led { instance: row.get(0), epoch: row.get(1), position: row.get(2) })
    }

    /// Waits until a fact is decided under a later epoch than this one; how long that took since the fault.
    pub(crate) async fn taken_over(&self, epoch: i64, since: Instant) -> Duration {
        let moved = "SELECT EXISTS (SELECT FROM test.moves WHERE epoch > $1 AND position > position_before)";
        self.passed(moved, epoch, since).await
    }

    /// Waits until a fact behind this position is decided, by whomever; how long that took since the fault.
    pub(crate) async fn went_on(&self, position: i64, since: Instant) -> Duration {
        self.passed("SELECT EXISTS (SELECT FROM test.moves WHERE position > $1)", position, since).await
    }

    async fn passed(&self, sql: &str, number: i64, since: Instant) -> Duration {
        let passed =
            wait_until(PATIENCE, async || self.0.query_one(sql, &[&number]).await.unwrap().get::<_, bool>(0));
        assert!(passed.await, "nobody has decided anything for {PATIENCE:?}");
        since.elapsed()
    }

    /// Ends every session that this instance has written with; how many they were.
    pub(crate) async fn cut(&self, instance: &str) -> i64 {
        let end = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database()
                AND pid IN (SELECT backend FROM test.moves WHERE instance = $1)";
        self.0.query_one(end, &[&instance]).await.unwrap().get(0)
    }

    /// Takes the lease as somebody does who dies at once, before the first move; the epoch of that.
    pub(crate) async fn take_and_die(&self) -> i64 {
        let take = "UPDATE counterfoil.checkpoints
            SET epoch = epoch + 1, lease_holder = 'rival', lease_expires_at = clock_timestamp(),
                heartbeat_at = clock_timestamp()
            WHERE shop_id = $1 RETURNING epoch";
        self.0.batch_execute("SET test.instance = 'rival'").await.unwrap();
        self.0.query_one(take, &[&SHOP]).await.unwrap().get(0)
    }

    /// One writer at a time: each move begins where the one before it ended, nothing goes back, and whoever has taken
    /// an epoch is the only one who writes in it.
    pub(crate) async fn assert_one_writer(&self) {
        let chain = format!(
            "{TRANSACTIONS}, chained AS (
                SELECT *, lag(epoch) OVER w AS epoch_then, lag(position) OVER w AS position_then
                FROM done WINDOW w AS (ORDER BY seq)
            )
            SELECT format('%s: epoch %s to %s after %s, position %s to %s after %s', seq, epoch_before, epoch,
                epoch_then, position_before, position, position_then)
            FROM chained
            WHERE epoch < epoch_before OR position < position_before
                OR epoch_before IS DISTINCT FROM epoch_then OR position_before IS DISTINCT FROM position_then"
        );
        self.assert_none("the chain of moves is broken", &chain).await;
        let writers = format!(
            "{TRANSACTIONS}
            SELECT format('epoch %s: %s, %s', epoch, array_agg(DISTINCT instance), array_agg(DISTINCT holder))
            FROM done GROUP BY epoch
            HAVING count(DISTINCT instance) <> 1 OR count(DISTINCT holder) > 1
                OR count(*) FILTER (WHERE epoch IS DISTINCT FROM epoch_before) <> 1"
        );
        self.assert_none("an epoch has two writers, or was taken twice", &writers).await;
        let moved = format!("{TRANSACTIONS} SELECT count(*) FROM done WHERE position > position_before");
        assert!(self.0.query_one(&moved, &[]).await.unwrap().get::<_, i64>(0) > 0, "somebody has moved it");
    }

    async fn assert_none(&self, what: &str, sql: &str) {
        let rows = self.0.query(sql, &[]).await.unwrap();
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
    }
}
