//! The feed, consumers and sinks.

use delivery::Consumer;
use delivery::sinks::{Attempt, Letter, Sink};
use serde_json::{Value, json};

use super::operation::{Operation, delete, get, post, put};
use super::schemas::{Schemas, body};
use crate::consumers::{MOVERS, Put, Reset};
use crate::downstream::Why;
use crate::feed::{BATCH_JSON, EVENT_STREAM, FEED_READERS, LIMIT, TIMEOUT_MAX};
use crate::problem::Code;
use crate::request::READERS;
use crate::sinks::{CHANGERS, Changed, Made, Redrive};

use access::Role;

/// What may be wrong with a cursor.
const CURSOR: &[Code] = &[Code::EpochChanged, Code::CursorAhead, Code::Pruned];

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = vec![feed()];
    operations.extend(consumers(schemas));
    operations.extend(sinks(schemas));
    operations.extend(moves(schemas));
    operations.extend(undelivered(schemas));
    operations
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn feed() -> Operation {
    let events =
        json!({ "type": "array", "items": { "type": "object", "description": "A CloudEvent 1.0." } });
    let milliseconds = json!({ "type": "integer", "minimum": 0, "maximum": TIMEOUT_MAX.as_millis() as u64 });
    let kinds = json!({ "type": "string", "enum": ["outcome", "all"], "default": "outcome" });
    let wanted = "Names and patterns of types, with commas between them.";
    get("/v1/feed", "read_feed", "Every outcome, in order; pushed where Accept asks for text/event-stream.")
        .by(FEED_READERS)
        .query("lastEventId", text(), "Behind the event of this id, or behind this cursor.")
        .query("after", text(), "Behind this cursor; start, or end. In place of lastEventId.")
        .query("timeout", milliseconds, "How long an empty page is held back, in milliseconds.")
        .limited(LIMIT as u32)
        .query("types", text(), wanted)
        .query("key", text(), "About this alone: order:1042.")
        .query("kind", kinds, "Outcomes, or facts and notes too.")
        .query("partition", text(), "One of several readers: 0/4.")
        .header("Last-Event-ID", text(), "As lastEventId, and before it.")
        .waits()
        .conditional()
        .answers_with(
            200,
            "What stands behind it; `counterfoil-cursor` says from where to go on.",
            [(BATCH_JSON, events), (EVENT_STREAM, text())],
        )
        .fails(CURSOR)
}

fn consumers(schemas: &mut Schemas) -> Vec<Operation> {
    let consumer = schemas.of::<Consumer>();
    let path = "/v1/consumers/{name}";
    vec![
        get("/v1/consumers", "list_consumers", "Readers of the feed whose cursor is kept here.")
            .by(FEED_READERS)
            .answer(200, "All of them.", Some(schemas.list::<Consumer>())),
        get(path, "get_consumer", "One of them.").by(FEED_READERS).answer(200, "It.", Some(consumer.clone())),
        put(path, "put_consumer", "Makes a consumer, or moves it on.")
            .by(MOVERS)
            .json(body::<Put>())
            .answer(200, "It has moved.", Some(consumer.clone()))
            .answer(201, "It is new.", Some(consumer.clone()))
            .fails(&[Code::CursorMoved])
            .fails(CURSOR),
        delete(path, "delete_consumer", "Forgets a consumer.").by(MOVERS).json(body::<Why>()).answer(
            204,
            "It is gone.",
            None,
        ),
        post("/v1/consumers/{name}/reset", "reset_consumer", "Has it stand elsewhere.")
            .by(MOVERS)
            .json(body::<Reset>())
            .answer(200, "It stands there.", Some(consumer.clone()))
            .fails(CURSOR),
        post("/v1/consumers/{name}/lose", "lose_consumer", "Has the outbox wait for it no longer.")
            .by(&[Role::Operator])
            .json(body::<Why>())
            .answer(200, "It is lost.", Some(consumer)),
    ]
}

