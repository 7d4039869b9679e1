//! One field for everything: whatever is known by a name, its page.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use http_api::at;
use read_models::query::{coupons, orders, payments, points, stock};

use crate::act::{Fields, in_path, see};
use crate::fault::Fault;
use crate::layout::Layout;
use crate::pages::with;
use crate::visit::Visit;

/// No id is longer.
const TEXT_MAX: usize = 200;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/find").get(find).done());
}

struct Hit {
    label: &'static str,
    name: String,
    href: String,
}

#[derive(Template)]
#[template(path = "find.html")]
struct Find {
    l: Layout,
    query: String,
    hits: Vec<Hit>,
}

async fn find(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let query = Fields::of_query(&request).text("q");
    let text = query.clone();
    let mut hits = if query.is_empty() || query.len() > TEXT_MAX {
        Vec::new()
    } else {
        visit
            .read(move |client| async move {
                let mut hits = Vec::new();
                let mut hit = |label, name: &str, href: String| {
                    hits.push(Hit { label, name: name.to_owned(), href });
                };
                if let Ok(id) = text.parse()
                    && orders::get(&client, &shop, &id).await?.is_some()
                {
                    hit(w.order(), &text, format!("/console/orders/{}", in_path(&text)));
                }
                let callbacks = event_log::find_by_paypal_id(&client, &shop, &text).await?;
                for position in callbacks {
                    hit(w.event(), &position.to_string(), format!("/console/events/{position}"));
                }
                if !payments::find(&client, &shop, &text).await?.is_empty() {
                    hit(w.payment(), &text, with("/console/events", &[("paypal", &text)]));
                }
                if let Ok(id) = text.parse()
                    && stock::get(&client, &shop, &id).await?.is_some()
                {
                    hit(w.stock(), &text, with("/console/stock", &[("id", &text)]));
                }
                if let Ok(id) = text.parse()
                    && coupons::get(&client, &shop, &id).await?.is_some()
                {
                    hit(w.coupons(), &text, with("/console/coupons", &[("id", &text)]));
                }
                if let Ok(id) = text.parse()
                    && points::get(&client, &shop, &id).await?.is_some()
                {
                    hit(w.points(), &text, with("/console/points", &[("id", &text)]));
                }
                let digits = text.rsplit('-').next().unwrap_or_default();
                if let Ok(position) = digits.parse::<i64>()
                    && position >= 0
                    && !event_log::read_at(&client, &shop, &[domain::Position(position)]).await?.is_empty()
                {
                    hit(w.position(), digits, format!("/console/events/{position}"));
                }
                Ok::<_, read_models::Error>(hits)
            })
            .await?
    };
    // Whoever typed a name that means one thing wants to be there.
    if let [only] = hits.as_slice() {
        return Ok(see(&only.href));
    }
    hits.dedup_by(|a, b| a.href == b.href);
    let l = Layout::new(&visit, "", w.find());
    visit.page(&Find { l, query, hits })
}
