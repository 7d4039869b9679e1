//! `/v1/settings`: what decisions read of the shop itself.

use actix_web::{HttpRequest, HttpResponse, web};
use intake::CommandKind;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::Problem;
use crate::{commands, views};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/settings").get(get).put(configure).done());
}

async fn get(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    views::get_settings(&api, &request).await
}

async fn configure(
    api: Shared,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    commands::submit(api, request, payload, CommandKind::Configure, None).await
}
