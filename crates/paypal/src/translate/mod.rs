//! What an authentic callback means: a fact of the domain.
//!
//! It never fails. A type that means nothing to us is `callback.ignored`; a body that cannot be understood is
//! `callback.unreadable`, which is kept and can be read again by a newer version of this code. The event's type and the
//! resource's status decide together, for the resource is a snapshot of the moment of sending.
//!
//! Never: a guess about money, or a value of the body in a reason.

mod dispute;
mod fields;
mod ids;
mod order;
mod payment;
mod summary;

use domain::{Fact, Ignored, Unreadable};
use serde_json::value::RawValue;

use fields::{Fields, Why};

pub use summary::summary;

/// The most characters of an event id that is used to tell callbacks apart, and of an event type.
const NAME_MAX: usize = 64;

/// The types of events of version 2 that mean something to us: what a webhook should be subscribed to. Whoever takes sales
/// of version 1 needs `PAYMENT.SALE.*` too.
pub const EVENT_TYPES: [&str; 15] = [
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.ORDER.COMPLETED",
    "CHECKOUT.ORDER.VOIDED",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
    "PAYMENT.AUTHORIZATION.CREATED",
    "PAYMENT.AUTHORIZATION.VOIDED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.DECLINED",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.UPDATED",
    "CUSTOMER.DISPUTE.RESOLVED",
];

/// A callback, as far as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// PayPal's id of the event, when it can be used to tell events apart: 1 to 64 printable ASCII characters.
    pub event_id: Option<String>,
    /// PayPal's type of the event, at most 64 printable characters of it.
    pub paypal_type: Option<String>,
    /// What it means.
    pub fact: Fact,
}

/// What the readers of resources need beside the resource.
struct Reading<'a> {
    resource: Fields<'a>,
    /// `resource_version` 2 and later name things differently; it is absent before.
    is_v1: bool,
    pseudonym: &'a dyn Fn(&str) -> String,
}

/// Translates a callback's raw body. `pseudonym` stands in for ids of the shop that may hold personal data.
#[must_use]
pub fn translate(body: &[u8], pseudonym: &dyn Fn(&str) -> String) -> Translation {
    let envelope = match read_envelope(body) {
        Ok(envelope) => envelope,
        Err(Why(why)) => {
            let fact = Fact::CallbackUnreadable(Unreadable { paypal_type: None, why });
            return Translation { event_id: None, paypal_type: None, fact };
        }
    };
    let event_id = envelope.text("id").ok().flatten().filter(|id| is_usable_id(id));
    let (paypal_type, fact) = match envelope.text("event_type") {
        Ok(Some(name)) => {
            let fact = read_fact(&envelope, &name, pseudonym);
            (Some(printable(&name)), fact)
        }
        Ok(None) => (None, Err(Why("event_type is missing".to_owned()))),
        Err(why) => (None, Err(why)),
    };
    let fact = fact.unwrap_or_else(|Why(why)| {
        Fact::CallbackUnreadable(Unreadable { paypal_type: paypal_type.clone(), why })
    });
    Translation { event_id, paypal_type, fact }
}

fn read_envelope(body: &[u8]) -> Result<Fields<'_>, Why> {
    let text = std::str::from_utf8(body).map_err(|_| Why("the body is not UTF-8".to_owned()))?;
    Fields::read_text(text, "").map_err(|why| match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => why,
        Err(error) => Why(format!("the body is not JSON (line {}, column {})", error.line(), error.column())),
    })
}

fn is_usable_id(id: &str) -> bool {
    (1..=NAME_MAX).contains(&id.len()) && id.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| (' '..='~').contains(c)).take(NAME_MAX).collect()
}

fn read_fact(envelope: &Fields<'_>, name: &str, pseudonym: &dyn Fn(&str) -> String) -> Result<Fact, Why> {
    let reader: fn(&Reading<'_>) -> Result<Option<Fact>, Why> = match name {
        "CHECKOUT.ORDER.APPROVED" => order::approved,
        "CHECKOUT.ORDER.COMPLETED" => order::completed,
        "CHECKOUT.ORDER.VOIDED" => order::voided,
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED" => order::approval_reversed,
        "PAYMENT.AUTHORIZATION.CREATED" => payment::authorized,
        "PAYMENT.AUTHORIZATION.VOIDED" => payment::authorization_voided,
        "PAYMENT.CAPTURE.COMPLETED" | "PAYMENT.SALE.COMPLETED" => payment::completed,
        "PAYMENT.CAPTURE.PENDING" | "PAYMENT.SALE.PENDING" => payment::pending,
        "PAYMENT.CAPTURE.DENIED" | "PAYMENT.CAPTURE.DECLINED" | "PAYMENT.SALE.DENIED" => payment::denied,
        "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.SALE.REFUNDED" => payment::refunded,
        "PAYMENT.CAPTURE.REVERSED" | "PAYMENT.SALE.REVERSED" => payment::reversed,
        "CUSTOMER.DISPUTE.CREATED" => |r| dispute::read(r).map(|d| Some(Fact::DisputeOpened(d))),
        "CUSTOMER.DISPUTE.UPDATED" => |r| dispute::read(r).map(|d| Some(Fact::DisputeUpdated(d))),
        "CUSTOMER.DISPUTE.RESOLVED" => |r| dispute::read(r).map(|d| Some(Fact::DisputeResolved(d))),
        _ => return Ok(ignored(name)),
    };
    let resource = envelope.object("resource")?.ok_or_else(|| Why("resource is missing".to_owned()))?;
    let version = envelope.text("resource_version")?;
    let is_v1 = version.is_none_or(|version| version.starts_with('1'));
    let reading = Reading { resource, is_v1, pseudonym };
    Ok(reader(&reading)?.unwrap_or_else(|| ignored(name)))
}

fn ignored(name: &str) -> Fact {
    Fact::CallbackIgnored(Ignored { paypal_type: printable(name) })
}
