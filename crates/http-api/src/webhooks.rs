//! `POST /webhooks/paypal/{shop}`: PayPal's door.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use domain::ShopId;
use intake::{CallbackError, ReceivedKind, Shop};

use crate::app::{Shared, at};
use crate::body;
use crate::counters::CallbackResult;
use crate::problem::{Code, Problem};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/webhooks/paypal/{shop}").post(receive).done());
}

/// 200 with nothing in it, after COMMIT.
async fn receive(
    api: Shared,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let limits = &api.limits;
    let body =
        match body::read(&request, payload, limits.webhook_body, limits.body_deadline, &api.bodies).await {
            Ok(body) => body,
            Err(problem) => {
                api.counters.callback(match problem.code() {
                    Code::TooLarge => CallbackResult::TooLarge,
                    Code::Timeout => CallbackResult::Timeout,
                    _ => CallbackResult::Refused,
                });
                return Err(problem);
            }
        };
    // Every value of every such header, so that one that stands twice is seen.
    let headers: Vec<(String, Vec<u8>)> = request
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("paypal-"))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let shop = match remembered(&api, &path).await {
        Some(shop) => Ok(shop),
        None => {
            let (intake, name) = (api.intake.clone(), path.into_inner());
            api.run(async move { intake.shop_of_callback(&name).await }).await?
        }
    };
    let received = match shop {
        Ok(shop) => {
            let (body, held) = body.into_parts();
            // Kept until the callback is answered: it waits in memory while the database is slow.
            let _held = held;
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            // On this thread, for most of it is computing: where the log's and the relay's tasks run, they would wait
            // behind it for their turn.
            api.intake.callback(&shop, headers, Vec::from(body)).await
        }
        Err(error) => Err(error),
    };
    match received {
        Ok(received) => {
            api.counters.callback(match received.kind {
                ReceivedKind::New => CallbackResult::New,
                ReceivedKind::Unreadable => CallbackResult::Unreadable,
                ReceivedKind::Duplicate => CallbackResult::Duplicate,
                ReceivedKind::Revised => CallbackResult::Revised,
            });
            Ok(HttpResponse::Ok().finish())
        }
        Err(error) => {
            let (result, problem) = refused(error);
            api.counters.callback(result);
            Err(problem)
        }
    }
}

async fn remembered(api: &Shared, name: &str) -> Option<Arc<Shop>> {
    api.intake.remembered(&ShopId::parse(name).ok()?).await
}

fn refused(error: CallbackError) -> (CallbackResult, Problem) {
    match error {
        CallbackError::UnknownShop => {
            (CallbackResult::UnknownShop, Problem::new(Code::UnknownShop, "No shop of that name is here."))
        }
        CallbackError::Malformed(why) => {
            (CallbackResult::Malformed, Problem::new(Code::CallbackMalformed, why))
        }
        CallbackError::NotAuthentic(why) => {
            warn_now_and_then(&why);
            (CallbackResult::NotAuthentic, Problem::new(Code::NotAuthentic, why))
        }
        CallbackError::ConflictingTransmission => (
            CallbackResult::Conflict,
            Problem::new(Code::TransmissionConflict, "This transmission id came before with another body."),
        ),
        CallbackError::Unavailable { what, source } => {
            (CallbackResult::Unavailable, Problem::unavailable(what, source.as_ref()))
        }
        CallbackError::Forked(fork) => (CallbackResult::Unavailable, Problem::forked(&fork)),
        CallbackError::Busy => {
            (CallbackResult::Unavailable, Problem::new(Code::Unavailable, "Too much is waiting already."))
        }
        CallbackError::Internal(why) => {
            (CallbackResult::Refused, Problem::internal(&CallbackError::Internal(why)))
        }
    }
}

/// A wrong webhook id must be seen in the log, and a flood of forgeries must not fill it.
fn warn_now_and_then(reason: &str) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
        *last = Some(Instant::now());
        tracing::warn!(reason, "callbacks are refused; this line comes once a second at most");
    }
}
