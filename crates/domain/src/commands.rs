//! The data of facts that the shop, an operator or a timer asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BuyerId, CaptureId, CouponCode, Currency, InvalidId, Minor, OrderId, Position, ProviderId, Reason,
    Settings, ShopId, Sku, Timestamp,
};

/// Data of `order.cancelled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// Which order.
    pub order: OrderId,
}

/// Data of `order.shipped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shipment {
    /// Which order.
    pub order: OrderId,
    /// What was shipped; all that is left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ShippedLine>>,
}

/// A shipped line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippedLine {
    /// How many, at least 1.
    pub qty: i64,
    /// What.
    pub sku: Sku,
}

/// Data of `order.resolved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderResolution {
    /// Which order.
    pub order: OrderId,
    /// What the operator chose.
    pub action: OrderAction,
}

/// An operator's way out for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// Settle with what was paid.
    Accept,
    /// Try to take the goods again.
    Retry,
    /// Nothing more is owed; what was paid is to be refunded.
    Close,
}

/// Data of `payment.recorded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tender {
    /// Which order.
    pub order: OrderId,
    /// Who took the money.
    pub provider: ProviderId,
    /// The provider's id of the payment.
    pub payment: ProviderId,
    /// What was paid, at least 1.
    pub amount_minor: Minor,
    /// Its currency.
    pub currency: Currency,
}

/// Data of `payment.resolved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentResolution {
    /// Which capture.
    pub capture: CaptureId,
    /// The order it is for; dismissed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign: Option<OrderId>,
}

/// Data of `capture.confirmed`: PayPal was asked, and has the capture as it stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// What PayPal has, gross; it must be what the capture has.
    pub amount_minor: Minor,
    /// Which capture.
    pub capture: CaptureId,
    /// Its currency.
    pub currency: Currency,
}

/// Data of `capture.refuted`: PayPal was asked, and has no such capture, or another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refutation {
    /// Which capture.
    pub capture: CaptureId,
    /// All that differs.
    pub reasons: Vec<Reason>,
}

/// Data of `stock.received` and `stock.returned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// What.
    pub sku: Sku,
    /// How many, at least 1.
    pub qty: i64,
}

/// Data of `stock.adjusted`: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// What.
    pub sku: Sku,
    /// More (or less) than was thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<i64>,
    /// What a count found on hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
}

/// Data of `coupon.issued`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponTerms {
    /// Which.
    pub code: CouponCode,
    /// How many orders may use it.
    #[serde(default = "one")]
    pub max_uses: i64,
    /// How many orders of one buyer may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_buyer: Option<i64>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Not from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

fn one() -> i64 {
    1
}

/// Data of `coupon.voided`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponRef {
    /// Which.
    pub code: CouponCode,
}

/// Data of `points.granted` and `points.expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsAmount {
    /// Whose.
    pub buyer: BuyerId,
    /// How many, at least 1.
    pub points: i64,
}

/// Data of `shop.configured`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Which shop.
    pub shop: ShopId,
    /// All of its settings.
    pub settings: Settings,
}

/// Data of `rules.activated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rules {
    /// Which shop.
    pub shop: ShopId,
    /// The version in force from here on.
    pub version: u32,
}

/// Data of `event.dismissed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dismissal {
    /// Where the parked fact stands.
    pub of: Position,
}

/// Data of `order.expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expiry {
    /// Which order.
    pub order: OrderId,
    /// The deadline that passed.
    pub deadline: Timestamp,
}

/// Data of `event.redriven`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redrive {
    /// Where a parked fact of the group stands.
    pub of: Position,
}

impl Redrive {
    /// What a timer calls the redrive behind this failure of a group. A group that gets on has all its attempts before it
    /// again, so that their number alone would name two.
    #[must_use]
    pub fn timer_id(of: Position, attempts: u32, failed_at: Timestamp) -> String {
        format!("{of}/{attempts}/{failed_at}")
    }
}

impl Tender {
    /// The capture id that stands for it: `<provider>:<payment>`.
    ///
    /// # Errors
    /// None in practice: both parts have the shape of an id.
    pub fn capture(&self) -> Result<CaptureId, InvalidId> {
        CaptureId::parse(&format!("{}:{}", self.provider, self.payment))
    }
}
