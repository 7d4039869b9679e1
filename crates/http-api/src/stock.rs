//! `/v1/stock`

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/stock").get(list).done())
        .service(at("/v1/stock/{sku}").get(get).done())
        .service(at("/v1/stock/{sku}/receive").post(receive).done())
        .service(at("/v1/stock/{sku}/adjust").post(adjust).done())
        .service(at("/v1/stock/{sku}/return").post(take_back).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_stock(&api, &request).await
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    views::get_stock(&api, &request, &path).await
}

async fn receive(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::StockReceive, Some(path.into_inner())).await
}

async fn adjust(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::StockAdjust, Some(path.into_inner())).await
}

async fn take_back(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::StockReturn, Some(path.into_inner())).await
}
