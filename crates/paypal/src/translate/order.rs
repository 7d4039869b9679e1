//! PayPal orders: approved, completed, voided.

use domain::{Approval, Fact, PaypalOrderId, Void};

use super::fields::Why;
use super::ids::ShopIds;
use super::{Reading, payment};

fn shop_ids(reading: &Reading<'_>) -> Result<ShopIds, Why> {
    let units = reading.resource.list("purchase_units")?;
    let each: Result<Vec<_>, Why> = units.iter().map(|unit| ShopIds::read(unit, reading.pseudonym)).collect();
    Ok(ShopIds::agree(each?).or(ShopIds::read(&reading.resource, reading.pseudonym)?))
}

/// The buyer's consent. Never money, whatever status or captures the snapshot has.
pub(super) fn approved(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let paypal_order = reading.resource.id("id")?;
    let ShopIds { order, odd_id } = shop_ids(reading)?;
    Ok(Some(Fact::PaymentApproved(Approval { paypal_order, order, odd_id })))
}

/// The second way to hear of a capture, by the same capture id. With several it is left to their own callbacks.
pub(super) fn completed(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let units = reading.resource.list("purchase_units")?;
    let mut complete = Vec::new();
    for unit in &units {
        let Some(payments) = unit.object("payments")? else { continue };
        for capture in payments.list("captures")? {
            if capture.status()?.as_deref() == Some("COMPLETED") {
                complete.push((unit, capture));
            }
        }
    }
    let [(unit, capture)] = complete.as_slice() else { return Ok(None) };
    let mut found = payment::read_capture(capture, reading.pseudonym)?;
    let ids = ShopIds { order: found.order.take(), odd_id: found.odd_id.take() };
    let ids = ids.or(ShopIds::read(unit, reading.pseudonym)?);
    (found.order, found.odd_id) = (ids.order, ids.odd_id);
    found.paypal_order = Some(reading.resource.id("id")?);
    if found.payee.is_none() {
        found.payee = payment::payee(unit)?;
    }
    let held = payment::is_held(capture)?;
    Ok(Some(if held { Fact::PaymentPending(found) } else { Fact::PaymentCaptured(found) }))
}

pub(super) fn voided(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    void(reading, reading.resource.id("id")?)
}

/// The order's id stands in `order_id` here.
pub(super) fn approval_reversed(reading: &Reading<'_>) -> Result<Option<Fact>, Why> {
    let name = if reading.resource.text("order_id")?.is_some() { "order_id" } else { "id" };
    void(reading, reading.resource.id(name)?)
}

fn void(reading: &Reading<'_>, paypal_order: PaypalOrderId) -> Result<Option<Fact>, Why> {
    let ShopIds { order, odd_id } = shop_ids(reading)?;
    let void = Void { authorization: None, paypal_order: Some(paypal_order), order, odd_id };
    Ok(Some(Fact::PaymentVoided(void)))
}
