//! Checks the tables and the log against the rules.

use database::{Client, Query, sql};
use domain::ShopId;
use relay::Error;
use serde::Serialize;

use crate::CONSUMER;

/// A row that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule, by the name of its query.
    pub rule: &'static str,
    /// What breaks it.
    pub subject: String,
    /// The figures.
    pub detail: String,
}

const RULES: &[&Query] = &[
    &sql::read_models::CHECK_STOCK,
    &sql::read_models::CHECK_COUPONS,
    &sql::read_models::CHECK_POINTS,
    &sql::read_models::CHECK_PAID,
    &sql::read_models::CHECK_MONEY,
    &sql::read_models::CHECK_PARKED,
    &sql::read_models::CHECK_LOG,
];

/// Every invariant, as SQL over one snapshot: the caller's transaction is REPEATABLE READ, or nobody writes.
///
/// # Errors
/// The database cannot be had.
pub async fn check(client: &Client, shop: &ShopId) -> Result<Vec<Violation>, Error> {
    let shop = shop.as_str();
    let mut violations = Vec::new();
    for rule in RULES {
        gather(&mut violations, rule, client.query(rule, &[&shop]).await?)?;
    }
    let rule = &sql::read_models::CHECK_CHECKPOINT;
    gather(&mut violations, rule, client.query(rule, &[&shop, &CONSUMER]).await?)?;
    Ok(violations)
}

fn gather(
    violations: &mut Vec<Violation>,
    rule: &Query,
    rows: Vec<tokio_postgres::Row>,
) -> Result<(), Error> {
    for row in rows {
        let rule = rule.name();
        violations.push(Violation { rule, subject: row.try_get(0)?, detail: row.try_get(1)? });
    }
    Ok(())
}
