//! `/schemas/..` and `/asyncapi.json`: what each event promises. Public: they say nothing of any shop.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use delivery::contract;
use serde_json::json;

use crate::methods::at;
use crate::problem::{Code, Problem};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/schemas").get(list).done())
        .service(at("/schemas/{path:.*}").get(get).done())
        .service(at("/asyncapi.json").get(asyncapi).done());
}

async fn list() -> HttpResponse {
    let contracts = contract::all().iter().map(|contract| {
        json!({
            "type": contract.type_name, "kind": contract.kind, "aggregatetype": contract.aggregate,
            "summary": contract.summary, "schema": format!("{}{}", contract::SCHEMAS_PATH, contract.path),
        })
    });
    HttpResponse::Ok().json(json!({ "data": contracts.collect::<Vec<_>>() }))
}

async fn get(path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let schema = contract::schema(&path)
        .ok_or_else(|| Problem::new(Code::NotFound, "No event has this schema: /schemas lists all."))?;
    Ok(HttpResponse::Ok()
        .content_type("application/schema+json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(schema.to_string()))
}

async fn asyncapi(request: HttpRequest) -> HttpResponse {
    let connection = request.connection_info();
    HttpResponse::Ok().json(contract::asyncapi(&format!("{}://{}", connection.scheme(), connection.host())))
}
