//! The shop's order id: what the shop wrote into the payment. Other shapes may hold personal data.

use domain::OrderId;

use super::fields::{Fields, Why};

/// What an object says about the shop's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShopIds {
    /// The first id that has the shape of one.
    pub(super) order: Option<OrderId>,
    /// The pseudonym of the first that has not.
    pub(super) odd_id: Option<String>,
}

/// The fields that may hold the shop's order id. `reference_id` is none: shops that do not set it send `default`.
const V2: [&str; 2] = ["custom_id", "invoice_id"];
const V1: [&str; 2] = ["custom", "invoice_number"];

impl ShopIds {
    /// Reads the ids of an object: those of version 2, then those of version 1.
    pub(super) fn read(fields: &Fields<'_>, pseudonym: &dyn Fn(&str) -> String) -> Result<Self, Why> {
        let mut found = Self::default();
        for name in V2.into_iter().chain(V1) {
            let Some(text) = fields.text(name)? else { continue };
            match OrderId::parse(&text) {
                Ok(order) => found.order = found.order.or(Some(order)),
                Err(_) => found.odd_id = found.odd_id.or_else(|| Some(pseudonym(&text))),
            }
        }
        Ok(found)
    }

    /// What several objects say together: two that name different orders name none.
    pub(super) fn agree(all: impl IntoIterator<Item = Self>) -> Self {
        let mut together = Self::default();
        let mut differ = false;
        for ids in all {
            differ |= matches!((&together.order, &ids.order), (Some(a), Some(b)) if a != b);
            together.order = together.order.or(ids.order);
            together.odd_id = together.odd_id.or(ids.odd_id);
        }
        if differ {
            together.order = None;
        }
        together
    }

    /// These ids, and where they name no order, the others.
    pub(super) fn or(self, others: Self) -> Self {
        Self { order: self.order.or(others.order), odd_id: self.odd_id.or(others.odd_id) }
    }
}
