//! What shops and operators may ask for.

use intake::CommandKind;
use intake::command::schema as command;
use reconciliation::OrderSync;
use serde_json::{Value, json};

use access::Role;

use super::operation::{Operation, post, put};
use super::schemas::{Schemas, position};
use crate::commands::{Taken, roles};
use crate::orders::SYNCERS;
use crate::problem::Code;

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let taken = schemas.of::<Taken>();
    let mut operations = submitted(&taken);
    operations.push(
        post("/v1/orders/{order}/sync", "sync_order", "Looks the order up at PayPal at once.")
            .by(SYNCERS)
            .answer(200, "What was found, and what was brought in.", Some(schemas.of::<OrderSync>()))
            .fails(&[Code::NotAtPaypal]),
    );
    operations.push(batch());
    operations.push(retranslate());
    operations
}

fn submitted(taken: &Value) -> Vec<Operation> {
    use CommandKind as Kind;
    [
        (post("/v1/orders", "place_order", "Places an order."), Kind::OrderPlace),
        (post("/v1/orders/{order}/revise", "revise_order", "Changes an order."), Kind::OrderRevise),
        (post("/v1/orders/{order}/cancel", "cancel_order", "Cancels an order."), Kind::OrderCancel),
        (post("/v1/orders/{order}/ship", "ship_order", "Says what was shipped."), Kind::OrderShip),
        (post("/v1/orders/{order}/resolve", "resolve_order", "An operator's way out."), Kind::OrderResolve),
        (post("/v1/payments", "record_payment", "Records another tender."), Kind::PaymentRecord),
        (
            post("/v1/payments/{payment}/resolve", "resolve_payment", "Assigns a capture, or dismisses it."),
            Kind::PaymentResolve,
        ),
        (post("/v1/stock/{sku}/receive", "receive_stock", "Pieces came in."), Kind::StockReceive),
        (post("/v1/stock/{sku}/adjust", "adjust_stock", "Pieces were counted."), Kind::StockAdjust),
        (post("/v1/stock/{sku}/return", "return_stock", "Pieces came back."), Kind::StockReturn),
        (post("/v1/coupons/{code}/issue", "issue_coupon", "Issues a coupon."), Kind::CouponIssue),
        (post("/v1/coupons/{code}/void", "void_coupon", "Ends a coupon."), Kind::CouponVoid),
        (post("/v1/points/{buyer}/grant", "grant_points", "Gives points."), Kind::PointsGrant),
        (post("/v1/points/{buyer}/expire", "expire_points", "Lets points lapse."), Kind::PointsExpire),
        (put("/v1/settings", "configure", "Sets all of the shop's settings."), Kind::Configure),
        (
            post("/v1/dead-letters/{position}/redrive", "redrive", "Has a parked fact decided again."),
            Kind::Redrive,
        ),
        (post("/v1/dead-letters/{position}/dismiss", "dismiss", "Passes over a parked fact."), Kind::Dismiss),
    ]
    .into_iter()
    .map(|(operation, kind)| submits(operation, kind, taken))
    .collect()
}

fn submits(operation: Operation, kind: CommandKind, taken: &Value) -> Operation {
    let is_named_by_path = !matches!(kind, CommandKind::OrderPlace | CommandKind::PaymentRecord);
    let operation = operation
        .by(roles(kind))
        .json(command::body(kind, is_named_by_path))
        .header("Idempotency-Key", command::id(), "The command's id, in place of the body's.")
        .waits()
        .traced()
        .answer(202, "It is in the log.", Some(taken.clone()))
        .answer(200, "It is in the log and decided: with what came of it.", Some(taken.clone()))
        .fails(&[Code::CommandConflict]);
    match kind.subject() {
        Some("of") => operation.fails(&[Code::InvalidQuery, Code::EpochChanged]),
        _ => operation,
    }
}

fn batch() -> Operation {
    let count = |said: &str| json!({ "type": "integer", "minimum": 0, "description": said });
    let answer = json!({
        "type": "object",
        "required": ["accepted", "known", "last_position"],
        "properties": {
            "accepted": count("Lines that are new."),
            "known": count("Lines that were in the log before."),
            "last_position": {
                "anyOf": [position(), { "type": "null" }], "description": "Where the last of them stands; null where there is none.",
            },
            "applied": { "type": "boolean", "description": "Whether the relay has passed them: only where it was waited for." },
        },
    });
    let lines = json!({
        "type": "string", "description": "One command a line, each with its `op` and its `id`.",
        "contentMediaType": "application/x-ndjson", "contentSchema": command::stock_line(),
    });
    post("/v1/stock:batch", "batch_stock", "Takes many changes of stock.")
        .by(&[Role::Shop])
        .body("application/x-ndjson", lines)
        .waits()
        .traced()
        .answer(200, "Every line is in the log.", Some(answer))
        .fails(&[Code::BatchIncomplete])
}

fn retranslate() -> Operation {
    let text = |said: &str| json!({ "type": "string", "description": said });
    let answer = |changed: bool| {
        let mut answer = json!({
            "type": "object",
            "required": ["changed", "was", "is"],
            "properties": {
                "changed": { "const": changed, "description": "Whether it now means something else." },
                "was": text("The type that it was read as."), "is": text("The type that it is read as now."),
            },
        });
        if changed {
            answer["properties"]["position"] = position();
        }
        answer
    };
    post("/v1/events/{position}/retranslate", "retranslate", "Reads a callback again, as this version would.")
        .by(&[Role::Operator])
        .traced()
        .answer(200, "It reads the same.", Some(answer(false)))
        .answer(202, "It reads otherwise: a new fact is in the log.", Some(answer(true)))
        .fails(&[Code::InvalidQuery, Code::EpochChanged, Code::InvalidCommand, Code::CommandConflict])
}
