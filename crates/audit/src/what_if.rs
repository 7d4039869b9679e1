//! Decides a log anew under other rules or settings, and says what would have become of each order's money.
//!
//! Nothing recorded is obeyed: what was parked is decided if it can be. Facts are taken as they came, also timers: a hold
//! that would have had another deadline does not run out here.

use std::collections::BTreeSet;

use domain::{Order, OrderId, Position, RULES_LATEST, Settings};
use event_log::{Event, Kind};
use packed_rows::{PackedRows, Workbench};
use relay::received;
use serde::Serialize;

use crate::{Error, Fold, Progress, Source, Take, read_into};

/// What is assumed from the first fact on, whatever the log says of it.
#[derive(Clone, Debug, Default)]
pub struct Assumptions {
    /// The version of the rules.
    pub rules: Option<u32>,
    /// The shop's settings.
    pub settings: Option<Settings>,
}

/// Where an order's money stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its state, in one word.
    pub state: serde_json::Value,
    /// May it be shipped.
    pub fulfilment: serde_json::Value,
    /// What came in and counts.
    pub captured_minor: i64,
    /// What went back.
    pub refunded_minor: i64,
    /// What is owed.
    pub refund_due_minor: i64,
}

/// An order that would stand elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderDifference {
    /// The order.
    pub order: OrderId,
    /// The currency of its amounts.
    pub currency: String,
    /// As it was decided; none: there was no such order.
    pub recorded: Option<Standing>,
    /// As it would have been.
    pub assumed: Option<Standing>,
}

/// What would have become of a log.
#[derive(Debug)]
pub struct WhatIf {
    /// How many facts were decided.
    pub facts: u64,
    /// Every order that would stand elsewhere, by its id.
    pub orders: Vec<OrderDifference>,
    /// The read models as they would be.
    pub rows: PackedRows,
}

/// Decides a log anew.
///
/// # Errors
/// The log cannot be read, or the rules are not known.
pub async fn what_if(
    source: &Source,
    through: Position,
    assumptions: Assumptions,
    progress: &Progress,
) -> Result<WhatIf, Error> {
    if let Some(rules) = assumptions.rules.filter(|rules| !(1..=RULES_LATEST).contains(rules)) {
        return Err(Error::UnknownRules(rules));
    }
    let taker = Assumed { assumptions, bench: Workbench::default(), recorded: Fold::default(), facts: 0 };
    let taker = read_into(source, through, taker, ("deciding otherwise", progress)).await?;
    let (recorded, _) = taker.recorded.finish();
    let assumed = taker.bench.into_rows();
    let orders = differences(&recorded, &assumed);
    Ok(WhatIf { facts: taker.facts, orders, rows: assumed })
}

struct Assumed {
    assumptions: Assumptions,
    bench: Workbench,
    recorded: Fold,
    facts: u64,
}

impl Take for Assumed {
    fn take(&mut self, event: Event) {
        if event.kind == Kind::Fact {
            self.facts += 1;
            self.bench.assume(|shop| {
                if let Some(rules) = self.assumptions.rules {
                    shop.rules = rules;
                }
                if let Some(settings) = &self.assumptions.settings {
                    shop.settings.clone_from(settings);
                }
            });
            // What cannot be decided is parked, which is a decision too.
            let _ = self.bench.decide(&received(&event));
            self.bench.keep();
        }
        self.recorded.push(event);
    }
}

fn differences(recorded: &PackedRows, assumed: &PackedRows) -> Vec<OrderDifference> {
    let ids: BTreeSet<OrderId> = recorded.orders().chain(assumed.orders()).map(|order| order.order).collect();
    let of = |order: OrderId| {
        let (was, is) = (recorded.order(&order), assumed.order(&order));
        let currency = was.as_ref().or(is.as_ref())?.currency.to_string();
        let (recorded, assumed) = (was.as_ref().map(standing), is.as_ref().map(standing));
        (recorded != assumed).then_some(OrderDifference { order, currency, recorded, assumed })
    };
    ids.into_iter().filter_map(of).collect()
}

fn standing(order: &Order) -> Standing {
    Standing {
        state: serde_json::to_value(order.state).unwrap_or_default(),
        fulfilment: serde_json::to_value(order.fulfilment).unwrap_or_default(),
        captured_minor: order.money.captured_minor,
        refunded_minor: order.money.refunded_minor,
        refund_due_minor: order.money.refund_due_minor,
    }
}
