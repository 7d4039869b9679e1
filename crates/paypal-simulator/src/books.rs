//! What is at PayPal: events that happened, captures, sales, orders, webhooks, clients and their tokens, and what is still to be
//! delivered. All of it in memory, and bounded.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use domain::{Money, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// The most events, and so of captures and orders, that are kept.
const EVENTS_MAX: usize = 200_000;
/// As PayPal allows for an app.
const WEBHOOKS_MAX: usize = 10;
const CLIENTS_MAX: usize = 100;
const TOKENS_MAX: usize = 10_000;

/// Why PayPal does not take what it is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The body is no event: it is not JSON, or has no id, type or time.
    #[error("a body is a JSON object with id, event_type and create_time (RFC 3339)")]
    NoEvent,
    /// An event of this id has happened already, with another body.
    #[error("another event has the id {0}")]
    OtherEvent(String),
    /// It has as many of these as it keeps.
    #[error("there are as many {0} as are kept")]
    Full(&'static str),
}

/// An event that happened, as it is sent.
#[derive(Clone)]
pub struct Event {
    /// `WH-..`.
    pub id: String,
    /// Such as `PAYMENT.CAPTURE.COMPLETED`.
    pub event_type: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// What it is about: a capture, a refund, an order.
    pub resource_id: Option<String>,
    /// The bytes that are sent.
    pub body: Arc<[u8]>,
}

/// A subscription to events.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What its transmissions are signed for: letters and digits.
    pub id: String,
    /// Where they are sent.
    pub url: String,
    /// Of which types; `*` for all.
    pub event_types: Vec<String>,
}

impl Webhook {
    /// A subscription to everything.
    #[must_use]
    pub fn new(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self { id: id.into(), url: url.into(), event_types: vec!["*".to_owned()] }
    }

    fn wants(&self, event: &Event) -> bool {
        self.event_types.iter().any(|wanted| wanted == "*" || *wanted == event.event_type)
    }
}

/// An app's credentials.
#[derive(Clone, Debug)]
pub struct Client {
    /// Public.
    pub id: String,
    /// Not printed.
    pub secret: SecretString,
}

/// An event on its way to a webhook.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) event: Event,
    pub(crate) webhook_id: String,
    /// When it is first sent.
    pub(crate) due: Timestamp,
}

/// Which events are asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) event_type: Option<&'a str>,
    pub(crate) resource_id: Option<&'a str>,
    /// Only those that stand behind this one, the newest first.
    pub(crate) behind: Option<&'a str>,
}

#[derive(Default)]
pub(crate) struct Books {
    /// By time, then as they came.
    events: BTreeMap<(Timestamp, u64), Event>,
    keys: HashMap<String, (Timestamp, u64)>,
    pub(crate) captures: HashMap<String, Value>,
    /// What captures were in version 1.
    pub(crate) sales: HashMap<String, Value>,
    /// Minor units by capture and refund.
    refunds: HashMap<String, BTreeMap<String, i64>>,
    pub(crate) orders: HashMap<String, Value>,
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    clients: HashMap<String, SecretString>,
    /// When each ends.
    tokens: HashMap<String, Timestamp>,
    pending: BTreeMap<u64, Pending>,
    next: u64,
}

impl Books {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes an event, what it says of captures and orders, and queues it for the webhooks that want it. The same event
    /// again changes nothing.
    pub(crate) fn happened(&mut self, body: Vec<u8>) -> Result<Event, NotTaken> {
        let value: Value = serde_json::from_slice(&body).map_err(|_| NotTaken::NoEvent)?;
        let event = read_event(&value, body).ok_or(NotTaken::NoEvent)?;
        if let Some(known) = self.event(&event.id) {
            let same = known.body == event.body;
            return if same { Ok(event) } else { Err(NotTaken::OtherEvent(event.id)) };
        }
        if self.events.len() >= EVENTS_MAX {
            return Err(NotTaken::Full("events"));
        }
        self.learn(&value)?;
        let key = (event.created_at, self.number());
        self.keys.insert(event.id.clone(), key);
        self.events.insert(key, event.clone());
        let ids: Vec<String> = self.webhooks.keys().cloned().collect();
        self.queue(&event, &ids, event.created_at);
        Ok(event)
    }

