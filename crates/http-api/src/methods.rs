//! What a path knows: its methods, and an answer for every other.

use actix_web::http::Method;
use actix_web::{Resource, web};

use crate::problem::{Code, Problem};

/// A path with its methods; any other method is answered 405 with what is allowed.
pub struct Methods {
    #[cfg(test)]
    path: String,
    resource: Resource,
    allowed: Vec<Method>,
}

/// Begins a path.
#[must_use]
pub fn at(path: &str) -> Methods {
    Methods {
        #[cfg(test)]
        path: path.to_owned(),
        resource: web::resource(path),
        allowed: Vec::new(),
    }
}

impl Methods {
    /// Read by GET.
    #[must_use]
    pub fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.allowed.push(Method::GET);
        self.resource = self.resource.route(web::get().to(handler));
        self
    }

    /// Done by POST.
    #[must_use]
    pub fn post<F, Args>(mut self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.allowed.push(Method::POST);
        self.resource = self.resource.route(web::post().to(handler));
        self
    }

    /// Put by PUT.
    #[must_use]
    pub fn put<F, Args>(mut self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.allowed.push(Method::PUT);
        self.resource = self.resource.route(web::put().to(handler));
        self
    }

    /// Deleted by DELETE.
    #[must_use]
    pub fn delete<F, Args>(mut self, handler: F) -> Self
    where
        F: actix_web::Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: actix_web::Responder + 'static,
    {
        self.allowed.push(Method::DELETE);
        self.resource = self.resource.route(web::delete().to(handler));
        self
    }

    /// The path, for a service.
    #[must_use]
    pub fn done(self) -> Resource {
        #[cfg(test)]
        REGISTERED.with_borrow_mut(|all| {
            all.extend(self.allowed.iter().map(|method| (self.path.clone(), method.to_string())));
        });
        let allowed: Vec<&str> = self.allowed.iter().map(Method::as_str).collect();
        let allowed = allowed.join(", ");
        self.resource.default_service(web::to(move || {
            let problem =
                Problem::new(Code::MethodNotAllowed, format!("The path knows {allowed}.")).allowing(&allowed);
            async move { Err::<actix_web::HttpResponse, _>(problem) }
        }))
    }
}

#[cfg(test)]
thread_local! {
    static REGISTERED: std::cell::RefCell<Vec<(String, String)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The paths and methods that this thread has registered; for tests.
#[cfg(test)]
pub(crate) fn registered() -> Vec<(String, String)> {
    REGISTERED.take()
}
