//! PayPal's REST API, as far as a shop that listens to webhooks needs it.
//!
//! Statuses, fields and names are those of PayPal's published OpenAPI documents. What these leave open (how pages are linked,
//! how far back events go, what an expired token is told) is a guess that is written down where it is made.

mod events;
mod payments;
mod refusal;
mod token;
mod verify;
mod webhooks;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::site::Site;
use crate::{Endpoint, Fault};
use refusal::Refusal;

/// The most bytes of a request: a callback to be verified, and what surrounds it.
const BODY_MAX: usize = 1024 * 1024;

type Answer = Result<HttpResponse, Refusal>;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .app_data(PayloadConfig::new(BODY_MAX))
        .route("/v1/oauth2/token", web::post().to(token::give))
        .route("/v1/notifications/webhooks-events", web::get().to(events::list))
        .route("/v1/notifications/webhooks-events/{id}", web::get().to(events::show))
        .route("/v1/notifications/webhooks-events/{id}/resend", web::post().to(events::resend))
        .route("/v1/notifications/webhooks", web::get().to(webhooks::list))
        .route("/v1/notifications/webhooks/{id}", web::get().to(webhooks::show))
        .route("/v1/notifications/verify-webhook-signature", web::post().to(verify::verify))
        .route("/v1/notifications/certs/{id}", web::get().to(webhooks::certificate))
        .route("/v2/payments/captures/{id}", web::get().to(payments::capture))
        .route("/v1/payments/sale/{id}", web::get().to(payments::sale))
        .route("/v2/checkout/orders/{id}", web::get().to(payments::order))
        .default_service(web::to(|site: Data<Site>| async move {
            Err::<HttpResponse, _>(Refusal::not_found(site.debug_id()))
        }));
}

impl Site {
    /// What PayPal's support would ask for.
    fn debug_id(&self) -> String {
        format!("{:013x}", self.ids().number() >> 12)
    }

    /// Lets a request to an endpoint in: counts it, has it meet the endpoint's fault. `Some` is what it gets instead of an
    /// answer.
    async fn meet(&self, endpoint: Endpoint) -> Result<Option<HttpResponse>, Refusal> {
        let Some(fault) = self.faults.meet(endpoint).await else { return Ok(None) };
        match fault {
            Fault::TooManyRequests { retry_after_s } => {
                Err(Refusal::too_many(self.debug_id(), retry_after_s))
            }
            Fault::InternalError => Err(Refusal::internal(self.debug_id())),
            Fault::Unavailable => Err(Refusal::unavailable(self.debug_id())),
            Fault::NotFound => Err(Refusal::not_found(self.debug_id())),
            Fault::TokenEnded => Err(Refusal::no_token(self.debug_id())),
            Fault::Garbled => {
                let page = "<html><body>Sorry, we will be back soon.</body></html>";
                Ok(Some(HttpResponse::Ok().content_type("text/html").body(page)))
            }
            Fault::CutShort => {
                let half = stream::iter([Ok(Bytes::from_static(b"{\"links\": ["))]);
                let cut = stream::once(async {
                    // The first half leaves before the connection ends.
                    tokio::task::yield_now().await;
                    Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
                });
                let body = Box::pin(half.chain(cut));
                Ok(Some(HttpResponse::Ok().content_type("application/json").streaming(body)))
            }
            // These have been met by waiting.
            Fault::Hangs | Fault::Slow(_) => Ok(None),
        }
    }

    /// The same for an endpoint that wants a token.
    async fn admit(
        &self,
        endpoint: Endpoint,
        request: &HttpRequest,
    ) -> Result<Option<HttpResponse>, Refusal> {
        if let Some(instead) = self.meet(endpoint).await? {
            return Ok(Some(instead));
        }
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.books().is_token(token, self.now())) {
            return Err(Refusal::no_token(self.debug_id()));
        }
        Ok(None)
    }
}

/// A link of an answer.
#[derive(Serialize)]
struct Link {
    href: String,
    rel: &'static str,
    method: &'static str,
}

fn link(href: impl Into<String>, rel: &'static str) -> Link {
    Link { href: href.into(), rel, method: "GET" }
}
