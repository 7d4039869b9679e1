//! `POST /webhooks/paypal/{shop}`: PayPal's door.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use domain::ShopId;
use intake::{CallbackError, Received, ReceivedKind, Shop};

use crate::app::Shared;
use crate::counters::CallbackResult;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::{body, trace};

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
    let began = Instant::now();
    let place = api.admission.place(&request);
    match take(&api, &request, &path, payload, api.admission.is_suspect(&place)).await {
        Ok(received) => {
            let result = match received.kind {
                ReceivedKind::New => CallbackResult::New,
                ReceivedKind::Unreadable => CallbackResult::Unreadable,
                ReceivedKind::Duplicate => CallbackResult::Duplicate,
                ReceivedKind::Revised => CallbackResult::Revised,
            };
            api.counters.callback(result, began.elapsed(), trace::of(&request).as_ref());
            Ok(HttpResponse::Ok().finish())
        }
        Err(Refusal { result, problem, proves_nothing }) => {
            api.counters.callback(result, began.elapsed(), trace::of(&request).as_ref());
            if proves_nothing {
                return Err(api.admission.fail(&place, problem, &api.counters).await);
            }
            Err(problem)
        }
    }
}

/// Why a callback was not taken.
struct Refusal {
    result: CallbackResult,
    problem: Problem,
    /// It may have come from anybody, and counts against where it came from. What is authentic never does.
    proves_nothing: bool,
}

/// Cheap things first: of a suspect, the headers before the body is read; of everybody, whether there is room in the log's
/// queue before the signature, and that before anything of the body.
async fn take(
    api: &Shared,
    request: &HttpRequest,
    path: &str,
    payload: web::Payload,
    is_suspect: bool,
) -> Result<Received, Refusal> {
    // Every value of every such header, so that one that stands twice is seen.
    let headers = || {
        let all = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("paypal-"));
        intake::callback_headers(all.map(|(name, value)| (name.as_str(), value.as_bytes()))).map_err(refused)
    };
    if is_suspect {
        headers()?;
    }
    let limits = &api.limits;
    let body = body::read(request, payload, limits.webhook_body, limits.body_deadline, &api.bodies).await;
    let body = body.map_err(unread)?;
    let shop = match remembered(api, path).await {
        Some(shop) => shop,
        None => {
            let (intake, name) = (api.intake.clone(), path.to_owned());
            let shop = api.run(async move { intake.shop_of_callback(&name).await }).await;
            shop.map_err(inside)?.map_err(refused)?
        }
    };
    api.intake.refuse_if_busy(&shop).map_err(refused)?;
    let headers = headers()?;
    // Kept until the callback is answered: it waits in memory while the database is slow.
    let (body, _held) = body.into_parts();
    // On this thread, for most of it is computing: where the log's and the relay's tasks run, they would wait behind it for
    // their turn.
    let authentic = {
        let fetches = is_suspect && !api.intake.is_at_hand(&shop, &headers).await;
        let _turn = if fetches { Some(api.admission.fetch().map_err(unproven)?) } else { None };
        api.intake.verify_callback(&shop, headers, Vec::from(body)).await.map_err(refused)?
    };
    let authentic = authentic.of_trace(trace::of(request));
    api.intake.callback(&shop, authentic).await.map_err(refused)
}

fn unread(problem: Problem) -> Refusal {
    let result = match problem.code() {
        Code::TooLarge => CallbackResult::TooLarge,
        Code::Timeout => CallbackResult::Timeout,
        _ => CallbackResult::Refused,
    };
    // There being no room for it says nothing of its sender.
    let proves_nothing = problem.code() != Code::Unavailable;
    Refusal { result, problem, proves_nothing }
}

fn unproven(problem: Problem) -> Refusal {
    Refusal { result: CallbackResult::Unavailable, problem, proves_nothing: true }
}

fn inside(problem: Problem) -> Refusal {
    Refusal { result: CallbackResult::Refused, problem, proves_nothing: false }
}

async fn remembered(api: &Shared, name: &str) -> Option<Arc<Shop>> {
    api.intake.remembered(&ShopId::parse(name).ok()?).await
}

fn refused(error: CallbackError) -> Refusal {
    let proves_nothing = matches!(
        error,
        CallbackError::UnknownShop
            | CallbackError::Malformed(_)
            | CallbackError::NotAuthentic(_)
            | CallbackError::NoCertificate(_)
    );
    let (result, problem) = answer(error);
    Refusal { result, problem, proves_nothing }
}

fn answer(error: CallbackError) -> (CallbackResult, Problem) {
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
        CallbackError::NoCertificate(refused) => {
            warn_now_and_then(&refused.to_string());
            let problem = Problem::new(Code::Unavailable, "The certificate cannot be had at the moment.");
            (CallbackResult::Unavailable, problem)
        }
        CallbackError::Unavailable { what, source } => {
            (CallbackResult::Unavailable, Problem::unavailable(what, source.as_ref()))
        }
        CallbackError::Forked(fork) => (CallbackResult::Unavailable, Problem::forked(&fork)),
        CallbackError::Busy { after } => (CallbackResult::Unavailable, Problem::busy(after)),
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
