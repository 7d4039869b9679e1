//! What a page is answered with where it cannot be given.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use http_api::Problem;

/// Why there is no such page.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nobody has signed in.
    SignIn,
    /// The key may only read.
    Forbidden,
    /// The form is not one of ours, or of another session.
    Stale,
    /// No such thing.
    NotFound,
    /// What was asked for is not valid: why, in words for people.
    Refused(String),
    /// What the API would answer.
    Problem(Problem),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::Problem(problem) => problem.fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::SEE_OTHER,
            Self::Forbidden | Self::Stale => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Problem(problem) => problem.status(),
        }
    }

    /// Without words: the page is written around it, where its language is known.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).content_type("text/html; charset=utf-8").finish()
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<database::Error> for Fault {
    fn from(error: database::Error) -> Self {
        Self::Problem(Problem::database("The database", &error))
    }
}

impl From<event_log::Error> for Fault {
    fn from(error: event_log::Error) -> Self {
        Self::Problem(Problem::log(&error))
    }
}

impl From<read_models::Error> for Fault {
    fn from(error: read_models::Error) -> Self {
        match error {
            read_models::Error::Database(error) => error.into(),
            read_models::Error::Log(error) => error.into(),
            error => Self::Problem(Problem::internal(&error)),
        }
    }
}

impl From<delivery::Error> for Fault {
    fn from(error: delivery::Error) -> Self {
        Self::Problem(http_api::downstream_problem(&error))
    }
}

impl From<audit::tree::Error> for Fault {
    fn from(error: audit::tree::Error) -> Self {
        match error {
            audit::tree::Error::Database(error) => error.into(),
            error => Self::Problem(Problem::internal(&error)),
        }
    }
}