    fn queue(&mut self, event: &Event, webhook_ids: &[String], due: Timestamp) {
        for id in webhook_ids {
            if self.webhooks.get(id).is_some_and(|webhook| webhook.wants(event)) {
                let number = self.number();
                self.pending.insert(number, Pending { event: event.clone(), webhook_id: id.clone(), due });
            }
        }
    }

    /// Queues an event anew for these webhooks, or for all that want it; what is still on its way is not sent again.
    pub(crate) fn resend(&mut self, event: &Event, webhook_ids: Option<Vec<String>>, due: Timestamp) {
        let mut ids = webhook_ids.unwrap_or_else(|| self.webhooks.keys().cloned().collect());
        let on_the_way = self.pending.values().filter(|pending| pending.event.id == event.id);
        for pending in on_the_way {
            ids.retain(|id| *id != pending.webhook_id);
        }
        self.queue(event, &ids, due);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// What was queued after this number, in the order in which it was.
    pub(crate) fn pending_after(&self, number: u64) -> Vec<(u64, Pending)> {
        let after = self.pending.range((Bound::Excluded(number), Bound::Unbounded));
        after.map(|(number, pending)| (*number, pending.clone())).collect()
    }

    pub(crate) fn is_pending(&self, number: u64) -> bool {
        self.pending.contains_key(&number)
    }

    pub(crate) fn has_pending_after(&self, number: u64) -> bool {
        self.pending.last_key_value().is_some_and(|(last, _)| *last > number)
    }

    pub(crate) fn done(&mut self, number: u64) {
        self.pending.remove(&number);
    }

    pub(crate) fn event(&self, id: &str) -> Option<&Event> {
        self.events.get(self.keys.get(id)?)
    }

    /// The newest first, at most `limit`; `None` when `behind` names no event.
    pub(crate) fn list(&self, wanted: &Wanted<'_>, limit: usize) -> Option<Vec<Event>> {
        let below = match wanted.behind {
            Some(id) => Bound::Excluded(*self.keys.get(id)?),
            None => Bound::Unbounded,
        };
        let from = (wanted.from, 0);
        if matches!(below, Bound::Excluded(key) if key <= from) {
            return Some(Vec::new());
        }
        let found = self.events.range((Bound::Included(from), below)).rev().map(|(_, event)| event);
        let found = found.filter(|event| {
            wanted.until.is_none_or(|until| event.created_at <= until)
                && wanted.event_type.is_none_or(|wanted| event.event_type == wanted)
                && wanted.resource_id.is_none_or(|wanted| event.resource_id.as_deref() == Some(wanted))
        });
        Some(found.take(limit).cloned().collect())
    }

    /// Takes a subscription, in the place of one with the same id.
    pub(crate) fn subscribe(&mut self, webhook: Webhook) -> Result<(), NotTaken> {
        if self.webhooks.len() >= WEBHOOKS_MAX && !self.webhooks.contains_key(&webhook.id) {
            return Err(NotTaken::Full("webhooks"));
        }
        self.webhooks.insert(webhook.id.clone(), webhook);
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, webhook_id: &str) {
        self.webhooks.remove(webhook_id);
        self.pending.retain(|_, pending| pending.webhook_id != webhook_id);
    }

    pub(crate) fn add_client(&mut self, client: Client) -> Result<(), NotTaken> {
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client.id) {
            return Err(NotTaken::Full("clients"));
        }
        self.clients.insert(client.id, client.secret);
        Ok(())
    }

    pub(crate) fn knows_client(&self, id: &str, secret: &str) -> bool {
        self.clients.get(id).is_some_and(|known| known.expose_secret() == secret)
    }

