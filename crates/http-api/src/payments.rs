//! `/v1/payments` and `/v1/refunds-due`

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/payments").get(list).post(record).done())
        .service(at("/v1/payments/{payment}/resolve").post(resolve).done())
        .service(at("/v1/refunds-due").get(refunds_due).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_payments(&api, &request).await
}

async fn resolve(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::PaymentResolve, Some(path.into_inner())).await
}

async fn record(api: Shared, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::PaymentRecord, None).await
}

async fn refunds_due(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_refunds_due(&api, &request).await
}
