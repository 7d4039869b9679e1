//! Signing in and out, and how pages look.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use http_api::{Code, at};
use secrecy::ExposeSecret as _;

use crate::act::{self, Fields};
use crate::fault::Fault;
use crate::layout::Layout;
use crate::session::{Session, no_cookie};
use crate::ticket;
use crate::visit::{Visit, may_read, now, rendered};

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/sign-in").get(show).post(sign_in).done())
        .service(at("/sign-out").post(sign_out).done())
        .service(at("/look").get(look).done());
}

/// Where a link signs in: in development.
pub(crate) fn ticket_routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at(ticket::AT).get(by_ticket).done());
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    l: Layout,
    to: String,
    error: Option<&'static str>,
    lead: Option<&'static str>,
    is_dev: bool,
}

async fn show(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let query = Fields::of_query(&request);
    if visit.me().is_ok() {
        return Ok(act::see(&within(query.get("to"))));
    }
    let w = visit.words();
    let lead = match query.get("out") {
        Some(_) => Some(w.signed_out()),
        None => query.get("to").filter(|to| *to != "/console").map(|_| w.session_ended()),
    };
    answer(&visit, query.get("to"), None, lead).map(|body| page().body(body))
}

fn page() -> actix_web::HttpResponseBuilder {
    let mut page = HttpResponse::Ok();
    page.content_type("text/html; charset=utf-8");
    page
}

fn answer(
    visit: &Visit,
    to: Option<&str>,
    error: Option<&'static str>,
    lead: Option<&'static str>,
) -> Result<String, Fault> {
    let l = Layout::new(visit, "", visit.words().sign_in());
    let is_dev =
        visit.console.settings.iter().any(|setting| setting.name == "mode" && setting.value == "dev");
    rendered(&SignIn { l, to: within(to), error, lead, is_dev })
}

async fn sign_in(visit: Visit, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let form = act::fields(&visit, &request, payload).await?;
    enter(&visit, &request, form.get("key").unwrap_or_default(), form.get("to")).await
}

async fn by_ticket(
    visit: Visit,
    request: HttpRequest,
    shown: web::Path<String>,
) -> Result<HttpResponse, Fault> {
    let ticket = visit.console.ticket.as_ref().ok_or(Fault::NotFound)?;
    match ticket.redeem(&request, &shown) {
        Some(key) => {
            let answer = enter(&visit, &request, key.expose_secret(), None).await;
            if !answer.as_ref().is_ok_and(|answer| answer.status().is_redirection()) {
                ticket.give_back();
            }
            answer
        }
        // Whoever is in by it may open it again.
        None if visit.me().is_ok() => Ok(act::see(crate::PATH)),
        None => refused(&visit, None, StatusCode::UNAUTHORIZED, visit.words().ticket_used()),
    }
}

/// Lets in whoever holds the key, and leads to a page.
async fn enter(
    visit: &Visit,
    request: &HttpRequest,
    key: &str,
    to: Option<&str>,
) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    let (status, error) = match visit.api.identify(request, key).await {
        Ok(identity) if may_read(&identity) => {
            let session = Session::begin(key, now());
            let cookie = session.and_then(|session| session.cookie(&visit.console.vault, visit.is_secure));
            let Some(cookie) = cookie else { return Err(Fault::Refused(w.internal().to_owned())) };
            tracing::info!(shop = %identity.shop, by = identity.key_id, "signed in to the console");
            return Ok(HttpResponse::SeeOther()
                .insert_header((header::LOCATION, within(to)))
                .cookie(cookie)
                .finish());
        }
        Ok(_) => (StatusCode::FORBIDDEN, w.key_other_role()),
        Err(problem) => match problem.code() {
            Code::Unauthorized => (StatusCode::UNAUTHORIZED, w.key_invalid()),
            Code::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, w.too_many()),
            _ => return Err(problem.into()),
        },
    };
    refused(visit, to, status, error)
}

/// The form again, with what is wrong.
fn refused(
    visit: &Visit,
    to: Option<&str>,
    status: StatusCode,
    error: &'static str,
) -> Result<HttpResponse, Fault> {
    let body = answer(visit, to, Some(error), None)?;
    Ok(page().status(status).body(body))
}

async fn sign_out(visit: Visit, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    act::own_fields(&visit, &request, payload).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/console/sign-in?out=1"))
        .cookie(no_cookie(visit.is_secure))
        .finish())
}

async fn look(visit: Visit, request: HttpRequest) -> HttpResponse {
    let query = Fields::of_query(&request);
    let mut look = visit.look;
    for name in ["lang", "theme", "clock"] {
        if let Some(value) = query.get(name) {
            look.set(name, value);
        }
    }
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, within(query.get("to"))))
        .cookie(look.cookie(visit.is_secure))
        .finish()
}

/// A page of the console to go on to, and never anywhere else.
fn within(to: Option<&str>) -> String {
    let is_ours = |to: &&str| {
        let rest = to.strip_prefix(crate::PATH);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && !to.contains(['\\', '\r', '\n'])
            && to.is_ascii()
            && !to.starts_with("/console/sign-")
            && !to.starts_with("/console/look")
    };
    to.filter(is_ours).unwrap_or(crate::PATH).to_owned()
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn signing_in_leads_to_a_page_of_ours_and_nowhere_else() {
        for to in ["/console", "/console/orders/1?x=1", "/console?done=x"] {
            assert_eq!(within(Some(to)), to);
        }
        for to in [
            "",
            "//evil.example",
            "https://evil.example/console",
            "/consoled",
            "/console\\..",
            "/console/a\r\nx: y",
            "/console/sign-out",
            "/v1/orders",
        ] {
            assert_eq!(within(Some(to)), "/console", "{to:?}");
        }
    }
}
