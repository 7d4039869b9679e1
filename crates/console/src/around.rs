//! Around every page: who asks, the session's cookie, what a browser may do with the answer, and a page for every fault.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use askama::Template;
use http_api::{Api, Code, Problem};

use crate::Console;
use crate::fault::Fault;
use crate::layout::Layout;
use crate::session::no_cookie;
use crate::visit::{Visit, Who, now, rendered};

/// All that a page may load is the host's, and nothing stands within it: no script, no style.
pub(crate) const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

pub(crate) async fn page<B: MessageBody + 'static>(
    console: Arc<Console>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    let visit = Visit::of(api, console, request.request()).await;
    request.extensions_mut().insert(visit.clone());
    let mut response = next.call(request).await?.map_into_boxed_body();
    if let Some(fault) = fault_of(&response) {
        let mut answer = told(&visit, &fault);
        if let Some(allow) = response.headers().get(header::ALLOW) {
            answer.headers_mut().insert(header::ALLOW, allow.clone());
        }
        response = ServiceResponse::new(response.request().clone(), answer);
    }
    let headers = response.headers_mut();
    let said = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Cookie, Accept-Language"),
    ];
    for (name, value) in said {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(cookie) = kept(&visit, &response) {
        // It has the text of a cookie by construction.
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

/// What is wrong, if anything: said by a page, or by the path itself, which knows other methods.
fn fault_of(response: &ServiceResponse) -> Option<Fault> {
    let error = response.response().error();
    let problem = || error.and_then(|error| error.as_error::<Problem>()).cloned().map(Fault::Problem);
    let fault = error.and_then(|error| error.as_error::<Fault>()).cloned().or_else(problem);
    let is_bare = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    fault.or_else(|| is_bare.then(|| Fault::Problem(Problem::new(Code::MethodNotAllowed, ""))))
}

/// The cookie of a session that goes on, or of one that has ended, where a handler has set none.
fn kept(visit: &Visit, response: &ServiceResponse) -> Option<Cookie<'static>> {
    let name = crate::session::name(visit.is_secure);
    if response.response().cookies().any(|cookie| cookie.name() == name) {
        return None;
    }
    match &visit.who {
        Who::Somebody(session, _) => session.refreshed(now())?.cookie(&visit.console.vault, visit.is_secure),
        Who::Nobody if response.request().cookie(name).is_some() => Some(no_cookie(visit.is_secure)),
        Who::Nobody | Who::Unknown(_) => None,
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    l: Layout,
    title: &'static str,
    lead: &'static str,
    detail: String,
    errors: Vec<String>,
}

/// The page of a fault.
fn told(visit: &Visit, fault: &Fault) -> HttpResponse {
    if let Fault::SignIn = fault {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", &visit.path).finish();
        return HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("/console/sign-in?{query}")))
            .finish();
    }
    let w = visit.words();
    let (title, lead, detail) = match fault {
        Fault::Forbidden => (w.forbidden(), w.forbidden_lead(), String::new()),
        Fault::Stale => (w.stale(), w.stale_lead(), String::new()),
        Fault::Refused(why) => (w.refused(), "", why.clone()),
        Fault::Problem(problem) => match problem.code() {
            Code::NotFound => (w.not_found(), w.not_found_lead(), problem.detail().to_owned()),
            Code::Unavailable | Code::LogForked => {
                (w.unavailable(), w.unavailable_lead(), problem.detail().to_owned())
            }
            Code::MethodNotAllowed => (w.other_method(), w.other_method_lead(), String::new()),
            Code::Internal => (w.internal(), w.internal_lead(), String::new()),
            Code::TooManyRequests => (w.refused(), w.too_many(), problem.detail().to_owned()),
            _ => (w.refused(), "", problem.detail().to_owned()),
        },
        Fault::NotFound | Fault::SignIn => (w.not_found(), w.not_found_lead(), String::new()),
    };
    let errors = match fault {
        Fault::Problem(problem) => {
            problem.errors().iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect()
        }
        _ => Vec::new(),
    };
    let status = actix_web::ResponseError::status_code(fault);
    let page = FaultPage { l: Layout::new(visit, "", title), title, lead, detail, errors };
    let mut answer = HttpResponse::build(status);
    if status.is_server_error() {
        answer.insert_header((header::RETRY_AFTER, 2));
    }
    answer.content_type("text/html; charset=utf-8").body(rendered(&page).unwrap_or_default())
}
