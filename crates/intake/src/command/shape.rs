//! The shapes of commands, as data, so that one walk finds every problem and not only the first.

use domain::{Currency, MINOR_MAX, OrderOpening, QUANTITY_MAX, Settings, Timestamp};
use serde_json::Value;

use crate::json::{Problems, push_name};

/// What a value must look like.
pub(super) enum Shape {
    /// 1 to so many characters of `A-Z a-z 0-9 _ . : -`.
    Id(usize),
    /// An integer within the bounds.
    Integer(i64, i64),
    /// true or false.
    Flag,
    /// An upper-case ISO 4217 code.
    Currency,
    /// An RFC 3339 instant.
    Instant,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// At most so many of the same shape.
    List(usize, &'static Shape),
    /// Named fields, and no others.
    Object(&'static [Field]),
}

/// A field of an object.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

const ID: Shape = Shape::Id(64);
const COUNT: Shape = Shape::Integer(1, MINOR_MAX);
const AMOUNT: Shape = Shape::Integer(0, MINOR_MAX);

static LINE: Shape = Shape::Object(&[must("sku", ID), must("qty", COUNT), must("unit_minor", AMOUNT)]);
static COUPON: Shape = Shape::Object(&[must("code", ID), must("minor", AMOUNT)]);
static THRESHOLD: Shape = Shape::Object(&[must("currency", Shape::Currency), must("minor", AMOUNT)]);
static SHIPPED: Shape = Shape::Object(&[must("sku", ID), must("qty", COUNT)]);

/// `order.placed`, `order.revised`.
pub(super) const PLACEMENT: &[Field] = &[
    must("order", ID),
    may("revision", AMOUNT),
    may("buyer", ID),
    must("currency", Shape::Currency),
    must("total_minor", AMOUNT),
    may("lines", Shape::List(domain::Placement::LINES_MAX, &LINE)),
    may("tax_minor", AMOUNT),
    may("tax_included", Shape::Flag),
    may("shipping_minor", AMOUNT),
    may("handling_minor", AMOUNT),
    may("insurance_minor", AMOUNT),
    may("shipping_discount_minor", AMOUNT),
    may("discount_minor", AMOUNT),
    may("coupons", Shape::List(domain::Placement::COUPONS_MAX, &COUPON)),
    may("points", Shape::Object(&[may("spend", AMOUNT), may("minor", AMOUNT), may("earn", AMOUNT)])),
    may("paypal_order_id", ID),
    may("hold_s", Shape::Integer(1, Settings::HOLD_MAX_S)),
    may("ship_to", ID),
];
/// `order.cancelled`.
pub(super) static ORDER: &[Field] = &[must("order", ID)];
/// `order.shipped`.
pub(super) static SHIPMENT: &[Field] =
    &[must("order", ID), may("lines", Shape::List(domain::Placement::LINES_MAX, &SHIPPED))];
/// `order.resolved`.
pub(super) static ORDER_RESOLUTION: &[Field] =
    &[must("order", ID), must("action", Shape::OneOf(&["accept", "retry", "close"]))];
/// `payment.recorded`.
pub(super) static TENDER: &[Field] = &[
    must("order", ID),
    must("provider", ID),
    must("payment", ID),
    must("amount_minor", COUNT),
    must("currency", Shape::Currency),
];
/// `payment.resolved`. That a payment is set aside is said, never what an empty body means.
pub(super) static PAYMENT_RESOLUTION: &[Field] =
    &[must("capture", Shape::Id(129)), may("assign", ID), may("dismiss", Shape::Flag)];
/// `stock.received`, `stock.returned`.
pub(super) static QUANTITY: &[Field] = &[must("sku", ID), must("qty", COUNT)];
/// `stock.adjusted`.
pub(super) static ADJUSTMENT: &[Field] =
    &[must("sku", ID), may("delta", Shape::Integer(-MINOR_MAX, MINOR_MAX)), may("on_hand", AMOUNT)];
/// `coupon.issued`.
pub(super) static COUPON_TERMS: &[Field] = &[
    must("code", ID),
    may("max_uses", COUNT),
    may("max_per_buyer", COUNT),
    may("valid_from", Shape::Instant),
    may("valid_until", Shape::Instant),
];
/// `coupon.voided`.
pub(super) static COUPON_REF: &[Field] = &[must("code", ID)];
/// `points.granted`, `points.expired`.
pub(super) static POINTS: &[Field] = &[must("buyer", ID), must("points", COUNT)];
/// `event.redriven`, `event.dismissed`.
pub(super) static OF: &[Field] = &[must("of", AMOUNT)];
const OPENING: Shape = Shape::Integer(0, QUANTITY_MAX);
/// `stock.imported`.
pub(super) static STOCK_OPENING: &[Field] = &[must("sku", ID), must("on_hand", OPENING)];
/// `coupon.imported`.
pub(super) static COUPON_OPENING: &[Field] = &[
    must("code", ID),
    must("max_uses", COUNT),
    may("max_per_buyer", COUNT),
    may("used", AMOUNT),
    may("valid_from", Shape::Instant),
    may("valid_until", Shape::Instant),
    may("voided", Shape::Flag),
];
/// `coupon.buyer_imported`.
pub(super) static COUPON_BUYER_OPENING: &[Field] =
    &[must("code", ID), must("buyer", ID), must("used", OPENING)];
/// `points.imported`.
pub(super) static POINTS_OPENING: &[Field] =
    &[must("buyer", ID), must("balance", Shape::Integer(-QUANTITY_MAX, QUANTITY_MAX))];
static CAPTURE: Shape = Shape::Object(&[
    must("capture", ID),
    must("amount_minor", AMOUNT),
    may("fee_minor", AMOUNT),
    may("net_minor", Shape::Integer(-MINOR_MAX, MINOR_MAX)),
    may("paypal_order", ID),
    may("authorization", ID),
    may("payee", ID),
    may("pending", Shape::Flag),
]);
static IMPORTED_TENDER: Shape =
    Shape::Object(&[must("provider", ID), must("payment", ID), must("amount_minor", COUNT)]);
static REFUND: Shape = Shape::Object(&[
    must("refund", ID),
    must("capture", Shape::Id(129)),
    must("amount_minor", AMOUNT),
    may("reversal", Shape::Flag),
]);
/// `order.imported`.
pub(super) static ORDER_OPENING: &[Field] = &[
    must("status", Shape::OneOf(&["open", "paid"])),
    must("placement", Shape::Object(PLACEMENT)),
    may("placed_at", Shape::Instant),
    may("paid_at", Shape::Instant),
    may("captures", Shape::List(OrderOpening::PAYMENTS_MAX, &CAPTURE)),
    may("tenders", Shape::List(OrderOpening::PAYMENTS_MAX, &IMPORTED_TENDER)),
    may("refunds", Shape::List(OrderOpening::PAYMENTS_MAX, &REFUND)),
    may("shipment", Shape::Object(&[may("lines", Shape::List(domain::Placement::LINES_MAX, &SHIPPED))])),
];
/// `shop.configured`: the settings alone; the shop is the key's.
pub(super) static SETTINGS: &[Field] = &[
    may(
        "tracks",
        Shape::Object(&[may("stock", Shape::Flag), may("coupons", Shape::Flag), may("points", Shape::Flag)]),
    ),
    may("confirm_above", Shape::List(Settings::CONFIRM_MAX, &THRESHOLD)),
    may("hold_s", Shape::Integer(1, Settings::HOLD_MAX_S)),
    may("payee", ID),
    may("order_prefix", ID),
    may("shadow", Shape::Flag),
    may(
        "returns",
        Shape::Object(&[may("stock", Shape::Flag), may("coupons", Shape::Flag), may("points", Shape::Flag)]),
    ),
];

/// Checks an object's fields and takes nulls out: null and absent are the same, and an entry holds no null.
pub(super) fn check_fields(
    fields: &[Field],
    value: &mut Value,
    pointer: &mut String,
    problems: &mut Problems,
) {
    let Value::Object(object) = value else {
        problems.add(pointer, "must be an object");
        return;
    };
    object.retain(|_, value| !value.is_null());
    let length = pointer.len();
    for name in object.keys() {
        if !fields.iter().any(|field| field.name == name) {
            push_name(pointer, name);
            problems.add(pointer, "is no field of this command");
            pointer.truncate(length);
        }
    }
    for field in fields {
        push_name(pointer, field.name);
        match object.get_mut(field.name) {
            Some(value) => check(&field.shape, value, pointer, problems),
            None if field.required => problems.add(pointer, "is missing"),
            None => {}
        }
        pointer.truncate(length);
    }
}

fn check(shape: &Shape, value: &mut Value, pointer: &mut String, problems: &mut Problems) {
    match shape {
        Shape::Id(most) => {
            if !value.as_str().is_some_and(|text| is_id(text, *most)) {
                problems.add(pointer, format!("must be a string of 1 to {most} of A-Z a-z 0-9 _ . : -"));
            }
        }
        Shape::Integer(least, most) => {
            if !value.as_i64().is_some_and(|n| (*least..=*most).contains(&n)) {
                problems.add(pointer, format!("must be an integer from {least} to {most}"));
            }
        }
        Shape::Flag => {
            if !value.is_boolean() {
                problems.add(pointer, "must be true or false");
            }
        }
        Shape::Currency => {
            if value.as_str().is_none_or(|code| Currency::parse(code).is_err()) {
                problems.add(pointer, "must be an upper-case ISO 4217 currency code that is known");
            }
        }
        Shape::Instant => {
            if serde_json::from_value::<Timestamp>(value.clone()).is_err() {
                problems.add(pointer, "must be an RFC 3339 date and time with its offset");
            }
        }
        Shape::OneOf(words) => {
            if !value.as_str().is_some_and(|word| words.contains(&word)) {
                problems.add(pointer, format!("must be one of: {}", words.join(", ")));
            }
        }
        Shape::List(most, of) => check_list(*most, of, value, pointer, problems),
        Shape::Object(fields) => check_fields(fields, value, pointer, problems),
    }
}

fn check_list(most: usize, of: &Shape, value: &mut Value, pointer: &mut String, problems: &mut Problems) {
    let Value::Array(list) = value else {
        problems.add(pointer, "must be a list");
        return;
    };
    if list.len() > most {
        problems.add(pointer, format!("has {} elements, at most {most} are taken", list.len()));
        return;
    }
    let length = pointer.len();
    for (at, element) in list.iter_mut().enumerate() {
        push_name(pointer, &at.to_string());
        check(of, element, pointer, problems);
        pointer.truncate(length);
    }
}

/// The shape that `domain` gives its ids.
pub(super) fn is_id(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}
