//! What the read models say, as answers: one row with its ETag, or a page of rows.
//!
//! Positions are public ones here: `<epoch>-<position>`.

use access::Identity;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use database::Client;
use domain::{Fulfilment, Key, OrderState, PaymentKind, PaymentState, Position, ShopId, Standing};
use read_models::query::orders::OrderFilter;
use read_models::query::payments::PaymentFilter;
use read_models::query::{Page, coupons, dead_letters, orders, payments, points, stock};
use read_models::{Error, ReadModels};
use relay::Projection as _;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::app::Api;
use crate::commands;
use crate::problem::{Code, Problem};
use crate::request::{self, Query, invalid};

/// Fields that hold a position of the log.
pub(crate) const POSITIONS: [&str; 2] = ["position", "group"];
/// Flags that orders can be listed by.
pub(crate) const FLAGS: [&str; 13] = [
    "refused",
    "cancelled",
    "expired",
    "accepted",
    "closed",
    "unfulfillable",
    "review",
    "overpaid",
    "mismatched",
    "disputed",
    "pending",
    "live",
    "awaiting",
];

/// What a command was about, as `state_of` finds it: one of these.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what is written from the rows")]
pub(crate) struct State {
    /// The order, of a command about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<orders::OrderDetail>,
    /// The article, of a command about stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<stock::StockView>,
    /// The coupon, of a command about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<coupons::CouponView>,
    /// The buyer's points, of a command about them.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<points::PointsView>,
    /// All settings, of a command that has set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<domain::Settings>,
}

/// The state of what a command was about, under the name that answers give it.
pub(crate) async fn state_of(
    api: &Api,
    shop: &ShopId,
    key: &Key,
    epoch: i64,
) -> Result<Option<(&'static str, Value)>, Problem> {
    let (shop, key) = (shop.clone(), key.clone());
    let found = read(api, move |client| async move {
        Ok(match &key {
            Key::Order(id) => orders::get(&client, &shop, id).await?.map(|row| ("order", json(&row))),
            Key::Sku(id) => stock::get(&client, &shop, id).await?.map(|row| ("stock", json(&row))),
            Key::Code(id) => coupons::get(&client, &shop, id).await?.map(|row| ("coupon", json(&row))),
            Key::Buyer(id) => points::get(&client, &shop, id).await?.map(|row| ("points", json(&row))),
            Key::Shop(_) => Some(("settings", json(&settings(&client, &shop).await?))),
            Key::PaypalOrder(_) | Key::Capture(_) | Key::Callback(_) | Key::Event(_) => None,
        })
    })
    .await?;
    match found {
        Some((name, value)) => Ok(Some((name, public(value?, epoch)))),
        None => Ok(None),
    }
}

async fn settings(client: &Client, shop: &ShopId) -> Result<domain::Settings, Error> {
    Ok(ReadModels::default().open(client, shop).await?.shop.settings)
}

macro_rules! rows {
    ($($get:ident, $list:ident: $module:ident, $id:ident;)*) => {$(
        pub(crate) async fn $get(api: &Api, request: &HttpRequest, id: &str) -> Result<HttpResponse, Problem> {
            let (identity, epoch) = reader(api, request).await?;
            // What has not the shape of an id is nowhere.
            let id = id.parse::<domain::$id>().map_err(|_| nowhere())?;
            let row = read(api, move |client| async move { $module::get(&client, &identity.shop, &id).await }).await?;
            one(request, row, epoch)
        }

        pub(crate) async fn $list(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
            let (identity, epoch) = reader(api, request).await?;
            let query = Query::of(request, &["cursor", "limit"])?;
            let (after, limit) = (query.text("cursor").map(str::to_owned), query.limit()?);
            let page = read(api, move |client| async move {
                $module::list(&client, &identity.shop, after.as_deref(), limit).await
            });
            many(page.await?, epoch)
        }
    )*};
}

rows! {
    get_stock, list_stock: stock, Sku;
    get_coupon, list_coupons: coupons, CouponCode;
    get_points, list_points: points, BuyerId;
}

pub(crate) async fn get_order(api: &Api, request: &HttpRequest, id: &str) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let id = id.parse::<domain::OrderId>().map_err(|_| nowhere())?;
    let row = read(api, move |client| async move { orders::get(&client, &identity.shop, &id).await }).await?;
    one(request, row, epoch)
}

pub(crate) async fn list_orders(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let query = Query::of(request, &["cursor", "limit", "state", "fulfilment", "flag"])?;
    let flag = query.text("flag").map(str::to_owned);
    if flag.as_deref().is_some_and(|flag| !FLAGS.contains(&flag)) {
        return Err(invalid(&format!("The parameter flag must be one of {}.", FLAGS.join(", "))));
    }
    let filter = OrderFilter {
        state: word::<OrderState>(&query, "state")?,
        fulfilment: word::<Fulfilment>(&query, "fulfilment")?,
        flag,
    };
    let (after, limit) = (query.text("cursor").map(str::to_owned), query.limit()?);
    let page = read(api, move |client| async move {
        orders::list(&client, &identity.shop, &filter, after.as_deref(), limit).await
    });
    many(page.await?, epoch)
}

