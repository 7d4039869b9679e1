//! A command's body as a JSON Schema, from the shapes that it is checked by.

use serde_json::{Map, Value, json};

use super::shape::{Field, Shape};
use super::{COMMAND_ID_MAX, CommandKind, REASON_MAX};

const ID_PATTERN: &str = "^[A-Za-z0-9_.:-]+$";
const COMMAND_ID_PATTERN: &str = "^[A-Za-z0-9_.:/-]+$";

/// The schema of a command's body. What the path names may stand there too, and says the same.
///
/// The schema says less than the reader: sums, orders of instants, and currencies that are unknown are found by it alone.
#[must_use]
pub fn body(kind: CommandKind, is_named_by_path: bool) -> Value {
    let mut schema = object(kind.fields(), kind.subject().filter(|_| is_named_by_path));
    schema["properties"]["id"] = id();
    schema["properties"]["reason"] = json!({
        "type": ["string", "null"], "maxLength": REASON_MAX,
        "description": "Why, in free text: sealed as evidence.",
    });
    // As conditions and not as alternatives, of which generators of clients make a type each.
    let (condition, then, otherwise) = match kind {
        CommandKind::PaymentResolve => {
            let dismissed =
                json!({ "required": ["dismiss"], "properties": { "dismiss": { "const": true } } });
            ("assign", json!({ "not": dismissed }), dismissed)
        }
        CommandKind::StockAdjust => {
            let counted = json!({ "required": ["on_hand"] });
            ("delta", json!({ "not": counted }), counted)
        }
        _ => return schema,
    };
    schema["if"] = json!({ "required": [condition] });
    schema["then"] = then;
    schema["else"] = otherwise;
    schema
}

/// The schema of one line of a batch of stock.
#[must_use]
pub fn stock_line() -> Value {
    let of = |op: &str, kind| {
        let mut line = body(kind, false);
        line["properties"]["op"] = json!({ "const": op });
        if let Value::Array(required) = &mut line["required"] {
            required.extend(["op".into(), "id".into()]);
        }
        line
    };
    json!({ "oneOf": [
        of("receive", CommandKind::StockReceive),
        of("adjust", CommandKind::StockAdjust),
        of("return", CommandKind::StockReturn),
    ] })
}

/// The schema of a command's id, in the body or as `Idempotency-Key`.
#[must_use]
pub fn id() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": COMMAND_ID_MAX, "pattern": COMMAND_ID_PATTERN,
        "description": "Your id of the command: the same id with the same content counts once.",
    })
}

fn object(fields: &[Field], named_by_path: Option<&str>) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut property = value(&field.shape);
            property["description"] = meaning(field).into();
            (field.name.to_owned(), property)
        })
        .collect();
    let required = fields.iter().filter(|field| field.required && Some(field.name) != named_by_path);
    json!({
        "type": "object",
        "properties": properties,
        "required": required.map(|field| field.name).collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Id(most) => {
            json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": ID_PATTERN })
        }
        Shape::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Currency => json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
        Shape::Instant => json!({ "type": "string", "format": "date-time" }),
        Shape::OneOf(words) => json!({ "type": "string", "enum": words }),
        Shape::List(most, of) => json!({ "type": "array", "maxItems": most, "items": value(of) }),
        Shape::Object(fields) => object(fields, None),
    }
}

/// What a field says. One name says the same in every command, as far as it has the same shape.
fn meaning(field: &Field) -> &'static str {
    match (field.name, &field.shape) {
        ("order", _) => "The shop's id of the order: opaque, for it stands in the log for ever.",
        ("revision", _) => "Which content of the order this is, counted from 0.",
        ("buyer", _) => "The shop's id of the buyer: opaque, never a name or an address.",
        ("currency", _) => "ISO 4217, in upper case. Amounts are in its smallest unit.",
        ("total_minor", _) => "What the buyer is to pay: the sum of the other parts, to the minor unit.",
        ("lines", _) => "Articles, each with how many.",
        ("sku", _) => "The article.",
        ("qty", _) => "How many pieces.",
        ("unit_minor", _) => "The price of one.",
        ("tax_minor", _) => "The tax.",
        ("tax_included", _) => "Whether the prices include the tax, so that it is not added.",
        ("shipping_minor", _) => "Added for shipping.",
        ("handling_minor", _) => "Added for handling.",
        ("insurance_minor", _) => "Added for insurance.",
        ("shipping_discount_minor", _) => "Taken off the shipping.",
        ("discount_minor", _) => "Taken off, but by coupons and points.",
        ("coupons", Shape::List(..)) => "Coupons, each with what it takes off.",
        ("points", Shape::Object(_)) => "Points that the buyer spends on the order, and earns by it.",
        ("points", Shape::Integer(..)) => "How many points.",
        ("spend", _) => "How many points are spent.",
        ("earn", _) => "How many points are earned when it is paid.",
        ("minor", _) => "The amount, in the smallest unit of the currency.",
        ("code", _) => "The coupon.",
        ("paypal_order_id", _) => "PayPal's id of its order, where it is known by now.",
        ("hold_s", _) => {
            "For how many seconds an unpaid order holds what it needs; else as the settings say."
        }
        ("ship_to", _) => "Where to, as an opaque reference.",
        ("action", _) => "`accept` takes it as paid, `retry` tries to take what it needs, `close` ends it.",
        ("provider", _) => "Through whom the money came.",
        ("payment", _) => "The provider's id of the payment: the same one counts once.",
        ("amount_minor", _) => "What came, in the smallest unit of the currency.",
        ("capture", _) => "PayPal's id of the capture.",
        ("assign", _) => "The order that it is for.",
        ("dismiss", _) => "Set it aside for good: said, never meant by an empty body.",
        ("delta", _) => "By how many pieces the count differs.",
        ("on_hand", _) => "How many pieces were counted.",
        ("max_uses", _) => "How often it can be used in all; else once.",
        ("max_per_buyer", _) => "How often one buyer can use it.",
        ("valid_from", _) => "From when on; judged by the time of the placement.",
        ("valid_until", _) => "Until when; judged by the time of the placement.",
        ("of", _) => "The position of the parked fact.",
        ("tracks", _) => "What Counterfoil keeps; what it does not is neither held nor taken.",
        ("returns", _) => "What comes back at a refund.",
        ("confirm_above", _) => "Captures above these amounts wait until PayPal has confirmed them.",
        ("payee", _) => "The merchant account that must receive the money.",
        ("order_prefix", _) => "What the shop's order ids begin with: other captures are foreign.",
        (_, Shape::Flag) => "Whether this is among it.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommandKind;

    fn without_meaning(schema: &Value, place: &str, found: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}/{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(place.clone());
            }
            without_meaning(property, &place, found);
            without_meaning(&property["items"], &place, found);
        }
    }

    #[test]
    fn every_field_of_every_command_says_what_it_is() {
        let mut found = Vec::new();
        for kind in [
            CommandKind::OrderPlace,
            CommandKind::OrderShip,
            CommandKind::OrderResolve,
            CommandKind::PaymentRecord,
            CommandKind::PaymentResolve,
            CommandKind::StockAdjust,
            CommandKind::CouponIssue,
            CommandKind::PointsGrant,
            CommandKind::Configure,
            CommandKind::Redrive,
        ] {
            without_meaning(&body(kind, false), kind.type_name(), &mut found);
        }
        assert!(found.is_empty(), "{found:?}");
    }
}
