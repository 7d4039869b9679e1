//! Facts: what came from outside. A fact changes nothing by itself.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::{
    Adjustment, Approval, Authorization, Cancellation, Capture, CaptureId, Configuration, Confirmation,
    CouponBuyerOpening, CouponOpening, CouponRef, CouponTerms, Dismissal, Dispute, Expiry, Ignored, Key,
    OrderOpening, OrderResolution, PaymentResolution, Placement, PointsAmount, PointsOpening, Quantity,
    Redrive, Refund, Refutation, Retranslation, Revision, Rules, Shipment, StockOpening, Tender, Unreadable,
    Void,
};

macro_rules! facts {
    ($($(#[doc = $doc:literal])* $variant:ident ($data:ty) = $name:literal, $source:ident;)*) => {
        /// What came from outside: a callback, a command, a timer, a setting.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fact {
            $($(#[doc = $doc])* $variant($data),)*
        }

        impl Fact {
            /// Every type a fact may have, with where it comes from.
            pub const TYPES: &'static [(&'static str, Source)] = &[$(($name, Source::$source),)*];

            /// What each type says, and what its `data` has.
            pub const CONTRACTS: &'static [FactContract] = &[$(FactContract {
                name: $name,
                source: Source::$source,
                summary: concat!($($doc,)*).trim_ascii_start(),
                schema: root_schema::<$data>,
            },)*];

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
                serde_json::to_value(FactData(self))
            }

            fn serialize_data<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(data) => data.serialize(serializer),)* }
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

fn root_schema<T: JsonSchema>(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<T>()
}

/// What facts of one type say, for those who read them.
#[derive(Clone, Copy, Debug)]
pub struct FactContract {
    /// The type: `payment.captured`.
    pub name: &'static str,
    /// Where such facts come from.
    pub source: Source,
    /// What has happened, in a sentence.
    pub summary: &'static str,
    /// The schema of their `data`.
    pub schema: fn(SchemaGenerator) -> Schema,
}

/// A fact's `data`, for a writer of entries.
#[derive(Clone, Copy, Debug)]
pub struct FactData<'a>(pub &'a Fact);

impl Serialize for FactData<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_data(serializer)
    }
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

impl Source {
    /// The outbox's `aggregatetype`.
    #[must_use]
    pub fn aggregate(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Command => "command",
            Self::Timer => "log",
        }
    }
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
    /// PayPal was asked, and confirmed a capture.
    CaptureConfirmed(Confirmation) = "capture.confirmed", Command;
    /// PayPal was asked, and refuted a capture: it has another one, or none.
    CaptureRefuted(Refutation) = "capture.refuted", Command;
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
    /// What the shop had of an article when it moved in.
    StockImported(StockOpening) = "stock.imported", Command;
    /// A coupon as it stood when the shop moved in.
    CouponImported(CouponOpening) = "coupon.imported", Command;
    /// A buyer's uses of a coupon when the shop moved in.
    CouponBuyerImported(CouponBuyerOpening) = "coupon.buyer_imported", Command;
    /// A buyer's points when the shop moved in.
    PointsImported(PointsOpening) = "points.imported", Command;
    /// An order with its payments as they stood when the shop moved in.
    OrderImported(Box<OrderOpening>) = "order.imported", Command;
    /// An operator leaves a parked fact out for good.
    EventDismissed(Dismissal) = "event.dismissed", Command;
    /// A hold's deadline has passed.
    OrderExpired(Expiry) = "order.expired", Timer;
    /// A parked group is tried again.
    EventRedriven(Redrive) = "event.redriven", Timer;
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
            Self::CaptureConfirmed(f) => Key::Capture(f.capture.clone()),
            Self::CaptureRefuted(f) => Key::Capture(f.capture.clone()),
            Self::StockReceived(f) | Self::StockReturned(f) => Key::Sku(f.sku.clone()),
            Self::StockAdjusted(f) => Key::Sku(f.sku.clone()),
            Self::CouponIssued(f) => Key::Code(f.code.clone()),
            Self::CouponVoided(f) => Key::Code(f.code.clone()),
            Self::PointsGranted(f) | Self::PointsExpired(f) => Key::Buyer(f.buyer.clone()),
            Self::StockImported(f) => Key::Sku(f.sku.clone()),
            Self::CouponImported(f) => Key::Code(f.code.clone()),
            Self::CouponBuyerImported(f) => Key::Code(f.code.clone()),
            Self::PointsImported(f) => Key::Buyer(f.buyer.clone()),
            Self::OrderImported(f) => Key::Order(f.placement.order.clone()),
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
