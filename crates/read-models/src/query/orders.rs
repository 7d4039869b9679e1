//! Orders: where each stands, and may it be shipped.

use database::{Client, sql};
use domain::{Order, OrderId, Position, ShopId, Timestamp};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use super::payments::{self, PaymentView};
use crate::convert::order_from_row;
use crate::rows::OrderRow;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderView {
    /// All of the row.
    #[serde(flatten)]
    pub order: Order,
    /// The fact that changed it last.
    pub position: Position,
    /// When that was.
    pub at: Option<Timestamp>,
}

/// An order with its payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderDetail {
    /// The order.
    #[serde(flatten)]
    pub order: OrderView,
    /// Its payments.
    pub payments: Vec<PaymentView>,
}

/// Which orders; `None` takes every one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// In this state: `paid`.
    pub state: Option<String>,
    /// With this answer: `ship`.
    pub fulfilment: Option<String>,
    /// With this flag: `review`.
    pub flag: Option<String>,
}

/// One order with its payments.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn get(client: &Client, shop: &ShopId, order: &OrderId) -> Result<Option<OrderDetail>, Error> {
    let parameters = (shop.as_str(), vec![order.as_str()]);
    let row = client.query_opt(&sql::read_models::LOAD_ORDERS, &[&parameters.0, &parameters.1]).await?;
    let Some(row) = row else { return Ok(None) };
    let payments = payments::of_order(client, shop, order).await?;
    Ok(Some(OrderDetail { order: view(&row)?, payments }))
}

/// Orders by their ids, from behind `after`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    filter: &OrderFilter,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<OrderView>, Error> {
    let (shop, after, more) = (shop.as_str(), after.unwrap_or_default(), limit.saturating_add(1));
    let rows = client
        .query(
            &sql::read_models::LIST_ORDERS,
            &[&shop, &after, &filter.state, &filter.fulfilment, &filter.flag, &more],
        )
        .await?;
    page(&rows, limit)
}

/// Orders as they came, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The orders.
    pub items: Vec<OrderView>,
    /// Before which position the next page begins; `None`: there are no more, as far back as was looked.
    pub next: Option<Position>,
}

/// Orders as they came, the newest first: those that were made before a position, and not before `floor`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn newest(
    client: &Client,
    shop: &ShopId,
    filter: &OrderFilter,
    (floor, before): (Position, Position),
    limit: i64,
) -> Result<Newest, Error> {
    let (shop, more) = (shop.as_str(), limit.saturating_add(1));
    let OrderFilter { state, fulfilment, flag } = filter;
    let rows = client
        .query(
            &sql::read_models::LIST_NEWEST_ORDERS,
            &[&shop, &before.0, &floor.0, state, fulfilment, flag, &more],
        )
        .await?;
    let fits = rows.len().min(usize::try_from(limit).unwrap_or_default());
    let last = rows[..fits].last().filter(|_| rows.len() > fits);
    Ok(Newest {
        items: rows[..fits].iter().map(view).collect::<Result<_, _>>()?,
        next: last.map(|row| row.try_get("made_at").map(Position)).transpose()?,
    })
}

/// Orders that money is to be paid back for, from behind `after`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn refunds_due(
    client: &Client,
    shop: &ShopId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<OrderView>, Error> {
    let (shop, after, more) = (shop.as_str(), after.unwrap_or_default(), limit.saturating_add(1));
    let rows = client.query(&sql::read_models::LIST_REFUNDS_DUE, &[&shop, &after, &more]).await?;
    page(&rows, limit)
}

fn page(rows: &[tokio_postgres::Row], limit: i64) -> Result<Page<OrderView>, Error> {
    let items = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &OrderView| item.order.order.to_string()))
}

fn view(row: &tokio_postgres::Row) -> Result<OrderView, Error> {
    let mut order = order_from_row(&OrderRow::read(row)?)?;
    if order.flags.refused && order.paid_at.is_none() {
        // The row keeps why it was refused once, and here it is asked why it may not be shipped: every reason.
        let others = std::mem::take(&mut order.reasons).into_iter().filter(|reason| reason.code != "refused");
        order.reasons = order.refusals.iter().cloned().chain(others).collect();
    }
    Ok(OrderView { position: order.position, at: order.at, order })
}
