//! The data of facts that PayPal's callbacks become.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AuthorizationId, CaptureId, Currency, DisputeId, Fact, Minor, OrderId, PayeeId, PaypalOrderId, Position,
    RefundId, UnknownFact,
};

/// Data of `payment.approved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The PayPal order.
    pub paypal_order: PaypalOrderId,
}

/// Data of `payment.authorized`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authorization {
    /// What was authorised.
    pub amount_minor: Minor,
    /// The authorisation.
    pub authorization: AuthorizationId,
    /// Its currency.
    pub currency: Currency,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The PayPal order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
}

/// Data of `payment.voided`: at least one of authorisation and PayPal order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Void {
    /// The voided authorisation; absent when the PayPal order itself ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AuthorizationId>,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The PayPal order: what was voided when there is no authorisation, else only a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
}

/// Data of `payment.pending`, `.captured`, `.denied`: a capture, or a v1 sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// Gross, 0 or more.
    pub amount_minor: Minor,
    /// The authorisation it was captured from, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AuthorizationId>,
    /// The capture, or the v1 sale.
    pub capture: CaptureId,
    /// Its currency.
    pub currency: Currency,
    /// PayPal's fee, where the body has it, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// The body says that no further capture follows.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// What is left, where the body has it, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_minor: Option<Minor>,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The merchant account that received it, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<PayeeId>,
    /// The PayPal order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
}

/// Data of `payment.refunded` and `.reversed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refund {
    /// What went back, 0 or more.
    pub amount_minor: Minor,
    /// What it was paid back from.
    pub capture: CaptureId,
    /// Its currency.
    pub currency: Currency,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The refund or reversal.
    pub refund: RefundId,
}

/// Data of `dispute.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dispute {
    /// What is disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<Minor>,
    /// The disputed captures: each `seller_transaction_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CaptureId>,
    /// Its currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The dispute.
    pub dispute: DisputeId,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// PayPal's outcome code, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// PayPal's status, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Data of `callback.revised`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// Where the callback stands that it revises.
    pub of: Position,
}

/// Data of `callback.ignored`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ignored {
    /// PayPal's event type, at most 64 printable characters of it.
    pub paypal_type: String,
}

/// Data of `callback.unreadable`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreadable {
    /// PayPal's event type, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_type: Option<String>,
    /// What could not be understood; names fields, never repeats their values.
    pub why: String,
}

/// Data of `callback.retranslated`: decided as the fact within.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retranslation {
    /// Where the callback stands that was read again.
    pub of: Position,
    /// The type of the fact that it is now.
    #[serde(rename = "type")]
    pub type_name: String,
    /// That fact's data.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub data: serde_json::Value,
}

impl Retranslation {
    /// The fact within.
    ///
    /// # Errors
    /// It is none that this version knows.
    pub fn fact(&self) -> Result<Fact, UnknownFact> {
        Fact::from_data(&self.type_name, &self.data.to_string())
    }
}
