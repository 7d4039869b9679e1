//! Outcomes: what follows from a fact. Each carries everything that it moves, so that every prefix of a log keeps every
//! invariant, and `evolve` needs no judgement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BuyerId, CouponCode, CouponTerms, Key, Order, Payment, Position, Reason, Settings, Sku};

macro_rules! outcome_types {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $aggregate:literal;)*) => {
        /// The step that an outcome stands for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum OutcomeType { $($(#[doc = $doc])* $variant,)* }

        impl OutcomeType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type as entries write it: `order.paid`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The outbox's `aggregatetype`.
            #[must_use]
            pub fn aggregate(self) -> &'static str {
                match self { $(Self::$variant => $aggregate,)* }
            }

            /// What has happened, in a sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)*).trim_ascii_start(),)* }
            }

            /// Reads the entry's `type` back.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

outcome_types! {
    /// Placed, and everything is held.
    OrderPlaced = "order.placed", "order";
    /// Not placed: says every reason, holds nothing.
    OrderRefused = "order.refused", "order";
    /// The new holds are in place of the old.
    OrderRevised = "order.revised", "order";
    /// A command for the order was refused: says every reason, changes nothing.
    OrderRejected = "order.rejected", "order";
    /// A payment row of the order changed, and nothing else.
    OrderPaymentNoted = "order.payment_noted", "order";
    /// A capture is pending: the hold stays.
    OrderPaymentPending = "order.payment_pending", "order";
    /// A capture that names the order does not count.
    OrderPaymentMismatched = "order.payment_mismatched", "order";
    /// A capture above the confirmation amount does not count before PayPal has confirmed it.
    OrderPaymentAwaitingConfirmation = "order.payment_awaiting_confirmation", "order";
    /// PayPal was asked, and has another capture or none: it does not count.
    OrderPaymentRefuted = "order.payment_refuted", "order";
    /// Some money in, less than the total.
    OrderPartiallyPaid = "order.partially_paid", "order";
    /// An order that the shop brought along when it moved in, open or paid.
    OrderImported = "order.imported", "order";
    /// Settled: stock, coupons and points went with the money.
    OrderPaid = "order.paid", "order";
    /// Money in, goods not to be had.
    OrderUnfulfillable = "order.unfulfillable", "order";
    /// More came in than the total.
    OrderOverpaid = "order.overpaid", "order";
    /// Money went back; what follows from it came back.
    OrderRefunded = "order.refunded", "order";
    /// PayPal took money back.
    OrderReversed = "order.reversed", "order";
    /// A dispute was opened: fulfilment stops.
    OrderDisputed = "order.disputed", "order";
    /// No dispute is open any more.
    OrderDisputeResolved = "order.dispute_resolved", "order";
    /// The hold was taken again.
    OrderHeld = "order.held", "order";
    /// The hold was released, for nothing is live any more.
    OrderReleased = "order.released", "order";
    /// The hold ran out.
    OrderExpired = "order.expired", "order";
    /// Cancelled.
    OrderCancelled = "order.cancelled", "order";
    /// Shipped, or part of it.
    OrderShipped = "order.shipped", "order";
    /// Closed by an operator.
    OrderClosed = "order.closed", "order";
    /// A payment row without a known order changed.
    PaymentNoted = "payment.noted", "payment";
    /// Money came in for no order that is known.
    PaymentUnmatched = "payment.unmatched", "payment";
    /// Money came in that names an order which is not the shop's.
    PaymentForeign = "payment.foreign", "payment";
    /// Money came in whose ids name two orders, or that cannot count.
    PaymentMismatched = "payment.mismatched", "payment";
    /// An operator set a payment aside.
    PaymentDismissed = "payment.dismissed", "payment";
    /// A command for a payment was refused.
    PaymentRejected = "payment.rejected", "payment";
    /// Stock came in.
    StockReceived = "stock.received", "stock";
    /// The shop moved in with so much.
    StockImported = "stock.imported", "stock";
    /// Stock was counted.
    StockAdjusted = "stock.adjusted", "stock";
    /// Stock came back.
    StockReturned = "stock.returned", "stock";
    /// Less is left than is held for an order.
    StockShort = "stock.short", "stock";
    /// A command for stock was refused.
    StockRejected = "stock.rejected", "stock";
    /// A coupon may be used.
    CouponIssued = "coupon.issued", "coupon";
    /// The shop moved in with this coupon, used so often.
    CouponImported = "coupon.imported", "coupon";
    /// Of the uses that a coupon was imported with, so many are this buyer's.
    CouponBuyerImported = "coupon.buyer_imported", "coupon";
    /// A coupon takes no new holds.
    CouponVoided = "coupon.voided", "coupon";
    /// A command for a coupon was refused.
    CouponRejected = "coupon.rejected", "coupon";
    /// Points were given.
    PointsGranted = "points.granted", "points";
    /// The shop moved in with so many of this buyer's.
    PointsImported = "points.imported", "points";
    /// Points have lapsed.
    PointsExpired = "points.expired", "points";
    /// A command for points was refused.
    PointsRejected = "points.rejected", "points";
    /// The shop's settings are these from here on.
    ShopConfigured = "shop.configured", "log";
    /// The shop's settings were refused: says every reason, changes nothing.
    ShopRejected = "shop.rejected", "log";
    /// The version of the rules is this from here on.
    RulesActivated = "rules.activated", "log";
    /// A fact could not be decided: it waits with its group.
    EventParked = "event.parked", "log";
    /// A parked fact was decided after all, or was left out.
    EventUnparked = "event.unparked", "log";
    /// A redrive or dismissal named no parked fact.
    EventRejected = "event.rejected", "log";
}

