//! From a request's body to a valid command: a fact, the shop's id for it, and the reason that is sealed.
//!
//! Everything that is wrong is said at once, each with its JSON pointer. What passes here can always enter the log.

pub mod import;
pub mod schema;
mod shape;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest;
use domain::{Fact, Reason, ShopId};
use serde_json::{Map, Value};
use trace_context::TraceParent;

use crate::json::{self, FieldProblem, Problems};
use shape::Field;

/// The longest free-text reason, in characters.
pub const REASON_MAX: usize = 2000;
/// The longest command id: an order's 64, a slash, and a revision.
pub const COMMAND_ID_MAX: usize = 96;

/// What a shop or an operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// `order.placed`
    OrderPlace,
    /// `order.revised`
    OrderRevise,
    /// `order.cancelled`
    OrderCancel,
    /// `order.shipped`
    OrderShip,
    /// `order.resolved`
    OrderResolve,
    /// `payment.recorded`
    PaymentRecord,
    /// `payment.resolved`
    PaymentResolve,
    /// `stock.received`
    StockReceive,
    /// `stock.adjusted`
    StockAdjust,
    /// `stock.returned`
    StockReturn,
    /// `coupon.issued`
    CouponIssue,
    /// `coupon.voided`
    CouponVoid,
    /// `points.granted`
    PointsGrant,
    /// `points.expired`
    PointsExpire,
    /// `shop.configured`
    Configure,
    /// `event.redriven`, by hand
    Redrive,
    /// `event.dismissed`
    Dismiss,
}

impl CommandKind {
    /// The type of the fact that it becomes.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.parts().0
    }

    /// The field that the path names, so that the body need not.
    #[must_use]
    pub fn subject(self) -> Option<&'static str> {
        self.parts().1
    }

    fn fields(self) -> &'static [Field] {
        self.parts().2
    }

    fn parts(self) -> (&'static str, Option<&'static str>, &'static [Field]) {
        match self {
            Self::OrderPlace => ("order.placed", Some("order"), shape::PLACEMENT),
            Self::OrderRevise => ("order.revised", Some("order"), shape::PLACEMENT),
            Self::OrderCancel => ("order.cancelled", Some("order"), shape::ORDER),
            Self::OrderShip => ("order.shipped", Some("order"), shape::SHIPMENT),
            Self::OrderResolve => ("order.resolved", Some("order"), shape::ORDER_RESOLUTION),
            Self::PaymentRecord => ("payment.recorded", Some("order"), shape::TENDER),
            Self::PaymentResolve => ("payment.resolved", Some("capture"), shape::PAYMENT_RESOLUTION),
            Self::StockReceive => ("stock.received", Some("sku"), shape::QUANTITY),
            Self::StockAdjust => ("stock.adjusted", Some("sku"), shape::ADJUSTMENT),
            Self::StockReturn => ("stock.returned", Some("sku"), shape::QUANTITY),
            Self::CouponIssue => ("coupon.issued", Some("code"), shape::COUPON_TERMS),
            Self::CouponVoid => ("coupon.voided", Some("code"), shape::COUPON_REF),
            Self::PointsGrant => ("points.granted", Some("buyer"), shape::POINTS),
            Self::PointsExpire => ("points.expired", Some("buyer"), shape::POINTS),
            Self::Configure => ("shop.configured", None, shape::SETTINGS),
            Self::Redrive => ("event.redriven", Some("of"), shape::OF),
            Self::Dismiss => ("event.dismissed", Some("of"), shape::OF),
        }
    }
}

/// A valid command.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it says.
    pub fact: Fact,
    /// The shop's id of it: the same id and content is the same command.
    pub id: String,
    /// Why, in free text: sealed as evidence, for people write names into it.
    pub reason: Option<String>,
    /// The trace that it belongs to; without one it begins its own.
    pub trace: Option<TraceParent>,
}

impl Command {
    /// It belongs to this trace, and what is appended of it.
    #[must_use]
    pub fn of_trace(self, trace: Option<TraceParent>) -> Self {
        Self { trace, ..self }
    }
}

/// Why a body is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// Not JSON: malformed, wrong UTF-8, nested too deeply.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not this command; all that is wrong.
    #[error("the command is not valid")]
    Fields(Vec<FieldProblem>),
}

