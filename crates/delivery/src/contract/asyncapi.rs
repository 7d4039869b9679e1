//! The AsyncAPI document: where which events go, and what they look like there.

use serde_json::{Map, Value, json};

use super::{Contract, Kind, SCHEMAS_PATH, all};

/// The document, for a service that is reached at this URL: `https://counterfoil.example`.
///
/// Every transport carries the same messages. Brokers are the operator's, so only the feed's server has an address.
#[must_use]
pub fn asyncapi(server_url: &str) -> Value {
    let server_url = server_url.trim_end_matches('/');
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Counterfoil's events",
            "version": "1",
            "description": "What happened to orders, payments, stock, coupons and points. Each message carries all that \
                it takes to act on it, and may come again: id and sequence tell. Fields are added, never changed.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": servers(server_url),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "schemas": { "cloudEvent": attributes() },
            "messages": all().iter().map(|contract| (message_name(contract), message(contract, server_url))).collect::<Map<_, _>>(),
        },
    })
}

fn servers(server_url: &str) -> Value {
    let (protocol, rest) = server_url.split_once("://").unwrap_or(("https", server_url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let broker = |protocol: &str, description: &str| {
        json!({
            "host": "{host}", "protocol": protocol, "description": description,
            "variables": { "host": { "description": "Where it listens" } },
        })
    };
    json!({
        "feed": { "host": host, "pathname": format!("/{path}"), "protocol": protocol, "description": "The feed" },
        "kafka": broker("kafka", "Your Kafka"),
        "rabbitmq": broker("amqp", "Your RabbitMQ"),
        "nats": broker("nats", "Your NATS, with JetStream"),
    })
}

/// The values of `aggregatetype`, each once.
fn aggregates() -> Vec<&'static str> {
    let mut names: Vec<&str> = all().iter().map(|contract| contract.aggregate).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn channels() -> Value {
    let mut channels = Map::new();
    channels.insert("feed".to_owned(), feed());
    for aggregate in aggregates() {
        let here: Vec<&Contract> = all().iter().filter(|contract| contract.aggregate == aggregate).collect();
        let events: Vec<&str> = here.iter().map(|contract| contract.event()).collect();
        let event = json!({ "description": "The type without the aggregate", "enum": events });
        let id = json!({ "description": "The aggregate's id" });
        let messages = messages(&here);
        let topic = format!("outbox.event.{aggregate}");
        channels.insert(
            format!("kafka.{aggregate}"),
            json!({
                "address": &topic, "servers": [{ "$ref": "#/servers/kafka" }], "messages": &messages,
                "description": "The record's key is the aggregate's id, so that its events keep their order",
                "bindings": { "kafka": { "topic": &topic } },
            }),
        );
        channels.insert(
            format!("rabbitmq.{aggregate}"),
            json!({
                "address": format!("{aggregate}.{{event}}"), "servers": [{ "$ref": "#/servers/rabbitmq" }],
                "messages": &messages, "parameters": { "event": &event },
                "description": "The address is the routing key",
                "bindings": { "amqp": {
                    "is": "routingKey", "exchange": { "name": "outbox", "type": "topic", "durable": true },
                } },
            }),
        );
        channels.insert(
            format!("nats.{aggregate}"),
            json!({
                "address": format!("outbox.{aggregate}.{{event}}.{{aggregateid}}"),
                "servers": [{ "$ref": "#/servers/nats" }],
                "messages": &messages, "parameters": { "event": &event, "aggregateid": &id },
                "description": "The address is the subject",
            }),
        );
    }
    Value::Object(channels)
}

fn feed() -> Value {
    let every: Vec<&Contract> = all().iter().collect();
    json!({
        "address": "/v1/feed", "servers": [{ "$ref": "#/servers/feed" }], "messages": messages(&every),
        "description": "Batches of CloudEvents with the payload as their data: application/cloudevents-batch+json. \
            Outcomes, unless asked for kind=all",
        "bindings": { "http": {} },
    })
}

fn messages(contracts: &[&Contract]) -> Value {
    let refer = |contract: &&Contract| {
        let name = message_name(contract);
        let reference = json!({ "$ref": format!("#/components/messages/{name}") });
        (name, reference)
    };
    contracts.iter().map(refer).collect::<Map<_, _>>().into()
}

fn operations() -> Value {
    let send = |channel: String| {
        let operation = json!({ "action": "send", "channel": { "$ref": format!("#/channels/{channel}") } });
        (format!("send.{channel}"), operation)
    };
    let brokers = ["kafka", "rabbitmq", "nats"];
    let sinks =
        aggregates().into_iter().flat_map(|aggregate| brokers.map(|broker| format!("{broker}.{aggregate}")));
    std::iter::once("feed".to_owned()).chain(sinks).map(send).collect::<Map<_, _>>().into()
}

/// A fact and an outcome may have one type.
fn message_name(contract: &Contract) -> String {
    contract.path.trim_end_matches(".json").replace('/', ".")
}

fn message(contract: &Contract, server_url: &str) -> Value {
    let kind = match contract.kind {
        Kind::Fact => "a fact, which came from outside and changes nothing by itself",
        Kind::Outcome => "an outcome, which was decided from a fact",
        Kind::Note => "a note of the log about itself",
    };
    json!({
        "name": contract.type_name,
        "title": contract.type_name,
        "summary": contract.summary,
        "description": format!("This is {kind}."),
        "contentType": "application/json",
        "headers": { "$ref": "#/components/schemas/cloudEvent" },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": { "$ref": format!("{server_url}{SCHEMAS_PATH}{}", contract.path) },
        },
    })
}

/// The attributes of CloudEvents 1.0, as each transport spells them: `ce_id` in Kafka, `id` in the feed.
fn attributes() -> Value {
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let only = |value: &str, description: &str| json!({ "type": "string", "const": value, "description": description });
    json!({
        "type": "object",
        "description": "The attributes of CloudEvents 1.0, spelled as its binding for the transport has it.",
        "required": [
            "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "sequence",
            "epoch", "partitionkey",
        ],
        "properties": {
            "specversion": only("1.0", "The version of CloudEvents."),
            "id": { "type": "string", "format": "uuid", "description": "The event's id; the same when it comes again." },
            "source": { "type": "string", "format": "uri-reference", "description": "Whose log it stands in." },
            "type": text("What happened: order.paid."),
            "subject": text("What it is about."),
            "time": { "type": "string", "format": "date-time", "description": "When it was recorded." },
            "datacontenttype": only("application/json", "What the payload is."),
            "dataschema": { "type": "string", "format": "uri-reference", "description": "Where the payload's schema is." },
            "sequence": {
                "type": "string", "pattern": "^[0-9]{20}$",
                "description": "The event's position in the log, with zeros before it, so that it sorts as text.",
            },
            "epoch": { "type": "integer", "minimum": 0, "description": "Counts the forks of the log." },
            "partitionkey": text("What keeps its order: the aggregate's id."),
            "traceparent": {
                "type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                "description": "The trace that the event belongs to (W3C Trace Context), where it was recorded.",
            },
            "shadow": {
                "type": "boolean", "const": true,
                "description": "There, in the feed alone, where it was decided while the shop was in shadow: act on nothing of it.",
            },
        },
    })
}
