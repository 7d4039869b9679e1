//! The log, the newest first: filters in the address, pages both ways, and new events as they come.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use domain::{Key, OrderId, Position, ShopId, Timestamp};
use event_log::{Event, Filter, Kind};
use http_api::at;
use read_models::query::payments;

use crate::act::Fields;
use crate::fault::Fault;
use crate::i18n::fill;
use crate::layout::Layout;
use crate::pages::{LOOKED_BACK, ROWS, with};
use crate::read::number;
use crate::rows::{NOWHERE, Row};
use crate::visit::Visit;

/// New events that are shown at a time.
const NEW: i64 = 20;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/events").get(list).done()).service(at("/events/newer").get(newer).done());
}

/// What is asked for, as the address and the form have it.
#[derive(Default)]
struct Asked {
    type_name: String,
    key: String,
    paypal: String,
    from: String,
    to: String,
    kind: String,
}

impl Asked {
    fn of(query: &Fields) -> Self {
        Self {
            type_name: query.text("type"),
            key: query.text("key"),
            paypal: query.text("paypal"),
            from: query.text("from"),
            to: query.text("to"),
            kind: query.text("kind"),
        }
    }

    /// The address of a page of the same list.
    fn page(&self, place: (&str, &str)) -> String {
        let Self { type_name, key, paypal, from, to, kind } = self;
        let pairs = [
            ("type", type_name.as_str()),
            ("key", key),
            ("paypal", paypal),
            ("from", from),
            ("to", to),
            ("kind", kind),
            place,
        ];
        with("/console/events", &pairs)
    }

    fn is_all(&self) -> bool {
        let Self { type_name, key, paypal, from, to, kind } = self;
        [type_name, key, paypal, from, to, kind].iter().all(|text| text.is_empty())
    }

    /// The filter, or what is wrong with it.
    fn filter(&self, visit: &Visit) -> Result<Filter, Fault> {
        let w = visit.words();
        let is_type = |text: &str| {
            let name = text.strip_suffix('*').unwrap_or(text);
            name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_')) && text.len() <= 64
        };
        let types: Vec<String> =
            self.type_name.split([',', ' ']).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        if !types.iter().all(|text| is_type(text)) || types.len() > 20 {
            return Err(Fault::Refused(w.type_wrong().to_owned()));
        }
        let key = match self.key.as_str() {
            "" => None,
            text => match key_of(text) {
                Some(key) => Some(key),
                None => return Err(Fault::Refused(w.key_wrong().to_owned())),
            },
        };
        let kinds = match self.kind.as_str() {
            "fact" => vec![Kind::Fact],
            "outcome" => vec![Kind::Outcome],
            "note" => vec![Kind::Note],
            _ => Vec::new(),
        };
        Ok(Filter { kinds, types, key })
    }
}

/// A key, or the id of an order.
pub(crate) fn key_of(text: &str) -> Option<Key> {
    Key::parse(text).or_else(|| text.parse::<OrderId>().ok().map(Key::Order))
}

/// A time of a form: RFC 3339, where seconds and the zone may be left out.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let zoned = text.ends_with('Z') || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    let text = if zoned { text.to_owned() } else { format!("{text}Z") };
    let text = if text.len() == "2026-11-26Z".len() { text.replace('Z', "T00:00Z") } else { text };
    let whole = match text.find('T').map(|at| text[at..].matches(':').count()) {
        // The zone may have a colon too.
        Some(1) => text.replacen('Z', ":00Z", 1),
        _ => text,
    };
    chrono::DateTime::parse_from_rfc3339(&whole).ok().map(|at| Timestamp::new(at.to_utc()))
}

#[derive(Template)]
#[template(path = "events.html")]
struct Events {
    l: Layout,
    asked: Asked,
    rows: Vec<Row>,
    newest: i64,
    /// Whether new events come by themselves.
    is_live: bool,
    tail: String,
    newer: Option<String>,
    older: Option<String>,
    first: Option<String>,
    looked_back: Option<String>,
    error: Option<String>,
}

/// One page of the list.
struct Found {
    events: Vec<Event>,
    head: Position,
    /// Where the next page begins; none: there is none.
    older: Option<i64>,
    /// How far was looked where less was found than fits.
    looked_back: Option<i64>,
    newer: Option<i64>,
}