/// Reads a command. `subject` is what the path names; `key` is the `Idempotency-Key` header.
///
/// # Errors
/// [`InvalidCommand`] with everything that is wrong.
pub fn read(
    kind: CommandKind,
    shop: &ShopId,
    subject: Option<Value>,
    body: &[u8],
    key: Option<&str>,
) -> Result<Command, InvalidCommand> {
    let mut problems = Problems::default();
    // No body at all is a command whose path and headers say everything.
    let body = if body.iter().all(u8::is_ascii_whitespace) { b"{}" } else { body };
    let value = json::parse(body, &mut problems).map_err(|e| InvalidCommand::NotJson(e.to_string()))?;
    read_value(kind, shop, subject, value, key, problems)
}

/// Reads one line of a batch of stock: the body of its command, with `op` (receive, adjust, return).
///
/// # Errors
/// [`InvalidCommand`] with everything that is wrong.
pub fn read_stock_line(shop: &ShopId, line: &[u8]) -> Result<Command, InvalidCommand> {
    let mut problems = Problems::default();
    let mut value = json::parse(line, &mut problems).map_err(|e| InvalidCommand::NotJson(e.to_string()))?;
    let op = value.as_object_mut().and_then(|object| object.remove("op"));
    let kind = match op.as_ref().and_then(Value::as_str) {
        Some("receive") => CommandKind::StockReceive,
        Some("adjust") => CommandKind::StockAdjust,
        Some("return") => CommandKind::StockReturn,
        _ => {
            problems.add("/op", "must be one of: receive, adjust, return");
            return Err(InvalidCommand::Fields(problems.into_vec()));
        }
    };
    read_value(kind, shop, None, value, None, problems)
}

/// Reads a command from JSON that has been parsed; `problems` are those of the parsing.
fn read_value(
    kind: CommandKind,
    shop: &ShopId,
    subject: Option<Value>,
    mut value: Value,
    key: Option<&str>,
    mut problems: Problems,
) -> Result<Command, InvalidCommand> {
    let mut taken = Taken::default();
    if let Value::Object(object) = &mut value {
        taken = Taken::from(object, key, &mut problems);
        take_subject(kind, object, subject, &mut problems);
    }
    shape::check_fields(kind.fields(), &mut value, &mut String::new(), &mut problems);
    if kind == CommandKind::PaymentResolve {
        take_dismiss(&mut value, &mut problems);
    }
    let fact = if problems.none() { build(kind, shop, value, &mut problems) } else { None };
    if let Some(fact) = &fact {
        judge(fact, &mut problems);
    }
    let id = taken.id.or_else(|| fact.as_ref().and_then(default_id));
    if id.is_none() && !taken.id_is_wrong && !names_itself(kind) {
        problems.add("/id", "is missing: every command has an id of yours, here or as Idempotency-Key");
    }
    match (fact, id) {
        // The timer's redrives have ids of their own, and an operator's must not be taken for one of them.
        (Some(fact), Some(id)) if problems.none() && kind == CommandKind::Redrive => {
            Ok(Command { fact, id: format!("hand:{id}"), reason: taken.reason, trace: None })
        }
        (Some(fact), Some(id)) if problems.none() => {
            Ok(Command { fact, id, reason: taken.reason, trace: None })
        }
        _ => Err(InvalidCommand::Fields(problems.into_vec())),
    }
}

fn names_itself(kind: CommandKind) -> bool {
    matches!(kind, CommandKind::OrderPlace | CommandKind::OrderRevise)
}

/// What stands in the body and is no part of the fact.
#[derive(Default)]
struct Taken {
    id: Option<String>,
    id_is_wrong: bool,
    reason: Option<String>,
}

