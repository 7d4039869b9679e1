//! What was written: to the write-ahead log, and to the disk.

use std::collections::BTreeMap;

use database::{Client, sql};

use crate::bench::cluster::BenchCluster;

/// Bytes, by what they are of.
pub(crate) type Bytes = BTreeMap<String, i64>;

/// A part of the write-ahead log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wal {
    begin: i64,
    end: i64,
    /// Of it, pages that were written whole at their first change since the last checkpoint: how many there are depends on how
    /// long ago that was. `None` without the extension `pg_walinspect`.
    pub(crate) page_bytes: Option<i64>,
}

impl Wal {
    /// From a place until now.
    pub(crate) async fn since(cluster: &BenchCluster, begin: i64) -> anyhow::Result<Self> {
        let end = cluster.wal().await?;
        Ok(Self { begin, end, page_bytes: page_bytes(cluster, begin, end).await })
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> i64 {
        self.end - self.begin
    }

    /// All but the whole pages.
    pub(crate) fn record_bytes(&self) -> Option<i64> {
        Some(self.bytes() - self.page_bytes?)
    }
}

async fn page_bytes(cluster: &BenchCluster, begin: i64, end: i64) -> Option<i64> {
    let owner = cluster.owner("postgres").await.ok()?;
    let client = owner.client().await.ok()?;
    client.batch_execute(sql::bench::INSPECT_WAL.text()).await.ok()?;
    let row = client.query_one(&sql::bench::READ_WAL_PAGES, &[&begin, &end]).await.ok()?;
    row.try_get("bytes").ok()
}

/// Which tables and indexes of a database a part of the log is about. `None` without the extension `pg_walinspect`, or when
/// that part is gone.
pub(crate) async fn wal_by_relation(cluster: &BenchCluster, database: &str, wal: &Wal) -> Option<Bytes> {
    let owner = cluster.owner(database).await.ok()?;
    let client = owner.client().await.ok()?;
    client.batch_execute(sql::bench::INSPECT_WAL.text()).await.ok()?;
    let rows = client.query(&sql::bench::READ_WAL_BY_RELATION, &[&wal.begin, &wal.end]).await.ok()?;
    rows.iter().map(|row| Some((row.try_get("name").ok()?, row.try_get("bytes").ok()?))).collect()
}

/// How large each table is, with its indexes.
pub(crate) async fn sizes(client: &Client) -> anyhow::Result<Bytes> {
    let rows = client.query(&sql::counterfoil::READ_SIZES, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("bytes")?))).collect()
}

/// By how much each has grown; those that have not are left out.
pub(crate) fn growth(before: &Bytes, after: &Bytes) -> Bytes {
    let grown = after.iter().map(|(name, bytes)| (name.clone(), bytes - before.get(name).unwrap_or(&0)));
    grown.filter(|(_, bytes)| *bytes > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_of_what_has_grown_also_of_what_is_new() {
        let bytes = |pairs: &[(&str, i64)]| -> Bytes {
            pairs.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
        };
        let before = bytes(&[("events", 10), ("orders", 5)]);
        let after = bytes(&[("events", 30), ("orders", 5), ("outbox", 7)]);
        assert_eq!(growth(&before, &after), bytes(&[("events", 20), ("outbox", 7)]));
    }
}