    /// Gives out a token; those that have ended make room.
    pub(crate) fn add_token(&mut self, token: String, ends: Timestamp, now: Timestamp) {
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.retain(|_, ends| *ends > now);
        }
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.clear();
        }
        self.tokens.insert(token, ends);
    }

    pub(crate) fn is_token(&self, token: &str, now: Timestamp) -> bool {
        self.tokens.get(token).is_some_and(|ends| now < *ends)
    }

    pub(crate) fn end_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Keeps what an event's resource is, so that it can be asked for.
    pub(crate) fn learn(&mut self, event: &Value) -> Result<(), NotTaken> {
        let resource = &event["resource"];
        let Some(id) = resource["id"].as_str() else { return Ok(()) };
        if self.captures.len().max(self.sales.len()).max(self.orders.len()) >= EVENTS_MAX {
            return Err(NotTaken::Full("captures and orders"));
        }
        match event["resource_type"].as_str() {
            Some("capture") => self.learn_capture(id, resource),
            Some("sale") => {
                self.sales.insert(id.to_owned(), resource.clone());
            }
            Some("checkout-order") => {
                self.orders.insert(id.to_owned(), resource.clone());
                for unit in resource["purchase_units"].as_array().into_iter().flatten() {
                    for capture in unit["payments"]["captures"].as_array().into_iter().flatten() {
                        if let Some(id) = capture["id"].as_str() {
                            self.captures.insert(id.to_owned(), capture.clone());
                        }
                    }
                }
            }
            Some("refund") => self.learn_refund(id, resource),
            _ => {}
        }
        Ok(())
    }

    fn learn_capture(&mut self, id: &str, capture: &Value) {
        self.captures.insert(id.to_owned(), capture.clone());
        let Some(order_id) = capture["supplementary_data"]["related_ids"]["order_id"].as_str() else {
            return;
        };
        let order = self.orders.entry(order_id.to_owned()).or_insert_with(|| order_of(order_id, capture));
        // An order is completed when its payment was taken, though the money may be under way.
        if matches!(capture["status"].as_str(), Some("COMPLETED" | "PENDING")) {
            order["status"] = json!("COMPLETED");
        }
        order["update_time"] = capture["update_time"].clone();
        let captures = &mut order["purchase_units"][0]["payments"]["captures"];
        let mut list = captures.as_array().cloned().unwrap_or_default();
        list.retain(|other| other["id"] != capture["id"]);
        list.push(capture.clone());
        *captures = Value::Array(list);
    }

    /// A refund changes its capture's status. A reversal is taken for one: the published statuses have none of its own.
    fn learn_refund(&mut self, id: &str, refund: &Value) {
        let links = refund["links"].as_array().into_iter().flatten();
        let up = links.filter(|link| link["rel"] == "up").find_map(|link| link["href"].as_str());
        let Some(capture_id) = up.and_then(|href| href.rsplit('/').next()) else { return };
        let Some(mut capture) = self.captures.get(capture_id).cloned() else { return };
        let (Some(back), Some(taken)) = (minor(&refund["amount"]), minor(&capture["amount"])) else { return };
        let refunds = self.refunds.entry(capture_id.to_owned()).or_default();
        refunds.insert(id.to_owned(), back);
        let all = refunds.values().sum::<i64>() >= taken;
        capture["status"] = json!(if all { "REFUNDED" } else { "PARTIALLY_REFUNDED" });
        capture["update_time"] = refund["update_time"].clone();
        self.learn_capture(capture_id, &capture);
    }
}

fn read_event(value: &Value, body: Vec<u8>) -> Option<Event> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let created_at = chrono::DateTime::parse_from_rfc3339(value["create_time"].as_str()?).ok()?;
    Some(Event {
        id: text(&value["id"]).filter(|id| !id.is_empty())?,
        event_type: text(&value["event_type"])?,
        created_at: Timestamp::new(created_at.to_utc()),
        resource_id: text(&value["resource"]["id"]),
        body: body.into(),
    })
}

/// The order that a capture tells of, where nothing else is known of it.
fn order_of(id: &str, capture: &Value) -> Value {
    let mut unit = json!({"reference_id": "default"});
    for name in ["amount", "payee", "custom_id", "invoice_id"] {
        if !capture[name].is_null() {
            unit[name] = capture[name].clone();
        }
    }
    let links = capture["links"].as_array().into_iter().flatten();
    let href = links.filter(|link| link["rel"] == "up").find_map(|link| link["href"].as_str());
    json!({
        "id": id,
        "status": "APPROVED",
        "intent": "CAPTURE",
        "create_time": capture["create_time"],
        "update_time": capture["update_time"],
        "purchase_units": [unit],
        "links": [{"href": href.unwrap_or(id), "rel": "self", "method": "GET"}],
    })
}

fn minor(amount: &Value) -> Option<i64> {
    let money = Money::parse(amount["value"].as_str()?, amount["currency_code"].as_str()?).ok()?;
    Some(money.minor)
}
