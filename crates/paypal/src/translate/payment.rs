//! Payments: authorisations, captures and v1 sales, refunds and reversals.

use domain::{
    Authorization, AuthorizationId, Capture, CaptureId, Fact, Money, PayeeId, PaypalOrderId, Refund,
    RefundId, Void,
};

use super::Reading;
use super::fields::{Fields, Why, linked};
use super::ids::ShopIds;

/// What a payment says about where it belongs.
struct Related {
    paypal_order: Option<PaypalOrderId>,
    authorization: Option<AuthorizationId>,
}

impl Related {
    /// `related_ids` is the newest place, the `up` links are older, `parent_payment` is version 1.
    fn read(resource: &Fields<'_>) -> Result<Self, Why> {
        let supplementary = resource.object("supplementary_data")?;
        let ids = supplementary.map(|data| data.object("related_ids")).transpose()?.flatten();
        let named = |name: &str| ids.as_ref().and_then(|ids| ids.text(name).ok().flatten());
        let up = resource.links("up")?;
        let paypal_order = named("order_id")
            .and_then(|id| id.parse().ok())
            .or_else(|| linked(&up, &["orders"]))
            .or_else(|| resource.id_if_any("parent_payment"));
        let authorization = named("authorization_id")
            .and_then(|id| id.parse().ok())
            .or_else(|| linked(&up, &["authorizations", "authorization"]));
        Ok(Self { paypal_order, authorization })
    }
}

pub(super) fn authorized(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let resource = &reading.resource;
    let Money { minor: amount_minor, currency } = not_negative(resource, "amount")?;
    let ShopIds { order, odd_id } = ShopIds::read(resource, reading.pseudonym)?;
    let Related { paypal_order, .. } = Related::read(resource)?;
    let authorization = resource.id("id")?;
    Ok(Some(Fact::PaymentAuthorized(Authorization {
        authorization,
        order,
        paypal_order,
        amount_minor,
        currency,
        odd_id,
    })))
}

pub(super) fn authorization_voided(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let authorization = Some(reading.resource.id("id")?);
    let Related { paypal_order, .. } = Related::read(&reading.resource)?;
    let ShopIds { order, odd_id } = ShopIds::read(&reading.resource, reading.pseudonym)?;
    Ok(Some(Fact::PaymentVoided(Void { authorization, paypal_order, order, odd_id })))
}

/// A completed capture may be refunded, or held back, by the time it is sent: the status decides.
pub(super) fn completed(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let resource = &reading.resource;
    let status = resource.status()?;
    let kind = match status.as_deref() {
        Some("DECLINED" | "DENIED" | "FAILED") => Fact::PaymentDenied,
        Some("PENDING") => Fact::PaymentPending,
        Some("COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED") if is_held(resource)? => Fact::PaymentPending,
        Some("COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED") => Fact::PaymentCaptured,
        Some(_) => return Err(resource.why("status", "is unknown")),
        None => return Err(resource.why("status", "is missing")),
    };
    read_capture(resource, reading.pseudonym).map(kind).map(Some)
}

/// Also where the state already says completed: sales whose money is held are sent like this.
pub(super) fn pending(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    read_capture(&reading.resource, reading.pseudonym).map(Fact::PaymentPending).map(Some)
}

pub(super) fn denied(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    read_capture(&reading.resource, reading.pseudonym).map(Fact::PaymentDenied).map(Some)
}

/// Whether PayPal holds the money back: it has come in, and cannot be counted on.
pub(super) fn is_held(capture: &Fields<'_>) -> Result<bool, Why> {
    let status = capture.text("payment_hold_status")?;
    Ok(status.is_some_and(|status| status.eq_ignore_ascii_case("HELD")))
}

pub(super) fn payee(fields: &Fields<'_>) -> Result<Option<PayeeId>, Why> {
    Ok(fields.object("payee")?.and_then(|payee| payee.id_if_any("merchant_id")))
}