pub(crate) async fn list_refunds_due(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let query = Query::of(request, &["cursor", "limit"])?;
    let (after, limit) = (query.text("cursor").map(str::to_owned), query.limit()?);
    let page = read(api, move |client| async move {
        orders::refunds_due(&client, &identity.shop, after.as_deref(), limit).await
    });
    many(page.await?, epoch)
}

pub(crate) async fn list_payments(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let query = Query::of(request, &["cursor", "limit", "standing", "state", "kind", "order"])?;
    let filter = PaymentFilter {
        standing: word::<Standing>(&query, "standing")?,
        state: word::<PaymentState>(&query, "state")?,
        kind: word::<PaymentKind>(&query, "kind")?,
        order: query.text("order").map(str::to_owned),
    };
    let (after, limit) = (query.text("cursor").map(str::to_owned), query.limit()?);
    let page = read(api, move |client| async move {
        payments::list(&client, &identity.shop, &filter, after.as_deref(), limit).await
    });
    many(page.await?, epoch)
}

pub(crate) async fn list_dead_letters(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let query = Query::of(request, &["cursor", "limit"])?;
    let after = query.parsed::<i64>("cursor")?.map(Position);
    let limit = query.limit()?;
    let page =
        read(
            api,
            move |client| async move { dead_letters::list(&client, &identity.shop, after, limit).await },
        );
    many(page.await?, epoch)
}

pub(crate) async fn get_dead_letter(
    api: &Api,
    request: &HttpRequest,
    position: &str,
) -> Result<HttpResponse, Problem> {
    let (identity, epoch) = reader(api, request).await?;
    let position = commands::position(api, &identity.shop, position).await?;
    let row =
        read(api, move |client| async move { dead_letters::get(&client, &identity.shop, position).await })
            .await?;
    one(request, row, epoch)
}

pub(crate) async fn get_settings(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (identity, _) = reader(api, request).await?;
    let settings = read(api, move |client| async move { settings(&client, &identity.shop).await }).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "private, no-cache")).json(settings))
}

async fn reader(api: &Api, request: &HttpRequest) -> Result<(Identity, i64), Problem> {
    let identity = request::authorize(api, request, request::READERS).await?;
    let epoch = commands::epoch(api, &identity.shop).await?;
    Ok((identity, epoch))
}

/// Reads with a session of the pool.
async fn read<T, F>(api: &Api, work: impl FnOnce(Client) -> F + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send,
{
    let database = api.database.clone();
    let found = api.run(async move {
        let client = database.client().await?;
        work(client).await
    });
    found.await?.map_err(|error| match &error {
        Error::Database(error) => Problem::database("The read models", error),
        Error::Log(error) => Problem::log(error),
        error => Problem::internal(error),
    })
}

fn one<T: Serialize>(request: &HttpRequest, row: Option<T>, epoch: i64) -> Result<HttpResponse, Problem> {
    let value = public(json(&row.ok_or_else(nowhere)?)?, epoch);
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(position) = value.get("position").and_then(Value::as_str) {
        // Weak: the same position can be written in other bytes by another version.
        let etag = format!("W/\"{position}\"");
        let known = request.headers().get_all(header::IF_NONE_MATCH);
        let is_known = known
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|known| known.trim() == etag);
        if is_known {
            return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
        }
        response.insert_header((header::ETAG, etag));
    }
    Ok(response.json(value))
}

fn many<T: Serialize>(page: Page<T>, epoch: i64) -> Result<HttpResponse, Problem> {
    let data =
        page.items.iter().map(|row| Ok(public(json(row)?, epoch))).collect::<Result<Vec<_>, Problem>>()?;
    let has_more = page.next.is_some();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(json!({ "data": data, "next_cursor": page.next, "has_more": has_more })))
}

fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "There is none of this id, or no fact about it has been decided yet.")
}

fn json<T: Serialize>(row: &T) -> Result<Value, Problem> {
    serde_json::to_value(row).map_err(|e| Problem::internal(&e))
}

/// Makes positions public, also in rows within rows.
fn public(mut value: Value, epoch: i64) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_i64() {
                    Some(position) if POSITIONS.contains(&name.as_str()) => {
                        *field = format!("{epoch}-{position}").into();
                    }
                    _ => *field = public(field.take(), epoch),
                }
            }
        }
        Value::Array(list) => {
            for element in list {
                *element = public(element.take(), epoch);
            }
        }
        _ => {}
    }
    value
}

/// A filter that must be a word of an enum, as the text that the column has.
fn word<T: DeserializeOwned + Serialize>(query: &Query, name: &str) -> Result<Option<String>, Problem> {
    let Some(text) = query.text(name) else { return Ok(None) };
    match serde_json::from_value::<T>(text.into()) {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(_) => Err(invalid(&format!("The parameter {name} is not valid."))),
    }
}
