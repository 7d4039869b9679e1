//! The document is whole: every route, every reference.

use std::collections::BTreeSet;

use actix_web::App;
use serde_json::Value;

use super::document;
use crate::app::configure;
use crate::methods::registered;

fn described() -> BTreeSet<(String, String)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect()
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    drop(App::new().configure(configure));
    let routes: BTreeSet<_> =
        registered().into_iter().map(|(path, method)| (path.replace(":.*}", "}"), method)).collect();
    assert!(routes.len() > 50);
    assert_eq!(described(), routes);
}

#[test]
fn every_operation_has_an_id_of_its_own_and_answers_something_else_than_problems() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(part: &Value, document: &Value) {
        match part {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|member| check(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            _ => {}
        }
    }
    let document = document();
    check(&document, &document);
}

/// Each operation, with its id.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    operations.map(|operation| (operation["operationId"].as_str().unwrap(), operation))
}

/// The bodies of an operation: what it takes, and what it answers, each with where it stands.
fn bodies<'d>(document: &'d Value, id: &str, operation: &'d Value) -> Vec<(String, &'d Value)> {
    let resolved = |answer: &'d Value| match answer["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap(),
        None => answer,
    };
    let request = operation.get("requestBody").map(|body| ("request".to_owned(), body));
    let answers = operation["responses"].as_object().unwrap().iter();
    let parts = request.into_iter().chain(answers.map(|(status, answer)| (status.clone(), resolved(answer))));
    let contents = parts.filter_map(|(part, body)| Some((part, body.get("content")?.as_object()?)));
    contents
        .flat_map(|(part, content)| {
            content.iter().map(move |(media_type, body)| (format!("{id} {part} {media_type}"), body))
        })
        .collect()
}

#[test]
fn every_operation_says_what_it_does_and_nothing_is_said_of_one_that_is_not_there() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (id, operation) in operations(&document) {
        ids.insert(id);
        for word in ["summary", "description"] {
            assert!(operation[word].as_str().is_some_and(|text| text.len() > 5), "{id} has no {word}");
        }
    }
    let lost: Vec<_> = super::words::described().into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn every_body_has_an_example_that_is_as_its_schema_says() {
    let document = document();
    let (mut lacking, mut wrong, mut seen) = (Vec::new(), Vec::new(), 0);
    for (id, operation) in operations(&document) {
        for (place, body) in bodies(&document, id, operation) {
            let examples = body["examples"].as_object().cloned().unwrap_or_default();
            if examples.is_empty() {
                lacking.push(place.clone());
            }
            let mut schema = body["schema"].clone();
            // What it refers to stands in the document.
            schema["components"] = document["components"].clone();
            let validator = jsonschema::validator_for(&schema).unwrap();
            for (name, example) in &examples {
                seen += 1;
                let errors = validator.iter_errors(&example["value"]);
                wrong.extend(
                    errors.map(|error| format!("{place} {name}: {error} at {}", error.instance_path())),
                );
            }
        }
    }
    assert!(lacking.is_empty(), "without an example:\n{}", lacking.join("\n"));
    assert!(wrong.is_empty(), "not as their schemas say:\n{}", wrong.join("\n"));
    assert!(seen > 300, "{seen}");
}

#[test]
fn every_problem_has_an_example_with_its_code_wherever_it_is_answered() {
    let document = document();
    let mut seen = BTreeSet::new();
    for (id, operation) in operations(&document) {
        for (place, body) in
            bodies(&document, id, operation).iter().filter(|(place, _)| place.ends_with("problem+json"))
        {
            let schema = body["schema"]["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
            let schema = document.pointer(schema).unwrap();
            let named = schema["allOf"][1]["properties"]["code"]["enum"].as_array().unwrap();
            for code in named {
                let code = code.as_str().unwrap();
                assert_eq!(body["examples"][code]["value"]["code"], code, "{place}");
                assert_eq!(
                    body["examples"][code]["value"]["type"],
                    format!("/docs/problems/{code}"),
                    "{place}"
                );
                seen.insert(code.to_owned());
            }
        }
    }
    // One is answered where no operation is.
    let all: BTreeSet<String> = crate::Code::ALL.iter().map(|code| code.name().to_owned()).collect();
    let without: Vec<_> = all.difference(&seen).collect();
    assert_eq!(without, ["method_not_allowed"]);
}

/// Where fields stand that say nothing of what they are, but for those that only repeat another's condition.
fn silent_fields(part: &Value, place: &str, found: &mut Vec<String>) {
    let Value::Object(members) = part else { return };
    for (name, field) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let is_said =
            field.get("description").is_some() || field.get("$ref").is_some() || field.get("const").is_some();
        if !is_said {
            found.push(format!("{place}/{name}"));
        }
        silent_fields(field, &format!("{place}/{name}"), found);
    }
    if let Some(items) = members.get("items") {
        silent_fields(items, place, found);
    }
}

#[test]
fn every_field_says_what_it_is() {
    let document = document();
    let mut found = Vec::new();
    for (id, operation) in operations(&document) {
        for (place, body) in bodies(&document, id, operation) {
            silent_fields(&body["schema"], &place, &mut found);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        silent_fields(schema, name, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
