//! Brings a read model to what the log says, while callbacks keep coming.
//!
//! The log is folded and compared with the live tables over one snapshot. Then, in one transaction, the relay is fenced off,
//! what was decided meanwhile is folded as well, and the rows that differed are replaced; all others were right and have
//! been carried on by the relay. So the relay waits for as long as the difference takes, not the table, and no other shop
//! waits at all. What was replaced is kept, for the way back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use database::{Client, Database, sql};
use domain::{Position, ShopId};
use event_log::Event;
use read_models::{
    CONSUMER, Cells, ColumnDifference, Difference, Replaced, RowKey, Table, compare_table, put_back,
    replace_rows,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{Error, Fold, Progress, Snapshot, Source, read_into};

/// Events are read so many at a time while the relay waits.
const PAGE: i64 = 5_000;
/// More of them say no more.
const DIFFERENCES_MAX: usize = 1_000;

/// What can be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rebuildable {
    /// Orders.
    Orders,
    /// Payments.
    Payments,
    /// Stock.
    Stock,
    /// Coupons and their buyers.
    Coupons,
    /// Points.
    Points,
}

impl Rebuildable {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Stock => "stock",
            Self::Coupons => "coupons",
            Self::Points => "points",
        }
    }

    fn tables(self) -> &'static [Table] {
        match self {
            Self::Orders => &[Table::Orders],
            Self::Payments => &[Table::Payments, Table::PaymentCaptures],
            Self::Stock => &[Table::Stock],
            Self::Coupons => &[Table::Coupons, Table::CouponBuyers],
            Self::Points => &[Table::Points],
        }
    }
}

/// What was found, and what was done about it.
#[derive(Clone, Debug, Serialize)]
pub struct Rebuilt {
    /// The model.
    pub model: Rebuildable,
    /// Up to where the log was folded for the comparison.
    pub as_of: Position,
    /// How many rows differed.
    pub differing: u64,
    /// The first thousand of them.
    pub differences: Vec<Difference>,
    /// By how much the amounts change, by currency and column, in minor units.
    pub money: BTreeMap<String, BTreeMap<String, i128>>,
    /// How many rows were replaced; none of a dry run.
    pub replaced: u64,
}

/// Folds the log and compares; unless it is a dry run, replaces what differs.
///
/// # Errors
/// The log cannot be read or folded, or the tables not be written: then nothing is changed.
pub async fn rebuild(
    database: &Database,
    shop: &ShopId,
    model: Rebuildable,
    (id, is_dry): (&str, bool),
    progress: &Progress,
) -> Result<Rebuilt, Error> {
    let source = Source::Snapshot(Snapshot::take(database, shop).await?);
    let as_of = source.head();
    let mut fold = read_into(&source, as_of, Fold::default(), ("folding", progress)).await?;
    if let Some(mismatch) = fold.mismatches().first() {
        return Err(Error::Unfoldable(mismatch.clone()));
    }
    progress.begin("comparing", 0);
    let Source::Snapshot(snapshot) = source else {
        return Err(Error::Failed("only what is in a database can be rebuilt".to_owned()));
    };
    let mut found = Differing::default();
    for table in model.tables() {
        let mut keys = Vec::new();
        let take = |difference: Difference| {
            keys.push(difference.row.clone());
            found.add(difference);
            ControlFlow::Continue(())
        };
        compare_table(snapshot.client()?, shop, fold.rows(), *table, take).await?;
        found.keys.push((*table, keys));
    }
    snapshot.close().await;
    let Differing { count, first, money, keys } = found;
    let mut replaced = 0;
    if !is_dry && count > 0 {
        let (keys, folded) = (Arc::new(keys), Arc::new(Mutex::new((as_of, fold))));
        let swap = Swap { shop: shop.clone(), model, id: id.to_owned(), keys, folded };
        replaced = swap.run(database).await?;
    }
    Ok(Rebuilt { model, as_of, differing: count, differences: first, money, replaced })
}

/// The rows that differ: all by their keys, of which there may be many.
#[derive(Debug, Default)]
struct Differing {
    count: u64,
    first: Vec<Difference>,
    money: BTreeMap<String, BTreeMap<String, i128>>,
    keys: Vec<(Table, Vec<RowKey>)>,
}