fn not_negative(fields: &Fields<'_>, name: &str) -> Result<Money, Why> {
    let money = fields.money(name)?;
    if money.minor < 0 { Err(fields.why(name, "is negative")) } else { Ok(money) }
}

/// Reads a capture, or a v1 sale.
pub(super) fn read_capture(
    resource: &Fields<'_>,
    pseudonym: &dyn Fn(&str) -> String,
) -> Result<Capture, Why> {
    let Money { minor: amount_minor, currency } = not_negative(resource, "amount")?;
    let ShopIds { order, odd_id } = ShopIds::read(resource, pseudonym)?;
    let Related { paypal_order, authorization } = Related::read(resource)?;
    // Fee and net are told, never decided upon: where they are odd, or in another currency, the payment still counts.
    let same = |money: Money| Some(money.minor).filter(|_| money.currency == currency);
    let part = |fields: &Fields<'_>, name: &str| fields.money_if_any(name).ok().flatten().and_then(same);
    let breakdown = resource.object("seller_receivable_breakdown").ok().flatten();
    let breakdown_part = |name: &str| breakdown.as_ref().and_then(|fields| part(fields, name));
    Ok(Capture {
        capture: resource.id("id")?,
        order,
        paypal_order,
        authorization,
        amount_minor,
        currency,
        fee_minor: breakdown_part("paypal_fee").or_else(|| part(resource, "transaction_fee")),
        net_minor: breakdown_part("net_amount"),
        payee: payee(resource)?,
        is_final: resource.is_true("final_capture") || resource.is_true("is_final_capture"),
        odd_id,
    })
}

/// Money that went back. A refund that is still pending, or failed, means nothing yet.
pub(super) fn refunded(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let resource = &reading.resource;
    if resource.status()?.as_deref() != Some("COMPLETED") {
        return Ok(None);
    }
    let capture = refunded_capture(resource)?.ok_or_else(|| no_capture(resource))?;
    read_refund(reading, resource.id("id")?, capture).map(Fact::PaymentRefunded).map(Some)
}

/// PayPal took money back. The first version sends the sale itself, and names the reversal in its `self` link alone.
pub(super) fn reversed(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let resource = &reading.resource;
    let (refund, capture) = match refunded_capture(resource)? {
        Some(capture) => (resource.id("id")?, capture),
        None if reading.is_v1 => {
            let own = resource.links("self")?;
            let refund = own.iter().find_map(|path| path.last()).and_then(|id| RefundId::parse(id).ok());
            let refund = refund.ok_or_else(|| resource.why("links", "do not name the reversal"))?;
            (refund, resource.id("id")?)
        }
        None => return Err(no_capture(resource)),
    };
    read_refund(reading, refund, capture).map(Fact::PaymentReversed).map(Some)
}

fn no_capture(resource: &Fields<'_>) -> Why {
    resource.why("links", "do not name the capture")
}

fn refunded_capture(resource: &Fields<'_>) -> Result<Option<CaptureId>, Why> {
    const FOLDERS: [&str; 4] = ["captures", "capture", "sales", "sale"];
    if let Some(capture) = linked(&resource.links("up")?, &FOLDERS) {
        return Ok(Some(capture));
    }
    for name in ["sale_id", "capture_id"] {
        if resource.text(name)?.is_some() {
            return resource.id(name).map(Some);
        }
    }
    Ok(linked(&resource.links("sale")?, &FOLDERS).or(linked(&resource.links("capture")?, &FOLDERS)))
}

fn read_refund(reading: &Reading<'_>, refund: RefundId, capture: CaptureId) -> Result<Refund, Why> {
    let Money { minor, currency } = reading.resource.money("amount")?;
    let ShopIds { order, odd_id } = ShopIds::read(&reading.resource, reading.pseudonym)?;
    // The first version counts what went back below zero.
    Ok(Refund { refund, capture, order, amount_minor: minor.abs(), currency, odd_id })
}
