//! Facts: what came from outside. A fact changes nothing by itself.

use serde::{Deserialize, Serialize};

use crate::{
    AuthorizationId, BuyerId, CaptureId, CouponCode, Currency, DisputeId, Key, Minor, OrderId, PayeeId,
    PaypalOrderId, Placement, Position, ProviderId, RefundId, Settings, ShopId, Sku, Timestamp,
};

macro_rules! facts {
    ($($(#[$doc:meta])* $variant:ident ($data:ty) = $name:literal, $source:ident;)*) => {
        /// What came from outside: a callback, a command, a timer, a setting.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fact {
            $($(#[$doc])* $variant($data),)*
        }

        impl Fact {
            /// Every type a fact may have, with where it comes from.
            pub const TYPES: &'static [(&'static str, Source)] = &[$(($name, Source::$source),)*];

            /// The type as entries write it: `payment.captured`.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Where facts of this type come from.
            #[must_use]
            pub fn source(&self) -> Source {
                match self { $(Self::$variant(_) => Source::$source,)* }
            }

            /// The entry's `data`.
            ///
            /// # Errors
            /// None in practice: every data type is plain JSON.
            pub fn to_data(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$variant(data) => serde_json::to_value(data),)* }
            }

            /// Reads an entry's `type` and `data` back.
            ///
            /// # Errors
            /// What is unknown or malformed: such a fact is parked, for a newer version may know it.
            pub fn from_data(type_name: &str, data: &str) -> Result<Self, UnknownFact> {
                match type_name {
                    $($name => serde_json::from_str(data).map(Self::$variant).map_err(|e| UnknownFact(format!("{type_name}: {e}"))),)*
                    _ => Err(UnknownFact(format!("no fact has the type {type_name}"))),
                }
            }
        }
    };
}

/// Why an entry is no fact that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownFact(pub String);

/// Where a fact comes from; the outbox's `aggregatetype` follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// PayPal.
    Callback,
    /// The shop or an operator.
    Command,
    /// Counterfoil's own clock.
    Timer,
}

facts! {
    /// The buyer approved a PayPal order: a link and a step in the story, never money.
    PaymentApproved(Approval) = "payment.approved", Callback;
    /// Money was authorised.
    PaymentAuthorized(Authorization) = "payment.authorized", Callback;
    /// A PayPal order or an authorisation has ended without money.
    PaymentVoided(Void) = "payment.voided", Callback;
    /// A capture is under way, or its money is held.
    PaymentPending(Capture) = "payment.pending", Callback;
    /// A capture is complete: money came in, gross.
    PaymentCaptured(Capture) = "payment.captured", Callback;
    /// A capture was denied.
    PaymentDenied(Capture) = "payment.denied", Callback;
    /// Money went back to the buyer.
    PaymentRefunded(Refund) = "payment.refunded", Callback;
    /// PayPal took money back.
    PaymentReversed(Refund) = "payment.reversed", Callback;
    /// A known callback came again with other bytes: kept, decides nothing.
    CallbackRevised(Revision) = "callback.revised", Callback;
    /// A dispute was opened.
    DisputeOpened(Dispute) = "dispute.opened", Callback;
    /// A dispute went on.
    DisputeUpdated(Dispute) = "dispute.updated", Callback;
    /// A dispute ended.
    DisputeResolved(Dispute) = "dispute.resolved", Callback;
    /// Authentic, and means nothing to us.
    CallbackIgnored(Ignored) = "callback.ignored", Callback;
    /// Authentic, and cannot be understood: kept, with an alarm.
    CallbackUnreadable(Unreadable) = "callback.unreadable", Callback;
    /// An old callback, read again by a newer translation.
    CallbackRetranslated(Retranslation) = "callback.retranslated", Command;
    /// The shop placed an order.
    OrderPlaced(Placement) = "order.placed", Command;
    /// The shop changed an order.
    OrderRevised(Placement) = "order.revised", Command;
    /// The shop cancelled an order.
    OrderCancelled(Cancellation) = "order.cancelled", Command;
    /// The shop shipped an order, or part of it.
    OrderShipped(Shipment) = "order.shipped", Command;
    /// An operator's way out for an order.
    OrderResolved(OrderResolution) = "order.resolved", Command;
    /// Another tender, attested by the shop.
    PaymentRecorded(Tender) = "payment.recorded", Command;
    /// An operator's way out for a payment.
    PaymentResolved(PaymentResolution) = "payment.resolved", Command;
    /// Stock came in.
    StockReceived(Quantity) = "stock.received", Command;
    /// Stock was counted.
    StockAdjusted(Adjustment) = "stock.adjusted", Command;
    /// Shipped stock came back.
    StockReturned(Quantity) = "stock.returned", Command;
    /// A coupon may be used from now on.
    CouponIssued(CouponTerms) = "coupon.issued", Command;
    /// A coupon takes no new holds.
    CouponVoided(CouponRef) = "coupon.voided", Command;
    /// Points were given.
    PointsGranted(PointsAmount) = "points.granted", Command;
    /// Points have lapsed.
    PointsExpired(PointsAmount) = "points.expired", Command;
    /// The shop's settings, whole.
    ShopConfigured(Configuration) = "shop.configured", Command;
    /// The version of the rules in force from here on.
    RulesActivated(Rules) = "rules.activated", Command;
    /// An operator leaves a parked fact out for good.
    EventDismissed(Dismissal) = "event.dismissed", Command;
    /// A hold's deadline has passed.
    OrderExpired(Expiry) = "order.expired", Timer;
    /// A parked group is tried again.
    EventRedriven(Redrive) = "event.redriven", Timer;
}

