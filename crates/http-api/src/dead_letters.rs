//! `/v1/dead-letters`: facts that could not be decided, and the ways past them.

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/dead-letters").get(list).done())
        .service(at("/v1/dead-letters/{position}").get(get).done())
        .service(at("/v1/dead-letters/{position}/redrive").post(redrive).done())
        .service(at("/v1/dead-letters/{position}/dismiss").post(dismiss).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_dead_letters(&api, &request).await
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    views::get_dead_letter(&api, &request, &path).await
}

async fn redrive(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::Redrive, Some(path.into_inner())).await
}

async fn dismiss(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::Dismiss, Some(path.into_inner())).await
}
