//! Payments: those that need somebody, all of them, and what is to be refunded.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use domain::{PaymentKind, PaymentState, Standing};
use http_api::at;
use intake::CommandKind;
use read_models::query::orders;
use read_models::query::payments::{self, PaymentFilter, PaymentView};
use serde_json::{Map, Value};

use crate::act::{self, Fields};
use crate::fault::Fault;
use crate::i18n::Words;
use crate::layout::Layout;
use crate::orders::{Pick, picks};
use crate::overview::UNSETTLED;
use crate::pages::{ROWS, with};
use crate::rows::{Chip, Stamp, money, name_of};
use crate::visit::Visit;

const STANDINGS: [Standing; 7] = [
    Standing::Unmatched,
    Standing::Mismatched,
    Standing::Foreign,
    Standing::Awaiting,
    Standing::Refuted,
    Standing::Dismissed,
    Standing::Matched,
];
const KINDS: [PaymentKind; 7] = [
    PaymentKind::Capture,
    PaymentKind::Refund,
    PaymentKind::Reversal,
    PaymentKind::Authorization,
    PaymentKind::PaypalOrder,
    PaymentKind::Tender,
    PaymentKind::Dispute,
];
const STATES: [PaymentState; 10] = [
    PaymentState::Captured,
    PaymentState::Pending,
    PaymentState::Denied,
    PaymentState::Refunded,
    PaymentState::Approved,
    PaymentState::Authorized,
    PaymentState::Voided,
    PaymentState::Open,
    PaymentState::Resolved,
    PaymentState::Named,
];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/payments").get(list).done())
        .service(at("/payments/{payment}/resolve").get(ask).post(resolve).done());
}

/// A payment in a list.
pub(crate) struct PaymentRow {
    pub(crate) id: String,
    pub(crate) events: String,
    pub(crate) resolve: Option<String>,
    pub(crate) kind: Chip,
    pub(crate) state: Chip,
    pub(crate) standing: Chip,
    pub(crate) amount: String,
    pub(crate) fee: Option<String>,
    pub(crate) order: Option<(String, String)>,
    pub(crate) other_order: Option<String>,
    pub(crate) position: i64,
    pub(crate) at: Option<Stamp>,
}

impl PaymentRow {
    pub(crate) fn of(w: Words, payment: &PaymentView) -> Self {
        let standing = name_of(&payment.standing);
        // Only a capture can be assigned or set aside.
        let may_be_resolved = payment.kind == PaymentKind::Capture
            && matches!(
                payment.standing,
                Standing::Unmatched | Standing::Foreign | Standing::Mismatched | Standing::Dismissed
            );
        let page = |order: &domain::OrderId| {
            (order.to_string(), format!("/console/orders/{}", act::in_path(order.as_str())))
        };
        Self {
            events: with("/console/events", &[("paypal", &payment.id)]),
            resolve: may_be_resolved
                .then(|| format!("/console/payments/{}/resolve", act::in_path(&payment.id))),
            id: payment.id.clone(),
            kind: Chip::of(w, &name_of(&payment.kind)),
            state: Chip::of(w, &name_of(&payment.state)),
            standing: Chip::of(w, &standing),
            amount: money(payment.amount_minor, payment.currency),
            fee: payment.fee_minor.map(|fee| money(fee, payment.currency)),
            order: payment.order.as_ref().map(page),
            other_order: payment.other_order.as_ref().map(ToString::to_string),
            position: payment.position.0,
            at: payment.at.map(Stamp),
        }
    }

    pub(crate) fn all(w: Words, payments: &[PaymentView]) -> Vec<Self> {
        payments.iter().map(|payment| Self::of(w, payment)).collect()
    }
}

struct Due {
    order: String,
    href: String,
    amount: String,
    at: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "payments.html")]
struct Payments {
    l: Layout,
    view: &'static str,
    standings: Vec<Pick>,
    kinds: Vec<Pick>,
    states: Vec<Pick>,
    order: String,
    rows: Vec<PaymentRow>,
    dues: Vec<Due>,
    next: Option<String>,
    first: Option<String>,
}

