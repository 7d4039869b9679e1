//! What is said of each operation beside its shape: a description, and examples of what is sent and answered.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// By operation: `# operation_id`, and below it what it does.
static DESCRIPTIONS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let sections = include_str!("operations.md").split("# ").skip(1);
    sections
        .filter_map(|section| section.split_once('\n'))
        .map(|(id, text)| (id.trim(), text.trim()))
        .collect()
});

/// By operation: `request`, and `answers` by status, where there are several media types with theirs behind it.
static EXAMPLES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

/// What the operation does.
pub(super) fn description(id: &str) -> &'static str {
    DESCRIPTIONS.get(id).copied().unwrap_or_default()
}

/// Adds to each media type of a body what it looks like.
pub(super) fn add_request(id: &str, content: &mut Value) {
    let Some(example) = EXAMPLES[id].get("request") else { return };
    for (_, media_type) in members(content) {
        media_type["examples"] = named(id, example);
    }
}

/// Adds to each media type of an answer what it looks like.
pub(super) fn add_answer(id: &str, status: &str, content: &mut Value) {
    let answers = &EXAMPLES[id]["answers"];
    for (name, media_type) in members(content) {
        let example = answers.get(format!("{status} {name}")).or_else(|| answers.get(status));
        if let Some(example) = example {
            media_type["examples"] = named(id, example);
        }
    }
}

fn named(id: &str, example: &Value) -> Value {
    json!({ id: { "value": example } })
}

fn members(content: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    content.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// All that is said, by operation; for the test that each is said of one that is there.
#[cfg(test)]
pub(super) fn described() -> Vec<&'static str> {
    let examples = EXAMPLES.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    DESCRIPTIONS.keys().copied().chain(examples).collect()
}
