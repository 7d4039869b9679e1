//! What PayPal has of an order that is not paid, and what of it the log lacks.

use domain::{CaptureId, Fact, OrderId};
use intake::Shop;
use paypal::rest::{Client, ListedEvent};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Error, Reconciler, store};

/// An order as it was found at PayPal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrderSync {
    /// The order.
    pub order: OrderId,
    /// By each id that PayPal knows it by.
    pub paypal_orders: Vec<PaypalOrderSync>,
}

/// An order at PayPal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PaypalOrderSync {
    /// PayPal's id of it.
    pub paypal_order: String,
    /// `CREATED`, `APPROVED`, `COMPLETED`, ..; absent where PayPal knows no such order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its captures.
    pub captures: Vec<CaptureSync>,
}

/// A capture of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CaptureSync {
    /// PayPal's id of it.
    pub capture: CaptureId,
    /// As PayPal has it.
    pub status: String,
    /// How it came into the log now; absent where nothing was missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
}

/// How something that was missing came into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Brought {
    /// By the webhook event that never came.
    Event,
    /// By the capture itself, for PayPal lists no event of it.
    Capture,
}

impl Reconciler {
    /// Looks an order up at PayPal at once, and brings in the captures that the log lacks.
    ///
    /// # Errors
    /// [`Error::UnknownOrder`], [`Error::NotAtPaypal`], [`Error::NoAccount`], or what PayPal or the database says.
    pub async fn sync(&self, shop: &domain::ShopId, order: &OrderId) -> Result<OrderSync, Error> {
        let account = self.accounts.get(shop).ok_or(Error::NoAccount)?;
        let shop = self.intake.shop(shop).await.map_err(Error::Shop)?;
        let found = self.look_up(&shop, &account.client, order).await?;
        store::note_lookup(&self.database.client().await?, &shop.id, order).await?;
        Ok(found)
    }

    /// The same, for the job.
    pub(crate) async fn look_up(
        &self,
        shop: &Shop,
        client: &Client,
        order: &OrderId,
    ) -> Result<OrderSync, Error> {
        let ids = store::paypal_orders(&self.database.client().await?, &shop.id, order).await?;
        let ids = ids.ok_or(Error::UnknownOrder)?;
        if ids.is_empty() {
            return Err(Error::NotAtPaypal);
        }
        let mut paypal_orders = Vec::with_capacity(ids.len());
        for id in ids {
            paypal_orders.push(self.look_at(shop, client, id).await?);
        }
        Ok(OrderSync { order: order.clone(), paypal_orders })
    }

    async fn look_at(&self, shop: &Shop, client: &Client, id: String) -> Result<PaypalOrderSync, Error> {
        let Some(read) = self.patience().ask(|| client.order(&id)).await? else {
            return Ok(PaypalOrderSync { paypal_order: id, status: None, captures: Vec::new() });
        };
        let ids: Vec<CaptureId> = read.captures.iter().map(|(capture, _)| capture.clone()).collect();
        let known = store::capture_states(&self.database.client().await?, &shop.id, &ids).await?;
        let mut captures = Vec::with_capacity(ids.len());
        for (capture, status) in read.captures {
            let state = known.get(capture.as_str()).map(String::as_str);
            let brought = if is_known(state, &status) {
                None
            } else {
                self.bring(shop, client, &capture, &status).await?
            };
            captures.push(CaptureSync { capture, status, brought });
        }
        Ok(PaypalOrderSync { paypal_order: id, status: Some(read.status), captures })
    }

    /// Brings in what is missing of a capture: by its webhook events, which are what should have come; else by itself.
    async fn bring(
        &self,
        shop: &Shop,
        client: &Client,
        capture: &CaptureId,
        status: &str,
    ) -> Result<Option<Brought>, Error> {
        let events = self.events_about(shop, client, capture.as_str()).await?;
        if events.iter().any(|event| tells(event, capture, status)) {
            return Ok(Some(Brought::Event));
        }
        let Some(read) = self.patience().ask(|| client.capture(capture.as_str())).await? else {
            return Ok(None);
        };
        let Some(body) = as_event(&read.status, &read.raw) else { return Ok(None) };
        // By its own key, so that it is brought once; its webhook event, should it ever come, is another one of the same
        // capture, and counts no more.
        let key = format!("capture:{}:{}", capture, read.status.to_ascii_lowercase());
        self.intake.copy(shop, body, Some(key)).await?;
        Ok(Some(Brought::Capture))
    }
}

/// Whether the read models have the capture as far as PayPal has it.
fn is_known(state: Option<&str>, status: &str) -> bool {
    match status {
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => state == Some("captured"),
        "DECLINED" | "FAILED" => matches!(state, Some("denied" | "captured")),
        "PENDING" => matches!(state, Some("pending" | "denied" | "captured")),
        // Whatever it is, nothing follows from it.
        _ => true,
    }
}

/// Whether an event says of the capture what PayPal says of it now.
fn tells(event: &ListedEvent, capture: &CaptureId, status: &str) -> bool {
    let fact = paypal::translate(&event.raw, &|_: &str| String::new()).fact;
    match (&fact, status) {
        (Fact::PaymentCaptured(fact), "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED")
        | (Fact::PaymentDenied(fact), "DECLINED" | "FAILED")
        | (Fact::PaymentPending(fact), "PENDING") => fact.capture == *capture,
        _ => false,
    }
}

/// A capture as the event that would have told of it, without an id, for there is none: the answer of the API stands in it
/// byte for byte, and the summary says where it is from.
fn as_event(status: &str, capture: &[u8]) -> Option<Vec<u8>> {
    let kind = match status {
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => "COMPLETED",
        "DECLINED" | "FAILED" => "DENIED",
        "PENDING" => "PENDING",
        _ => return None,
    };
    let mut body = format!(
        "{{\"event_type\":\"PAYMENT.CAPTURE.{kind}\",\"resource_type\":\"capture\",\"resource_version\":\"2.0\",\
         \"summary\":\"Read from PayPal's API by Counterfoil: there is no such event\",\"resource\":"
    )
    .into_bytes();
    body.extend_from_slice(capture);
    body.push(b'}');
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_that_was_read_says_the_same_as_its_event() {
        let capture = br#"{"id":"C1","status":"COMPLETED","amount":{"currency_code":"USD","value":"5.00"},"custom_id":"A-1",
            "supplementary_data":{"related_ids":{"order_id":"P1"}}}"#;
        let body = as_event("COMPLETED", capture).unwrap();
        let translation = paypal::translate(&body, &|_: &str| String::new());
        assert_eq!(translation.event_id, None);
        let Fact::PaymentCaptured(fact) = translation.fact else { panic!("{:?}", translation.fact) };
        assert_eq!((fact.capture.as_str(), fact.amount_minor), ("C1", 500));
        assert_eq!(fact.order.map(|order| order.to_string()).as_deref(), Some("A-1"));
        let denied = paypal::translate(&as_event("DECLINED", capture).unwrap(), &|_: &str| String::new());
        assert_eq!(denied.fact.type_name(), "payment.denied");
        assert_eq!(as_event("SOMETHING_NEW", capture), None);
    }
}
