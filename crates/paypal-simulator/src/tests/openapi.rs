//! Answers against PayPal's published OpenAPI documents.
//!
//! The documents are not part of the project. Where `openapi/` of `PAYPAL_VECTORS` (by default `../shared/paypal` beside the
//! working copy) has them, under the names they have in `paypal/paypal-rest-api-specifications`, every answer is validated
//! against its schema there. What a client relies on is stated here by hand, and checked always.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use super::api::{AUTHORITY, Api, json, postback};
use super::{WEBHOOK_ID, at, story};
use crate::{Endpoint, EventKind, Fault, Webhook, sign};

const NOTIFICATIONS: &str = "notifications_webhooks_v1.json";
const PAYMENTS: &str = "payments_payment_v2.json";
const SALES: &str = "payments_payment_v1.json";
const ORDERS: &str = "checkout_orders_v2.json";

struct Answered {
    document: &'static str,
    schema: &'static str,
    body: Value,
}

/// An answer of every kind, each with the schema that PayPal's documents give for it.
async fn answers() -> Vec<Answered> {
    let api = Api::start().await;
    api.paypal.subscribe(Webhook::new(WEBHOOK_ID, "https://shop.example.test/webhooks/paypal/main")).unwrap();
    let mut answers = Vec::new();
    let story = story();
    let mut last = None;
    for kind in EventKind::ALL {
        let event = api.paypal.happened(&story, *kind).unwrap();
        let body = api.read(&format!("/v1/notifications/webhooks-events/{}", event.id)).await;
        answers.push(Answered { document: NOTIFICATIONS, schema: "event", body });
        last = Some(event);
        let resources = [
            (PAYMENTS, "capture-2", format!("/v2/payments/captures/{}", story.capture)),
            (SALES, "sale", format!("/v1/payments/sale/{}", story.capture)),
            (ORDERS, "order", format!("/v2/checkout/orders/{}", story.paypal_order)),
        ];
        for (document, schema, path) in resources {
            let answer = api.get(&path).await;
            // The document of version 1 has one schema for all errors.
            let error = if document == SALES { "error" } else { "error_404" };
            let schema = if answer.status().is_success() { schema } else { error };
            answers.push(Answered { document, schema, body: json(answer).await });
        }
    }
    let event = last.unwrap();
    let headers = sign(&AUTHORITY, WEBHOOK_ID, &event.body, at());
    let postback = postback(WEBHOOK_ID, &headers, &event.body);
    answers.push(Answered {
        document: NOTIFICATIONS,
        schema: "verify_webhook_signature",
        body: serde_json::from_str(&postback).unwrap(),
    });
    let post = |path: &str| api.request(Method::POST, path);
    let verify = "/v1/notifications/verify-webhook-signature";
    let resend = format!("/v1/notifications/webhooks-events/{}/resend", event.id);
    let get = |path: &str| api.request(Method::GET, path);
    let webhook = format!("/v1/notifications/webhooks/{WEBHOOK_ID}");
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    let requests = [
        ("EventList", get("/v1/notifications/webhooks-events?page_size=3")),
        ("WebhookList", get("/v1/notifications/webhooks")),
        ("webhook", get(&webhook)),
        ("event", post(&resend)),
        ("verify_webhook_signature_response", post(verify).body(postback)),
        ("error", post(verify).body("{}")),
        ("error", get("/v1/notifications/webhooks-events?page_size=0")),
        ("error_404", get("/v1/notifications/webhooks/NONE")),
        ("error_401", stranger.get(format!("{}/v1/notifications/webhooks", api.paypal.url()))),
    ];
    for (schema, request) in requests {
        let body = json(request.send().await.unwrap()).await;
        answers.push(Answered { document: NOTIFICATIONS, schema, body });
    }
    let faults = [
        (Fault::InternalError, "error_500"),
        (Fault::Unavailable, "error_503"),
        (Fault::TooManyRequests { retry_after_s: 1 }, "error"),
    ];
    for (fault, schema) in faults {
        api.paypal.faults().set(Endpoint::Webhooks, fault);
        let body = json(api.get("/v1/notifications/webhooks").await).await;
        answers.push(Answered { document: NOTIFICATIONS, schema, body });
    }
    answers
}

/// The folder of the documents, or `None`, saying so.
fn documents() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/paypal");
    let folder = std::env::var_os("PAYPAL_VECTORS").map_or_else(beside, PathBuf::from).join("openapi");
    let there = folder.is_dir();
    if !there {
        println!("skipped: no OpenAPI documents in {} (set PAYPAL_VECTORS)", folder.display());
    }
    there.then_some(folder)
}

