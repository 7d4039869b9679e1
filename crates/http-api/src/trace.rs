//! Around every request: its id, its span, its counter, and a problem document for every bare error.
//!
//! And what every answer says to browsers: they take it for nothing but what it is, keep nothing of it, run and frame nothing.
//!
//! Never in a span: a body, a header's value but the request id, a query, a key.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use aws_lc_rs::rand;
use trace_context::TraceParent;
use tracing::Instrument;

use crate::app::{Limits, Shared};
use crate::body::Closing;
use crate::problem::{Code, PROBLEM_JSON, Problem};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What an error is said in: to programs, and to people.
const DOCUMENTS: [&str; 2] = [PROBLEM_JSON, "text/html"];
static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

pub(crate) async fn request<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<actix_web::body::BoxBody>, Error> {
    Closing::around(&mut request);
    let id = request_id(&request);
    let api = request.app_data::<Shared>().cloned();
    // The pattern and not the path: a path names orders and buyers. It is looked for only where the span is asked for.
    let span = tracing::info_span!(
        "request", id = %id, method = %request.method(),
        route = %request.match_pattern().as_deref().unwrap_or("unknown"), trace_id = tracing::field::Empty
    );
    if let Some(trace) = trace_context::follow(&span, parent(request.headers())) {
        if trace.is_sampled {
            span.record("trace_id", trace.trace());
        }
        request.extensions_mut().insert(trace);
    }
    let is_secure = request.app_config().secure();
    let answered = match api.as_ref().and_then(|api| beyond(&request, &api.limits)) {
        Some(problem) => Ok(request.error_response(problem).map_into_boxed_body()),
        None => {
            let answered = next.call(request).instrument(span.clone()).await;
            answered.map(ServiceResponse::map_into_boxed_body)
        }
    };
    let _entered = span.enter();
    let (mut response, problem) = match answered {
        Ok(response) => {
            let problem = response.response().error().and_then(|e| e.as_error::<Problem>()).cloned();
            (response, problem)
        }
        // Nothing behind this answers so: handlers and extractors turn their errors into answers.
        Err(error) => return Err(error),
    };
    if let Some(problem) = problem.or_else(|| bare(&response)) {
        // Once more with the request id in the document; the framework's own headers stay.
        let mut answer = problem.response(Some(&id));
        if let Some(allow) = response.headers().get(header::ALLOW).cloned() {
            answer.headers_mut().insert(header::ALLOW, allow);
        }
        response = with_response(response, answer);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    secure(response.headers_mut(), is_secure);
    let status = response.status().as_u16();
    if let Some(api) = api {
        api.counters.response(status);
    }
    tracing::debug!(status, "answered");
    Ok(response)
}

/// The trace that a request belongs to, recorded or not.
pub fn of(request: &HttpRequest) -> Option<TraceParent> {
    request.extensions().get().copied()
}

/// The trace that whoever asks has begun. What is none, or are two, is passed over.
fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut all = headers.get_all(&TRACEPARENT);
    let parent = all.next()?.to_str().ok()?.parse().ok()?;
    all.next().is_none().then_some(parent)
}

/// Why the head of a request is longer than anybody needs, or names what cannot be.
fn beyond(request: &ServiceRequest, limits: &Limits) -> Option<Problem> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > limits.uri {
        let detail = format!("The path and the query have more than {} bytes.", limits.uri);
        return Some(Problem::new(Code::UriTooLong, detail));
    }
    // Nothing has a NUL in its name, for PostgreSQL has none in its texts.
    if request.uri().path().contains("%00") {
        return Some(Problem::new(Code::NotFound, "No such path."));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers > limits.headers).then(|| {
        let detail = format!("The header fields have more than {} bytes.", limits.headers);
        Problem::new(Code::HeadersTooLarge, detail)
    })
}

/// What a route says itself stays.
fn secure(headers: &mut HeaderMap, is_secure: bool) {
    let mut unless_said = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    unless_said(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_said(header::CACHE_CONTROL, "no-store");
    unless_said(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    unless_said(header::REFERRER_POLICY, "no-referrer");
    if is_secure {
        unless_said(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

fn with_response(response: ServiceResponse, answer: HttpResponse) -> ServiceResponse {
    ServiceResponse::new(response.request().clone(), answer)
}

/// An error that the framework answered without a document.
fn bare(response: &ServiceResponse) -> Option<Problem> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let has_document = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| DOCUMENTS.iter().any(|kind| value.as_bytes().starts_with(kind.as_bytes())));
    let allowed_to = !matches!(response.response().body().size(), BodySize::Stream);
    (is_error && !has_document && allowed_to).then(|| Problem::of_status(status))
}

/// The client's own id when it is a plain one, else one of ours.
fn request_id(request: &ServiceRequest) -> String {
    let theirs = request.headers().get(&REQUEST_ID).or_else(|| request.headers().get("x-request-id"));
    if let Some(theirs) = theirs.and_then(|value| value.to_str().ok()) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=64).contains(&theirs.len()) && theirs.bytes().all(plain) {
            return theirs.to_owned();
        }
    }
    static PROCESS: OnceLock<String> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| {
        let mut bytes = [0; 6];
        // An id that is not random is still an id.
        let _ = rand::fill(&mut bytes);
        hex::encode(bytes)
    });
    format!("{process}-{:x}", COUNT.fetch_add(1, Ordering::Relaxed))
}
