//! Problem documents, as answers of operations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::docs::example;
use crate::problem::{Code, PROBLEM_JSON};

/// Members of a problem document that only some codes have stand beside these.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "Where the code is explained." },
            "title": { "type": "string", "description": "The same for every problem of the code." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the answer." },
            "detail": { "type": "string", "description": "What is wrong here, for people." },
            "code": { "type": "string", "enum": names(Code::ALL.iter()), "description": "What is wrong, for programs." },
            "request_id": { "type": "string", "description": "Names the request in the log of the service." },
            "errors": {
                "type": "array", "description": "Every field that is wrong.",
                "items": {
                    "type": "object", "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "JSON pointer (RFC 6901) into the body." },
                        "detail": { "type": "string", "description": "What is wrong with it." },
                    },
                },
            },
        },
    })
}

/// The problems that operations answer: each set of codes of one status once, whoever answers it.
#[derive(Default)]
pub(super) struct Problems {
    /// What they have, by name.
    pub(super) schemas: Map<String, Value>,
    /// Whole answers, by the same names.
    pub(super) responses: Map<String, Value>,
}

impl Problems {
    /// The answers for these codes: one for each status.
    pub(super) fn answers(&mut self, codes: &[Code]) -> Map<String, Value> {
        let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
        for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
            by_status.entry(code.status().as_u16()).or_default().push(*code);
        }
        let by_status = by_status.into_iter();
        by_status.map(|(status, codes)| (status.to_string(), self.answer(status, &codes))).collect()
    }

    fn answer(&mut self, status: u16, codes: &[Code]) -> Value {
        let name =
            format!("Problem{status}{}", codes.iter().map(|code| camel(code.name())).collect::<String>());
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        if self.responses.contains_key(&name) {
            return reference;
        }
        let narrowed = json!({ "properties": {
            "status": { "type": "integer", "enum": [status] }, "code": { "type": "string", "enum": names(codes.iter()) },
        } });
        let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Problem" }, narrowed] });
        self.schemas.insert(name.clone(), schema);
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.responses.insert(name, response(status, codes, &schema));
        reference
    }
}

fn response(status: u16, codes: &[Code], schema: &Value) -> Value {
    let each: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}. {}", code.name(), code.title(), code.help())).collect();
    let examples: Map<String, Value> = codes
        .iter()
        .map(|code| (code.name().to_owned(), json!({ "summary": code.title(), "value": example(*code) })))
        .collect();
    let mut answer = json!({
        "description": each.join("\n\n"),
        "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
    });
    if matches!(status, 429 | 503) {
        let seconds =
            json!({ "schema": { "type": "integer" }, "description": "Seconds until it may be otherwise." });
        answer["headers"] = json!({ "Retry-After": seconds });
    }
    answer
}

/// `not_found` as `NotFound`.
fn camel(name: &str) -> String {
    let words = name.split('_').filter_map(|word| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>())
    });
    words.collect()
}

fn names<'a>(codes: impl Iterator<Item = &'a Code>) -> Vec<&'static str> {
    codes.map(|code| code.name()).collect()
}
