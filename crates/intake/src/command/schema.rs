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
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), value(&field.shape))).collect();
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
