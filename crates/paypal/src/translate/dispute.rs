//! Disputes. They name captures, and move no money: that comes as a refund or a reversal.

use domain::{CaptureId, Dispute};

use super::Reading;
use super::fields::{Fields, Why};
use super::ids::ShopIds;

/// PayPal's own words are upper-case names; anything else is not worth keeping in the log.
fn word(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Why> {
    let is_word = |text: &String| {
        text.len() <= super::NAME_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    Ok(fields.text(name)?.filter(is_word))
}

/// More captures than an entry, and what follows from it, can hold. PayPal disputes one or a few.
const TRANSACTIONS_MAX: usize = 200;

pub(super) fn read(reading: &Reading<'_>) -> Result<Dispute, Why> {
    let resource = &reading.resource;
    let transactions = resource.list("disputed_transactions")?;
    if transactions.len() > TRANSACTIONS_MAX {
        return Err(resource.why("disputed_transactions", format!("has more than {TRANSACTIONS_MAX}")));
    }
    let mut captures: Vec<CaptureId> = Vec::new();
    let mut ids = Vec::new();
    for transaction in transactions {
        if transaction.text("seller_transaction_id")?.is_some() {
            let capture = transaction.id("seller_transaction_id")?;
            if !captures.contains(&capture) {
                captures.push(capture);
            }
        }
        ids.push(ShopIds::read(&transaction, reading.pseudonym)?);
    }
    let outcome = match resource.object("dispute_outcome")? {
        Some(outcome) => word(&outcome, "outcome_code")?,
        None => None,
    };
    let amount = resource.money_if_any("dispute_amount")?;
    Ok(Dispute {
        dispute: resource.id("dispute_id")?,
        captures,
        order: ShopIds::agree(ids).order,
        status: word(resource, "status")?,
        outcome,
        amount_minor: amount.map(|amount| amount.minor.abs()),
        currency: amount.map(|amount| amount.currency),
    })
}
