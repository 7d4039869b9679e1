//! The first page: does money flow, and if not, what is to be done.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use delivery::Reader;
use domain::{Position, ShopId, Timestamp};
use event_log::{Event, Filter};
use http_api::at;
use read_models::ReadModels;
use read_models::query::payments::PaymentFilter;
use read_models::query::{dead_letters, orders, payments};
use relay::{Health, Projection as _, Standing};
use serde_json::json;

use crate::act::Fields;
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::layout::Layout;
use crate::rows::{self, Row, duration, many};
use crate::today::{self, Money};
use crate::types;
use crate::visit::{Visit, now};

/// Of more nobody needs to know here.
const MANY: i64 = 1_000;
/// Points of a chart.
const POINTS: usize = 60;
/// Events that the last failures are looked for in.
const LOOKED_BACK: i64 = 20_000;
const FAILURES: i64 = 8;
/// What counts as a failure.
const FAILING: [&str; 11] = [
    "event.parked",
    "order.refused",
    "order.rejected",
    "order.unfulfillable",
    "order.payment_mismatched",
    "order.payment_refuted",
    "payment.unmatched",
    "payment.mismatched",
    "payment.rejected",
    "stock.short",
    "callback.unreadable",
];

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("").get(show).done())
        .service(at("/").get(|| async { crate::act::see(crate::PATH) }).done())
        .service(at("/chart.json").get(chart).done());
}

/// Something that needs somebody.
pub(crate) struct Need {
    pub(crate) tone: &'static str,
    /// Whether nothing is decided because of it.
    pub(crate) stops: bool,
    pub(crate) what: String,
    pub(crate) cure: &'static str,
    pub(crate) href: &'static str,
}

struct Sum {
    currency: String,
    came: String,
    went: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    l: Layout,
    tone: &'static str,
    sentence: String,
    detail: String,
    needs: Vec<Need>,
    head: String,
    lag: String,
    parked: String,
    delay: String,
    window: &'static str,
    windows: Vec<(&'static str, &'static str)>,
    rate: Chart,
    waits: Chart,
    sums: Vec<Sum>,
    /// Where more is still to be counted: how much is.
    counted_to: Option<String>,
    failures: Vec<Row>,
    failures_none: String,
}

/// A chart as the server draws it, for whoever has no script.
pub(crate) struct Chart {
    pub(crate) path: String,
    pub(crate) most: String,
    pub(crate) total: String,
}

/// How far back a chart goes.
#[derive(Clone, Copy)]
struct Window {
    name: &'static str,
    seconds: i64,
}

const WINDOWS: [Window; 3] = [
    Window { name: "15m", seconds: 15 * 60 },
    Window { name: "1h", seconds: 60 * 60 },
    Window { name: "24h", seconds: 24 * 60 * 60 },
];

impl Window {
    fn of(request: &HttpRequest) -> Self {
        let query = Fields::of_query(request);
        let wanted = query.get("window").unwrap_or_default();
        WINDOWS.into_iter().find(|window| window.name == wanted).unwrap_or(WINDOWS[0])
    }

    fn label(self, w: Words) -> &'static str {
        match self.name {
            "15m" => w.window_15m(),
            "1h" => w.window_1h(),
            _ => w.window_24h(),
        }
    }
}

/// What a chart shows: at each time how many events were recorded since the one before, and how long the last fact waited.
struct Series {
    times: Vec<i64>,
    counts: Vec<i64>,
    delays: Vec<Option<i64>>,
}

/// What the database says of the shop.
struct Found {
    head: Position,
    parked: i64,
    unsettled: i64,
    refunds: i64,
    failures: Vec<Event>,
    series: Series,
}

/// Where to look when nothing is decided.
const STOPPED: &str = "/console/events";
/// The kinds of standing that need somebody.
pub(crate) const UNSETTLED: [&str; 3] = ["unmatched", "mismatched", "refuted"];

async fn look_up(visit: &Visit, shop: &ShopId, window: Window) -> Result<Found, Fault> {
    let shop = shop.clone();
    visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?;
            let head_at = head.map(|(position, _)| position).unwrap_or(crate::rows::NOWHERE);
            let mut unsettled = 0;
            for standing in UNSETTLED {
                let filter =
                    PaymentFilter { standing: Some(standing.to_owned()), ..PaymentFilter::default() };
                let page = payments::list(&client, &shop, &filter, None, MANY).await?;
                unsettled += page.items.len() as i64;
            }
            let refunds = orders::refunds_due(&client, &shop, None, MANY).await?.items.len() as i64;
            let parked = dead_letters::count(&client, &shop, MANY).await?;
            let filter = Filter { kinds: Vec::new(), types: FAILING.map(str::to_owned).to_vec(), key: None };
            let floor = Position(head_at.0.saturating_sub(LOOKED_BACK).max(0));
            let before = Position(head_at.0 + 1);
            let failures = event_log::read_before(&client, &shop, before, floor, FAILURES, &filter).await?;
            let series = series(&client, &shop, window).await?;
            let head = head_at;
            Ok::<_, read_models::Error>(Found { head, parked, unsettled, refunds, failures, series })
        })
        .await
}