/// What follows from a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The step.
    pub kind: OutcomeType,
    /// The resolved aggregate.
    pub key: Key,
    /// The parked fact that it answers, when its cause is a redrive or a dismissal.
    pub answers: Option<Position>,
    /// Everything that it moves.
    pub change: Change,
}

/// Everything that an outcome moves: rows as they are afterwards, and deltas of what orders share.
///
/// Here and in everything within, fields stand in the order in which entries have them, by name: so they are written as
/// they come, and need no sorting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Change {
    /// The type of the command that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A coupon's terms, when it is issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponTerms>,
    /// Coupon uses moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponMove>,
    /// The order afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What was parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// Payment rows afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
    /// Points moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsMove>,
    /// Every reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The version of the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<u32>,
    /// The shop's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// Decided while the shop was in shadow: its own systems act, and nothing is to follow from this.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// The order that less is left for than it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<Short>,
    /// Pieces moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<StockMove>,
    /// What was unparked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unparked: Option<Unparked>,
    /// The coupon that takes no new holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided: Option<CouponCode>,
}

macro_rules! moves {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$kdoc:meta])* $key:ident: $kty:ty,)*
        ; $($(#[$ddoc:meta])* $delta:ident,)*
        ; $($(#[$ldoc:meta])* $last:ident: $lty:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub struct $name {
            $($(#[$kdoc])* pub $key: $kty,)*
            $($(#[$ddoc])* #[serde(default, skip_serializing_if = "is_zero")] pub $delta: i64,)*
            $($(#[$ldoc])* pub $last: $lty,)*
        }

        impl $name {
            /// A move of nothing yet.
            #[must_use]
            pub fn of($($key: $kty,)* $($last: $lty,)*) -> Self {
                Self { $($key,)* $($delta: 0,)* $($last,)* }
            }

            /// Whether it moves nothing.
            #[must_use]
            pub fn is_nothing(&self) -> bool {
                $(self.$delta == 0)&&*
            }
        }
    )*};
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

moves! {
    /// Pieces of one article moved.
    StockMove {
        ;
        /// Found by counting.
        adjusted,
        /// Set aside.
        held,
        /// Came in.
        received,
        /// Came back.
        returned,
        /// Left.
        settled,
        ;
        /// Which article.
        sku: Sku,
    }
    /// Uses of one coupon moved.
    CouponMove {
        /// Whose uses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        buyer: Option<BuyerId>,
        /// Which coupon.
        code: CouponCode,
        ;
        /// Set aside.
        held,
        /// Used, by what no order here says: before the shop moved in. Taken off again for an order that was imported as
        /// paid, for that one is among them.
        imported,
        /// Used.
        used,
        ;
    }
    /// Points of one buyer moved.
    PointsMove {
        /// Whose.
        buyer: BuyerId,
        ;
        /// Earned.
        earned,
        /// Lapsed.
        expired,
        /// Given.
        granted,
        /// Set aside.
        held,
        /// Came back.
        returned,
        /// Taken back.
        revoked,
        /// Spent.
        spent,
        ;
    }
}

/// A fact that could not be decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parked {
    /// Where it stands.
    pub fact: Position,
    /// The group it waits in: the position of the group's first fact.
    pub group: Position,
    /// Groups that this fact joins to that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absorbs: Vec<Position>,
    /// Its resolved aggregate and every id it names.
    pub keys: Vec<Key>,
    /// Why it could not be decided; absent when it only waits behind another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A parked fact that waits no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unparked {
    /// Where it stands.
    pub fact: Position,
    /// The group it waited in.
    pub group: Position,
    /// It was left out, not decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dismissed: bool,
}

/// An order that less is left for than it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Short {
    /// Which article.
    pub sku: Sku,
    /// Which order.
    pub order: crate::OrderId,
    /// Pieces on hand.
    pub on_hand: i64,
    /// Pieces held, for all orders.
    pub held: i64,
}
