//! Orders: the list, and one order's story.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use domain::{Fulfilment, Key, Order, OrderId, OrderState, Position, ShopId};
use event_log::{Event, Filter};
use http_api::at;
use intake::CommandKind;
use read_models::query::orders::{self, OrderDetail, OrderFilter, OrderView};
use serde_json::{Map, Value};

use crate::act::{self, Fields};
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::layout::Layout;
use crate::pages::{LOOKED_BACK, ROWS, with};
use crate::payments::PaymentRow;
use crate::read::number;
use crate::rows::{Chip, NOWHERE, Row, Stamp, Why, money, name_of};
use crate::visit::Visit;
use crate::{advice, types};

/// Events of one order that are shown: few orders have a dozen.
const STORY: i64 = 500;
/// In the order in which they are offered.
pub(crate) const FLAGS: [&str; 13] = [
    "review",
    "mismatched",
    "unfulfillable",
    "disputed",
    "overpaid",
    "refused",
    "pending",
    "awaiting",
    "live",
    "expired",
    "cancelled",
    "closed",
    "accepted",
];
const STATES: [OrderState; 8] = [
    OrderState::Open,
    OrderState::Paid,
    OrderState::PartiallyPaid,
    OrderState::Unfulfillable,
    OrderState::Refused,
    OrderState::Expired,
    OrderState::Cancelled,
    OrderState::Closed,
];
const ANSWERS: [Fulfilment; 4] = [Fulfilment::Wait, Fulfilment::Ship, Fulfilment::Stop, Fulfilment::Shipped];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/orders").get(list).done())
        .service(at("/orders/{order}").get(show).done())
        .service(at("/orders/{order}/resolve").post(resolve).done());
}

/// A word that a list can be filtered by.
pub(crate) struct Pick {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) is_taken: bool,
}

pub(crate) fn picks(w: Words, names: impl IntoIterator<Item = String>, taken: &str) -> Vec<Pick> {
    let pick = |value: String| Pick {
        label: types::word(&value).map_or_else(|| value.clone(), |text| w.say(text).to_owned()),
        is_taken: value == taken,
        value,
    };
    names.into_iter().map(pick).collect()
}

struct OrderRow {
    id: String,
    href: String,
    state: Chip,
    fulfilment: Chip,
    flags: Vec<Chip>,
    total: String,
    captured: String,
    due: Option<String>,
    why: Vec<Why>,
    placed_at: Option<Stamp>,
    at: Option<Stamp>,
}

fn order_row(w: Words, view: &OrderView) -> OrderRow {
    let order = &view.order;
    let id = order.order.to_string();
    OrderRow {
        href: format!("/console/orders/{}", act::in_path(&id)),
        id,
        state: Chip::of(w, &name_of(&order.state)),
        fulfilment: Chip::of(w, &name_of(&order.fulfilment)),
        flags: flags(w, order),
        total: money(order.total_minor, Some(order.currency)),
        captured: money(order.money.captured_minor, Some(order.currency)),
        due: due(order),
        why: Why::all(w, &order.reasons),
        placed_at: order.terms.as_ref().map(|terms| Stamp(terms.placed_at)),
        at: view.at.map(Stamp),
    }
}

fn due(order: &Order) -> Option<String> {
    let due = order.money.refund_due_minor;
    (due > 0).then(|| money(due, Some(order.currency)))
}

/// The flags that stand.
fn flags(w: Words, order: &Order) -> Vec<Chip> {
    let Ok(Value::Object(flags)) = serde_json::to_value(order.flags) else { return Vec::new() };
    FLAGS
        .iter()
        .filter(|name| flags.get(**name).and_then(Value::as_bool).unwrap_or(false))
        // Beside the state of the same name it says nothing.
        .filter(|name| **name != name_of(&order.state))
        .map(|name| Chip::of(w, name))
        .collect()
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    l: Layout,
    id: String,
    states: Vec<Pick>,
    answers: Vec<Pick>,
    flags: Vec<Pick>,
    rows: Vec<OrderRow>,
    next: Option<String>,
    first: Option<String>,
    looked_back: Option<String>,
}

