//! Every error answer: a problem document (RFC 9457).
//!
//! The codes are the contract with clients: a code never changes its meaning or its status.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use intake::FieldProblem;
use serde_json::{Map, Value, json};

/// The media type of every error answer.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal, $help:literal;)*) => {
        /// What went wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as clients read it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status that it is answered with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The same for every problem of this code.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What the client can do.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

codes! {
    /// A callback whose headers are not PayPal's.
    CallbackMalformed = "callback_malformed", BAD_REQUEST, "The request is no callback of PayPal's", "Post the callback as PayPal sent it: the raw body and each of the five paypal-* headers exactly once.";
    /// A callback whose signature does not hold.
    NotAuthentic = "not_authentic", UNAUTHORIZED, "The callback is not authentic", "Check the shop's webhook ids and its environment; `counterfoil webhook explain` shows each step of the verification.";
    /// A transmission that came again with other bytes.
    TransmissionConflict = "transmission_conflict", BAD_REQUEST, "This transmission came before with other bytes", "Nobody but an attacker sends this: the first bytes stay, hashes of both are in the log of the service.";
    /// No such shop.
    UnknownShop = "unknown_shop", NOT_FOUND, "There is no such shop", "Check the path: /webhooks/paypal/{shop}.";
    /// The body is not JSON.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON", "Send UTF-8 JSON without a byte order mark, nested at most 128 deep.";
    /// The command is not valid.
    InvalidCommand = "invalid_command", UNPROCESSABLE_ENTITY, "The command is not valid", "`errors` names every field that is wrong; nothing has changed.";
    /// A line of a batch was not taken.
    BatchIncomplete = "batch_incomplete", UNPROCESSABLE_ENTITY, "Not every line was taken", "`errors` names the lines; mend them and send the whole batch again, for lines that were taken count once.";
    /// The same id with other content.
    CommandConflict = "command_conflict", CONFLICT, "This id belongs to another command", "The first command with this id stays; use a new id for new content.";
    /// A query parameter is wrong.
    InvalidQuery = "invalid_query", BAD_REQUEST, "A query parameter is not valid", "`detail` names the parameter.";
    /// A cursor or position of another epoch.
    EpochChanged = "epoch_changed", CONFLICT, "The log has forked since", "Go on behind the cursor in `resume_after`: what stands there is another history.";
    /// A cursor of events that are not there yet.
    CursorAhead = "cursor_ahead", CONFLICT, "The cursor is ahead of the log", "The log ends at `head`. Whoever has seen more has seen another log: ask the operator whether it was restored.";
    /// What stands behind the cursor is not in the outbox any more.
    Pruned = "pruned", GONE, "The outbox does not go back so far", "Go on behind the cursor in `resume_after`; what was between stands in the log, at /v1/events.";
    /// A consumer's cursor stands elsewhere.
    CursorMoved = "cursor_moved", CONFLICT, "The consumer's cursor stands elsewhere", "It stands at `cursor`: another instance works under this name.";
    /// Something of this name is there already.
    NameTaken = "name_taken", CONFLICT, "The name is taken", "Choose another name, or change what is there.";
    /// No key, or none that is valid.
    Unauthorized = "unauthorized", UNAUTHORIZED, "An API key is needed", "Send Authorization: Bearer cf_.. with a key that is not revoked.";
    /// The key may not do this.
    Forbidden = "forbidden", FORBIDDEN, "The key may not do this", "Use a key with the role that `detail` names.";
    /// No such thing.
    NotFound = "not_found", NOT_FOUND, "There is no such thing here", "Check the path and the id.";
    /// The path knows other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not know this method", "Check the method.";
    /// The body did not come in time.
    Timeout = "timeout", REQUEST_TIMEOUT, "The request did not come in time", "Send the whole body within the deadline, over a new connection.";
    /// Too much from a key or an address.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests", "`detail` says whose. Come again after Retry-After seconds; the operator sets how much may come.";
    /// The path and the query are too long.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The path or the query is too long", "Send a shorter one.";
    /// The body is too large.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The body is too large", "`detail` names the limit.";
    /// The body is of a kind that is not taken.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body's media type is not taken", "Send application/json, without a content encoding.";
    /// Too many header bytes.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields are too large", "Send fewer and shorter header fields.";
    /// The request is malformed.
    BadRequest = "bad_request", BAD_REQUEST, "The request is malformed", "Check the request against HTTP and this API.";
    /// PayPal cannot be asked about this.
    NotAtPaypal = "not_at_paypal", CONFLICT, "PayPal cannot be asked about this", "`detail` says what is missing: the shop's credentials at PayPal (`serve --paypal-credentials`), or the order's id there (`paypal_order_id` of its placement).";
    /// Something that is needed cannot be had at the moment.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not available at the moment", "Nothing is lost: send the same again after Retry-After seconds.";
    /// The log has forked, and takes nothing.
    LogForked = "log_forked", SERVICE_UNAVAILABLE, "The log has forked", "The database is not the one that it was, as after a restore; nothing is taken until the operator has run `counterfoil shops recover`. Send the same again after Retry-After seconds.";
    /// A bug.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong inside", "Give the request id to the operator: the reason stands in the log beside it.";
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    errors: Vec<FieldProblem>,
    extra: Map<String, Value>,
    retry_after_s: Option<u32>,
    closes: bool,
    allow: Option<String>,
}

