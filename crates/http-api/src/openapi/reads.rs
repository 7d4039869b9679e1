//! What the read models and the log say.

use domain::{Fulfilment, OrderId, OrderState, PaymentKind, PaymentState, Settings, Standing};
use read_models::query::coupons::CouponView;
use read_models::query::dead_letters::DeadLetter;
use read_models::query::orders::{OrderDetail, OrderView};
use read_models::query::payments::PaymentView;
use read_models::query::points::PointsView;
use read_models::query::stock::StockView;
use serde_json::{Value, json};

use super::operation::{Operation, get};
use super::schemas::{Schemas, page, position};
use crate::problem::Code;
use crate::request::{EVENT_READERS, READERS};
use crate::views::FLAGS;

const ROW: &str = "What is known of it.";
const PAGE: &str = "One page of them.";

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = rows(schemas);
    operations.extend(lists(schemas));
    operations.extend(events());
    operations
}

fn rows(schemas: &mut Schemas) -> Vec<Operation> {
    [
        (get("/v1/orders/{order}", "get_order", "An order: may it be shipped?"), schemas.of::<OrderDetail>()),
        (get("/v1/stock/{sku}", "get_stock", "An article's stock."), schemas.of::<StockView>()),
        (get("/v1/coupons/{code}", "get_coupon", "A coupon."), schemas.of::<CouponView>()),
        (get("/v1/points/{buyer}", "get_points", "A buyer's points."), schemas.of::<PointsView>()),
        (
            get("/v1/dead-letters/{position}", "get_dead_letter", "A parked fact.")
                .fails(&[Code::InvalidQuery, Code::EpochChanged]),
            schemas.of::<DeadLetter>(),
        ),
    ]
    .into_iter()
    .map(|(operation, schema)| operation.by(READERS).conditional().answer(200, ROW, Some(schema)))
    .chain([get("/v1/settings", "get_settings", "The shop's settings.").by(READERS).answer(
        200,
        "All of them.",
        Some(schemas.of::<Settings>()),
    )])
    .collect()
}

fn lists(schemas: &mut Schemas) -> Vec<Operation> {
    let list =
        |operation: Operation, page: Value| operation.by(READERS).paged().answer(200, PAGE, Some(page));
    let orders = get("/v1/orders", "list_orders", "Orders by their ids.")
        .query("state", schemas.of::<OrderState>(), "In this state.")
        .query("fulfilment", schemas.of::<Fulfilment>(), "With this answer.")
        .query("flag", json!({ "type": "string", "enum": FLAGS }), "With this flag.");
    let payments = get("/v1/payments", "list_payments", "Payments by their ids.")
        .query("standing", schemas.of::<Standing>(), "With this standing.")
        .query("state", schemas.of::<PaymentState>(), "In this state.")
        .query("kind", schemas.of::<PaymentKind>(), "Of this kind.")
        .query("order", schemas.of::<OrderId>(), "Of this order.");
    vec![
        list(orders, schemas.page::<OrderView>()),
        list(payments, schemas.page::<PaymentView>()),
        list(
            get("/v1/refunds-due", "list_refunds_due", "Orders that money is to be paid back for."),
            schemas.page::<OrderView>(),
        ),
        list(get("/v1/stock", "list_stock", "Articles by their ids."), schemas.page::<StockView>()),
        list(get("/v1/coupons", "list_coupons", "Coupons by their codes."), schemas.page::<CouponView>()),
        list(get("/v1/points", "list_points", "Buyers by their ids."), schemas.page::<PointsView>()),
        list(
            get("/v1/dead-letters", "list_dead_letters", "Parked facts by their positions."),
            schemas.page::<DeadLetter>(),
        ),
    ]
}

fn events() -> [Operation; 2] {
    let text = || json!({ "type": "string" });
    let kinds = "fact, outcome, note, with commas between them, or all.";
    let event = event();
    let mut detail = event.clone();
    detail["properties"]["applied"] =
        json!({ "type": "boolean", "description": "Of a fact: whether it is decided." });
    detail["properties"]["outcomes"] =
        json!({ "type": "array", "items": event, "description": "What came of it." });
    [
        get("/v1/events", "list_events", "The log, in its order.")
            .by(EVENT_READERS)
            .query("after", text(), "Behind this position.")
            .query("kind", text(), kinds)
            .query("type", text(), "Of these types, with commas between them.")
            .query("key", text(), "About this: order:1042.")
            .limited(50)
            .answer(200, PAGE, Some(page(&event)))
            .fails(&[Code::EpochChanged]),
        get("/v1/events/{position}", "get_event", "An event, and what came of it.")
            .by(EVENT_READERS)
            .answer(200, "It.", Some(detail))
            .fails(&[Code::InvalidQuery, Code::EpochChanged]),
    ]
}

/// An entry, with where it stands. What it says of its type is at `/schemas`.
fn event() -> Value {
    json!({
        "type": "object",
        "required": ["id", "type", "key", "at", "data", "position", "kind"],
        "properties": {
            "id": { "type": "string", "format": "uuid", "description": "Derived: the same thing has the same id." },
            "type": { "type": "string", "description": "What happened: `order.paid`." },
            "key": { "type": "string", "description": "What it is about: `order:1042`." },
            "at": { "type": "string", "format": "date-time", "description": "When, by the log: never earlier than what stands before." },
            "by": { "type": "string", "description": "Who it came from; outcomes have none." },
            "cause": position(),
            "for": position(),
            "n": { "type": "integer", "minimum": 0, "description": "Which of its cause's outcomes, counted from 0." },
            "data": { "type": "object", "description": "What else is to be said; /schemas has the shape of each type." },
            "position": position(),
            "kind": {
                "type": "string", "enum": ["fact", "outcome", "note"],
                "description": "What came, what was decided from it, and what the log says of itself.",
            },
        },
    })
}
