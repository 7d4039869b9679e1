//! What is common to all that goes downstream: what is wrong with a cursor, and small JSON bodies.

use access::Identity;
use actix_web::{HttpRequest, web};
use delivery::{CursorError, Error};
use event_log::Operator;
use intake::By;
use intake::command::REASON_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::{Api, Shared};
use crate::problem::{Code, Problem};
use crate::{body, commands, request};

/// Settings of a sink, and everything smaller.
const BODY_MAX: usize = 64 * 1024;

/// What `delivery` says, as clients read it.
#[must_use]
pub fn problem(error: &Error) -> Problem {
    match error {
        Error::Cursor(error) => cursor(error),
        Error::UnknownShop => Problem::new(Code::UnknownShop, "The key's shop is gone."),
        Error::Database(error) => Problem::database("The outbox", error),
        Error::Log(error) => Problem::log(error),
        error => Problem::internal(error),
    }
}

fn cursor(error: &CursorError) -> Problem {
    match error {
        CursorError::Forked(forked) => Problem::new(Code::EpochChanged, format!("{}.", capital(error)))
            .with("old_epoch", forked.old_epoch)
            .with("new_epoch", forked.new_epoch)
            .with("forked_at", forked.forked_at.0)
            .with("resume_after", forked.resume_after.to_string()),
        CursorError::Ahead { head } => {
            Problem::new(Code::CursorAhead, format!("{}.", capital(error))).with("head", head.to_string())
        }
        CursorError::Pruned { pruned_through } | CursorError::UnknownId { pruned_through } => {
            Problem::new(Code::Pruned, format!("{}.", capital(error)))
                .with("resume_after", pruned_through.to_string())
        }
    }
}

/// A sentence begins with a capital.
fn capital(error: &CursorError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A small JSON body, or what is wrong with it.
pub(crate) async fn json<T: DeserializeOwned>(
    api: &Shared,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Problem> {
    request::require_json(request.headers(), &[])?;
    let body = body::read(request, payload, BODY_MAX, api.limits.body_deadline, &api.bodies).await?;
    let bytes: &[u8] = if body.bytes.is_empty() { b"{}" } else { &body.bytes };
    if has_nul(bytes) {
        return Err(Problem::new(Code::InvalidCommand, "The body: a text has a NUL."));
    }
    // Its text says where and what, and quotes nothing but names and words of the body.
    serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_data() { Code::InvalidCommand } else { Code::MalformedJson };
        Problem::new(code, format!("The body: {error}."))
    })
}

/// Whether a text of the body has a NUL, which PostgreSQL's texts cannot have.
fn has_nul(body: &[u8]) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => {
                members.iter().any(|(name, value)| name.contains('\0') || within(value))
            }
            _ => false,
        }
    }
    // JSON writes it as an escape and in no other way.
    body.windows(6).any(|escape| escape == b"\\u0000")
        && serde_json::from_slice(body).is_ok_and(|value: Value| within(&value))
}

/// A body that may say why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// Why: sealed, for the log.
    #[schemars(length(max = REASON_MAX))]
    pub(crate) reason: Option<String>,
}

/// Who asks, and why, for the log.
pub(crate) fn operator(api: &Api, identity: &Identity, reason: Option<&str>) -> Result<Operator, Problem> {
    let reason = reason.filter(|text| !text.trim().is_empty());
    if reason.is_some_and(|text| text.chars().count() > REASON_MAX) {
        let detail = format!("reason: at most {REASON_MAX} characters.");
        return Err(Problem::new(Code::InvalidCommand, detail));
    }
    let by = By { shop: identity.shop.clone(), key_id: identity.key_id.clone() };
    api.intake.operator(&by, reason).map_err(commands::refused)
}

/// A name of a consumer or a sink.
pub(crate) fn name(text: &str) -> Result<&str, Problem> {
    let is_name = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if is_name {
        Ok(text)
    } else {
        Err(Problem::new(Code::InvalidCommand, "A name has 1 to 64 characters of A-Z a-z 0-9 _ . -"))
    }
}
