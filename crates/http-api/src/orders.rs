//! `/v1/orders`

use std::time::Duration;

use access::Role;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::OrderId;
use intake::CommandKind;
use reconciliation::Error;
use tokio::time::timeout;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::{commands, request, views};

/// The most that asking PayPal about one order takes; what was found until then is in the log.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who may have an order looked up at PayPal.
pub(crate) const SYNCERS: &[Role] = &[Role::Operator, Role::Shop];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/orders").get(list).post(place).done())
        .service(at("/v1/orders/{order}").get(get).done())
        .service(at("/v1/orders/{order}/revise").post(revise).done())
        .service(at("/v1/orders/{order}/cancel").post(cancel).done())
        .service(at("/v1/orders/{order}/ship").post(ship).done())
        .service(at("/v1/orders/{order}/resolve").post(resolve).done())
        .service(at("/v1/orders/{order}/sync").post(sync).done());
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

/// Looks the order up at PayPal at once, brings in what never came, and answers with what was found.
async fn sync(api: Shared, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, SYNCERS).await?;
    let unknown = || Problem::new(Code::NotFound, "There is no such order.");
    let order = OrderId::parse(&path).map_err(|_| unknown())?;
    let reconciler = api.reconciler.clone().ok_or_else(|| not_at_paypal(&Error::NoAccount))?;
    let synced = async move { timeout(PATIENCE, reconciler.sync(&identity.shop, &order)).await };
    match api.run(synced).await? {
        Ok(Ok(found)) => Ok(HttpResponse::Ok().json(found)),
        Ok(Err(Error::UnknownOrder)) => Err(unknown()),
        Ok(Err(error @ (Error::NotAtPaypal | Error::NoAccount))) => Err(not_at_paypal(&error)),
        Ok(Err(error)) => Err(Problem::unavailable("What PayPal knows of the order", &error)),
        Err(_) => Err(Problem::new(Code::Unavailable, "PayPal takes too long to answer.")),
    }
}

fn not_at_paypal(error: &Error) -> Problem {
    Problem::new(Code::NotAtPaypal, format!("{error}."))
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
