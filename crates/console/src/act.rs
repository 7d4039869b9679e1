//! What an operator does by a form: the same commands and acts as the API's, in the name of the key, with the reason.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::Position;
use event_log::Operator;
use intake::command::REASON_MAX;
use intake::{By, CommandKind, command};
use serde_json::{Map, Value};

use crate::csrf;
use crate::fault::Fault;
use crate::visit::Visit;

/// Bytes of a form.
const FORM_MAX: usize = 64 * 1024;
/// The relay takes a few milliseconds; where it takes longer, the page says that it waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The fields of a form or a query, each at most once.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        // PostgreSQL's texts have no NUL.
        Self(pairs.map(|(name, value)| (name.into_owned(), value.replace('\0', ""))).collect())
    }

    pub(crate) fn of_query(request: &HttpRequest) -> Self {
        Self::parse(request.query_string().as_bytes())
    }

    /// The field without spaces around it; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())?;
        (!value.is_empty()).then_some(value)
    }

    /// The field, or nothing of it.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

/// A form that was sent by a page of ours, by an operator.
pub(crate) struct Form {
    pub(crate) fields: Fields,
    pub(crate) reason: String,
}

/// The fields of any form that comes from here.
pub(crate) async fn fields(
    visit: &Visit,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Fields, Fault> {
    if !csrf::is_from_here(request) {
        return Err(Fault::Stale);
    }
    let body = visit.api.body(request, payload, FORM_MAX).await?;
    Ok(Fields::parse(&body))
}

/// The same, with the session's token.
pub(crate) async fn own_fields(
    visit: &Visit,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Fields, Fault> {
    visit.me()?;
    let fields = fields(visit, request, payload).await?;
    let session = visit.session().ok_or(Fault::SignIn)?;
    if csrf::is_token(fields.get("token").unwrap_or_default(), &session.token) {
        Ok(fields)
    } else {
        Err(Fault::Stale)
    }
}

/// An operator's form, with its reason.
pub(crate) async fn form(visit: &Visit, request: &HttpRequest, payload: web::Payload) -> Result<Form, Fault> {
    visit.operator()?;
    let fields = own_fields(visit, request, payload).await?;
    let reason = fields.text("reason");
    if reason.is_empty() {
        return Err(Fault::Refused(visit.words().reason_missing().to_owned()));
    }
    if reason.len() > REASON_MAX {
        return Err(Fault::Refused(format!("{}: {} > {REASON_MAX}", visit.words().reason(), reason.len())));
    }
    Ok(Form { fields, reason })
}

/// Where a command stands, and whether what came of it is there.
pub(crate) struct Done {
    pub(crate) position: Position,
    pub(crate) is_decided: bool,
}

/// Appends a command as the API does, and waits for what comes of it.
pub(crate) async fn command(
    visit: &Visit,
    kind: CommandKind,
    subject: Value,
    body: Map<String, Value>,
    reason: &str,
) -> Result<Done, Fault> {
    let position = append(visit, kind, subject, body, reason).await?;
    Ok(Done { position, is_decided: is_decided(visit, position).await? })
}

/// Waits for what comes of it.
pub(crate) async fn is_decided(visit: &Visit, position: Position) -> Result<bool, Fault> {
    Ok(visit.api.applied(&visit.me()?.shop, position, PATIENCE).await?)
}

/// The same, and nobody waits for what comes of it.
pub(crate) async fn append(
    visit: &Visit,
    kind: CommandKind,
    subject: Value,
    mut body: Map<String, Value>,
    reason: &str,
) -> Result<Position, Fault> {
    let me = visit.me()?;
    if !http_api::roles(kind).iter().any(|role| me.has(*role)) {
        return Err(Fault::Forbidden);
    }
    body.insert("reason".into(), reason.into());
    body.entry("id").or_insert_with(|| some_id().into());
    let bytes = Value::Object(body).to_string();
    let read = command::read(kind, &me.shop, Some(subject), bytes.as_bytes(), None);
    let read = read.map_err(http_api::not_valid)?.of_trace(visit.trace);
    let by = By { shop: me.shop.clone(), key_id: me.key_id.clone() };
    let intake = visit.api.intake.clone();
    let accepted = visit.api.run(async move { intake.command(&by, read).await }).await?;
    let accepted = accepted.map_err(http_api::refused)?;
    tracing::info!(shop = %me.shop, by = me.key_id, what = kind.type_name(), "a command came from the console");
    Ok(accepted.position)
}

/// Who acts on what stands beside the log, and why.
pub(crate) fn operator(visit: &Visit, reason: &str) -> Result<Operator, Fault> {
    let me = visit.operator()?;
    let by = By { shop: me.shop.clone(), key_id: me.key_id.clone() };
    visit.api.intake.operator(&by, Some(reason)).map_err(|error| http_api::refused(error).into())
}

/// Back to a page, with what was done.
pub(crate) fn done(to: &str, what: &str, done: &Done) -> HttpResponse {
    let what = if done.is_decided { what } else { "waits" };
    said(to, what, done.position.0)
}

/// Back to a page, which says so.
pub(crate) fn said(to: &str, what: &str, at: i64) -> HttpResponse {
    let between = if to.contains('?') { '&' } else { '?' };
    see(&format!("{to}{between}done={what}&at={at}"))
}

/// To another page.
pub(crate) fn see(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// An id of a command that nobody has given one to: of a form that has none of its own.
fn some_id() -> String {
    let mut bytes = [0; 12];
    // Without randomness it is refused as known or conflicting, and nothing is done twice.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    form_id(&bytes)
}

fn form_id(bytes: &[u8]) -> String {
    format!("console-{}", hex::encode(bytes))
}

/// The id of a form: sent twice, it takes effect once.
pub(crate) fn new_id() -> String {
    some_id()
}

/// A value of a form in the path: what a path cannot have is written by its number.
pub(crate) fn in_path(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let fields = Fields::parse("a=1+2&b=%E8%AE%A2&c=&d= x &e=%00y".as_bytes());
        assert_eq!(fields.get("a"), Some("1 2"));
        assert_eq!(fields.get("b"), Some("订"));
        assert_eq!((fields.get("c"), fields.get("f")), (None, None));
        assert_eq!((fields.get("d"), fields.get("e")), (Some("x"), Some("y")));
    }

    #[test]
    fn a_path_has_whatever_an_id_has() {
        assert_eq!(in_path("A-1001"), "A-1001");
        assert_eq!(in_path("a b/c?d#e"), "a%20b%2Fc%3Fd%23e");
    }
}