/// Data of `payment.approved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The PayPal order.
    pub paypal_order: PaypalOrderId,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
}

/// Data of `payment.authorized`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// The authorisation.
    pub authorization: AuthorizationId,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The PayPal order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
    /// What was authorised.
    pub amount_minor: Minor,
    /// Its currency.
    pub currency: Currency,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
}

/// Data of `payment.voided`: at least one of authorisation and PayPal order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// The voided authorisation; `None` when the PayPal order itself ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AuthorizationId>,
    /// The PayPal order: what was voided when there is no authorisation, else only a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
}

/// Data of `payment.pending`, `.captured`, `.denied`: a capture, or a v1 sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The capture, or the v1 sale.
    pub capture: CaptureId,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The PayPal order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
    /// The authorisation it was captured from, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AuthorizationId>,
    /// Gross, 0 or more.
    pub amount_minor: Minor,
    /// Its currency.
    pub currency: Currency,
    /// PayPal's fee, where the body has it, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// What is left, where the body has it, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_minor: Option<Minor>,
    /// The merchant account that received it, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<PayeeId>,
    /// The body says that no further capture follows.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
}

/// Data of `payment.refunded` and `.reversed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The refund or reversal.
    pub refund: RefundId,
    /// What it was paid back from.
    pub capture: CaptureId,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// What went back, 0 or more.
    pub amount_minor: Minor,
    /// Its currency.
    pub currency: Currency,
    /// Keyed hash of a custom or invoice id that has not the shape of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_id: Option<String>,
}

/// Data of `dispute.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The dispute.
    pub dispute: DisputeId,
    /// The disputed captures: each `seller_transaction_id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CaptureId>,
    /// The shop's order, where the body names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// PayPal's status, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// PayPal's outcome code, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What is disputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<Minor>,
    /// Its currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// Data of `callback.revised`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Where the callback stands that it revises.
    pub of: Position,
}

/// Data of `callback.ignored`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// PayPal's event type, at most 64 printable characters of it.
    pub paypal_type: String,
}

/// Data of `callback.unreadable`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// PayPal's event type, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_type: Option<String>,
    /// What could not be understood; names fields, never repeats their values.
    pub why: String,
}

/// Data of `callback.retranslated`: decided as the fact within.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retranslation {
    /// Where the callback stands that was read again.
    pub of: Position,
    /// The type of the fact that it is now.
    #[serde(rename = "type")]
    pub type_name: String,
    /// That fact's data.
    pub data: serde_json::Value,
}

/// Data of `order.cancelled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// Which order.
    pub order: OrderId,
}

/// Data of `order.shipped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shipment {
    /// Which order.
    pub order: OrderId,
    /// What was shipped; all that is left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ShippedLine>>,
}

/// A shipped line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedLine {
    /// What.
    pub sku: Sku,
    /// How many, at least 1.
    pub qty: i64,
}

/// Data of `order.resolved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderResolution {
    /// Which order.
    pub order: OrderId,
    /// What the operator chose.
    pub action: OrderAction,
}

/// An operator's way out for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentResolution {
    /// Which capture.
    pub capture: CaptureId,
    /// The order it is for; dismissed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign: Option<OrderId>,
}

/// Data of `stock.received` and `stock.returned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// What.
    pub sku: Sku,
    /// How many, at least 1.
    pub qty: i64,
}

/// Data of `stock.adjusted`: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouponRef {
    /// Which.
    pub code: CouponCode,
}

/// Data of `points.granted` and `points.expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsAmount {
    /// Whose.
    pub buyer: BuyerId,
    /// How many, at least 1.
    pub points: i64,
}