async fn series(
    client: &database::Client,
    shop: &ShopId,
    window: Window,
) -> Result<Series, event_log::Error> {
    let end = now().timestamp_micros();
    let step = window.seconds * 1_000_000 / POINTS as i64;
    let begin = end - step * POINTS as i64;
    let times: Vec<Timestamp> =
        (0..=POINTS as i64).filter_map(|n| Timestamp::from_micros(begin + n * step)).collect();
    let positions = event_log::positions_at(client, shop, &times).await?;
    let delays: BTreeMap<i64, i64> = event_log::delays(client, shop, &positions)
        .await?
        .into_iter()
        .map(|(position, delay)| (position.0, delay))
        .collect();
    let pairs = || positions.iter().zip(positions.iter().skip(1));
    Ok(Series {
        times: times.iter().skip(1).map(|time| time.micros() / 1_000_000).collect(),
        counts: pairs().map(|(from, to)| to.0 - from.0).collect(),
        // Where nothing was recorded, nothing had to wait.
        delays: pairs().map(|(from, to)| (to > from).then(|| delays.get(&to.0).copied()).flatten()).collect(),
    })
}

async fn show(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let window = Window::of(&request);
    let found = look_up(&visit, &shop, window).await?;
    let money = money(&visit, &shop).await?;
    let health = health(&visit, &shop).await?;
    let mut needs = needs(&visit, &shop, &found, health.as_ref()).await?;
    needs.sort_by_key(|need| need.tone != "bad");
    let is_stopped = needs.iter().any(|need| need.stops);
    let (tone, sentence) = match (is_stopped, needs.is_empty()) {
        (true, _) => ("bad", w.flows_not()),
        (false, false) => ("warn", w.flows_but()),
        (false, true) => ("good", w.flows()),
    };
    let lag = health.as_ref().map_or(0, Health::lag);
    let detail = if lag > 0 { fill(w.flows_working(), &[&many(lag)]) } else { w.flows_idle().to_owned() };
    let last_delay = found.series.delays.iter().rev().flatten().next().copied();
    let page = Overview {
        l: Layout::new(&visit, "/console", w.overview()),
        tone,
        sentence: sentence.to_owned(),
        detail,
        needs,
        head: many(found.head.0),
        lag: many(lag),
        parked: many(found.parked),
        delay: last_delay.map_or_else(|| "–".to_owned(), |delay| duration(w, delay)),
        window: window.name,
        windows: WINDOWS.into_iter().map(|window| (window.name, window.label(w))).collect(),
        rate: rate_of(&found.series),
        waits: waits_of(w, &found.series),
        sums: money.sums.iter().map(|(currency, sum)| Sum::of(*currency, *sum)).collect(),
        counted_to: money
            .counted_to
            .map(|to| fill(w.money_counted_to(), &[&many(to.0), &many(found.head.0)])),
        failures: Row::all(w, &found.failures),
        failures_none: fill(w.last_failures_none(), &[&many(LOOKED_BACK)]),
    };
    visit.page(&page)
}

async fn money(visit: &Visit, shop: &ShopId) -> Result<Money, Fault> {
    let (days, api, shop) = (visit.console.days.clone(), visit.api.clone().into_inner(), shop.clone());
    visit.run(async move { days.money(&api, &shop, Timestamp::new(now())).await }).await
}

/// The same as the server's drawings, for a script that draws them better.
async fn chart(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let window = Window::of(&request);
    let series = visit.read(move |client| async move { series(&client, &shop, window).await }).await?;
    let delays: Vec<Option<String>> = series
        .delays
        .iter()
        .map(|delay| delay.map(|us| format!("{}.{:03}", us / 1_000, us % 1_000)))
        .collect();
    Ok(HttpResponse::Ok()
        .json(json!({ "times": series.times, "events": series.counts, "delays_ms": delays })))
}

async fn health(visit: &Visit, shop: &ShopId) -> Result<Option<Health>, Fault> {
    let database = visit.api.database.clone();
    let all =
        visit.run(async move { relay::health(&database, ReadModels::default().consumer()).await }).await?;
    Ok(all.into_iter().find(|health| health.shop == shop.as_str()))
}

