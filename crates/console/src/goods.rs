//! What orders share: stock, coupons, points.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use http_api::at;
use read_models::query::{coupons, points, stock};

use crate::act::Fields;
use crate::fault::Fault;
use crate::layout::Layout;
use crate::pages::{ROWS, with};
use crate::rows::{Stamp, many};
use crate::visit::Visit;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/stock").get(list_stock).done())
        .service(at("/coupons").get(list_coupons).done())
        .service(at("/points").get(list_points).done());
}

/// A table of what orders share: the first column is the name, the others are numbers or short texts.
#[derive(Template)]
#[template(path = "goods.html")]
struct Goods {
    l: Layout,
    here: &'static str,
    lead: &'static str,
    id: String,
    id_label: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<GoodsRow>,
    next: Option<String>,
    first: Option<String>,
}

struct GoodsRow {
    name: String,
    events: String,
    cells: Vec<Cell>,
}

struct Cell {
    text: String,
    at: Option<Stamp>,
    is_bad: bool,
}

fn count(number: i64) -> Cell {
    Cell { text: many(number), at: None, is_bad: false }
}

/// What is left of something: nothing left wants to be looked at.
fn left(number: i64) -> Cell {
    Cell { is_bad: number <= 0, ..count(number) }
}

fn text(text: &str) -> Cell {
    Cell { text: text.to_owned(), at: None, is_bad: false }
}

fn instant(at: Option<domain::Timestamp>) -> Cell {
    Cell { at: at.map(Stamp), ..text("") }
}

/// What is asked for: one, or a page behind another.
struct Asked {
    id: String,
    cursor: Option<String>,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        let query = Fields::of_query(request);
        Self { id: query.text("id"), cursor: query.get("cursor").map(str::to_owned) }
    }
}

fn row(kind: &str, name: &str, cells: Vec<Cell>) -> GoodsRow {
    let events = with("/console/events", &[("key", &format!("{kind}:{name}"))]);
    GoodsRow { name: name.to_owned(), events, cells }
}

/// Reads one, or a page of them.
macro_rules! found {
    ($visit:expr, $module:ident, $asked:expr) => {{
        let shop = $visit.shop()?;
        let (id, cursor) = ($asked.id.clone(), $asked.cursor.clone());
        $visit
            .read(move |client| async move {
                if id.is_empty() {
                    let page = $module::list(&client, &shop, cursor.as_deref(), ROWS).await?;
                    return Ok((page.items, page.next));
                }
                let found = match id.parse() {
                    Ok(id) => $module::get(&client, &shop, &id).await?,
                    Err(_) => None,
                };
                Ok::<_, read_models::Error>((found.into_iter().collect(), None))
            })
            .await?
    }};
}

async fn list_stock(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (w, asked) = (visit.words(), Asked::of(&request));
    let (found, next): (Vec<stock::StockView>, _) = found!(visit, stock, asked);
    let columns =
        vec![w.available(), w.on_hand(), w.held(), w.received(), w.adjusted(), w.settled(), w.returned()];
    let rows = found.iter().map(|s| {
        let cells = vec![
            left(s.available),
            count(s.on_hand),
            count(s.held),
            count(s.received),
            count(s.adjusted),
            count(s.settled),
            count(s.returned),
        ];
        row("sku", &s.sku, cells)
    });
    answer(
        &visit,
        "/console/stock",
        w.stock(),
        (w.article(), w.stock_lead()),
        columns,
        rows.collect(),
        asked,
        next,
    )
}

async fn list_coupons(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (w, asked) = (visit.words(), Asked::of(&request));
    let (found, next): (Vec<coupons::CouponView>, _) = found!(visit, coupons, asked);
    let columns =
        vec![w.available(), w.used(), w.held(), w.most_uses(), w.filter_from(), w.filter_to(), w.voided()];
    let rows = found.iter().map(|c| {
        let cells = vec![
            left(c.available),
            count(c.used),
            count(c.held),
            count(c.terms.max_uses),
            instant(c.terms.valid_from),
            instant(c.terms.valid_until),
            text(if c.voided { w.yes() } else { w.no() }),
        ];
        row("code", c.terms.code.as_str(), cells)
    });
    answer(&visit, "/console/coupons", w.coupons(), (w.code(), ""), columns, rows.collect(), asked, next)
}

async fn list_points(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let (w, asked) = (visit.words(), Asked::of(&request));
    let (found, next): (Vec<points::PointsView>, _) = found!(visit, points, asked);
    let columns = vec![
        w.available(),
        w.balance(),
        w.held(),
        w.granted(),
        w.earned(),
        w.spent(),
        w.revoked(),
        w.returned(),
        w.expired(),
    ];
    let rows = found.iter().map(|p| {
        let numbers =
            [p.available, p.balance, p.held, p.granted, p.earned, p.spent, p.revoked, p.returned, p.expired];
        row("buyer", &p.buyer, numbers.map(count).into())
    });
    answer(&visit, "/console/points", w.points(), (w.buyer(), ""), columns, rows.collect(), asked, next)
}

#[expect(clippy::too_many_arguments, reason = "one page of three lists")]
fn answer(
    visit: &Visit,
    here: &'static str,
    title: &str,
    (id_label, lead): (&'static str, &'static str),
    columns: Vec<&'static str>,
    rows: Vec<GoodsRow>,
    asked: Asked,
    next: Option<String>,
) -> Result<HttpResponse, Fault> {
    let page = Goods {
        l: Layout::new(visit, here, title),
        here,
        lead,
        id_label,
        columns,
        rows,
        next: next.map(|cursor| with(here, &[("cursor", &cursor)])),
        first: asked.cursor.map(|_| here.to_owned()),
        id: asked.id,
    };
    visit.page(&page)
}
