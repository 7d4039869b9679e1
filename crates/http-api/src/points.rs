//! `/v1/points`

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/points").get(list).done())
        .service(at("/v1/points/{buyer}").get(get).done())
        .service(at("/v1/points/{buyer}/grant").post(grant).done())
        .service(at("/v1/points/{buyer}/expire").post(expire).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_points(&api, &request).await
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    views::get_points(&api, &request, &path).await
}

async fn grant(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::PointsGrant, Some(path.into_inner())).await
}

async fn expire(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::PointsExpire, Some(path.into_inner())).await
}
