//! The contracts hold for whatever the rules answer, and are only ever added to.

mod emitted;

use std::collections::BTreeSet;
use std::path::Path;

use domain::{Fact, OutcomeType};
use event_log::NoteType;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Contract, Kind, all, asyncapi, of, schema};

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn every_type_has_a_contract_of_its_own() {
    assert_eq!(all().len(), Fact::TYPES.len() + OutcomeType::ALL.len() + NoteType::ALL.len());
    for (name, source) in Fact::TYPES {
        assert_eq!(of(source.aggregate(), name).map(|contract| contract.kind), Some(Kind::Fact), "{name}");
    }
    for outcome in OutcomeType::ALL {
        let contract = of(outcome.aggregate(), outcome.name()).unwrap();
        assert_eq!(contract.kind, Kind::Outcome, "{}", outcome.name());
        assert_eq!(contract.path, format!("{}.json", outcome.name()));
    }
    let paths: BTreeSet<&str> = all().iter().map(|contract| contract.path.as_str()).collect();
    assert_eq!(paths.len(), all().len());
    assert!(of("order", "no.such").is_none() && schema("../order.paid.json").is_none());
}

#[test]
fn every_schema_is_one_and_needs_no_other() {
    for Contract { path, schema, summary, .. } in all() {
        assert!(jsonschema::meta::is_valid(schema), "{path}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], format!("/schemas/{path}"));
        assert!(summary.ends_with('.') && schema["description"] == *summary, "{path}: {summary}");
        // It is built without anything to fetch others with.
        validator(schema);
        let text = schema.to_string();
        assert!(!text.contains("null") && !text.contains("\"position\":"), "{path}: {text}");
    }
}

fn order_paid() -> Value {
    json!({
        "order": {
            "currency": "EUR", "flags": {}, "fulfilment": "ship", "given_back": {},
            "money": {"captured_minor": 1800, "refund_due_minor": 0, "refunded_minor": 0, "reversed_minor": 0},
            "order": "1042", "paid_at": "2026-11-25T10:00:00.000000Z", "state": "paid", "total_minor": 1800,
            "terms": {
                "hold_s": 3600, "lines": [{"qty": 2, "sku": "tea", "unit_minor": 900}],
                "placed_at": "2026-11-25T09:00:00.000000Z", "revision": 0, "ship_to": "address-7",
                "tracks": {"coupons": true, "points": true, "stock": true},
            },
        },
        "payments": [{"amount_minor": 1800, "currency": "EUR", "id": {"capture": "C1"}, "kind": "capture", "order": "1042",
            "standing": "matched", "state": "captured"}],
        "stock": [{"held": -2, "settled": 2, "sku": "tea"}],
    })
}

/// What a shop needs to act on it alone.
#[test]
fn order_paid_is_refused_without_what_it_takes_to_act_on_it() {
    let paid = validator(schema("order.paid.json").unwrap());
    assert!(
        paid.is_valid(&order_paid()),
        "{:?}",
        paid.iter_errors(&order_paid()).map(|e| e.to_string()).collect::<Vec<_>>()
    );
    for (within, member) in [
        ("/order/terms", "lines"),
        ("/order/terms", "revision"),
        ("/order/terms/lines/0", "sku"),
        ("/order/terms/lines/0", "qty"),
        ("/order", "terms"),
        ("/order", "currency"),
        ("/order", "total_minor"),
        ("/order", "fulfilment"),
        ("/order", "paid_at"),
        ("/order", "order"),
        ("", "order"),
    ] {
        let mut event = order_paid();
        event.pointer_mut(within).unwrap().as_object_mut().unwrap().remove(member).unwrap();
        assert!(!paid.is_valid(&event), "{within}/{member}");
    }
    for (at, wrong) in [
        ("/order/order", json!("an id with spaces")),
        ("/order/total_minor", json!(18.5)),
        ("/order/total_minor", json!(9_007_199_254_740_992_i64)),
        ("/order/paid_at", json!("yesterday")),
        ("/order/state", json!("happy")),
        ("/payments", json!([])),
    ] {
        let mut event = order_paid();
        *event.pointer_mut(at).unwrap() = wrong;
        assert!(!paid.is_valid(&event), "{at}");
    }
    let mut later = order_paid();
    later["order"]["gift_wrapped"] = json!(true);
    assert!(paid.is_valid(&later), "fields are added");
}

/// What the kept schemas promise and the made ones do not any more. Descriptions may change.
fn broken(kept: &Value, made: &Value, at: &str, found: &mut Vec<String>) {
    match (kept, made) {
        (Value::Object(kept), Value::Object(made)) => {
            for (name, kept) in kept {
                if matches!(name.as_str(), "description" | "title") && kept.is_string() {
                    continue;
                }
                match made.get(name) {
                    Some(made) => broken(kept, made, &format!("{at}/{name}"), found),
                    None => found.push(format!("{at}/{name} is gone")),
                }
            }
        }
        (Value::Array(kept), Value::Array(made)) => {
            let gone = kept.iter().filter(|item| !made.contains(item));
            found.extend(gone.map(|item| format!("{at} lacks {item}")));
        }
        _ if kept != made => found.push(format!("{at} was {kept} and is {made}")),
        _ => {}
    }
}

/// All schemas, the definitions that they share once.
fn published() -> Value {
    let (mut definitions, mut schemas) = (serde_json::Map::new(), serde_json::Map::new());
    for contract in all() {
        let mut schema = contract.schema.clone();
        let own = schema.as_object_mut().unwrap().remove("$defs");
        for (name, definition) in own.iter().flat_map(|own| own.as_object().unwrap()) {
            let known = definitions.entry(name.clone()).or_insert_with(|| definition.clone());
            assert_eq!(known, definition, "two definitions of {name}");
        }
        schemas.insert(contract.path.clone(), schema);
    }
    json!({ "$defs": definitions, "schemas": schemas })
}

#[test]
fn contracts_are_only_added_to() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("contract.json");
    let read = || -> Value {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(json!({}))
    };
    let (made, mut found) = (published(), Vec::new());
    broken(&read(), &made, "", &mut found);
    assert!(found.is_empty(), "readers rely on it: {found:#?}");
    if std::env::var_os("CONTRACT_DUMP").is_some() {
        std::fs::write(&file, format!("{made:#}\n")).unwrap();
    }
    assert!(read() == made, "crates/delivery/contract.json is stale: run `make contract-dump`");
}

