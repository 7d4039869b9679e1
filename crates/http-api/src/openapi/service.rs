//! PayPal's door, the published log, and what the service says of itself.

use access::Role;
use serde_json::json;

use super::operation::{Operation, get, post};
use super::schemas::list;
use crate::problem::Code;

pub(super) fn operations() -> Vec<Operation> {
    let mut operations = itself();
    operations.push(callback());
    operations.push(published());
    let contract = json!({
        "type": "object",
        "required": ["type", "kind", "aggregatetype", "summary", "schema"],
        "properties": {
            "type": { "type": "string", "description": "What an event's `type` says." },
            "kind": {
                "type": "string", "enum": ["fact", "outcome", "note"],
                "description": "The feed has outcomes, unless all kinds are asked for.",
            },
            "aggregatetype": { "type": "string", "description": "What topics, exchanges and subjects go by." },
            "summary": { "type": "string", "description": "When it happens." },
            "schema": { "type": "string", "format": "uri-reference", "description": "Where its JSON Schema is." },
        },
    });
    operations.push(get("/schemas", "list_schemas", "The types of events, each with its schema.").answer(
        200,
        "All of them.",
        Some(list(&contract)),
    ));
    operations
}

fn itself() -> Vec<Operation> {
    let list_of_text =
        |said: &str| json!({ "type": "array", "items": { "type": "string" }, "description": said });
    let any = || json!({ "type": "object" });
    let ready = json!({
        "type": "object",
        "required": ["ready", "database", "relay", "stuck", "forked", "draining"],
        "properties": {
            "ready": { "type": "boolean", "description": "The answer in one word." },
            "database": {
                "type": "string", "enum": ["ok", "unavailable", "slow"], "description": "How the database answers.",
            },
            "relay": { "type": "string", "description": "`ok`, or how the first shop stands that does not get on." },
            "stuck": list_of_text("The shops that do not get on."),
            "forked": list_of_text("The logs that take nothing, and why."),
            "draining": { "type": "boolean", "description": "Whether the process is about to end." },
        },
    });
    vec![
        get("/livez", "is_alive", "Is the process alive?").answers_text("It is."),
        get("/readyz", "is_ready", "May requests be sent here?")
            .answer(200, "They may.", Some(ready))
            .fails(&[Code::Unavailable]),
        get("/metrics", "get_metrics", "What it has done, for Prometheus.").answers_text("Its metrics."),
        page("/docs", "read_docs", "This document, to read."),
        get("/docs/style.css", "get_docs_style", "How the pages look.").answers_with(
            200,
            "A style sheet.",
            [("text/css", json!({ "type": "string" }))],
        ),
        page("/docs/problems", "list_problems", "Every problem that an answer may have."),
        page("/docs/problems/{code}", "explain_problem", "What a problem's code means."),
        get("/schemas/{path}", "get_schema", "What an event's data is.").answers_with(
            200,
            "A JSON Schema.",
            [("application/schema+json", any())],
        ),
        get("/asyncapi.json", "get_asyncapi", "Where which events go.").answer(
            200,
            "An AsyncAPI document.",
            Some(any()),
        ),
        get("/openapi.json", "get_openapi", "This document.").answer(
            200,
            "An OpenAPI document.",
            Some(any()),
        ),
    ]
}

fn page(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    get(path, id, summary).answers_with(200, "A page.", [("text/html", json!({ "type": "string" }))])
}

fn callback() -> Operation {
    let mut operation = post("/webhooks/paypal/{shop}", "receive_callback", "Takes a callback of PayPal's.")
        .body("application/json", json!({ "type": "object", "description": "A webhook event of PayPal's." }))
        .answer(200, "It is in the log.", None)
        .fails(&[
            Code::CallbackMalformed,
            Code::NotAuthentic,
            Code::TransmissionConflict,
            Code::UnknownShop,
            Code::TooManyRequests,
            Code::LogForked,
        ]);
    for (name, description) in [
        ("paypal-transmission-id", "Names the transmission; part of what is signed."),
        ("paypal-transmission-time", "When it was sent; part of what is signed."),
        ("paypal-transmission-sig", "The signature."),
        ("paypal-cert-url", "Where the certificate is."),
        ("paypal-auth-algo", "SHA256withRSA."),
    ] {
        operation = operation.needs_header(name, description);
    }
    operation
}

fn published() -> Operation {
    get("/log/{shop}/{path}", "get_log", "A shop's log as it is published: see c2sp.org/tlog-tiles.")
        .by(&[Role::Audit])
        .answers_with(
            200,
            "A checkpoint, a tile, or a bundle of entries.",
            [
                ("text/plain", json!({ "type": "string" })),
                (
                    "application/octet-stream",
                    json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
                ),
            ],
        )
}