/// One page of the list.
struct Found {
    orders: Vec<OrderView>,
    /// Where the next page begins, as the address has it.
    next: Option<(&'static str, String)>,
    /// How far was looked where less was found than fits.
    looked_back: Option<i64>,
}

/// The newest first; by their ids where an id is given, and from there on.
async fn list(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let query = Fields::of_query(&request);
    // The id of an order leads to it; the beginning of one, to the place where it would be.
    let id = query.text("id");
    if let Ok(order) = id.parse::<OrderId>()
        && find(&visit, &shop, order).await?.is_some()
    {
        return Ok(act::see(&format!("/console/orders/{}", act::in_path(&id))));
    }
    let (state, fulfilment, flag) = (query.text("state"), query.text("fulfilment"), query.text("flag"));
    let states = picks(w, STATES.iter().map(name_of), &state);
    let answers = picks(w, ANSWERS.iter().map(name_of), &fulfilment);
    let flags = picks(w, FLAGS.map(str::to_owned), &flag);
    let taken = |picks: &[Pick]| picks.iter().find(|pick| pick.is_taken).map(|pick| pick.value.clone());
    let filter = OrderFilter { state: taken(&states), fulfilment: taken(&answers), flag: taken(&flags) };
    let (cursor, before) = (query.get("cursor").map(str::to_owned), number(query.get("before")));
    let is_first = cursor.is_none() && before.is_none();
    let found = match cursor.or_else(|| query.get("id").map(just_before)) {
        Some(after) => by_id(&visit, shop, filter, after).await?,
        None => newest(&visit, shop, filter, before).await?,
    };
    let address = |(name, place): (&str, String)| {
        let pairs = [("state", state.as_str()), ("fulfilment", &fulfilment), ("flag", &flag), (name, &place)];
        with("/console/orders", &pairs)
    };
    let page = Orders {
        l: Layout::new(&visit, "/console/orders", w.orders()),
        rows: found.orders.iter().map(|view| order_row(w, view)).collect(),
        next: found.next.map(address),
        first: (!is_first).then(|| address(("", String::new()))),
        looked_back: found.looked_back.map(|at| fill(w.looked_back_to(), &[&at])),
        id,
        states,
        answers,
        flags,
    };
    visit.page(&page)
}

async fn by_id(visit: &Visit, shop: ShopId, filter: OrderFilter, after: String) -> Result<Found, Fault> {
    let page = visit
        .read(move |client| async move { orders::list(&client, &shop, &filter, Some(&after), ROWS).await })
        .await?;
    Ok(Found { orders: page.items, next: page.next.map(|id| ("cursor", id)), looked_back: None })
}

async fn newest(
    visit: &Visit,
    shop: ShopId,
    filter: OrderFilter,
    before: Option<i64>,
) -> Result<Found, Fault> {
    let (page, floor) = visit
        .read(move |client| async move {
            let end = event_log::head(&client, &shop).await?.map_or(0, |(head, _)| head.0 + 1);
            let before = before.unwrap_or(end).clamp(0, end);
            let floor = (before - LOOKED_BACK).max(0);
            let bounds = (Position(floor), Position(before));
            let page = orders::newest(&client, &shop, &filter, bounds, ROWS).await?;
            Ok::<_, read_models::Error>((page, floor))
        })
        .await?;
    let stopped = page.next.is_none() && floor > 0;
    let next = page.next.map(|at| at.0).or_else(|| stopped.then_some(floor));
    Ok(Found {
        orders: page.items,
        next: next.map(|at| ("before", at.to_string())),
        looked_back: stopped.then_some(floor),
    })
}

/// A text that stands just before this one, so that a list begins with it.
fn just_before(id: &str) -> String {
    let mut text = id.to_owned();
    if let Some(last) = text.pop()
        && let Some(before) = char::from_u32(u32::from(last).saturating_sub(1)).filter(|c| *c != '\0')
    {
        text.push(before);
        text.push('~');
    }
    text
}

async fn find(visit: &Visit, shop: &ShopId, order: OrderId) -> Result<Option<OrderDetail>, Fault> {
    let shop = shop.clone();
    visit.read(move |client| async move { orders::get(&client, &shop, &order).await }).await
}

struct LineRow {
    sku: String,
    qty: i64,
    unit: String,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    l: Layout,
    id: String,
    href: String,
    row: Option<OrderRow>,
    refunded: String,
    held_until: Option<Stamp>,
    paid_at: Option<Stamp>,
    placed_at: Option<Stamp>,
    buyer: Option<String>,
    paypal_order: Option<String>,
    lines: Vec<LineRow>,
    coupons: Vec<(String, String)>,
    payments: Vec<PaymentRow>,
    now: Vec<(&'static str, &'static str)>,
    story: Vec<Row>,
    story_cut: Option<String>,
    form_id: String,
}

async fn show(visit: Visit, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let order: OrderId = path.parse().map_err(|_| Fault::NotFound)?;
    let found = find(&visit, &shop, order.clone()).await?;
    let story = story(&visit, &shop, &order).await?;
    if found.is_none() && story.is_empty() {
        return Err(Fault::NotFound);
    }
    let id = order.to_string();
    let href = format!("/console/orders/{}", act::in_path(&id));
    let detail = found.as_ref();
    let view = detail.map(|detail| &detail.order);
    let row = view.map(|view| order_row(w, view));
    let order = view.map(|view| &view.order);
    let terms = order.and_then(|order| order.terms.as_deref());
    let page = OrderPage {
        l: Layout::new(&visit, "/console/orders", &format!("{} {id}", w.order())),
        refunded: order.map_or_else(String::new, |o| money(o.money.refunded_minor, Some(o.currency))),
        held_until: order.and_then(|o| o.held_until).map(Stamp),
        paid_at: order.and_then(|o| o.paid_at).map(Stamp),
        placed_at: terms.map(|terms| Stamp(terms.placed_at)),
        buyer: terms.and_then(|terms| terms.buyer.as_ref()).map(ToString::to_string),
        paypal_order: terms.and_then(|terms| terms.paypal_order_id.as_ref()).map(ToString::to_string),
        lines: order.map(lines).unwrap_or_default(),
        coupons: order.map(coupons).unwrap_or_default(),
        payments: detail.map(|d| PaymentRow::all(w, &d.payments)).unwrap_or_default(),
        now: order
            .map(|o| advice::of(o).iter().map(|a| (a.tone, w.say(a.text))).collect())
            .unwrap_or_default(),
        story_cut: (story.len() as i64 >= STORY).then(|| fill(w.story_cut(), &[&STORY])),
        story: Row::all(w, &story),
        form_id: act::new_id(),
        id,
        href,
        row,
    };
    visit.page(&page)
}

fn lines(order: &Order) -> Vec<LineRow> {
    let Some(terms) = order.terms.as_deref() else { return Vec::new() };
    let line = |line: &domain::Line| LineRow {
        sku: line.sku.to_string(),
        qty: line.qty,
        unit: money(line.unit_minor, Some(order.currency)),
    };
    terms.lines.iter().map(line).collect()
}

fn coupons(order: &Order) -> Vec<(String, String)> {
    let terms = order.terms.as_deref();
    let coupons = terms.map(|terms| terms.coupons.as_slice()).unwrap_or_default();
    coupons.iter().map(|c| (c.code.to_string(), money(-c.minor, Some(order.currency)))).collect()
}

/// Every event of the order and every fact that one of them came from, in the order of the log.
async fn story(visit: &Visit, shop: &ShopId, order: &OrderId) -> Result<Vec<Event>, Fault> {
    let (shop, key) = (shop.clone(), Key::Order(order.clone()));
    visit
        .read(move |client| async move {
            let filter = Filter { key: Some(key), ..Filter::default() };
            let mut events = event_log::read(&client, &shop, NOWHERE, STORY, &filter).await?;
            let known: Vec<_> = events.iter().map(|event| event.position).collect();
            let mut causes: Vec<_> = events.iter().filter_map(|event| event.cause).collect();
            causes.retain(|cause| !known.contains(cause));
            causes.sort_unstable();
            causes.dedup();
            events.extend(event_log::read_at(&client, &shop, &causes).await?);
            events.sort_by_key(|event| event.position);
            Ok::<_, event_log::Error>(events)
        })
        .await
}

async fn resolve(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let form = act::form(&visit, &request, payload).await?;
    let Some(action) = form.fields.get("action") else {
        return Err(Fault::Refused(visit.words().choose().to_owned()));
    };
    let mut body = Map::new();
    body.insert("action".into(), action.into());
    body.extend(form.fields.get("id").map(|id| ("id".to_owned(), Value::from(id))));
    let subject = Value::from(path.as_str());
    let done = act::command(&visit, CommandKind::OrderResolve, subject, body, &form.reason).await?;
    Ok(act::done(&format!("/console/orders/{}", act::in_path(&path)), "resolved", &done))
}

#[cfg(test)]
mod tests {
    use super::just_before;

    #[test]
    fn a_list_begins_with_what_begins_so() {
        for id in ["A-1001", "1042", "a"] {
            let before = just_before(id);
            assert!(before.as_str() < id, "{before} {id}");
        }
        assert!(just_before("A-2").as_str() > "A-1999", "nothing is read that stands before");
        assert_eq!(just_before(""), "");
    }
}
