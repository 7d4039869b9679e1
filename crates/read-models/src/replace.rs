//! Puts rows of the tables in place of others, for a rebuild: nobody else may write them meanwhile.

use std::collections::HashMap;

use database::{Client, Query, sql};
use domain::ShopId;
use packed_rows::PackedRows;
use relay::Error;
use serde_json::Value;
use tokio_postgres::types::ToSql;

use crate::rows::{
    Cells, CouponBuyerColumns, CouponBuyerRow, CouponColumns, CouponRow, OrderColumns, OrderRow, Parameters,
    PaymentCaptureColumns, PaymentCaptureRow, PaymentColumns, PaymentRow, PointsColumns, PointsRow,
    StockColumns, StockRow,
};
use crate::table::{RowKey, Table};

/// A row that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its table.
    pub table: Table,
    /// As it was; none: it was not there.
    pub old: Option<Cells>,
    /// As it is; none: it was removed.
    pub new: Option<Cells>,
}

/// Brings the rows with these keys to what a fold has, and gives what was there. Rows that are so already are left alone.
///
/// # Errors
/// The database's; a table whose rows only decisions make.
pub async fn replace_rows(
    client: &Client,
    shop: &ShopId,
    (table, keys): (Table, &[RowKey]),
    all: &PackedRows,
) -> Result<Vec<Replaced>, Error> {
    let mut live = load(client, shop, table, keys).await?;
    let mut replaced = Vec::new();
    for key in keys {
        let (old, new) = (live.remove(key), table.row(all, key)?);
        if old != new {
            replaced.push(Replaced { table, old, new });
        }
    }
    write(client, shop, table, replaced.iter().map(|row| (row.old.as_ref(), row.new.as_ref()))).await?;
    Ok(replaced)
}

/// Puts back what was replaced, as far as it is still what was put there; gives how many rows that were.
///
/// # Errors
/// The database's; rows that this version cannot write.
pub async fn put_back(client: &Client, shop: &ShopId, replaced: &[Replaced]) -> Result<u64, Error> {
    let mut count = 0;
    for table in Table::ALL {
        let of_table: Vec<&Replaced> = replaced.iter().filter(|row| row.table == table).collect();
        let key = |row: &Replaced| row.new.as_ref().or(row.old.as_ref()).map(|cells| table.key(cells));
        let keys: Vec<RowKey> = of_table.iter().filter_map(|row| key(row)).collect();
        if keys.is_empty() {
            continue;
        }
        let live = load(client, shop, table, &keys).await?;
        let unchanged = |row: &&Replaced| key(row).and_then(|key| live.get(&key).cloned()) == row.new;
        let back: Vec<&Replaced> = of_table.into_iter().filter(unchanged).collect();
        write(client, shop, table, back.iter().map(|row| (row.new.as_ref(), row.old.as_ref()))).await?;
        count += back.len() as u64;
    }
    Ok(count)
}

async fn load(
    client: &Client,
    shop: &ShopId,
    table: Table,
    keys: &[RowKey],
) -> Result<HashMap<RowKey, Cells>, Error> {
    let (load, _) = queries(table)?;
    let (columns, shop) = (key_columns(table, keys), shop.as_str());
    let mut rows = HashMap::new();
    for row in client.query(load, &parameters(&shop, &columns)).await? {
        let cells = table.show(&row)?;
        rows.insert(table.key(&cells), cells);
    }
    Ok(rows)
}

/// Goes from one row to another, each of which may be none.
async fn write<'r>(
    client: &Client,
    shop: &ShopId,
    table: Table,
    steps: impl Iterator<Item = (Option<&'r Cells>, Option<&'r Cells>)>,
) -> Result<(), Error> {
    let (mut gone, mut rows) = (Vec::new(), Vec::new());
    for (from, to) in steps {
        match (from, to) {
            (_, Some(to)) => rows.push(to),
            (Some(from), None) => gone.push(table.key(from)),
            (None, None) => {}
        }
    }
    let shop = shop.as_str();
    if !gone.is_empty() {
        let (_, delete) = queries(table)?;
        client.execute(delete, &parameters(&shop, &key_columns(table, &gone))).await?;
    }
    if !rows.is_empty() {
        put(client, &shop, table, &rows).await?;
    }
    Ok(())
}

async fn put(client: &Client, shop: &&str, table: Table, rows: &[&Cells]) -> Result<(), Error> {
    use sql::read_models as q;
    macro_rules! put {
        ($query:ident, $row:ident, $columns:ident) => {{
            let rows = rows.iter().map(|cells| $row::of_cells(cells)).collect::<Result<Vec<_>, _>>()?;
            client.execute(&q::$query, &rows.into_iter().collect::<$columns>().parameters(shop)).await?
        }};
    }
    match table {
        Table::Orders => put!(UPSERT_ORDERS, OrderRow, OrderColumns),
        Table::Payments => put!(UPSERT_PAYMENTS, PaymentRow, PaymentColumns),
        Table::PaymentCaptures => put!(INSERT_PAYMENT_CAPTURES, PaymentCaptureRow, PaymentCaptureColumns),
        Table::Stock => put!(UPSERT_STOCK, StockRow, StockColumns),
        Table::Coupons => put!(UPSERT_COUPONS, CouponRow, CouponColumns),
        Table::CouponBuyers => put!(UPSERT_COUPON_BUYERS, CouponBuyerRow, CouponBuyerColumns),
        Table::Points => put!(UPSERT_POINTS, PointsRow, PointsColumns),
        Table::Parked | Table::ParkedGroups | Table::ParkedKeys => return Err(table.never_replaced()),
    };
    Ok(())
}

fn queries(table: Table) -> Result<(&'static Query, &'static Query), Error> {
    table.load_and_delete().ok_or_else(|| table.never_replaced())
}

/// Keys as arrays, one a column.
fn key_columns(table: Table, keys: &[RowKey]) -> Vec<Vec<String>> {
    let column = |n: usize| {
        keys.iter().map(|key| key.get(n).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
    };
    (0..table.key_columns().len()).map(column).collect()
}

fn parameters<'a>(shop: &'a &'a str, columns: &'a [Vec<String>]) -> Parameters<'a> {
    let mut parameters: Parameters<'a> = vec![shop];
    parameters.extend(columns.iter().map(|column| -> &'a (dyn ToSql + Sync) { column }));
    parameters
}
