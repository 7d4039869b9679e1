//! Callbacks that decided nothing: the log keeps no id of them, but their bodies may name a person all the same. Whoever has
//! the key-encryption key can open them and look.

use std::collections::HashSet;

use database::Client;
use domain::{OrderId, PaymentKey, Position, ShopId};
use evidence::{CallbackEvidence, Row, Vault};
use serde_json::Value;

use super::Trace;
use crate::Error;

/// Where PayPal's bodies have the shop's own id of an order, in all versions of its API.
const ORDER_FIELDS: [&str; 5] = ["custom", "custom_id", "invoice_id", "invoice_number", "invoice"];
/// PayPal's own ids are longer than this; shorter texts stand in bodies for anything.
const ID_MIN: usize = 8;

/// Those of the trace's unnamed callbacks whose bodies name something of the buyer's.
pub(super) async fn find(
    client: &Client,
    shop: &ShopId,
    vault: &Vault,
    trace: &Trace,
) -> Result<Vec<Position>, Error> {
    let wanted = Wanted::of(trace);
    let mut found = Vec::new();
    for position in &trace.unnamed {
        let row = evidence::load(client, shop.as_str(), position.0).await?;
        // One whose key is destroyed names nobody any more.
        let Some(Row { sealed, key: Some((_, wrapped)) }) = row else { continue };
        let plain = vault.open(shop.as_str(), &sealed, &wrapped)?;
        if wanted.is_named_in(&CallbackEvidence::decode(&plain)?.body) {
            found.push(*position);
        }
    }
    Ok(found)
}

/// What a body must name.
struct Wanted<'a> {
    payments: HashSet<&'a str>,
    orders: &'a std::collections::BTreeSet<OrderId>,
}

impl<'a> Wanted<'a> {
    fn of(trace: &'a Trace) -> Self {
        let ids = trace.payments.iter().map(|payment| match payment {
            PaymentKey::PaypalOrder(id) => id.as_str(),
            PaymentKey::Authorization(id) => id.as_str(),
            PaymentKey::Capture(id) => id.as_str(),
            PaymentKey::Refund(id) => id.as_str(),
            PaymentKey::Dispute(id) => id.as_str(),
        });
        Self { payments: ids.filter(|id| id.len() >= ID_MIN).collect(), orders: &trace.orders }
    }

    fn is_named_in(&self, body: &[u8]) -> bool {
        // By its words, so that it need not be JSON, and an id is found in a link as well.
        let is_end = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'-' && *byte != b'_';
        let words = body.split(is_end).filter_map(|word| std::str::from_utf8(word).ok());
        if words.into_iter().any(|word| self.payments.contains(word)) {
            return true;
        }
        serde_json::from_slice::<Value>(body).is_ok_and(|body| self.is_order_named_in(&body))
    }

    fn is_order_named_in(&self, value: &Value) -> bool {
        match value {
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                let order = || OrderId::parse(value.as_str()?).ok();
                (ORDER_FIELDS.contains(&name.as_str()) && order().is_some_and(|id| self.orders.contains(&id)))
                    || self.is_order_named_in(value)
            }),
            Value::Array(list) => list.iter().any(|value| self.is_order_named_in(value)),
            _ => false,
        }
    }
}
