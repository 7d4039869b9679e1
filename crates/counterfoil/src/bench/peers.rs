//! Other queues in PostgreSQL: what they do with the same transaction, on the same server, in the same rounds.
//!
//! PgQ (<https://github.com/pgq/pgq>) is the one that is packaged: events are inserted by the transaction that they are about,
//! a ticker cuts them into batches, and a consumer takes these. Everything is driven by pgbench, without HTTP.

use std::time::Duration;

use database::sql;
use tokio::time::Instant;

use crate::bench::cluster::BenchCluster;
use crate::bench::plain::{DATABASE, Plain};

/// A consumer that is behind this long after the last event has not kept up at all.
const CONSUMED: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(10);

/// PgQ, with a queue of its own beside the tables of the plain transaction.
pub(crate) struct Peers {
    transaction: std::path::PathBuf,
    consumer: std::path::PathBuf,
    ticker: std::path::PathBuf,
}

/// What PgQ did in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PgQ {
    /// Plain transactions with an event each, and nobody who takes them.
    pub(crate) inserted_per_s: f64,
    /// The same beside a ticker and a consumer, until the last event is consumed.
    pub(crate) consumed_per_s: f64,
}

impl Peers {
    /// Makes the queue. Without the extension the answer is what to do about it.
    pub(crate) async fn prepare(
        cluster: &BenchCluster,
        plain: &Plain,
    ) -> anyhow::Result<Result<Self, String>> {
        let owner = cluster.owner(DATABASE).await?;
        let client = owner.client().await?;
        let row = client.query_one(&sql::bench::PGQ_AVAILABLE, &[]).await?;
        if !row.try_get::<_, bool>("is_available")? {
            let version = cluster.binaries().version();
            return Ok(Err(format!(
                "PgQ is not installed for PostgreSQL {version}, so it is not measured. Get it with \
                 `apt-get install postgresql-{}-pgq3` (Debian).",
                version.split('.').next().unwrap_or_default()
            )));
        }
        client.batch_execute(sql::bench::PGQ_TABLES.text()).await?;
        Ok(Ok(Self {
            transaction: plain.script("pgq_transaction", sql::bench::PGQ_TRANSACTION.text())?,
            consumer: plain.script("pgq_consumer", sql::bench::PGQ_CONSUMER.text())?,
            ticker: plain.script("pgq_ticker", sql::bench::PGQ_TICKER.text())?,
        }))
    }

    /// A round, with as many clients as the plain transaction did best with.
    pub(crate) async fn measure(
        &self,
        cluster: &BenchCluster,
        plain: &Plain,
        clients: u32,
        time: Duration,
    ) -> anyhow::Result<PgQ> {
        cluster.settle(DATABASE).await?;
        let inserted_per_s = plain.run(&self.transaction, clients, time).await?;
        self.consume(cluster, plain).await?;
        let began = Instant::now();
        let before = progress(cluster).await?.inserted;
        {
            // Both are ended when they are dropped.
            let (_consumer, _ticker) = (plain.start(&self.consumer)?, plain.start(&self.ticker)?);
            plain.run(&self.transaction, clients, time).await?;
        }
        self.consume(cluster, plain).await?;
        let consumed = progress(cluster).await?.inserted - before;
        Ok(PgQ { inserted_per_s, consumed_per_s: consumed as f64 / began.elapsed().as_secs_f64() })
    }

    /// Until the consumer is done with all that is there.
    async fn consume(&self, cluster: &BenchCluster, plain: &Plain) -> anyhow::Result<()> {
        let (_consumer, _ticker) = (plain.start(&self.consumer)?, plain.start(&self.ticker)?);
        let deadline = Instant::now() + CONSUMED;
        loop {
            let progress = progress(cluster).await?;
            if progress.consumed >= progress.inserted {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "PgQ's consumer does not keep up: {progress:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    inserted: i64,
    consumed: i64,
}

async fn progress(cluster: &BenchCluster) -> anyhow::Result<Progress> {
    let owner = cluster.owner(DATABASE).await?;
    let client = owner.client().await?;
    let row = client.query_one(&sql::bench::PGQ_PROGRESS, &[]).await?;
    Ok(Progress { inserted: row.try_get("inserted")?, consumed: row.try_get("consumed")? })
}