impl Taken {
    fn from(object: &mut Map<String, Value>, key: Option<&str>, problems: &mut Problems) -> Self {
        let mut taken = Self::default();
        let in_body = match object.remove("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if is_command_id(&id) => Some(id),
            Some(_) => {
                taken.id_is_wrong = true;
                problems.add(
                    "/id",
                    format!("must be a string of 1 to {COMMAND_ID_MAX} of A-Z a-z 0-9 _ . : / -"),
                );
                None
            }
        };
        // The draft writes the key as a quoted string; most clients write it bare.
        let key = key.map(|key| key.strip_prefix('"').and_then(|k| k.strip_suffix('"')).unwrap_or(key));
        let in_header = key.filter(|key| {
            let fits = is_command_id(key);
            if !fits {
                taken.id_is_wrong = true;
                problems.add(
                    "",
                    format!("Idempotency-Key must be 1 to {COMMAND_ID_MAX} of A-Z a-z 0-9 _ . : / -"),
                );
            }
            fits
        });
        if let (Some(body), Some(header)) = (&in_body, in_header)
            && body != header
        {
            problems.add("/id", "differs from Idempotency-Key");
        }
        taken.id = in_body.or_else(|| in_header.map(str::to_owned));
        match object.remove("reason") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.chars().count() <= REASON_MAX && !text.contains('\0') => {
                taken.reason = Some(text).filter(|text| !text.trim().is_empty());
            }
            Some(_) => problems.add("/reason", format!("must be a text of at most {REASON_MAX} characters")),
        }
        taken
    }
}

fn is_command_id(text: &str) -> bool {
    (1..=COMMAND_ID_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'/' | b'-'))
}

fn take_subject(
    kind: CommandKind,
    object: &mut Map<String, Value>,
    subject: Option<Value>,
    problems: &mut Problems,
) {
    let (Some(name), Some(subject)) = (kind.subject(), subject) else { return };
    match object.get(name) {
        Some(named) if !named.is_null() && *named != subject => {
            problems.add(&format!("/{name}"), "differs from the path");
        }
        _ => {
            object.insert(name.to_owned(), subject);
        }
    }
}

fn take_dismiss(value: &mut Value, problems: &mut Problems) {
    let Value::Object(object) = value else { return };
    let dismiss = object.remove("dismiss") == Some(Value::Bool(true));
    if dismiss == object.contains_key("assign") {
        problems.add("", "must have exactly one of assign (an order) and dismiss: true");
    }
}

fn build(kind: CommandKind, shop: &ShopId, value: Value, problems: &mut Problems) -> Option<Fact> {
    let data = if kind == CommandKind::Configure {
        serde_json::json!({ "shop": shop, "settings": value })
    } else {
        value
    };
    Fact::from_data(kind.type_name(), &data.to_string()).map_err(|e| problems.add("", e.to_string())).ok()
}

/// What only the whole can tell.
fn judge(fact: &Fact, problems: &mut Problems) {
    match fact {
        Fact::OrderPlaced(placement) | Fact::OrderRevised(placement) => add(placement.problems(), problems),
        Fact::OrderShipped(shipment) if shipment.lines.as_ref().is_some_and(Vec::is_empty) => {
            problems.add("/lines", "is empty: leave it out to ship all that is left");
        }
        Fact::StockAdjusted(adjustment) if adjustment.delta.is_some() == adjustment.on_hand.is_some() => {
            problems.add("", "must have exactly one of delta and on_hand");
        }
        Fact::CouponIssued(terms) => {
            if let (Some(from), Some(until)) = (terms.valid_from, terms.valid_until)
                && from >= until
            {
                problems.add("/valid_until", "must be later than valid_from");
            }
            if terms.max_per_buyer.is_some_and(|most| most > terms.max_uses) {
                problems.add("/max_per_buyer", "must not be more than max_uses");
            }
        }
        Fact::ShopConfigured(configuration) => add(configuration.settings.problems(), problems),
        _ => {}
    }
}

fn add(reasons: Vec<Reason>, problems: &mut Problems) {
    for reason in reasons {
        problems.add(&pointer_of(&reason.code), reason.detail);
    }
}

/// `lines[0].qty` as a JSON pointer.
fn pointer_of(field: &str) -> String {
    let mut pointer = String::from("/");
    for c in field.chars() {
        match c {
            '.' | '[' => pointer.push('/'),
            ']' => {}
            c => pointer.push(c),
        }
    }
    pointer
}

fn default_id(fact: &Fact) -> Option<String> {
    match fact {
        Fact::OrderPlaced(p) | Fact::OrderRevised(p) => Some(format!("{}/{}", p.order, p.revision)),
        _ => None,
    }
}

/// What makes two commands the same: SHA-256 of the type, a line feed, and the canonical data.
///
/// # Errors
/// None in practice: every command's data is plain JSON.
pub fn content_sha256(fact: &Fact) -> Result<[u8; 32], serde_json::Error> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(fact.type_name().as_bytes());
    context.update(b"\n");
    context.update(&serde_json_canonicalizer::to_vec(&fact.to_data()?)?);
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(sha256)
}