#[tokio::test]
async fn answers_are_valid_by_paypals_own_documents_where_they_are_at_hand() {
    let Some(folder) = documents() else { return };
    let mut wrong = Vec::new();
    for Answered { document, schema, body } in answers().await {
        let text = std::fs::read(folder.join(document)).unwrap();
        let mut root: Value = serde_json::from_slice(&text).unwrap();
        root["$ref"] = json!(format!("#/components/schemas/{schema}"));
        let validator = jsonschema::draft4::new(&root).unwrap();
        for error in validator.iter_errors(&body) {
            wrong.push(format!("{document} {schema} {}: {error}", error.instance_path()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Required fields, enums and forms of the published schemas, as far as a client relies on them.
fn stated(schema: &str) -> Value {
    let text = json!({"type": "string"});
    let money = json!({
        "type": "object",
        "required": ["currency_code", "value"],
        "properties": {
            "currency_code": {"type": "string", "minLength": 3, "maxLength": 3},
            "value": {"type": "string", "maxLength": 32, "pattern": r"^((-?[0-9]+)|(-?([0-9]+)?[.][0-9]+))$"},
        },
    });
    let links = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["href", "rel"],
            "properties": {"href": text, "rel": text, "method": {"enum": ["GET", "POST", "PATCH"]}},
        },
    });
    let related = json!({"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^[A-Z0-9]+$"});
    let capture = json!({
        "type": "object",
        "required": ["id", "status", "amount", "links", "create_time", "update_time"],
        "properties": {
            "status": {"enum": ["COMPLETED", "DECLINED", "PARTIALLY_REFUNDED", "PENDING", "REFUNDED", "FAILED"]},
            "amount": money,
            "custom_id": {"type": "string", "maxLength": 127},
            "supplementary_data": {"properties": {"related_ids": {"properties": {"order_id": related}}}},
            "links": links,
        },
    });
    let event = json!({
        "type": "object",
        "required": ["id", "create_time", "resource_type", "event_type", "summary", "resource", "links"],
        "properties": {
            "id": text,
            "event_version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"},
            "resource": {"type": "object"},
            "links": links,
        },
    });
    let webhook = json!({
        "type": "object",
        "required": ["id", "url", "event_types"],
        "properties": {
            "url": {"type": "string", "maxLength": 2048},
            "event_types": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            "links": links,
        },
    });
    match schema {
        "event" => event,
        "EventList" => json!({
            "type": "object",
            "required": ["events", "count", "links"],
            "properties": {
                "events": {"type": "array", "maxItems": 300, "items": event},
                "count": {"type": "integer"},
                "links": links,
            },
        }),
        "webhook" => webhook,
        "WebhookList" => json!({"required": ["webhooks"], "properties": {"webhooks": {"items": webhook}}}),
        "verify_webhook_signature_response" => json!({
            "required": ["verification_status"],
            "properties": {"verification_status": {"enum": ["SUCCESS", "FAILURE"]}},
        }),
        "capture-2" => capture,
        "sale" => json!({
            "required": ["id", "state", "amount", "create_time"],
            "properties": {
                "state": {"enum": ["completed", "partially_refunded", "pending", "refunded", "denied"]},
                "amount": {"required": ["currency", "total"]},
                "links": links,
            },
        }),
        "order" => json!({
            "required": ["id", "status", "intent", "purchase_units", "links"],
            "properties": {
                "status": {
                    "enum": ["CREATED", "SAVED", "APPROVED", "VOIDED", "COMPLETED", "PAYER_ACTION_REQUIRED"],
                },
                "intent": {"enum": ["CAPTURE", "AUTHORIZE"]},
                "purchase_units": {
                    "minItems": 1,
                    "maxItems": 10,
                    "items": {
                        "required": ["amount"],
                        "properties": {
                            "amount": money,
                            "payments": {"properties": {"captures": {"items": capture}}},
                        },
                    },
                },
                "links": links,
            },
        }),
        "verify_webhook_signature" => json!({
            "required": [
                "auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time",
                "webhook_id", "webhook_event",
            ],
        }),
        error if error.starts_with("error") => json!({
            "required": ["name", "message", "debug_id"],
            "properties": {
                "name": {"type": "string", "pattern": "^[A-Z_]+$"},
                "details": {
                    "items": {
                        "required": ["issue"],
                        "properties": {"location": {"enum": ["body", "path", "query"]}},
                    },
                },
            },
        }),
        other => panic!("no schema is stated for {other}"),
    }
}

#[tokio::test]
async fn answers_have_the_fields_enums_and_forms_that_paypal_publishes() {
    for Answered { schema, body, .. } in answers().await {
        let validator = jsonschema::draft7::new(&stated(schema)).unwrap();
        let wrong: Vec<_> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{schema}: {}\n{body:#}", wrong.join("\n"));
    }
}
