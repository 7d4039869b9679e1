//! One order, article, coupon or buyer as it was at a point of the log, made from the log alone.
//!
//! An order's outcomes carry the order as it is afterwards and stand under its key, so that few events tell. What orders
//! share is moved by the outcomes of any order: those that mention it are gone through.

use std::collections::HashMap;

use domain::{BuyerId, Context, CouponCode, Key, OrderId, Position, Sku, Timestamp};
use event_log::Event;
use packed_rows::{PackedRows, Workbench};
use read_models::{Cells, Table};

use crate::{Error, Progress, Source};

/// Events are read so many at a time.
const PAGE: i64 = 5_000;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// An order, with its payments.
    Order,
    /// An article.
    Stock,
    /// A coupon, with its buyers.
    Coupon,
    /// A buyer.
    Points,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order, with its payments.
    Order(OrderId),
    /// An article.
    Stock(Sku),
    /// A coupon, with its buyers.
    Coupon(CouponCode),
    /// A buyer.
    Points(BuyerId),
}

impl Subject {
    /// Reads the key of a model.
    ///
    /// # Errors
    /// It has not the shape of one.
    pub fn parse(model: Model, key: &str) -> Result<Self, domain::InvalidId> {
        Ok(match model {
            Model::Order => Self::Order(key.parse()?),
            Model::Stock => Self::Stock(key.parse()?),
            Model::Coupon => Self::Coupon(key.parse()?),
            Model::Points => Self::Points(key.parse()?),
        })
    }

    fn key(&self) -> &str {
        match self {
            Self::Order(id) => id.as_str(),
            Self::Stock(id) => id.as_str(),
            Self::Coupon(id) => id.as_str(),
            Self::Points(id) => id.as_str(),
        }
    }

    /// Its rows among all: the first is its own.
    fn rows(&self, all: &PackedRows) -> Result<Vec<(&'static str, Cells)>, Error> {
        let tables: &[Table] = match self {
            Self::Order(_) => &[Table::Orders, Table::Payments],
            Self::Stock(_) => &[Table::Stock],
            Self::Coupon(_) => &[Table::Coupons, Table::CouponBuyers],
            Self::Points(_) => &[Table::Points],
        };
        let column = match self {
            Self::Order(_) => "order_id",
            Self::Stock(_) => "sku",
            Self::Coupon(_) => "code",
            Self::Points(_) => "buyer_id",
        };
        let mut rows = Vec::new();
        for table in tables {
            for cells in table.rows(all) {
                let cells = cells?;
                if cells.get(column).is_some_and(|value| value == self.key()) {
                    rows.push((table.name(), cells));
                }
            }
        }
        Ok(rows)
    }
}

/// The rows of a subject as of a position, with the names of their tables; none when there is nothing of it.
///
/// # Errors
/// The log cannot be read or folded.
pub async fn as_of(
    source: &Source,
    through: Position,
    subject: &Subject,
    progress: &Progress,
) -> Result<Vec<(&'static str, Cells)>, Error> {
    let events = match subject {
        Subject::Order(order) => source.outcomes_of_key(&Key::Order(order.clone()), through).await?,
        _ => mentions(source, through, subject, progress).await?,
    };
    let times = times_of_causes(source, subject, &events).await?;
    let mut bench = Workbench::default();
    for event in &events {
        let Some(cause) = event.cause else { continue };
        let outcome = event.outcome().map_err(|unknown| Error::Failed(unknown.to_string()))?;
        let at = times.get(&cause.0).copied().unwrap_or(event.at);
        let context = Context { position: cause, at, fact_at: at, answers: outcome.answers };
        let folded = bench.evolve(&context, outcome.kind, &outcome.change);
        folded.map_err(|error| Error::Failed(format!("at {}: {error}", event.position)))?;
        bench.keep();
    }
    subject.rows(bench.rows())
}

async fn mentions(
    source: &Source,
    through: Position,
    subject: &Subject,
    progress: &Progress,
) -> Result<Vec<Event>, Error> {
    progress.begin("reading the log", u64::try_from(through.0 + 1).unwrap_or(0));
    let quoted = serde_json::Value::from(subject.key()).to_string();
    let (mut events, mut after) = (Vec::new(), Position(-1));
    while after < through {
        // The range is bounded, so that progress can be told of a log that hardly mentions it.
        let until = Position(through.0.min(after.0 + 20 * PAGE));
        let page = source.mentions((after, until), PAGE, &quoted).await?;
        let is_full = page.len() as i64 >= PAGE;
        let last = page.last().map(|event| event.position);
        events.extend(page);
        let reached = if is_full { last.unwrap_or(until) } else { until };
        progress.add(u64::try_from(reached.0 - after.0).unwrap_or(0));
        after = reached;
    }
    Ok(events)
}

/// Orders and payments show when their facts were recorded.
async fn times_of_causes(
    source: &Source,
    subject: &Subject,
    events: &[Event],
) -> Result<HashMap<i64, Timestamp>, Error> {
    if !matches!(subject, Subject::Order(_)) {
        return Ok(HashMap::new());
    }
    let causes: Vec<Position> = events.iter().filter_map(|event| event.cause).collect();
    let facts = source.at(&causes).await?;
    Ok(facts.iter().map(|fact| (fact.position.0, fact.at)).collect())
}
