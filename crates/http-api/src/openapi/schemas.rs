//! Schemas of the code's own types, as the API writes them.

use domain::{BuyerId, CaptureId, CouponCode, OrderId, ShopId, Sku};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::problems::{self, Problems};
use crate::problem::Code;
use crate::views::POSITIONS;

/// Collects what answers are made of.
pub(super) struct Schemas {
    answers: SchemaGenerator,
    pub(super) problems: Problems,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| settings.definitions_path = "/components/schemas".into())
            .with_transform(RecursiveTransform(publish_positions))
            .with_transform(RecursiveTransform(list_words));
        Self { answers: settings.into_generator(), problems: Problems::default() }
    }

    /// Refers to what an answer has.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// A list of all.
    pub(super) fn list<T: JsonSchema>(&mut self) -> Value {
        let of = self.of::<T>();
        list(&of)
    }

    /// One page of a list.
    pub(super) fn page<T: JsonSchema>(&mut self) -> Value {
        let of = self.of::<T>();
        page(&of)
    }

    /// What a part of a path looks like.
    pub(super) fn of_path(&mut self, path: &str, name: &str) -> Value {
        match name {
            "code" if path.starts_with("/docs/") => {
                let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
                json!({ "type": "string", "enum": codes })
            }
            "code" => self.of::<CouponCode>(),
            "order" => self.of::<OrderId>(),
            "sku" => self.of::<Sku>(),
            "buyer" => self.of::<BuyerId>(),
            "payment" => self.of::<CaptureId>(),
            "shop" => self.of::<ShopId>(),
            "position" => position(),
            "name" => super::name(),
            _ => json!({ "type": "string", "minLength": 1 }),
        }
    }

    /// All that was referred to: schemas, and answers.
    pub(super) fn into_components(mut self) -> (Map<String, Value>, Map<String, Value>) {
        let Problems { schemas, responses } = self.problems;
        let mut all = self.answers.take_definitions(true);
        all.insert("Problem".to_owned(), problems::schema());
        all.extend(schemas);
        (all, responses)
    }
}

/// What a body may have: a schema that stands for itself.
pub(super) fn body<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let settings = settings.with_transform(RecursiveTransform(list_words));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

pub(super) fn list(of: &Value) -> Value {
    let data = json!({ "type": "array", "items": of, "description": "All of them." });
    json!({ "type": "object", "required": ["data"], "properties": { "data": data } })
}

pub(super) fn page(of: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next_cursor", "has_more"],
        "properties": {
            "data": { "type": "array", "items": of, "description": "What the page has." },
            "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins." },
            "has_more": { "type": "boolean", "description": "Whether there is a next page." },
        },
    })
}

/// A position, as clients see and write it.
pub(super) fn position() -> Value {
    json!({
        "type": "string", "pattern": "^[0-9]+-[0-9]+$", "description": "A place in the log: <epoch>-<position>.",
    })
}

/// As `views::public` does with what is written.
fn publish_positions(schema: &mut Schema) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for name in POSITIONS {
        let Some(property) = properties.get_mut(name) else { continue };
        let text = property.to_string();
        if text.contains("/Position\"") {
            let is_nullable = text.contains("null");
            *property = position();
            if is_nullable {
                property["type"] = json!(["string", "null"]);
            }
        }
    }
}

/// One of several words as `enum`: as alternatives, each with a meaning of its own, generators of clients take them for types.
/// What each means goes into the description.
fn list_words(schema: &mut Schema) {
    let Some(Value::Array(alternatives)) = schema.get("oneOf") else { return };
    let (mut words, mut meanings) = (Vec::new(), Vec::new());
    for alternative in alternatives {
        match (&alternative["const"], &alternative["enum"]) {
            (Value::String(word), _) => {
                let meaning = alternative["description"].as_str();
                meanings.extend(meaning.map(|meaning| format!("`{word}`: {meaning}")));
                words.push(word.clone().into());
            }
            (_, Value::Array(several)) => words.extend(several.iter().cloned()),
            _ => return,
        }
    }
    let said = schema.get("description").and_then(Value::as_str).map(str::to_owned);
    let description: Vec<String> = said.into_iter().chain(meanings).collect();
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), Value::Array(words));
    schema.insert("description".to_owned(), description.join("\n\n").into());
}