impl Problem {
    /// A problem with a sentence for people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            extra: Map::new(),
            retry_after_s: match code {
                Code::Unavailable => Some(1),
                // Somebody has to be woken.
                Code::LogForked => Some(30),
                _ => None,
            },
            closes: matches!(code, Code::Timeout | Code::TooLarge | Code::UriTooLong | Code::HeadersTooLarge),
            allow: None,
        }
    }

    /// A bug or an infrastructure error that nobody outside can mend: logged here, once, and answered without its text.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(error), "request failed");
        Self::new(Code::Internal, "The reason stands in the log of the service, beside this request id.")
    }

    /// Trouble that passes: logged once, answered 503 with Retry-After.
    pub fn unavailable(what: &str, error: &dyn std::error::Error) -> Self {
        tracing::warn!(what, error = %Chain(error), "not available");
        Self::new(Code::Unavailable, format!("{what} cannot be had at the moment."))
    }

    /// What the database says: trouble that passes, or a bug.
    pub fn database(what: &str, error: &database::Error) -> Self {
        match error {
            database::Error::Unavailable(_)
            | database::Error::Serialization(_)
            | database::Error::CommitUnknown(_) => Self::unavailable(what, error),
            _ => Self::internal(error),
        }
    }

    /// Too much waits already; who comes again after the time that it is given is taken.
    pub(crate) fn busy(after: Duration) -> Self {
        let seconds = u32::try_from(after.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX);
        Self::new(Code::Unavailable, "Too much is waiting already.").after(seconds.max(1))
    }

    /// Nothing is appended to a log that is not the one that it was. The guard has told it loudly.
    pub(crate) fn forked(fork: &event_log::Fork) -> Self {
        Self::new(Code::LogForked, fork.to_string())
    }

    /// What reading the log says.
    #[must_use]
    pub fn log(error: &event_log::Error) -> Self {
        match error {
            event_log::Error::Database(error) => Self::database("The log", error),
            event_log::Error::Forked(fork) => Self::forked(fork),
            error => Self::internal(error),
        }
    }

    /// The problem of a bare answer that the framework gave.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Code::Timeout,
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            StatusCode::URI_TOO_LONG => Code::UriTooLong,
            StatusCode::TOO_MANY_REQUESTS => Code::TooManyRequests,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::HeadersTooLarge,
            status if status.is_server_error() => Code::Internal,
            _ => Code::BadRequest,
        };
        Self::new(code, code.title()).with_status(status)
    }

    /// Names the fields that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds a member of its own to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Answers with a status beside the code's own.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Says after how many seconds it may be otherwise.
    #[must_use]
    pub(crate) fn after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Closes the connection with the answer.
    #[must_use]
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Says which methods the path knows.
    #[must_use]
    pub(crate) fn allowing(mut self, methods: &str) -> Self {
        self.allow = Some(methods.to_owned());
        self
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn document(&self, request_id: Option<&str>) -> Value {
        let mut document = self.extra.clone();
        document.insert("type".into(), format!("/docs/problems/{}", self.code.name()).into());
        document.insert("title".into(), self.code.title().into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.as_str().into());
        document.insert("code".into(), self.code.name().into());
        if let Some(id) = request_id {
            document.insert("request_id".into(), id.into());
        }
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(|e| json!({"pointer": e.pointer, "detail": e.detail}));
            document.insert("errors".into(), errors.collect());
        }
        Value::Object(document)
    }

    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        response.content_type(PROBLEM_JSON).insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        if self.code == Code::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"counterfoil\""));
        }
        if self.closes {
            // The rest of the body is still on its way: nobody waits for it.
            response.force_close();
        }
        response.body(self.document(request_id).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

/// An error with its sources, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
