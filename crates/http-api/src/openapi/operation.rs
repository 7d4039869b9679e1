//! One operation: what it takes, who may ask for it, and everything that it may answer.

use access::Role;
use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use super::words;
use crate::problem::Code;

/// What any request may be answered, before its path is looked at or when something is broken.
const ALWAYS: &[Code] = &[Code::UriTooLong, Code::HeadersTooLarge, Code::Internal];
/// What a request that needs a key may be answered.
const KEYED: &[Code] = &[
    Code::Unauthorized,
    Code::Forbidden,
    Code::TooManyRequests,
    Code::UnknownShop,
    Code::Unavailable,
    Code::LogForked,
];
/// What a request with a body may be answered while the body is read.
const BODY: &[Code] =
    &[Code::BadRequest, Code::Timeout, Code::TooLarge, Code::UnsupportedMediaType, Code::Unavailable];

/// An operation, as it is described.
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    roles: &'static [Role],
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    problems: Vec<Code>,
}

macro_rules! methods {
    ($($method:ident)*) => {$(
        /// Begins an operation of this method.
        pub(super) fn $method(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
            Operation::new(stringify!($method), path, id, summary)
        }
    )*};
}

methods! { get post put delete }

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        let mut problems = ALWAYS.to_vec();
        if path.contains('{') {
            // Also where a part of the path is empty, which is another path.
            problems.push(Code::NotFound);
        }
        Self {
            method,
            path,
            id,
            summary,
            roles: &[],
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            problems,
        }
    }

    /// A key with any of these roles may ask for it.
    pub(super) fn by(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self.fails(KEYED)
    }

    /// It takes this query parameter.
    pub(super) fn query(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter("query", name, schema, description).fails(&[Code::InvalidQuery])
    }

    /// It takes `cursor` and `limit`.
    pub(super) fn paged(self) -> Self {
        self.query("cursor", json!({ "type": "string" }), "The `next_cursor` of the page before.").limited(50)
    }

    /// It takes `limit`.
    pub(super) fn limited(self, default: u32) -> Self {
        let schema = json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": default });
        self.query("limit", schema, "The most that one page has.")
    }

    /// It heeds this header.
    pub(super) fn header(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter("header", name, schema, description)
    }

    /// It cannot do without this header.
    pub(super) fn needs_header(self, name: &str, description: &str) -> Self {
        self.header(name, json!({ "type": "string", "minLength": 1 }), description).required()
    }

    /// It cannot do without this query parameter.
    pub(super) fn needs_query(self, name: &str, schema: Value, description: &str) -> Self {
        self.query(name, schema, description).required()
    }

    fn required(mut self) -> Self {
        if let Some(parameter) = self.parameters.last_mut() {
            parameter["required"] = true.into();
        }
        self
    }

    /// It heeds `Prefer: wait`.
    pub(super) fn waits(self) -> Self {
        let schema = json!({ "type": "string", "pattern": "^wait=[0-9]{1,2}$" });
        self.header("Prefer", schema, "`wait=5`: waits so many seconds, at most 30, for what comes of it.")
    }

    /// It belongs to the trace of whoever asks.
    pub(super) fn traced(self) -> Self {
        let schema = json!({
            "type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
        });
        let said = "The trace that it is a part of (W3C Trace Context); another text is passed over.";
        self.header("traceparent", schema, said)
    }

    /// It heeds `If-None-Match`.
    pub(super) fn conditional(self) -> Self {
        self.header("If-None-Match", json!({ "type": "string" }), "The ETag of what is known.").answer(
            304,
            "Nothing has changed.",
            None,
        )
    }

    fn parameter(mut self, place: &str, name: &str, schema: Value, description: &str) -> Self {
        self.parameters
            .push(json!({ "name": name, "in": place, "schema": schema, "description": description }));
        self
    }

    /// It takes a JSON body.
    pub(super) fn json(self, schema: Value) -> Self {
        self.body("application/json", schema).fails(&[Code::MalformedJson, Code::InvalidCommand])
    }

    /// It takes a body of this media type.
    pub(super) fn body(mut self, media_type: &str, schema: Value) -> Self {
        let is_required = schema["required"].as_array().is_some_and(|required| !required.is_empty());
        let content: Map<_, _> = [(media_type.to_owned(), json!({ "schema": schema }))].into_iter().collect();
        self.body = Some(json!({ "content": content, "required": is_required }));
        self.fails(BODY)
    }

    /// It answers with JSON, or with nothing.
    pub(super) fn answer(self, status: u16, description: &str, schema: Option<Value>) -> Self {
        self.answers_with(status, description, schema.map(|schema| ("application/json", schema)))
    }

    /// It answers with these media types.
    pub(super) fn answers_with(
        mut self,
        status: u16,
        description: &str,
        contents: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Self {
        let contents: Map<_, _> = contents
            .into_iter()
            .map(|(media_type, schema)| (media_type.to_owned(), json!({ "schema": schema })))
            .collect();
        let mut answer = json!({ "description": description });
        if !contents.is_empty() {
            answer["content"] = contents.into();
        }
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// It answers text.
    pub(super) fn answers_text(self, description: &str) -> Self {
        self.answers_with(200, description, [("text/plain", json!({ "type": "string" }))])
    }

    /// It may fail so.
    pub(super) fn fails(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Adds it to the document's paths.
    pub(super) fn write(mut self, schemas: &mut Schemas, paths: &mut Map<String, Value>) {
        let mut parameters = path_parameters(self.path, schemas);
        parameters.append(&mut self.parameters);
        let mut operation = json!({
            "operationId": self.id, "summary": self.summary, "description": words::description(self.id),
            "tags": [tag(self.path)],
        });
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(mut body) = self.body {
            words::add_request(self.id, &mut body["content"]);
            operation["requestBody"] = body;
        }
        for (status, answer) in &mut self.answers {
            words::add_answer(self.id, status, answer.get_mut("content").unwrap_or(&mut Value::Null));
        }
        self.answers.extend(schemas.problems.answers(&self.problems));
        operation["responses"] = self.answers.into();
        // Any of the roles is enough.
        let each = self.roles.iter().map(|role| json!({ "apiKey": [role.name()] }));
        operation["security"] = each.collect();
        let path = paths.entry(self.path).or_insert_with(|| json!({}));
        path[self.method] = operation;
    }
}

/// What it is about: `orders` of `/v1/orders/{order}/ship`.
fn tag(path: &str) -> &str {
    let mut parts = path.split(['/', ':']).skip(1);
    match (parts.next(), parts.next()) {
        (Some("v1"), Some(about)) => about,
        (Some("webhooks"), _) => "webhooks",
        (Some("log"), _) => "log",
        _ => "service",
    }
}

fn path_parameters(path: &str, schemas: &mut Schemas) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let mut parameter = json!({
                "name": name, "in": "path", "required": true, "schema": schemas.of_path(path, name),
            });
            if let Some(example) = example(path, name) {
                parameter["example"] = example.into();
            }
            parameter
        })
        .collect()
}

fn example(path: &str, name: &str) -> Option<&'static str> {
    Some(match name {
        "shop" => "demo",
        "order" => "1042",
        "sku" => "tea",
        "code" if path.starts_with("/docs/") => Code::NotFound.name(),
        "code" => "TEN",
        "buyer" => "b-7",
        "position" => "0-1",
        "name" => "books",
        "path" if path.starts_with("/schemas/") => "order.paid.json",
        "path" => "checkpoint",
        _ => return None,
    })
}