#[test]
fn what_is_taken_away_or_changed_is_found() {
    let kept = json!({"properties": {"a": {"type": "string", "description": "A."}}, "required": ["a"], "oneOf": [1, 2]});
    let breaks = |made: &Value| {
        let mut found = Vec::new();
        broken(&kept, made, "", &mut found);
        found.len()
    };
    let mut more = kept.clone();
    more["properties"]["b"] = json!({"type": "integer"});
    more["properties"]["a"]["description"] = json!("Better said.");
    more["oneOf"] = json!([1, 3, 2]);
    assert_eq!((breaks(&kept), breaks(&more)), (0, 0));
    for (at, less) in [
        ("/properties", json!({})),
        ("/properties/a/type", json!("integer")),
        ("/required", json!([])),
        ("/oneOf", json!([2])),
    ] {
        let mut made = kept.clone();
        *made.pointer_mut(at).unwrap() = less;
        assert_eq!(breaks(&made), 1, "{at}");
    }
}

#[test]
fn the_asyncapi_document_refers_only_to_what_is_there() {
    let document = asyncapi("https://shop.example:8443/counterfoil/");
    assert_eq!(document["asyncapi"], "3.0.0");
    let feed = &document["servers"]["feed"];
    assert_eq!((&feed["host"], &feed["pathname"]), (&json!("shop.example:8443"), &json!("/counterfoil")));
    assert_eq!(document["channels"]["kafka.order"]["address"], "outbox.event.order");
    assert_eq!(document["channels"]["rabbitmq.order"]["address"], "order.{event}");
    assert_eq!(document["channels"]["nats.order"]["address"], "outbox.order.{event}.{aggregateid}");
    assert!(
        document["channels"]["rabbitmq.order"]["parameters"]["event"]["enum"]
            .as_array()
            .unwrap()
            .contains(&json!("paid"))
    );
    assert_eq!(document["channels"]["feed"]["messages"].as_object().unwrap().len(), all().len());
    let mut open = vec![&document];
    let mut referred = 0;
    while let Some(part) = open.pop() {
        match part {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            _ => {}
        }
        let Some(reference) = part.get("$ref").and_then(Value::as_str) else { continue };
        referred += 1;
        match reference.strip_prefix("https://shop.example:8443/counterfoil/schemas/") {
            Some(path) => assert!(schema(path).is_some(), "{reference}"),
            None => assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}"),
        }
    }
    assert!(referred > 300, "{referred}");
}
