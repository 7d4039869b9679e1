//! Checks the tables and the log against the rules, and against a replay.

use database::{Client, Database, Query, sql};
use domain::{Position, ShopId};
use event_log::read_all;
use relay::Error;
use serde::Serialize;

use crate::{CONSUMER, Difference, Mismatch, Replay, compare_live};

/// Events are replayed so many at a time.
const PAGE: i64 = 5_000;

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

/// What a whole verification found; everything is empty where all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many facts were decided again.
    pub facts: u64,
    /// How many outcomes were compared.
    pub outcomes: u64,
    /// Decisions that are others now than they were.
    pub mismatches: Vec<Mismatch>,
    /// Rows that are not as replay makes them.
    pub differences: Vec<Difference>,
    /// Rows that break a rule.
    pub violations: Vec<Violation>,
}

impl Verification {
    /// Whether all is well.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty() && self.differences.is_empty() && self.violations.is_empty()
    }
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

/// Replays the whole log, compares every decision and every row, and checks every invariant, over one snapshot.
///
/// # Errors
/// The database cannot be had, or the log cannot be read.
pub async fn verify(database: &Database, shop: &ShopId) -> Result<Verification, Error> {
    let client = database.client().await?;
    // It holds nothing that anybody waits for, and may think about a long log for longer than a writer.
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = '60s'";
    client.batch_execute(begin).await?;
    let verified = verify_snapshot(&client, shop).await;
    if client.batch_execute("COMMIT").await.is_err() {
        client.discard();
    }
    verified
}

async fn verify_snapshot(client: &Client, shop: &ShopId) -> Result<Verification, Error> {
    let checkpoint = client.query_opt(&sql::relay::READ_CHECKPOINT, &[&shop.as_str(), &CONSUMER]).await?;
    let checkpoint = checkpoint.map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or(-1);
    let (mut replay, mut after) = (Replay::new(), Position(-1));
    loop {
        let events = read_all(client, shop, after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        events.into_iter().for_each(|event| replay.push(event));
    }
    let replayed = replay.finish(Position(checkpoint));
    Ok(Verification {
        facts: replayed.facts,
        outcomes: replayed.outcomes,
        mismatches: replayed.mismatches,
        differences: compare_live(client, shop, &replayed.folded).await?,
        violations: check(client, shop).await?,
    })
}
