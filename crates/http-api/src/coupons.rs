//! `/v1/coupons`

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/coupons").get(list).done())
        .service(at("/v1/coupons/{code}").get(get).done())
        .service(at("/v1/coupons/{code}/issue").post(issue).done())
        .service(at("/v1/coupons/{code}/void").post(void).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_coupons(&api, &request).await
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    views::get_coupon(&api, &request, &path).await
}

async fn issue(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::CouponIssue, Some(path.into_inner())).await
}

async fn void(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::CouponVoid, Some(path.into_inner())).await
}