async fn list(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let query = Fields::of_query(&request);
    let asked = Asked::of(&query);
    let place = (number(query.get("before")), number(query.get("after")));
    let found = match asked.filter(&visit) {
        Ok(filter) => find(&visit, &shop, &asked, filter, place).await,
        Err(fault) => Err(fault),
    };
    // What is wrong with a filter is said beside it.
    let (found, error) = match found {
        Ok(found) => (found, None),
        Err(Fault::Refused(why)) => (Found::nothing(), Some(why)),
        Err(fault) => return Err(fault),
    };
    let is_first = place == (None, None);
    let is_live = is_first && asked.paypal.is_empty() && asked.to.is_empty() && error.is_none();
    let before = |position: i64| asked.page(("before", &position.to_string()));
    let page = Events {
        rows: Row::all(w, &found.events),
        newest: found.head.0,
        is_live,
        tail: asked.page(("", "")).replacen("/console/events", "/console/events/newer", 1),
        newer: found.newer.filter(|_| !is_first).map(|at| asked.page(("after", &at.to_string()))),
        older: found.older.map(before),
        first: (!is_first).then(|| asked.page(("", ""))),
        looked_back: found.looked_back.map(|at| fill(w.looked_back_to(), &[&at])),
        l: Layout::new(&visit, "/console/events", w.events()),
        asked,
        error,
    };
    let mut answer = visit.page(&page)?;
    if page.error.is_some() {
        *answer.status_mut() = actix_web::http::StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(answer)
}

impl Found {
    fn nothing() -> Self {
        Self { events: Vec::new(), head: NOWHERE, older: None, looked_back: None, newer: None }
    }
}

async fn find(
    visit: &Visit,
    shop: &ShopId,
    asked: &Asked,
    filter: Filter,
    (before, after): (Option<i64>, Option<i64>),
) -> Result<Found, Fault> {
    let w = visit.words();
    let time = |text: &str| match text {
        "" => Ok(None),
        text => time_of(text).map(Some).ok_or_else(|| Fault::Refused(w.time_wrong().to_owned())),
    };
    let (from, to) = (time(&asked.from)?, time(&asked.to)?);
    let (shop, paypal) = (shop.clone(), asked.paypal.clone());
    visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?.map_or(NOWHERE, |(position, _)| position);
            let instants: Vec<Timestamp> = [from, to].into_iter().flatten().collect();
            let mut bounds = event_log::positions_at(&client, &shop, &instants).await?;
            bounds.sort_unstable();
            let floor = from.and_then(|_| bounds.first()).map_or(0, |position| position.0 + 1);
            let ceiling = to.and_then(|_| bounds.last()).map_or(head.0 + 1, |position| position.0 + 1);
            let bounds = (floor, ceiling);
            if !paypal.is_empty() {
                let mut events = of_paypal(&client, &shop, &paypal).await?;
                events.retain(|event| (floor..ceiling).contains(&event.position.0) && filter.takes(event));
                return Ok(Found { events, head, ..Found::nothing() });
            }
            let page = match after {
                Some(after) => newer_page(&client, &shop, &filter, after, bounds, head).await?,
                None => older_page(&client, &shop, &filter, before, bounds, head).await?,
            };
            Ok::<_, read_models::Error>(page)
        })
        .await
}

/// The page that ends before a position.
async fn older_page(
    client: &database::Client,
    shop: &ShopId,
    filter: &Filter,
    before: Option<i64>,
    (floor, ceiling): (i64, i64),
    head: Position,
) -> Result<Found, event_log::Error> {
    let before = before.unwrap_or(ceiling).min(ceiling);
    let is_bounded = filter.key.is_some() || (filter.types.is_empty() && filter.kinds.is_empty());
    let looked = if is_bounded { floor } else { floor.max(before - LOOKED_BACK) };
    let mut events =
        event_log::read_before(client, shop, Position(before), Position(looked), ROWS + 1, filter).await?;
    let is_full = events.len() as i64 > ROWS;
    events.truncate(usize::try_from(ROWS).unwrap_or_default());
    let last = events.last().map(|event| event.position.0);
    let stopped = !is_full && looked > floor;
    Ok(Found {
        newer: events.first().map(|event| event.position.0),
        older: if is_full { last } else { stopped.then_some(looked) },
        looked_back: stopped.then_some(looked),
        head,
        events,
    })
}

