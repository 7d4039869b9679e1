//! Errors in PayPal's shapes.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after_s: Option<u32>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        if let Some(debug_id) = self.body["debug_id"].as_str() {
            response.insert_header(("paypal-debug-id", debug_id));
        }
        response.json(&self.body)
    }
}

/// What is wrong with one field.
pub(crate) struct Detail<'a> {
    pub(crate) field: &'a str,
    /// `body`, `path` or `query`.
    pub(crate) location: &'a str,
    pub(crate) issue: &'a str,
    pub(crate) description: &'a str,
}

impl Refusal {
    fn new(status: StatusCode, name: &str, message: &str, debug_id: String) -> Self {
        let body = json!({"name": name, "message": message, "debug_id": debug_id, "links": []});
        Self { status, body, retry_after_s: None }
    }

    fn with_detail(mut self, detail: &Detail<'_>) -> Self {
        self.body["details"] = json!([{
            "field": detail.field,
            "location": detail.location,
            "issue": detail.issue,
            "description": detail.description,
        }]);
        self
    }

    pub(crate) fn invalid(debug_id: String, detail: &Detail<'_>) -> Self {
        let message = "Request is not well-formed, syntactically incorrect, or violates schema.";
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message, debug_id).with_detail(detail)
    }

    pub(crate) fn no_token(debug_id: String) -> Self {
        let message = "Authentication failed due to missing authorization header, or invalid authentication credentials.";
        Self::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_FAILURE", message, debug_id)
    }

    /// Of OAuth (RFC 6749, section 5.2), whose errors have another shape.
    pub(crate) fn oauth(status: StatusCode, error: &str, description: &str) -> Self {
        let body = json!({"error": error, "error_description": description});
        Self { status, body, retry_after_s: None }
    }

    pub(crate) fn not_found(debug_id: String) -> Self {
        let message = "The specified resource does not exist.";
        let detail = Detail {
            field: "id",
            location: "path",
            issue: "INVALID_RESOURCE_ID",
            description: "No resource of this id is known.",
        };
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", message, debug_id).with_detail(&detail)
    }

    pub(crate) fn too_many(debug_id: String, retry_after_s: u32) -> Self {
        let message = "Too many requests. Blocked due to rate limiting.";
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_REACHED", message, debug_id);
        Self { retry_after_s: Some(retry_after_s), ..refusal }
    }

    pub(crate) fn internal(debug_id: String) -> Self {
        let message = "An internal server error occurred.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message, debug_id)
    }

    pub(crate) fn unavailable(debug_id: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "Service Unavailable.", debug_id)
    }
}
