//! A message as a record of Kafka.

use domain::ShopId;
use rdkafka::message::{Header, OwnedHeaders};

use crate::{Message, TRACEPARENT};

/// CloudEvents in binary mode, and the id by itself, where readers of Debezium's outbox router look for it.
pub(super) fn headers(message: &Message, shop: &ShopId) -> OwnedHeaders {
    let attributes = message.attributes(shop);
    let id = message.id.to_string();
    let mut headers = OwnedHeaders::new_with_capacity(attributes.len() + 1);
    for (name, value) in &attributes {
        let prefixed;
        let key = if *name == "datacontenttype" {
            "content-type"
        } else {
            prefixed = format!("ce_{name}");
            &prefixed
        };
        headers = headers.insert(Header { key, value: Some(value) });
    }
    if let Some(trace) = message.traceparent() {
        headers = headers.insert(Header { key: TRACEPARENT, value: Some(&trace) });
    }
    headers.insert(Header { key: "id", value: Some(&id) })
}