/// The page that begins behind a position, the newest first all the same.
async fn newer_page(
    client: &database::Client,
    shop: &ShopId,
    filter: &Filter,
    after: i64,
    (floor, ceiling): (i64, i64),
    head: Position,
) -> Result<Found, event_log::Error> {
    let after = after.max(floor - 1);
    let mut events = event_log::read(client, shop, Position(after), ROWS, filter).await?;
    events.retain(|event| event.position.0 < ceiling);
    events.reverse();
    Ok(Found {
        newer: events.first().map(|event| event.position.0).filter(|at| at + 1 < ceiling),
        older: events.last().map(|event| event.position.0),
        looked_back: None,
        head,
        events,
    })
}

/// All that PayPal knows by an id: the callback, or the events of the payment and of its order, the newest first.
async fn of_paypal(
    client: &database::Client,
    shop: &ShopId,
    id: &str,
) -> Result<Vec<Event>, read_models::Error> {
    let mut positions = event_log::find_by_paypal_id(client, shop, id).await?;
    let mut keys: Vec<Key> = Vec::new();
    for payment in payments::find(client, shop, id).await? {
        positions.push(payment.position);
        keys.extend(payment.order.map(Key::Order));
    }
    keys.extend(
        [format!("capture:{id}"), format!("paypal-order:{id}")].iter().filter_map(|key| Key::parse(key)),
    );
    keys.sort();
    keys.dedup();
    for event in event_log::read_at(client, shop, &positions).await? {
        positions.extend(event.cause);
        // What came of a callback stands under its order.
        positions
            .extend(event_log::outcomes_of(client, shop, event.position).await?.iter().map(|e| e.position));
    }
    let mut events = event_log::read_at(client, shop, &positions).await?;
    for key in keys.into_iter().take(5) {
        let filter = Filter { key: Some(key), ..Filter::default() };
        events.extend(
            event_log::read_before(client, shop, Position(i64::MAX), Position(0), 200, &filter).await?,
        );
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.position));
    events.dedup_by_key(|event| event.position);
    Ok(events)
}

#[derive(Template)]
#[template(path = "events_newer.html")]
struct Newer {
    rows: Vec<Row>,
    newest: i64,
}

/// Rows behind a position, to be put above those that are there; nothing where there is none.
async fn newer(visit: Visit, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let shop = visit.shop()?;
    let w = visit.words();
    let query = Fields::of_query(&request);
    let filter = Asked::of(&query).filter(&visit)?;
    let after = Position(query.get("newest").and_then(|text| text.parse().ok()).unwrap_or(-1));
    let events = visit
        .read(move |client| async move {
            let head = event_log::head(&client, &shop).await?.map_or(NOWHERE, |(position, _)| position);
            let floor = Position((after.0 + 1).max(head.0 - LOOKED_BACK).max(0));
            let before = Position(head.0 + 1);
            let events = event_log::read_before(&client, &shop, before, floor, NEW, &filter).await?;
            Ok::<_, event_log::Error>((events, head))
        })
        .await?;
    let (events, head) = events;
    if events.is_empty() {
        return Ok(HttpResponse::NoContent().finish());
    }
    visit.page(&Newer { rows: Row::all(w, &events), newest: head.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_browsers_write_them() {
        let at = |text: &str| time_of(text).map(|at| at.to_string());
        let expected = Some("2026-11-26T08:00:00.000000Z".to_owned());
        for text in
            ["2026-11-26T08:00", "2026-11-26T08:00Z", "2026-11-26T08:00:00Z", "2026-11-26T09:00:00+01:00"]
        {
            assert_eq!(at(text), expected, "{text}");
        }
        assert_eq!(at("2026-11-26"), Some("2026-11-26T00:00:00.000000Z".to_owned()));
        for text in ["", "yesterday", "2026-13-01", "<script>", "Z", "T:"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn an_order_s_id_stands_for_its_key() {
        assert_eq!(key_of("1042"), Some(Key::Order("1042".parse().unwrap())));
        assert_eq!(key_of("capture:C1").map(|key| key.to_string()).as_deref(), Some("capture:C1"));
        assert_eq!(key_of("a b"), None);
    }

    #[test]
    fn the_address_of_a_page_has_what_was_asked_for() {
        let asked = Asked { type_name: "payment.*".into(), key: "a&b".into(), ..Asked::default() };
        assert_eq!(asked.page(("before", "7")), "/console/events?type=payment.*&key=a%26b&before=7");
        assert!(Asked::default().is_all() && !asked.is_all());
    }
}
