//! A message: what one outbox row says, as every reader gets it (CloudEvents 1.0).

use std::sync::LazyLock;

use domain::{Position, ShopId, Timestamp};
use event_log::{Event, Kind};
use memchr::memmem::Finder;
use tokio_postgres::Row;
use trace_context::TraceParent;
use uuid::Uuid;

use crate::selection::OUTCOMES;
use crate::{Bounds, Error, contract};

/// The header of W3C Trace Context, and the extension of CloudEvents of the same name
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md>).
pub const TRACEPARENT: &str = "traceparent";
static SHADOW: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"shadow\":true"));

/// One event, on its way downstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The epoch that it was appended in.
    pub epoch: i64,
    /// Where it stands in the log.
    pub position: Position,
    /// Its id, the same however often it comes.
    pub id: Uuid,
    /// What happened: `order.paid`.
    pub type_name: String,
    /// order, payment, stock, ..
    pub aggregate_type: String,
    /// What it is about, without its kind: messages of one keep their order.
    pub aggregate_id: String,
    /// The same with its kind: `order:1042`.
    pub key: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The event's data: JSON.
    pub payload: String,
    /// The trace that the event belongs to: the same however often it comes.
    pub trace: Option<TraceParent>,
    /// The delivery itself as a part of that trace, for transports that tell it beside the event.
    pub hop: Option<TraceParent>,
}

impl Message {
    pub(crate) fn of_row(row: &Row, bounds: &Bounds) -> Result<Self, Error> {
        let position = Position(row.try_get("position")?);
        Ok(Self {
            epoch: bounds.epoch_of(position),
            position,
            id: row.try_get("id")?,
            type_name: row.try_get("type")?,
            aggregate_type: row.try_get("aggregatetype")?,
            aggregate_id: row.try_get("aggregateid")?,
            key: row.try_get("key")?,
            at: Timestamp::new(row.try_get("at")?),
            payload: row.try_get("payload")?,
            trace: row.try_get::<_, Option<&str>>("traceparent")?.and_then(|trace| trace.parse().ok()),
            hop: None,
        })
    }

    /// The same message from the log, for one that may be pruned from the outbox.
    pub(crate) fn of_event(event: &Event, bounds: &Bounds) -> Self {
        Self::in_epoch(event, bounds.epoch_of(event.position))
    }

    /// What an event is for whoever reads it, in an epoch of its log.
    #[must_use]
    pub fn in_epoch(event: &Event, epoch: i64) -> Self {
        Self {
            epoch,
            position: event.position,
            id: event.id,
            type_name: event.type_name.clone(),
            aggregate_type: event.aggregate_type().to_owned(),
            aggregate_id: event.key.name().into_owned(),
            key: event.key.to_string(),
            at: event.at,
            payload: event.data().to_owned(),
            trace: event.trace,
            hop: None,
        }
    }

    /// Whether it was decided while the shop was in shadow: sinks do not deliver it.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Marked {
            #[serde(default)]
            shadow: bool,
        }
        // Nearly none is, and those that hold the words may say them of something else.
        SHADOW.find(self.payload.as_bytes()).is_some()
            && serde_json::from_str(&self.payload).is_ok_and(|Marked { shadow }| shadow)
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.payload.len() + self.key.len() + self.aggregate_id.len() + 256
    }

    /// The position as a text that sorts as positions do: CloudEvents' extension `sequence`.
    #[must_use]
    pub fn sequence(&self) -> String {
        format!("{:020}", self.position.0)
    }

    /// Names the schema of the data, which is served under `/schemas/` by whatever name the host has.
    fn schema_uri(&self) -> String {
        let is_fact =
            || contract::of(&self.aggregate_type, &self.type_name).is_some_and(|c| c.kind == Kind::Fact);
        let folder =
            if !OUTCOMES.contains(&self.aggregate_type.as_str()) && is_fact() { "facts:" } else { "" };
        format!("urn:counterfoil:schema:{folder}{}", self.type_name)
    }

    /// Its attributes, by the names of CloudEvents 1.0, for transports that carry them beside the data.
    #[must_use]
    pub fn attributes(&self, shop: &ShopId) -> Vec<(&'static str, String)> {
        let mut attributes = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.id.to_string()),
            ("source", source(shop)),
            ("type", self.type_name.clone()),
            ("subject", self.key.clone()),
            ("time", self.at.to_string()),
            ("datacontenttype", "application/json".to_owned()),
            ("dataschema", self.schema_uri()),
            ("sequence", self.sequence()),
            ("epoch", self.epoch.to_string()),
            ("partitionkey", self.aggregate_id.clone()),
        ];
        attributes.extend(self.trace.map(|trace| (TRACEPARENT, trace.to_string())));
        attributes
    }

    /// What a transport tells of the trace in its own header [`TRACEPARENT`]: the delivery, where that is recorded, else
    /// the event.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.hop.or(self.trace).map(|trace| trace.to_string())
    }

    /// The whole of it as one JSON document (`application/cloudevents+json`).
    pub fn write_json(&self, shop: &ShopId, out: &mut Vec<u8>) {
        use std::io::Write as _;
        // Ids, types, keys and times have no character that JSON escapes but for callbacks' keys, which PayPal chose; writing
        // to memory does not fail.
        let _ = write!(
            out,
            "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"{}\",\"type\":\"{}\",\"subject\":{},\"time\":\"{}\",\
             \"datacontenttype\":\"application/json\",\"dataschema\":\"{}\",\"sequence\":\"{:020}\",\"epoch\":{},\
             \"partitionkey\":{}{}{},\"data\":{}}}",
            self.id,
            source(shop),
            self.type_name,
            serde_json::Value::from(self.key.as_str()),
            self.at,
            self.schema_uri(),
            self.position.0,
            self.epoch,
            serde_json::Value::from(self.aggregate_id.as_str()),
            if self.is_shadow() { ",\"shadow\":true" } else { "" },
            self.trace.map(|trace| format!(",\"{TRACEPARENT}\":\"{trace}\"")).unwrap_or_default(),
            self.payload
        );
    }
}

