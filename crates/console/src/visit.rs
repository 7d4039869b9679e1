//! One request: who asks, from which page, and how they like it shown.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use access::{Identity, Role};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use database::{Clock as _, SystemClock};
use domain::ShopId;
use http_api::{Api, Code, Problem};
use secrecy::ExposeSecret as _;
use trace_context::TraceParent;

use crate::Console;
use crate::fault::Fault;
use crate::i18n::Words;
use crate::look::Look;
use crate::session::{self, Session};

/// Who asks.
pub(crate) enum Who {
    /// Nobody has signed in.
    Nobody,
    /// Somebody has.
    Somebody(Session, Identity),
    /// Somebody may have: it cannot be found out.
    Unknown(Problem),
}

pub(crate) struct Inner {
    pub(crate) api: web::Data<Api>,
    pub(crate) console: Arc<Console>,
    pub(crate) look: Look,
    pub(crate) who: Who,
    /// Path and query, to come back to.
    pub(crate) path: String,
    pub(crate) is_secure: bool,
    /// What it does belongs to this trace.
    pub(crate) trace: Option<TraceParent>,
}

/// What a handler is given. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Visit(Rc<Inner>);

impl std::ops::Deref for Visit {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRequest for Visit {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Fault::NotFound))
    }
}

impl Visit {
    /// Looks up who asks.
    pub(crate) async fn of(api: web::Data<Api>, console: Arc<Console>, request: &HttpRequest) -> Self {
        let is_secure = api.is_secure(request);
        let session = request
            .cookie(session::name(is_secure))
            .and_then(|cookie| Session::open(&console.vault, cookie.value(), now()));
        let who = match session {
            None => Who::Nobody,
            Some(session) => match api.identify(request, session.key.expose_secret()).await {
                Ok(identity) if may_read(&identity) => Who::Somebody(session, identity),
                // Revoked, run out, or another role by now.
                Ok(_) => Who::Nobody,
                Err(problem) if problem.code() == Code::Unauthorized => Who::Nobody,
                Err(problem) => Who::Unknown(problem),
            },
        };
        let path = page_of(request);
        let look = Look::of(request);
        let trace = http_api::trace_of(request);
        Self(Rc::new(Inner { api, console, look, who, path, is_secure, trace }))
    }

    /// Who has signed in.
    ///
    /// # Errors
    /// Nobody has.
    pub(crate) fn me(&self) -> Result<&Identity, Fault> {
        match &self.who {
            Who::Somebody(_, identity) => Ok(identity),
            Who::Nobody => Err(Fault::SignIn),
            Who::Unknown(problem) => Err(Fault::Problem(problem.clone())),
        }
    }

    /// The shop of who has signed in.
    pub(crate) fn shop(&self) -> Result<ShopId, Fault> {
        Ok(self.me()?.shop.clone())
    }

    /// An operator.
    ///
    /// # Errors
    /// Who has signed in may only read.
    pub(crate) fn operator(&self) -> Result<&Identity, Fault> {
        let me = self.me()?;
        if me.has(Role::Operator) { Ok(me) } else { Err(Fault::Forbidden) }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.who {
            Who::Somebody(session, _) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn words(&self) -> Words {
        self.look.words()
    }

    /// A page.
    pub(crate) fn page(&self, page: &impl Template) -> Result<HttpResponse, Fault> {
        Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(rendered(page)?))
    }
}

/// The page to come back to, path and query: what a form was sent to is none, and stands below the page that it was on.
fn page_of(request: &HttpRequest) -> String {
    let uri = request.uri();
    if request.method() == actix_web::http::Method::GET {
        return uri.path_and_query().map_or(crate::PATH, |path| path.as_str()).to_owned();
    }
    match uri.path().rsplit_once('/') {
        // The form of a payment is a page of its own.
        Some((page, "resolve")) if page.starts_with("/console/payments/") => uri.path().to_owned(),
        Some((page, _)) if page.starts_with(crate::PATH) => page.to_owned(),
        _ => crate::PATH.to_owned(),
    }
}

/// A template as text.
pub(crate) fn rendered(page: &impl Template) -> Result<String, Fault> {
    page.render().map_err(|error| Fault::Problem(Problem::internal(&error)))
}

/// Whether the console is for this key.
pub(crate) fn may_read(identity: &Identity) -> bool {
    identity.has(Role::Operator) || identity.has(Role::Viewer)
}

/// For sessions and what pages say of now; times in the log are the database's.
pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn from_a_form_the_way_back_is_the_page_that_it_was_on() {
        let get = TestRequest::get().uri("/console/events?type=order.*").to_http_request();
        assert_eq!(page_of(&get), "/console/events?type=order.*");
        for (path, page) in [
            ("/console/events/53/evidence", "/console/events/53"),
            ("/console/payments/C1/resolve", "/console/payments/C1/resolve"),
            ("/console/orders/1042/resolve", "/console/orders/1042"),
            ("/console/sign-in", "/console"),
        ] {
            assert_eq!(page_of(&TestRequest::post().uri(path).to_http_request()), page, "{path}");
        }
    }
}
