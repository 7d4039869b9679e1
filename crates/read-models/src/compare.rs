//! Compares every row of the tables with those of a replay, column by column, both in the order of their keys: neither side
//! is held in memory as rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::pin::pin;

use database::{Client, sql};
use domain::ShopId;
use futures_util::TryStreamExt;
use packed_rows::PackedRows;
use relay::Error;
use serde::Serialize;
use serde_json::Value;

use crate::load::shop_from_row;
use crate::rows::Cells;
use crate::table::{RowKey, Table};

/// More of them say no more.
const DIFFERENCES_MAX: usize = 1_000;

/// A row that is not as replay makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub key: String,
    /// The same, column by column.
    #[serde(skip)]
    pub row: RowKey,
    /// The currency of its amounts, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What is wrong with it.
    pub found: Found,
    /// The columns that differ; of a row that one side lacks, all.
    pub columns: Vec<ColumnDifference>,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// It is there, and differs.
    Changed,
    /// It is not there.
    Missing,
    /// It should not be there.
    Surplus,
}

/// One column's two values; absent is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDifference {
    /// The column.
    pub column: String,
    /// As it is stored.
    pub live: Option<Value>,
    /// As replay makes it.
    pub replayed: Option<Value>,
}

/// Reads every row of the shop and compares it with those of a replay, which must be folded up to the checkpoint of the
/// same snapshot. Gives the first thousand rows that differ.
///
/// # Errors
/// The database cannot be had.
pub async fn compare_live(
    client: &Client,
    shop: &ShopId,
    all: &PackedRows,
) -> Result<Vec<Difference>, Error> {
    let mut differences = Vec::new();
    for table in Table::ALL {
        let take = |difference| {
            differences.push(difference);
            if differences.len() < DIFFERENCES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        compare_table(client, shop, all, table, take).await?;
        if differences.len() == DIFFERENCES_MAX {
            break;
        }
    }
    differences.extend(compare_settings(client, shop, all).await?);
    Ok(differences)
}

/// As [`compare_live`], for one table: hands over each row that differs, until it is told to break off.
///
/// # Errors
/// The database cannot be had.
pub async fn compare_table(
    client: &Client,
    shop: &ShopId,
    all: &PackedRows,
    table: Table,
    mut take: impl FnMut(Difference) -> ControlFlow<()>,
) -> Result<(), Error> {
    let statement = client.prepare(table.scan()).await?;
    let live = statement.stream(client, &[&shop.as_str()]).await?;
    let mut live = pin!(live);
    let mut replayed = table.rows(all);
    let (mut stored, mut made) = (next_live(table, &mut live).await?, replayed.next().transpose()?);
    loop {
        let order = match (&stored, &made) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(stored), Some(made)) => order_of(&table.key(stored), &table.key(made)),
        };
        let left = if order.is_le() { stored.take() } else { None };
        let right = if order.is_ge() { made.take() } else { None };
        if let Some(difference) = difference(table, left.as_ref(), right.as_ref())
            && take(difference).is_break()
        {
            return Ok(());
        }
        if order.is_le() {
            stored = next_live(table, &mut live).await?;
        }
        if order.is_ge() {
            made = replayed.next().transpose()?;
        }
    }
}

async fn next_live<S>(table: Table, rows: &mut std::pin::Pin<&mut S>) -> Result<Option<Cells>, Error>
where
    S: futures_util::Stream<Item = Result<tokio_postgres::Row, tokio_postgres::Error>>,
{
    rows.try_next().await?.map(|row| table.show(&row)).transpose()
}

/// As the database orders keys: bytes of texts, values of numbers.
fn order_of(a: &RowKey, b: &RowKey) -> Ordering {
    let one = |(a, b): (&Value, &Value)| match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.as_i64().cmp(&b.as_i64()),
    };
    a.iter().zip(b).map(one).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn difference(table: Table, live: Option<&Cells>, replayed: Option<&Cells>) -> Option<Difference> {
    if live == replayed {
        return None;
    }
    let empty = Cells::new();
    let (found, row) = match (live, replayed) {
        (Some(_), None) => (Found::Surplus, live),
        (None, Some(_)) => (Found::Missing, replayed),
        _ => (Found::Changed, live),
    };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = row.unwrap_or(&empty);
    let key = table.key(row).into_iter().map(text).collect::<Vec<_>>().join("/");
    let currency = row.get("currency").and_then(Value::as_str).map(str::to_owned);
    let columns = columns(live.unwrap_or(&empty), replayed.unwrap_or(&empty));
    Some(Difference { table: table.name(), key, row: table.key(row), currency, found, columns })
}

fn columns(live: &Cells, replayed: &Cells) -> Vec<ColumnDifference> {
    let names: BTreeSet<&String> = live.keys().chain(replayed.keys()).collect();
    let values = names.into_iter().map(|name| (name, live.get(name), replayed.get(name)));
    let differing = values.filter(|(_, live, replayed)| live != replayed);
    let column = |(name, live, replayed): (&String, Option<&Value>, Option<&Value>)| ColumnDifference {
        column: name.clone(),
        live: live.cloned(),
        replayed: replayed.cloned(),
    };
    differing.map(column).collect()
}

async fn compare_settings(
    client: &Client,
    shop: &ShopId,
    all: &PackedRows,
) -> Result<Option<Difference>, Error> {
    let row = client.query_opt(&sql::read_models::LOAD_SHOP_SETTINGS, &[&shop.as_str()]).await?;
    let live = row.as_ref().map(shop_from_row).transpose()?.unwrap_or_default();
    let cells = |shop: &domain::Shop| {
        let settings = serde_json::to_value(&shop.settings).unwrap_or_default();
        Cells::from_iter([("settings".to_owned(), settings), ("rules".to_owned(), shop.rules.into())])
    };
    let columns = columns(&cells(&live), &cells(all.shop()));
    let key = shop.to_string();
    Ok((!columns.is_empty()).then_some(Difference {
        table: "shop_settings",
        row: vec![Value::from(key.as_str())],
        key,
        currency: None,
        found: Found::Changed,
        columns,
    }))
}