/// Many of them as one document (`application/cloudevents-batch+json`).
#[must_use]
pub fn write_batch(messages: &[Message], shop: &ShopId) -> Vec<u8> {
    let mut out = Vec::with_capacity(messages.iter().map(|message| message.bytes() + 256).sum::<usize>() + 2);
    out.push(b'[');
    for (n, message) in messages.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        message.write_json(shop, &mut out);
    }
    out.push(b']');
    out
}

/// Where messages of a shop come from, whichever process sends them.
fn source(shop: &ShopId) -> String {
    format!("/shops/{shop}")
}

/// A message about an order, for tests.
#[cfg(test)]
pub(crate) fn of_order(position: i64, order: &str) -> Message {
    Message {
        epoch: 0,
        position: Position(position),
        id: Uuid::from_u128(position.unsigned_abs().into()),
        type_name: "order.paid".to_owned(),
        aggregate_type: "order".to_owned(),
        aggregate_id: order.to_owned(),
        key: format!("order:{order}"),
        at: Timestamp::new(chrono::DateTime::UNIX_EPOCH),
        payload: "{}".to_owned(),
        trace: None,
        hop: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            epoch: 0,
            position: Position(1042),
            id: Uuid::nil(),
            type_name: "order.paid".to_owned(),
            aggregate_type: "order".to_owned(),
            aggregate_id: "7".to_owned(),
            key: "callback:a\"b".to_owned(),
            at: Timestamp::new(chrono::DateTime::UNIX_EPOCH),
            payload: r#"{"order":{"order":"7"}}"#.to_owned(),
            trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok(),
            hop: None,
        }
    }

    #[test]
    fn the_document_says_what_the_attributes_say() {
        let shop = ShopId::parse("demo").unwrap();
        let mut out = Vec::new();
        message().write_json(&shop, &mut out);
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        for (name, value) in message().attributes(&shop) {
            let said = &document[name];
            let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
            assert_eq!(said, value, "{name}");
        }
        assert_eq!(document["data"]["order"]["order"], "7");
        assert_eq!(document.as_object().unwrap().len(), 13);
    }

    #[test]
    fn what_was_decided_in_shadow_is_marked_and_settings_that_say_shadow_are_not() {
        let shop = ShopId::parse("demo").unwrap();
        for (payload, is_marked) in [
            (r#"{"order":{"order":"7"},"shadow":true}"#, true),
            (r#"{"settings":{"shadow":true}}"#, false),
            (r#"{"shadow":false}"#, false),
        ] {
            let message = Message { payload: payload.to_owned(), ..message() };
            let mut out = Vec::new();
            message.write_json(&shop, &mut out);
            let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(document.get("shadow").is_some(), is_marked, "{payload}");
            assert_eq!(message.is_shadow(), is_marked, "{payload}");
        }
    }

    #[test]
    fn sequences_sort_as_positions_do() {
        let of = |position| Message { position: Position(position), ..message() }.sequence();
        assert!(of(9) < of(10) && of(10) < of(1_000_000_000_000));
    }

    #[test]
    fn a_batch_is_an_array_also_when_it_is_empty() {
        let shop = ShopId::parse("demo").unwrap();
        assert_eq!(write_batch(&[], &shop), b"[]");
        let two: Vec<serde_json::Value> =
            serde_json::from_slice(&write_batch(&[message(), message()], &shop)).unwrap();
        assert_eq!(two.len(), 2);
    }
}
