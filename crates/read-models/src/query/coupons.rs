//! Coupons: their terms, and how often they were used.

use database::{Client, sql};
use domain::{Coupon, CouponCode, CouponTerms, Position, ShopId};
use relay::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::Page;
use crate::convert::coupon_from_row;
use crate::rows::CouponRow;

/// A coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CouponView {
    /// What it was issued with.
    #[serde(flatten)]
    pub terms: CouponTerms,
    /// It takes no new holds.
    pub voided: bool,
    /// Set aside for open orders.
    pub held: i64,
    /// Used by paid orders.
    pub used: i64,
    /// How many more orders may use it.
    pub available: i64,
    /// The fact that changed it last.
    pub position: Position,
}

/// One coupon.
///
/// # Errors
/// The database cannot be had, or the row is of another version.
pub async fn get(client: &Client, shop: &ShopId, code: &CouponCode) -> Result<Option<CouponView>, Error> {
    let codes = vec![code.as_str()];
    let row = client.query_opt(&sql::read_models::LOAD_COUPONS, &[&shop.as_str(), &codes]).await?;
    row.as_ref().map(view).transpose()
}

/// Coupons by their codes, from behind `after`.
///
/// # Errors
/// The database cannot be had, or a row is of another version.
pub async fn list(
    client: &Client,
    shop: &ShopId,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<CouponView>, Error> {
    let (after, more) = (after.unwrap_or_default(), limit.saturating_add(1));
    let rows = client.query(&sql::read_models::LIST_COUPONS, &[&shop.as_str(), &after, &more]).await?;
    let items = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &CouponView| item.terms.code.to_string()))
}

fn view(row: &tokio_postgres::Row) -> Result<CouponView, Error> {
    let Coupon { terms, voided, held, used, position } = coupon_from_row(&CouponRow::read(row, &mut (0..))?)?;
    let available = if voided { 0 } else { terms.max_uses - used - held };
    Ok(CouponView { terms, voided, held, used, available, position })
}