fn sinks(schemas: &mut Schemas) -> Vec<Operation> {
    let sink = schemas.of::<Sink>();
    let path = "/v1/sinks/{name}";
    vec![
        get("/v1/sinks", "list_sinks", "Where events are sent to.").by(READERS).answer(
            200,
            "All of them.",
            Some(schemas.list::<Sink>()),
        ),
        get(path, "get_sink", "One of them.").by(READERS).answer(200, "It.", Some(sink.clone())),
        post("/v1/sinks", "create_sink", "Makes a sink.")
            .by(CHANGERS)
            .json(body::<Made>())
            .answer(201, "It is there.", Some(sink.clone()))
            .fails(&[Code::NameTaken])
            .fails(CURSOR),
        put(path, "change_sink", "Changes a sink.").by(CHANGERS).json(body::<Changed>()).answer(
            200,
            "It is changed.",
            Some(sink),
        ),
        delete(path, "delete_sink", "Removes a sink.").by(CHANGERS).json(body::<Why>()).answer(
            204,
            "It is gone.",
            None,
        ),
    ]
}

fn moves(schemas: &mut Schemas) -> Vec<Operation> {
    let sink = schemas.of::<Sink>();
    let checked = json!({
        "type": "object", "required": ["ok"],
        "properties": {
            "ok": { "type": "boolean", "description": "Whether events could be delivered." },
            "error": { "type": "string", "description": "What is missing, and how to make it." },
        },
    });
    let redriven = json!({
        "type": "object", "required": ["redriven", "dry_run"],
        "properties": {
            "redriven": { "type": "integer", "minimum": 0, "description": "How many are tried again." },
            "dry_run": { "type": "boolean", "description": "Whether they were only counted." },
        },
    });
    vec![
        post(
            "/v1/sinks/{name}/pause",
            "pause_sink",
            "Stops a sink. Why also stands beside it, for all who may read.",
        )
        .by(CHANGERS)
        .json(body::<Why>())
        .answer(200, "It is paused.", Some(sink.clone())),
        post("/v1/sinks/{name}/resume", "resume_sink", "Has it run again.")
            .by(CHANGERS)
            .json(body::<Why>())
            .answer(200, "It runs.", Some(sink.clone())),
        post("/v1/sinks/{name}/reset", "reset_sink", "Has it begin elsewhere.")
            .by(CHANGERS)
            .json(body::<Reset>())
            .answer(200, "It stands there.", Some(sink))
            .fails(CURSOR),
        post("/v1/sinks/{name}/check", "check_sink", "Opens the way to it.").by(CHANGERS).answer(
            200,
            "Whether it is open.",
            Some(checked),
        ),
        post("/v1/sinks/{name}/redrive", "redrive_sink", "Sends its dead letters again.")
            .by(CHANGERS)
            .json(body::<Redrive>())
            .answer(200, "How many.", Some(redriven))
            .fails(&[Code::InvalidQuery]),
    ]
}

fn undelivered(schemas: &mut Schemas) -> [Operation; 2] {
    [
        get("/v1/sinks/{name}/undelivered", "list_undelivered", "What could not be delivered.")
            .by(READERS)
            .query("state", json!({ "type": "string", "enum": ["waiting", "dead"] }), "In this state.")
            .query("types", text(), "Names and patterns of types, with commas between them.")
            .query("key", text(), "About this alone.")
            .query("after", schemas.of::<delivery::Cursor>(), "Behind this position.")
            .limited(50)
            .answer(200, "One page of it.", Some(schemas.page::<Letter>())),
        get("/v1/sinks/{name}/attempts", "list_attempts", "How often an event was tried.")
            .by(READERS)
            .needs_query("position", schemas.of::<delivery::Cursor>(), "Which event.")
            .limited(50)
            .answer(200, "Each attempt.", Some(schemas.list::<Attempt>())),
    ]
}
