//! `/openapi.json`: every operation with what it takes and everything that it answers. Public: it says nothing of any shop.
//!
//! Schemas come from the types that are written and the shapes that commands are checked by, roles from what handlers ask for,
//! and a test compares the operations with the routes.

mod commands;
mod downstream;
mod operation;
mod problems;
mod reads;
mod schemas;
mod service;
#[cfg(test)]
mod tests;
mod words;

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::methods::at;
use operation::Operation;
use schemas::Schemas;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/openapi.json").get(get).done());
}

async fn get() -> HttpResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(TEXT.as_str())
}

/// The document. Its server is where it was got from.
pub(crate) fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    let operations = service::operations()
        .into_iter()
        .chain(commands::operations(&mut schemas))
        .chain(reads::operations(&mut schemas))
        .chain(downstream::operations(&mut schemas));
    for operation in operations.collect::<Vec<Operation>>() {
        operation.write(&mut schemas, &mut paths);
    }
    let (schemas, responses) = schemas.into_components();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Counterfoil",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Between PayPal and a shop's back end.",
            "description": "Every error is a problem document (RFC 9457). A method that a path does not know is answered 405 \
                `method_not_allowed`, and a path that is none 404 `not_found`. What happens is told by events: see /asyncapi.json.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": { "apiKey": {
                "type": "http", "scheme": "bearer",
                "description": "An API key, cf_.., which is of one shop and has roles: shop, feed, audit, operator, viewer. \
                    An operation names those that may ask for it; any one of them is enough.",
            } },
        },
    })
}

/// A name of a consumer or a sink, as `downstream::name` reads it.
fn name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" })
}
