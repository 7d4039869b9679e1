//! `/v1/orders`

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::{Shared, at};
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/orders").get(list).post(place).done())
        .service(at("/v1/orders/{order}").get(get).done())
        .service(at("/v1/orders/{order}/revise").post(revise).done())
        .service(at("/v1/orders/{order}/cancel").post(cancel).done())
        .service(at("/v1/orders/{order}/ship").post(ship).done())
        .service(at("/v1/orders/{order}/resolve").post(resolve).done());
}

async fn list(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::list_orders(&api, &request).await
}

async fn get(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    views::get_order(&api, &request, &path).await
}

async fn place(api: Shared, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::OrderPlace, None).await
}

macro_rules! on_order {
    ($($name:ident: $kind:ident;)*) => {$(
        async fn $name(
            api: Shared,
            request: HttpRequest,
            path: web::Path<String>,
            payload: web::Payload,
        ) -> Result<HttpResponse, Problem> {
            commands::submit(api, request, payload, CommandKind::$kind, Some(path.into_inner())).await
        }
    )*};
}

on_order! {
    revise: OrderRevise;
    cancel: OrderCancel;
    ship: OrderShip;
    resolve: OrderResolve;
}