/// Data of `shop.configured`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Which shop.
    pub shop: ShopId,
    /// All of its settings.
    pub settings: Settings,
}

/// Data of `rules.activated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Which shop.
    pub shop: ShopId,
    /// The version in force from here on.
    pub version: u32,
}

/// Data of `event.dismissed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dismissal {
    /// Where the parked fact stands.
    pub of: Position,
}

/// Data of `order.expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Which order.
    pub order: OrderId,
    /// The deadline that passed.
    pub deadline: Timestamp,
}

/// Data of `event.redriven`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// Where a parked fact of the group stands.
    pub of: Position,
}

impl Fact {
    /// The fact's key, from its body alone. Callbacks about nothing we know are keyed by their event key.
    #[must_use]
    pub fn key(&self, event_key: &str) -> Key {
        match self {
            Self::PaymentApproved(f) => {
                f.order.clone().map_or_else(|| Key::PaypalOrder(f.paypal_order.clone()), Key::Order)
            }
            Self::PaymentAuthorized(f) => first(
                [
                    f.order.clone().map(Key::Order),
                    f.paypal_order.clone().map(Key::PaypalOrder),
                    CaptureId::parse(f.authorization.as_str()).ok().map(Key::Capture),
                ],
                event_key,
            ),
            Self::PaymentVoided(f) => first(
                [
                    f.order.clone().map(Key::Order),
                    f.paypal_order.clone().map(Key::PaypalOrder),
                    f.authorization
                        .as_ref()
                        .and_then(|id| CaptureId::parse(id.as_str()).ok())
                        .map(Key::Capture),
                ],
                event_key,
            ),
            Self::PaymentPending(f) | Self::PaymentCaptured(f) | Self::PaymentDenied(f) => first(
                [
                    f.order.clone().map(Key::Order),
                    f.paypal_order.clone().map(Key::PaypalOrder),
                    Some(Key::Capture(f.capture.clone())),
                ],
                event_key,
            ),
            Self::PaymentRefunded(f) | Self::PaymentReversed(f) => {
                f.order.clone().map_or_else(|| Key::Capture(f.capture.clone()), Key::Order)
            }
            Self::DisputeOpened(f) | Self::DisputeUpdated(f) | Self::DisputeResolved(f) => first(
                [f.order.clone().map(Key::Order), f.captures.first().cloned().map(Key::Capture), None],
                event_key,
            ),
            Self::CallbackRevised(_) | Self::CallbackIgnored(_) | Self::CallbackUnreadable(_) => {
                Key::Callback(event_key.to_owned())
            }
            Self::CallbackRetranslated(f) => match f.fact() {
                Ok(inner) => inner.key(event_key),
                Err(_) => Key::Event(f.of.0),
            },
            Self::OrderPlaced(f) | Self::OrderRevised(f) => Key::Order(f.order.clone()),
            Self::OrderCancelled(f) => Key::Order(f.order.clone()),
            Self::OrderShipped(f) => Key::Order(f.order.clone()),
            Self::OrderResolved(f) => Key::Order(f.order.clone()),
            Self::OrderExpired(f) => Key::Order(f.order.clone()),
            Self::PaymentRecorded(f) => Key::Order(f.order.clone()),
            Self::PaymentResolved(f) => Key::Capture(f.capture.clone()),
            Self::StockReceived(f) | Self::StockReturned(f) => Key::Sku(f.sku.clone()),
            Self::StockAdjusted(f) => Key::Sku(f.sku.clone()),
            Self::CouponIssued(f) => Key::Code(f.code.clone()),
            Self::CouponVoided(f) => Key::Code(f.code.clone()),
            Self::PointsGranted(f) | Self::PointsExpired(f) => Key::Buyer(f.buyer.clone()),
            Self::ShopConfigured(f) => Key::Shop(f.shop.clone()),
            Self::RulesActivated(f) => Key::Shop(f.shop.clone()),
            Self::EventDismissed(f) => Key::Event(f.of.0),
            Self::EventRedriven(f) => Key::Event(f.of.0),
        }
    }
}

fn first(keys: [Option<Key>; 3], event_key: &str) -> Key {
    keys.into_iter().flatten().next().unwrap_or_else(|| Key::Callback(event_key.to_owned()))
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

impl Tender {
    /// The capture id that stands for it: `<provider>:<payment>`.
    ///
    /// # Errors
    /// None in practice: both parts have the shape of an id.
    pub fn capture(&self) -> Result<CaptureId, crate::InvalidId> {
        CaptureId::parse(&format!("{}:{}", self.provider, self.payment))
    }
}
