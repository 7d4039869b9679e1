//! Payments: what came in, what went back, and what belongs to no order.

use database::{Client, sql};
use domain::{
    CaptureId, Currency, Minor, OrderId, PayeeId, Payment, PaymentKind, PaymentState, Position, ShopId,
    Standing, Timestamp,
};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use crate::convert::{id_kind, payment_from_row};
use crate::rows::PaymentRow;

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PaymentView {
    /// What it is.
    pub kind: PaymentKind,
    /// Its own id.
    pub id: String,
    /// How far it has come.
    pub state: PaymentState,
    /// Whether it counts for its order, and if not, why.
    pub standing: Standing,
    /// The order it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Another order that its ids name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_order: Option<OrderId>,
    /// An operator assigned the order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub assigned: bool,
    /// The PayPal order it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<String>,
    /// The authorisation it was captured from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// What a refund pays back from; what a dispute is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CaptureId>,
    /// Gross.
    pub amount_minor: Minor,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// PayPal's fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// What is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_minor: Option<Minor>,
    /// The merchant account that received it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payee: Option<PayeeId>,
    /// No further capture follows.
    #[serde(rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// A dispute's outcome code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The fact that changed it last.
    pub position: Position,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whose id it is, for the cursor.
    #[serde(skip)]
    id_kind: &'static str,
}

/// Which payments; `None` takes every one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// With this standing: `unmatched`.
    pub standing: Option<String>,
    /// In this state: `pending`.
    pub state: Option<String>,
    /// Of this kind: `capture`.
    pub kind: Option<String>,
    /// Of this order.
    pub order: Option<String>,
}

/// Payments by their ids, from behind `after`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    filter: &PaymentFilter,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<PaymentView>, Error> {
    let (after_kind, after_id) = after.and_then(|after| after.split_once('/')).unwrap_or_default();
    let more = limit.saturating_add(1);
    let PaymentFilter { standing, state, kind, order } = filter;
    let rows = client
        .query_as_given(
            &sql::read_models::LIST_PAYMENTS,
            &[&shop.as_str(), &after_kind, &after_id, standing, state, kind, order, &more],
        )
        .await?;
    let items = rows.iter().map(|row| view(row, 0)).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &PaymentView| format!("{}/{}", item.id_kind, item.id)))
}

/// Whatever kinds of payments PayPal knows by ids of their own.
const ID_KINDS: [&str; 5] = ["capture", "refund", "authorization", "paypal_order", "dispute"];

/// What PayPal knows by this id: one payment, or all that belongs to one of its orders.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn find(client: &Client, shop: &ShopId, id: &str) -> Result<Vec<PaymentView>, Error> {
    let (kinds, ids, orders) = (ID_KINDS.to_vec(), vec![id; ID_KINDS.len()], vec![id]);
    let shop = shop.as_str();
    let own = client.query(&sql::read_models::LOAD_PAYMENTS, &[&shop, &kinds, &ids]).await?;
    let of_order = &sql::read_models::LOAD_PAYMENTS_OF_PAYPAL_ORDER;
    let of_order = client.query(of_order, &[&shop, &orders]).await?;
    own.iter().map(|row| view(row, 0)).chain(of_order.iter().map(|row| view(row, 1))).collect()
}

/// An order's payments, by their ids.
pub(crate) async fn of_order(
    client: &Client,
    shop: &ShopId,
    order: &OrderId,
) -> Result<Vec<PaymentView>, Error> {
    let orders = vec![order.as_str()];
    let rows = client.query(&sql::read_models::LOAD_PAYMENTS_OF_ORDER, &[&shop.as_str(), &orders]).await?;
    let mut payments = rows.iter().map(|row| view(row, 1)).collect::<Result<Vec<_>, _>>()?;
    payments.sort_by(|a, b| (a.id_kind, &a.id).cmp(&(b.id_kind, &b.id)));
    Ok(payments)
}

fn view(row: &tokio_postgres::Row, from: usize) -> Result<PaymentView, Error> {
    let payment: Payment = payment_from_row(&PaymentRow::read(row, &mut (from..))?)?;
    Ok(PaymentView {
        kind: payment.kind,
        id: payment.id.id().to_owned(),
        id_kind: id_kind(&payment.id),
        state: payment.state,
        standing: payment.standing,
        order: payment.order,
        other_order: payment.other_order,
        assigned: payment.assigned,
        paypal_order: payment.paypal_order.map(|id| id.to_string()),
        authorization: payment.authorization.map(|id| id.to_string()),
        captures: payment.captures.into_iter().collect(),
        amount_minor: payment.amount_minor,
        currency: payment.currency,
        fee_minor: payment.fee_minor,
        net_minor: payment.net_minor,
        payee: payment.payee,
        is_final: payment.is_final,
        outcome: payment.outcome,
        position: payment.position,
        at: payment.at,
    })
}
