//! What PayPal answers, as far as it is used.

use chrono::{DateTime, Utc};
use domain::{CaptureId, Money};
use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::parse;
use super::{EVENTS, NextPage, RestError};

/// A page of webhook events.
#[derive(Clone, Debug)]
pub struct EventsPage {
    /// The events, as PayPal lists them.
    pub events: Vec<ListedEvent>,
    /// Where it goes on; none at the end.
    pub next: Option<NextPage>,
}

/// A webhook event as the API gives it.
#[derive(Clone)]
pub struct ListedEvent {
    /// PayPal's id of it, where it has one.
    pub id: Option<String>,
    /// When it was created, where that can be read.
    pub created: Option<DateTime<Utc>>,
    /// Its bytes as they stood in the answer.
    pub raw: Vec<u8>,
}

/// Bodies are personal data: they are never printed.
impl std::fmt::Debug for ListedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListedEvent").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A capture as PayPal has it.
#[derive(Clone, PartialEq, Eq)]
pub struct CaptureRead {
    /// PayPal's id of it.
    pub id: String,
    /// `COMPLETED`, `PENDING`, ..; as PayPal writes it.
    pub status: String,
    /// Gross; none where it cannot be read exactly.
    pub amount: Option<Money>,
    /// What the shop gave with it.
    pub custom_id: Option<String>,
    /// What the shop gave with it, too.
    pub invoice_id: Option<String>,
    /// The merchant account that received it.
    pub payee: Option<String>,
    /// The PayPal order that it belongs to.
    pub paypal_order: Option<String>,
    /// The answer's bytes.
    pub raw: Vec<u8>,
}

/// Ids of the shop may hold personal data: they are never printed.
impl std::fmt::Debug for CaptureRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureRead")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An order as PayPal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRead {
    /// `CREATED`, `APPROVED`, `COMPLETED`, `VOIDED`, ..; as PayPal writes it.
    pub status: String,
    /// Its captures, with the status of each.
    pub captures: Vec<(CaptureId, String)>,
}

/// A webhook as it is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where PayPal delivers to.
    pub url: String,
    /// The types of events that it delivers; `*` for all of them.
    pub event_types: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    href: String,
    #[serde(default)]
    rel: String,
}

#[derive(Deserialize)]
pub(super) struct PageAnswer {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    links: Vec<Link>,
}

impl PageAnswer {
    pub(super) fn read(self, base: &Url) -> Result<EventsPage, RestError> {
        let next = self.links.iter().find(|link| link.rel == "next");
        let next = next.map(|link| next_page(&link.href, base)).transpose()?;
        let events = self.events.iter().map(|raw| read_event(raw)).collect();
        Ok(EventsPage { events, next })
    }
}

/// Only path and query are taken of the link: whatever it says, the same host is asked.
fn next_page(href: &str, base: &Url) -> Result<NextPage, RestError> {
    let url = base.join(href).map_err(|_| RestError::odd("the link to the next page is none"))?;
    let path = url.path();
    if !path.ends_with("/notifications/webhooks-events") {
        return Err(RestError::odd("the link to the next page leads elsewhere"));
    }
    let query = url.query().ok_or_else(|| RestError::odd("the link to the next page is the first one's"))?;
    Ok(NextPage(format!("{EVENTS}?{query}")))
}

fn read_event(raw: &RawValue) -> ListedEvent {
    #[derive(Default, Deserialize)]
    struct Envelope {
        id: Option<String>,
        create_time: Option<String>,
    }
    // One that cannot be read is no reason to leave it out: it is kept as what it is.
    let envelope: Envelope = serde_json::from_str(raw.get()).unwrap_or_default();
    let created = envelope.create_time.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
    let created = created.map(|at| at.to_utc());
    ListedEvent { id: envelope.id, created, raw: raw.get().as_bytes().to_vec() }
}

#[derive(Deserialize)]
struct AmountAnswer {
    currency_code: String,
    value: String,
}

#[derive(Default, Deserialize)]
struct PayeeAnswer {
    merchant_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Supplementary {
    #[serde(default)]
    related_ids: RelatedIds,
}

#[derive(Default, Deserialize)]
struct RelatedIds {
    order_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CaptureAnswer {
    id: Option<String>,
    status: Option<String>,
    amount: Option<AmountAnswer>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    payee: Option<PayeeAnswer>,
    supplementary_data: Option<Supplementary>,
}

impl CaptureAnswer {
    pub(super) fn read(raw: &[u8]) -> Result<CaptureRead, RestError> {
        let answer: Self = parse(raw)?;
        let id = answer.id.ok_or_else(|| RestError::odd("a capture without an id"))?;
        let status = answer.status.ok_or_else(|| RestError::odd("a capture without a status"))?;
        let money = |amount: AmountAnswer| Money::parse(&amount.value, &amount.currency_code).ok();
        Ok(CaptureRead {
            id,
            status,
            amount: answer.amount.and_then(money),
            custom_id: answer.custom_id,
            invoice_id: answer.invoice_id,
            payee: answer.payee.and_then(|payee| payee.merchant_id),
            paypal_order: answer.supplementary_data.and_then(|data| data.related_ids.order_id),
            raw: raw.to_vec(),
        })
    }
}

/// A sale of the first version, which captures took the place of.
#[derive(Deserialize)]
pub(super) struct SaleAnswer {
    id: Option<String>,
    state: Option<String>,
    amount: Option<SaleAmount>,
    custom: Option<String>,
    invoice_number: Option<String>,
    parent_payment: Option<String>,
}

#[derive(Deserialize)]
struct SaleAmount {
    currency: String,
    total: String,
}

impl SaleAnswer {
    pub(super) fn read(raw: &[u8]) -> Result<CaptureRead, RestError> {
        let answer: Self = parse(raw)?;
        let id = answer.id.ok_or_else(|| RestError::odd("a sale without an id"))?;
        let status = answer.state.ok_or_else(|| RestError::odd("a sale without a state"))?;
        let money = |amount: SaleAmount| Money::parse(&amount.total, &amount.currency).ok();
        Ok(CaptureRead {
            id,
            status: status.to_ascii_uppercase(),
            amount: answer.amount.and_then(money),
            custom_id: answer.custom,
            invoice_id: answer.invoice_number,
            payee: None,
            paypal_order: answer.parent_payment,
            raw: raw.to_vec(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct OrderAnswer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    purchase_units: Vec<PurchaseUnit>,
}

#[derive(Deserialize)]
struct PurchaseUnit {
    #[serde(default)]
    payments: Payments,
}

#[derive(Default, Deserialize)]
struct Payments {
    #[serde(default)]
    captures: Vec<OrderCapture>,
}

#[derive(Deserialize)]
struct OrderCapture {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
}

impl OrderAnswer {
    pub(super) fn read(self) -> OrderRead {
        let captures = self.purchase_units.into_iter().flat_map(|unit| unit.payments.captures);
        let read = |capture: OrderCapture| Some((CaptureId::parse(&capture.id).ok()?, capture.status));
        OrderRead { status: self.status, captures: captures.filter_map(read).collect() }
    }
}

#[derive(Deserialize)]
pub(super) struct WebhookAnswer {
    #[serde(default)]
    url: String,
    #[serde(default)]
    event_types: Vec<EventType>,
}

#[derive(Deserialize)]
struct EventType {
    #[serde(default)]
    name: String,
}

impl WebhookAnswer {
    pub(super) fn read(self) -> Webhook {
        Webhook { url: self.url, event_types: self.event_types.into_iter().map(|kind| kind.name).collect() }
    }
}
