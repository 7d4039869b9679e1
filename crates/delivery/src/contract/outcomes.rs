//! What of a [`Change`] each outcome carries: all may have any of it by their type, and each has its own by the rules.

use domain::{Change, OutcomeType};
use serde_json::{Map, Value, json};

use super::schema::generator;

/// The members of one outcome.
struct Shape {
    /// Always there.
    always: &'static [&'static str],
    /// There where it applies.
    maybe: &'static [&'static str],
    /// What its order has, beyond what every order has.
    order: &'static [&'static str],
}

/// What every outcome of a shop in shadow has.
const EVERYWHERE: &[&str] = &["shadow"];
const REFUSAL: Shape = Shape { always: &["command", "reasons"], maybe: &[], order: &[] };
const PAYMENTS: Shape = only(&["payments"]);
const STOCK: Shape = only(&["stock"]);
const POINTS: Shape = only(&["points"]);
/// An order with what moved with it.
const STEP: Shape =
    Shape { always: &["order"], maybe: &["coupons", "payments", "points", "stock"], order: &[] };
/// An order as it was agreed, with what it holds from here on. Its payments follow by themselves.
const AGREED: Shape =
    Shape { always: &["order"], maybe: &["coupons", "points", "stock"], order: &["held_until", "terms"] };

const fn only(always: &'static [&'static str]) -> Shape {
    Shape { always, maybe: &[], order: &[] }
}

fn shape(outcome: OutcomeType) -> Shape {
    use OutcomeType as T;
    match outcome {
        T::OrderPlaced | T::OrderRevised => AGREED,
        T::OrderRefused => Shape { maybe: &[], order: &["refusals", "terms"], ..AGREED },
        T::OrderImported => Shape { order: &["terms"], ..STEP },
        T::OrderPaid => Shape { order: &["paid_at", "terms"], ..STEP },
        T::OrderUnfulfillable => Shape { order: &["terms"], ..STEP },
        T::OrderPaymentNoted
        | T::OrderPaymentPending
        | T::OrderPaymentMismatched
        | T::OrderPaymentAwaitingConfirmation
        | T::OrderPaymentRefuted
        | T::OrderPartiallyPaid
        | T::OrderOverpaid
        | T::OrderRefunded
        | T::OrderReversed
        | T::OrderDisputed
        | T::OrderDisputeResolved
        | T::OrderReleased
        | T::OrderExpired
        | T::OrderCancelled
        | T::OrderShipped
        | T::OrderClosed => STEP,
        T::OrderHeld => Shape { order: &["held_until"], ..STEP },
        T::PaymentNoted
        | T::PaymentUnmatched
        | T::PaymentForeign
        | T::PaymentMismatched
        | T::PaymentDismissed => PAYMENTS,
        T::StockReceived | T::StockImported | T::StockAdjusted | T::StockReturned => STOCK,
        T::StockShort => only(&["short"]),
        T::CouponIssued => only(&["coupon"]),
        T::CouponImported => Shape { maybe: &["coupons", "voided"], ..only(&["coupon"]) },
        T::CouponBuyerImported => only(&["coupons"]),
        T::CouponVoided => only(&["voided"]),
        T::PointsGranted | T::PointsImported | T::PointsExpired => POINTS,
        T::OrderRejected
        | T::PaymentRejected
        | T::StockRejected
        | T::CouponRejected
        | T::PointsRejected
        | T::ShopRejected
        | T::EventRejected => REFUSAL,
        T::ShopConfigured => only(&["settings"]),
        T::RulesActivated => only(&["rules"]),
        T::EventParked => only(&["parked"]),
        T::EventUnparked => only(&["unparked"]),
    }
}

/// The schema of a change, narrowed to what outcomes of this type carry.
pub(super) fn schema(outcome: OutcomeType) -> Value {
    let Shape { always, maybe, order } = shape(outcome);
    let mut schema = generator().into_root_schema_for::<Change>().to_value();
    let members = schema["properties"].take();
    let mut properties = Map::new();
    for name in always.iter().chain(maybe).chain(EVERYWHERE) {
        let mut member = members[*name].clone();
        // Members that are empty are left out.
        if member["type"] == "array" {
            member["minItems"] = json!(1);
        }
        properties.insert((*name).to_owned(), member);
    }
    if !order.is_empty() {
        properties["order"]["type"] = json!("object");
        properties["order"]["required"] = json!(order);
    }
    schema["properties"] = Value::Object(properties);
    schema["required"] = json!(always);
    schema
}