impl Differing {
    fn add(&mut self, difference: Difference) {
        self.count += 1;
        if let Some(currency) = &difference.currency {
            let columns = difference.columns.iter().filter(|column| column.column.ends_with("_minor"));
            for ColumnDifference { column, live, replayed } in columns {
                let amount =
                    |value: &Option<Value>| i128::from(value.as_ref().and_then(Value::as_i64).unwrap_or(0));
                let by_column = self.money.entry(currency.clone()).or_default();
                *by_column.entry(column.clone()).or_default() += amount(replayed) - amount(live);
            }
        }
        if self.first.len() < DIFFERENCES_MAX {
            self.first.push(difference);
        }
    }
}

/// Takes the way back from the last rebuild of a model: rows that have changed since stay as they are. Gives how many rows
/// are as before, and how many there were; `None`: there is nothing to take back.
///
/// # Errors
/// The database's.
pub async fn undo(
    database: &Database,
    shop: &ShopId,
    model: Rebuildable,
) -> Result<Option<(u64, u64)>, Error> {
    let shop = shop.clone();
    let undone = database.run_tx("undo a rebuild", move |client| {
        let shop = shop.clone();
        Box::pin(async move { undo_last(client, &shop, model).await.map_err(Error::abort) })
    });
    Ok(undone.await?)
}

async fn undo_last(client: &Client, shop: &ShopId, model: Rebuildable) -> Result<Option<(u64, u64)>, Error> {
    client.lift_limits().await?;
    client.query_opt(&sql::audit::FENCE_RELAY, &[&shop.as_str(), &CONSUMER]).await?;
    let rows = client.query(&sql::audit::LIST_REPLACED, &[&shop.as_str(), &model.name()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let rebuild: String = first.try_get("rebuild")?;
    let mut replaced = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: &str = row.try_get("table_name")?;
        let table = Table::named(name).ok_or_else(|| Error::Failed(format!("no table is called {name}")))?;
        let cells = |text: Option<&str>| text.map(serde_json::from_str::<Cells>).transpose();
        let (old, new) = (cells(row.try_get("old")?)?, cells(row.try_get("new")?)?);
        replaced.push(Replaced { table, old, new });
    }
    let back = put_back(client, shop, &replaced).await?;
    client.execute(&sql::audit::MARK_UNDONE, &[&shop.as_str(), &rebuild]).await?;
    Ok(Some((back, replaced.len() as u64)))
}

/// The one transaction. It may be run more than once: what was folded stays folded.
#[derive(Clone)]
struct Swap {
    shop: ShopId,
    model: Rebuildable,
    id: String,
    keys: Arc<Vec<(Table, Vec<RowKey>)>>,
    folded: Arc<Mutex<(Position, Fold)>>,
}

impl Swap {
    async fn run(self, database: &Database) -> Result<u64, Error> {
        let swapped = database.run_tx("swap a read model", move |client| {
            let swap = self.clone();
            Box::pin(async move { swap.replace(client).await.map_err(Error::abort) })
        });
        Ok(swapped.await?)
    }

    async fn replace(&self, client: &Client) -> Result<u64, Error> {
        client.lift_limits().await?;
        // From here on nothing is decided: what is committed is all there is.
        client.query_opt(&sql::audit::FENCE_RELAY, &[&self.shop.as_str(), &CONSUMER]).await?;
        let mut folded = self.folded.lock().await;
        let (after, fold) = &mut *folded;
        loop {
            let page: Vec<Event> = event_log::read_all(client, &self.shop, *after, PAGE).await?;
            let Some(last) = page.last() else { break };
            *after = last.position;
            page.into_iter().for_each(|event| fold.push(event));
        }
        if let Some(mismatch) = fold.mismatches().first() {
            return Err(Error::Unfoldable(mismatch.clone()));
        }
        let mut replaced = Vec::new();
        for (table, keys) in self.keys.iter() {
            if !keys.is_empty() {
                replaced.extend(replace_rows(client, &self.shop, (*table, keys), fold.rows()).await?);
            }
        }
        self.keep(client, &replaced).await?;
        Ok(replaced.len() as u64)
    }

    async fn keep(&self, client: &Client, replaced: &[Replaced]) -> Result<(), Error> {
        let text =
            |cells: &Option<Cells>| cells.as_ref().map(|cells| Value::Object(cells.clone()).to_string());
        let tables: Vec<&str> = replaced.iter().map(|row| row.table.name()).collect();
        let old: Vec<Option<String>> = replaced.iter().map(|row| text(&row.old)).collect();
        let new: Vec<Option<String>> = replaced.iter().map(|row| text(&row.new)).collect();
        let (shop, model) = (self.shop.as_str(), self.model.name());
        client.execute(&sql::audit::INSERT_REPLACED, &[&shop, &self.id, &model, &tables, &old, &new]).await?;
        Ok(())
    }
}