async fn list(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    visit.me()?;
    let query = Fields::of_query(&request);
    let cursor = query.text("cursor");
    let mut page = Payments {
        l: Layout::new(&visit, "/console/payments", w.payments()),
        view: match query.get("view") {
            Some("all") => "all",
            Some("refunds") => "refunds",
            _ => "unsettled",
        },
        standings: picks(w, STANDINGS.iter().map(name_of), &query.text("standing")),
        kinds: picks(w, KINDS.iter().map(name_of), &query.text("kind")),
        states: picks(w, STATES.iter().map(name_of), &query.text("state")),
        order: query.text("order"),
        rows: Vec::new(),
        dues: Vec::new(),
        next: None,
        first: None,
    };
    let next = match page.view {
        "all" => all(&visit, &mut page, &cursor).await?,
        "refunds" => due(&visit, &mut page, &cursor).await?,
        _ => unsettled(&visit, &mut page).await?,
    };
    let address = |cursor: &str| {
        let taken = |picks: &[Pick]| {
            picks.iter().find(|pick| pick.is_taken).map_or_else(String::new, |pick| pick.value.clone())
        };
        let (standing, kind, state) = (taken(&page.standings), taken(&page.kinds), taken(&page.states));
        let pairs = [
            ("view", page.view),
            ("standing", &standing),
            ("kind", &kind),
            ("state", &state),
            ("order", &page.order),
            ("cursor", cursor),
        ];
        with("/console/payments", &pairs)
    };
    let (next, first) = (next.as_deref().map(&address), (!cursor.is_empty()).then(|| address("")));
    page.next = next;
    page.first = first;
    visit.page(&page)
}

async fn all(visit: &Visit, page: &mut Payments, cursor: &str) -> Result<Option<String>, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let taken = |picks: &[Pick]| picks.iter().find(|pick| pick.is_taken).map(|pick| pick.value.clone());
    let filter = PaymentFilter {
        standing: taken(&page.standings),
        state: taken(&page.states),
        kind: taken(&page.kinds),
        order: (!page.order.is_empty()).then(|| page.order.clone()),
    };
    let after = (!cursor.is_empty()).then(|| cursor.to_owned());
    let found =
        visit
            .read(move |client| async move {
                payments::list(&client, &shop, &filter, after.as_deref(), ROWS).await
            })
            .await?;
    page.rows = PaymentRow::all(w, &found.items);
    Ok(found.next)
}

/// Those that need somebody, of every kind; there are few, for each is gone when it is resolved.
async fn unsettled(visit: &Visit, page: &mut Payments) -> Result<Option<String>, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let found = visit
        .read(move |client| async move {
            let mut found = Vec::new();
            for standing in UNSETTLED.into_iter().chain(["foreign", "awaiting"]) {
                let filter =
                    PaymentFilter { standing: Some(standing.to_owned()), ..PaymentFilter::default() };
                found.extend(payments::list(&client, &shop, &filter, None, 4 * ROWS).await?.items);
            }
            Ok::<_, read_models::Error>(found)
        })
        .await?;
    page.rows = PaymentRow::all(w, &found);
    Ok(None)
}

async fn due(visit: &Visit, page: &mut Payments, cursor: &str) -> Result<Option<String>, Fault> {
    let shop = visit.shop()?;
    let after = (!cursor.is_empty()).then(|| cursor.to_owned());
    let found = visit
        .read(move |client| async move { orders::refunds_due(&client, &shop, after.as_deref(), ROWS).await })
        .await?;
    let row = |view: &orders::OrderView| Due {
        order: view.order.order.to_string(),
        href: format!("/console/orders/{}", act::in_path(view.order.order.as_str())),
        amount: money(view.order.money.refund_due_minor, Some(view.order.currency)),
        at: view.at.map(Stamp),
    };
    page.dues = found.items.iter().map(row).collect();
    Ok(found.next)
}

#[derive(Template)]
#[template(path = "resolve.html")]
struct Resolve {
    l: Layout,
    row: PaymentRow,
    action: String,
    form_id: String,
}

/// The form of one payment.
async fn ask(visit: Visit, path: web::Path<String>) -> Result<HttpResponse, Fault> {
    let (w, shop) = (visit.words(), visit.shop()?);
    let id = path.into_inner();
    let found = visit.read(move |client| async move { payments::find(&client, &shop, &id).await }).await?;
    let capture = found.iter().find(|payment| payment.kind == PaymentKind::Capture).ok_or(Fault::NotFound)?;
    let row = PaymentRow::of(w, capture);
    let page = Resolve {
        l: Layout::new(&visit, "/console/payments", &format!("{} {}", w.payment(), row.id)),
        action: format!("/console/payments/{}/resolve", act::in_path(&row.id)),
        form_id: act::new_id(),
        row,
    };
    visit.page(&page)
}

async fn resolve(
    visit: Visit,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let form = act::form(&visit, &request, payload).await?;
    let mut body = Map::new();
    match (form.fields.get("action"), form.fields.get("order")) {
        (Some("assign"), Some(order)) => body.insert("assign".into(), order.into()),
        (Some("dismiss"), _) => body.insert("dismiss".into(), true.into()),
        _ => return Err(Fault::Refused(visit.words().choose().to_owned())),
    };
    body.extend(form.fields.get("id").map(|id| ("id".to_owned(), Value::from(id))));
    let subject = Value::from(path.as_str());
    let done = act::command(&visit, CommandKind::PaymentResolve, subject, body, &form.reason).await?;
    Ok(act::done("/console/payments", "resolved", &done))
}
