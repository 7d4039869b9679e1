//! From a type to the document that is published.

use std::collections::BTreeSet;

use domain::MINOR_MAX;
use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use super::SCHEMAS_PATH;

/// What makes schemas of what is written, in the profile of entries.
pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(keep_profile))
        .into_generator()
}

/// Entries have no null and no integer beyond 2^53 - 1, whatever the type would allow; and what is no field today may be
/// one tomorrow, whatever a command's reader refuses.
fn keep_profile(schema: &mut Schema) {
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
    // What a reader of commands takes for what is absent; what is written says it.
    schema.remove("default");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    let is_null = |option: &Value| option.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(options)) = schema.get_mut("anyOf") {
        options.retain(|option| !is_null(option));
        if let [Value::Object(one)] = options.as_slice() {
            let one = one.clone();
            schema.remove("anyOf");
            one.into_iter().for_each(|(name, value)| drop(schema.insert(name, value)));
        }
    }
    if schema.get("type").is_some_and(|name| name == "integer") {
        schema.remove("format");
        let bounds = [("minimum", json!(-MINOR_MAX)), ("maximum", json!(MINOR_MAX))];
        for (name, bound) in bounds {
            if schema.get(name).is_none() {
                schema.insert(name.to_owned(), bound);
            }
        }
    }
}

/// The whole document, which needs no other.
pub(super) fn document(mut schema: Value, path: &str, title: &str, summary: &str) -> Value {
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$id"] = json!(format!("{SCHEMAS_PATH}{path}"));
    schema["title"] = json!(title);
    schema["description"] = json!(summary);
    drop_unused(&mut schema);
    schema
}

/// Leaves out the definitions that nothing refers to.
fn drop_unused(schema: &mut Value) {
    let Some(Value::Object(definitions)) = schema.as_object_mut().and_then(|root| root.remove("$defs"))
    else {
        return;
    };
    let mut used = BTreeSet::new();
    let mut open = vec![&*schema];
    while let Some(part) = open.pop() {
        for name in referred_to(part) {
            if let Some((name, definition)) = definitions.get_key_value(&name)
                && used.insert(name.clone())
            {
                open.push(definition);
            }
        }
    }
    let kept: serde_json::Map<_, _> = definitions
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .map(|(name, definition)| (name.clone(), definition.clone()))
        .collect();
    if !kept.is_empty() {
        schema["$defs"] = Value::Object(kept);
    }
}

fn referred_to(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            let name = name.and_then(|reference| reference.strip_prefix("#/$defs/")).map(str::to_owned);
            name.into_iter().chain(members.values().flat_map(referred_to)).collect()
        }
        Value::Array(items) => items.iter().flat_map(referred_to).collect(),
        _ => Vec::new(),
    }
}

/// Allows only what is named, at every depth.
pub(super) fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            // A schema, not a property of that name.
            if members.get("type").is_some_and(|name| name == "object") && members.contains_key("properties")
            {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
