//! The document is whole: every route, every reference.

use std::collections::BTreeSet;

use actix_web::App;
use serde_json::Value;

use super::document;
use crate::app::{configure, registered};

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
