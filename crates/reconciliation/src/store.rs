//! The job's own rows.

use chrono::{DateTime, Utc};
use database::{Client, sql};
use domain::{CaptureId, OrderId, ShopId};
use relay::Lease;

use crate::{CONSUMER, Error};

/// Where a listing goes on.
pub(crate) struct Cursor {
    pub(crate) listed_through: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) now: DateTime<Utc>,
}

impl Cursor {
    pub(crate) async fn read(client: &Client, shop: &ShopId) -> Result<Self, Error> {
        let row = client.query_one(&sql::reconciliation::READ_CURSOR, &[&shop.as_str()]).await?;
        Ok(Self {
            listed_through: row.try_get("listed_through")?,
            created_at: row.try_get("created_at")?,
            now: row.try_get("now")?,
        })
    }

    /// Everything that was listed up to then is in the log.
    pub(crate) async fn advance(
        client: &Client,
        lease: &Lease,
        through: DateTime<Utc>,
        (listed, appended): (i64, i64),
    ) -> Result<(), Error> {
        let parameters: database::Parameters<'_> =
            &[&lease.shop.as_str(), &CONSUMER, &lease.epoch, &through, &listed, &appended];
        let moved = client.execute(&sql::reconciliation::MOVE_CURSOR, parameters).await?;
        if moved == 1 { Ok(()) } else { Err(relay::Error::LeaseLost.into()) }
    }
}

/// What a run has done beside the listing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) confirmed: i64,
    pub(crate) refuted: i64,
    pub(crate) looked_up: i64,
}

/// Tells what came of a run.
pub(crate) async fn record_run(
    client: &Client,
    shop: &ShopId,
    error: Option<&str>,
    tally: Tally,
) -> Result<(), Error> {
    let Tally { confirmed, refuted, looked_up } = tally;
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &error, &confirmed, &refuted, &looked_up];
    client.execute(&sql::reconciliation::RECORD_RUN, parameters).await?;
    Ok(())
}

/// Which of these events the log has.
pub(crate) async fn known_events(
    client: &Client,
    shop: &ShopId,
    ids: &[&str],
) -> Result<std::collections::HashSet<String>, Error> {
    let rows = client.query(&sql::reconciliation::FIND_KNOWN_EVENTS, &[&shop.as_str(), &ids]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Orders that are to be looked up.
pub(crate) async fn due_orders(
    client: &Client,
    shop: &ShopId,
    ages_s: &[i64],
    before_end_s: i64,
    limit: i64,
) -> Result<Vec<OrderId>, Error> {
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &ages_s, &before_end_s, &limit];
    let rows = client.query(&sql::reconciliation::LIST_DUE_ORDERS, parameters).await?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in rows {
        orders.extend(OrderId::parse(row.try_get("order_id")?));
    }
    Ok(orders)
}

/// An order's ids at PayPal; none where there is no such order.
pub(crate) async fn paypal_orders(
    client: &Client,
    shop: &ShopId,
    order: &OrderId,
) -> Result<Option<Vec<String>>, Error> {
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &order.as_str()];
    let row = client.query_opt(&sql::reconciliation::READ_ORDER, parameters).await?;
    row.map(|row| Ok(row.try_get("paypal_orders")?)).transpose()
}

/// How far captures have come that are known.
pub(crate) async fn capture_states(
    client: &Client,
    shop: &ShopId,
    captures: &[CaptureId],
) -> Result<std::collections::HashMap<String, String>, Error> {
    let ids: Vec<&str> = captures.iter().map(CaptureId::as_str).collect();
    let rows = client.query(&sql::reconciliation::FIND_CAPTURES, &[&shop.as_str(), &ids]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes that an order was looked up.
pub(crate) async fn note_lookup(client: &Client, shop: &ShopId, order: &OrderId) -> Result<(), Error> {
    client.execute(&sql::reconciliation::NOTE_LOOKUP, &[&shop.as_str(), &order.as_str()]).await?;
    Ok(())
}
