//! Captures above the confirmation amount: what PayPal says of them.

use database::sql;
use domain::{
    CaptureId, Confirmation, Currency, Fact, Minor, Money, OrderId, Position, Reason, Refutation, ShopId,
};
use intake::{By, Command, Shop};
use paypal::rest::{CaptureRead, Client};

use crate::store::Tally;
use crate::{CONSUMER, Error, Reconciler};

/// A capture that awaits confirmation, as the read models have it.
#[derive(Clone, Debug)]
pub(crate) struct Awaiting {
    pub(crate) capture: CaptureId,
    pub(crate) order: OrderId,
    pub(crate) amount: Money,
    pub(crate) payee: Option<String>,
    pub(crate) paypal_order: Option<String>,
    /// The order's id at PayPal as the shop named it.
    pub(crate) placed_paypal_order: Option<String>,
    /// What changed it last.
    pub(crate) position: Position,
    /// It has waited for so long that PayPal must know it.
    pub(crate) is_old: bool,
}

/// What is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Confirmed,
    Refuted(Vec<Reason>),
    /// It cannot be told now, and why.
    Later(&'static str),
}

impl Reconciler {
    /// Captures that await confirmation, by their ids, after one.
    pub(crate) async fn awaiting(
        &self,
        shop: &ShopId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Awaiting>, Error> {
        let client = self.database.client().await?;
        let rows =
            client.query(&sql::reconciliation::LIST_AWAITING, &[&shop.as_str(), &after, &limit]).await?;
        let mut awaiting = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, order): (&str, &str) = (row.try_get("id")?, row.try_get("order_id")?);
            let currency: &str = row.try_get("currency")?;
            let minor: Minor = row.try_get("amount_minor")?;
            let (Ok(capture), Ok(order), Ok(currency)) =
                (CaptureId::parse(id), OrderId::parse(order), Currency::parse(currency))
            else {
                tracing::error!(%shop, id, "a payment's row cannot be read: rebuild it");
                continue;
            };
            awaiting.push(Awaiting {
                capture,
                order,
                amount: Money { minor, currency },
                payee: row.try_get("payee")?,
                paypal_order: row.try_get("paypal_order_id")?,
                placed_paypal_order: row.try_get("placed_paypal_order_id")?,
                position: Position(row.try_get("position")?),
                is_old: row.try_get::<_, Option<bool>>("is_old")?.unwrap_or(false),
            });
        }
        Ok(awaiting)
    }

    /// Asks PayPal about a capture, and appends what it says. Whether that was something.
    pub(crate) async fn confirm(
        &self,
        shop: &Shop,
        client: &Client,
        awaiting: &Awaiting,
        tally: &mut Tally,
    ) -> Result<bool, Error> {
        let id = awaiting.capture.as_str();
        let mut read = self.patience().ask(|| client.capture(id)).await?;
        if read.is_none() {
            read = self.patience().ask(|| client.sale(id)).await?;
        }
        let fact = match judge(awaiting, read.as_ref()) {
            Verdict::Confirmed => {
                tally.confirmed += 1;
                Fact::CaptureConfirmed(Confirmation {
                    capture: awaiting.capture.clone(),
                    amount_minor: awaiting.amount.minor,
                    currency: awaiting.amount.currency,
                })
            }
            Verdict::Refuted(reasons) => {
                tracing::error!(
                    shop = %shop.id, capture = id, ?reasons,
                    "PayPal refutes a capture whose callback was signed: it does not count"
                );
                tally.refuted += 1;
                Fact::CaptureRefuted(Refutation { capture: awaiting.capture.clone(), reasons })
            }
            Verdict::Later(why) => {
                tracing::warn!(shop = %shop.id, capture = id, why, "a capture can be neither confirmed nor refuted yet");
                return Ok(false);
            }
        };
        // Once for each time that it awaits this.
        let id = format!("{id}/{}", awaiting.position);
        let by = By { shop: shop.id.clone(), key_id: CONSUMER.to_owned() };
        match self.intake.command(&by, Command { fact, id, reason: None, trace: None }).await {
            // Another instance has asked at the same time: what it was told stands.
            Ok(_) | Err(intake::CommandError::Conflict { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Compares a capture with what PayPal has, and finds everything that differs.
pub(crate) fn judge(awaiting: &Awaiting, read: Option<&CaptureRead>) -> Verdict {
    let Some(read) = read else {
        // An event may be delivered shortly before the API knows of it.
        return if awaiting.is_old {
            Verdict::Refuted(vec![Reason::new("unknown", "PayPal knows no such capture")])
        } else {
            Verdict::Later("PayPal does not know it yet")
        };
    };
    let mut reasons = Vec::new();
    let mut differs = |code: &str, detail: String| reasons.push(Reason::new(code, detail));
    if read.id != awaiting.capture.as_str() {
        differs("capture", "PayPal answers with another capture".to_owned());
    }
    match read.amount {
        None => return Verdict::Later("PayPal's amount cannot be read"),
        Some(amount) if amount != awaiting.amount => {
            differs("amount", format!("PayPal has {amount}, the callback {}", awaiting.amount));
        }
        Some(_) => {}
    }
    if let (Some(theirs), Some(ours)) = (&read.payee, &awaiting.payee)
        && theirs != ours
    {
        differs("payee", "PayPal names another payee".to_owned());
    }
    let named = [&read.custom_id, &read.invoice_id];
    let named = named.into_iter().flatten().find_map(|text| OrderId::parse(text).ok());
    match &named {
        Some(order) if *order != awaiting.order => {
            differs("order", "PayPal's capture names another order".to_owned());
        }
        _ => {}
    }
    let same = |ours: &Option<String>| ours.is_some() && *ours == read.paypal_order;
    if read.paypal_order.is_some() && awaiting.paypal_order.is_some() && !same(&awaiting.paypal_order) {
        differs("paypal_order", "it belongs to another order at PayPal".to_owned());
    }
    let status = match read.status.as_str() {
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => None,
        "DECLINED" | "DENIED" | "FAILED" => {
            differs("status", format!("PayPal has it as {}", read.status));
            None
        }
        _ => Some("PayPal has it as neither completed nor failed"),
    };
    if !reasons.is_empty() {
        return Verdict::Refuted(reasons);
    }
    if let Some(why) = status {
        return Verdict::Later(why);
    }
    // Which order a callback names is as little signed as its amount: PayPal or the shop must have said so.
    if named.is_none() && !same(&awaiting.placed_paypal_order) {
        return Verdict::Later(
            "neither PayPal's capture nor the placement says which order it is for: an operator may assign it",
        );
    }
    Verdict::Confirmed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaiting() -> Awaiting {
        Awaiting {
            capture: "C1".parse().unwrap(),
            order: "A-1".parse().unwrap(),
            amount: Money::parse("500.00", "USD").unwrap(),
            payee: Some("OURS".into()),
            paypal_order: Some("P1".into()),
            placed_paypal_order: None,
            position: Position(7),
            is_old: false,
        }
    }

    fn read() -> CaptureRead {
        CaptureRead {
            id: "C1".into(),
            status: "COMPLETED".into(),
            amount: Money::parse("500.00", "USD").ok(),
            custom_id: Some("A-1".into()),
            invoice_id: None,
            payee: Some("OURS".into()),
            paypal_order: Some("P1".into()),
            raw: Vec::new(),
        }
    }

    fn codes(read: &CaptureRead) -> Vec<String> {
        match judge(&awaiting(), Some(read)) {
            Verdict::Refuted(reasons) => reasons.into_iter().map(|reason| reason.code).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn the_same_capture_is_confirmed_also_when_it_was_refunded_since() {
        for status in ["COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"] {
            assert_eq!(codes(&CaptureRead { status: status.into(), ..read() }), ["Confirmed"]);
        }
    }

    #[test]
    fn whatever_differs_refutes_it_and_all_of_it_is_said() {
        let other = || Some("OTHER".to_owned());
        let amount = Money::parse("1.00", "USD").ok();
        assert_eq!(codes(&CaptureRead { amount, ..read() }), ["amount"]);
        assert_eq!(codes(&CaptureRead { amount: Money::parse("500", "JPY").ok(), ..read() }), ["amount"]);
        assert_eq!(codes(&CaptureRead { payee: other(), ..read() }), ["payee"]);
        assert_eq!(codes(&CaptureRead { custom_id: other(), ..read() }), ["order"]);
        assert_eq!(codes(&CaptureRead { paypal_order: other(), ..read() }), ["paypal_order"]);
        assert_eq!(codes(&CaptureRead { status: "DECLINED".into(), ..read() }), ["status"]);
        assert_eq!(codes(&CaptureRead { amount, payee: other(), ..read() }), ["amount", "payee"]);
    }

    #[test]
    fn what_cannot_be_told_yet_waits() {
        for status in ["PENDING", "SOMETHING_NEW"] {
            assert!(codes(&CaptureRead { status: status.into(), ..read() })[0].starts_with("Later"));
        }
        assert!(codes(&CaptureRead { amount: None, ..read() })[0].starts_with("Later"));
        assert!(matches!(judge(&awaiting(), None), Verdict::Later(_)));
        let old = Awaiting { is_old: true, ..awaiting() };
        assert!(matches!(judge(&old, None), Verdict::Refuted(_)));
    }

    #[test]
    fn a_capture_that_names_no_order_is_confirmed_only_for_the_order_that_named_it() {
        let nameless = CaptureRead { custom_id: None, ..read() };
        assert!(codes(&nameless)[0].starts_with("Later"));
        let placed = Awaiting { placed_paypal_order: Some("P1".into()), ..awaiting() };
        assert_eq!(judge(&placed, Some(&nameless)), Verdict::Confirmed);
    }
}