/// Everything that needs somebody, by the judgement of `/readyz` and `/metrics`.
async fn needs(
    visit: &Visit,
    shop: &ShopId,
    found: &Found,
    health: Option<&Health>,
) -> Result<Vec<Need>, Fault> {
    let w = visit.words();
    let mut needs = Vec::new();
    let mut need = |tone, what: String, cure, href: &'static str| {
        needs.push(Need { tone, stops: href == STOPPED, what, cure, href });
    };
    if visit.api.intake.guard().forks().iter().any(|fork| fork.shop == *shop) {
        need("bad", w.bad_forked().to_owned(), w.cure_forked(), STOPPED);
    }
    if let Some(health) = health {
        let waiting = many(health.lag());
        match health.standing() {
            Standing::Stalled => {
                need("bad", fill(w.bad_stalled(), &[&waiting]), w.cure_stalled(), STOPPED);
            }
            Standing::Leaderless => {
                need("bad", fill(w.bad_leaderless(), &[&waiting]), w.cure_leaderless(), STOPPED);
            }
            Standing::Idle | Standing::Working | Standing::Vacant => {}
        }
    }
    if found.parked > 0 {
        need("bad", fill(w.bad_parked(), &[&at_most(found.parked)]), w.cure_parked(), "/console/parked");
    }
    if found.unsettled > 0 {
        let what = fill(w.bad_unmatched(), &[&at_most(found.unsettled)]);
        need("warn", what, w.cure_unmatched(), "/console/payments");
    }
    if found.refunds > 0 {
        let what = fill(w.bad_refunds(), &[&at_most(found.refunds)]);
        need("warn", what, w.cure_refunds(), "/console/payments?view=refunds");
    }
    let database = visit.api.database.clone();
    let readers = visit.run(async move { delivery::readers(&database).await }).await?;
    for Reader { name, state, error, .. } in
        readers.iter().filter(|r| r.shop == shop.as_str() && r.state != "running")
    {
        let state = types::word(state).map_or(state.as_str(), |text| w.say(text));
        let what = fill(w.bad_reader(), &[name, &state, &error.as_deref().unwrap_or("")]);
        need("warn", what, w.cure_reader(), "/console/sinks");
    }
    let database = visit.api.database.clone();
    let trees = visit.run(async move { audit::tree::trees(&database).await }).await?;
    if let Some(tree) = trees.iter().find(|tree| tree.shop == shop.as_str() && !tree.is_well()) {
        let what = fill(w.bad_tree(), &[&tree.error.as_deref().unwrap_or("")]);
        need("warn", what, w.cure_tree(), "/console/log");
    }
    Ok(needs)
}

/// `1 000+` where nobody has counted further.
fn at_most(number: i64) -> String {
    if number >= MANY { format!("{}+", many(MANY)) } else { many(number) }
}

impl Sum {
    fn of(currency: domain::Currency, sum: today::Sum) -> Self {
        Self {
            currency: currency.to_string(),
            came: rows::money(sum.came, Some(currency)),
            went: rows::money(sum.went, Some(currency)),
        }
    }
}

fn rate_of(series: &Series) -> Chart {
    let values: Vec<Option<i64>> = series.counts.iter().map(|count| Some(*count)).collect();
    let total: i64 = series.counts.iter().sum();
    Chart { path: drawn(&values), most: many(most_of(&values)), total: many(total) }
}

fn waits_of(w: Words, series: &Series) -> Chart {
    let most = duration(w, most_of(&series.delays));
    Chart { path: drawn(&series.delays), total: most.clone(), most }
}

fn most_of(values: &[Option<i64>]) -> i64 {
    values.iter().flatten().copied().max().unwrap_or(0)
}

/// A line through the values, 600 wide and 100 high, in integers: bars that touch each other.
fn drawn(values: &[Option<i64>]) -> String {
    use std::fmt::Write as _;
    let most = most_of(values).max(1);
    let mut path = String::from("M0 100");
    for (n, value) in values.iter().enumerate() {
        let x = 600 * n / POINTS;
        let next = 600 * (n + 1) / POINTS;
        let height = i128::from(value.unwrap_or(0).max(0)) * 96 / i128::from(most);
        // Writing to a String cannot fail.
        let _ = write!(path, "L{x} {y}L{next} {y}", y = 100 - height);
    }
    path.push_str("L600 100Z");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_drawn_within_its_frame_whatever_the_values() {
        for values in [vec![], vec![Some(0); POINTS], vec![Some(i64::MAX), None, Some(-5), Some(1)]] {
            let path = drawn(&values);
            assert!(path.starts_with("M0 100") && path.ends_with("L600 100Z"), "{path}");
            for y in path.split(['L', 'M', 'Z']).filter_map(|point| point.split_once(' ')) {
                assert!((0..=100).contains(&y.1.parse::<i64>().unwrap()), "{path}");
            }
        }
    }

    #[test]
    fn what_counts_as_a_failure_is_a_type_that_there_is() {
        for name in FAILING {
            assert!(types::outcome(name).is_some() || types::fact(name).is_some(), "{name}");
        }
    }
}
