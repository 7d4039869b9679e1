//! Everything that must hold of a history, whatever came.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Order, Position, Source};
use event_log::{Dedupe, Event, Kind, NewFact, fact_id};

use crate::door::shop;
use crate::ground::REDRIVES;
use crate::rows::Rows;
use crate::run::Told;
use crate::world::{Consumer, State, World};

/// Checks all of it, and counts what came about.
pub(crate) fn check(world: &World, told: Told) -> Result<Told, String> {
    let mut state = world.state();
    if let Some(broken) = state.broken.first() {
        return Err(broken.clone());
    }
    let events = state.log.events();
    answered_is_there(&state)?;
    in_order(events)?;
    let decided = events.iter().rev().find(|event| event.kind == Kind::Fact);
    let replayed = audit::replay(events.iter().cloned(), decided.map_or(Position(-1), |fact| fact.position));
    if let Some(mismatch) = replayed.mismatches.first() {
        return Err(format!("decided otherwise at {}: {}", mismatch.position, mismatch.what));
    }
    same(&state.rows, &Rows::all(replayed.folded()))?;
    invariants(&state.rows, events)?;
    rightly_parked(events)?;
    delivered(&state)?;
    Ok(counted(told, &mut state))
}

/// P1, P3: what was answered as done stands where it was said to, and everything stands once.
fn answered_is_there(state: &State) -> Result<(), String> {
    let events = state.log.events();
    let mut ids = BTreeSet::new();
    if let Some(twice) = events.iter().find(|event| !ids.insert(event.id)) {
        return Err(format!("{} is in the log twice, again at {}", twice.type_name, twice.position));
    }
    let mut sent = BTreeSet::new();
    for delivery in &state.deliveries {
        let (id, position) = (id_of(&delivery.fact), delivery.acknowledged);
        let event = position.and_then(|position| events.get(usize::try_from(position.0).ok()?));
        if event.is_none_or(|event| event.id != id) {
            return Err(format!("what was answered as done at {position:?} is not there"));
        }
        sent.insert(id);
    }
    let came_from_nowhere = events.iter().find(|event| {
        event.kind == Kind::Fact && event.by.as_deref() != Some("timer") && !sent.contains(&event.id)
    });
    came_from_nowhere.map_or(Ok(()), |event| Err(format!("nobody sent what stands at {}", event.position)))
}

fn id_of(NewFact { fact, dedupe, .. }: &NewFact) -> uuid::Uuid {
    let source = match fact.source() {
        Source::Callback => "callback",
        Source::Command => "command",
        Source::Timer => "timer",
    };
    let key = match dedupe {
        Dedupe::Callback { event_key, .. } => event_key.clone(),
        Dedupe::Command { id, .. } => format!("{}:{id}", fact.type_name()),
    };
    fact_id(shop().as_str(), source, &key)
}

/// P5, P6: positions are dense, time never runs back, outcomes stand behind their causes and in their order, each once.
fn in_order(events: &[Event]) -> Result<(), String> {
    let (mut last, mut at) = (None, None);
    for (position, event) in (0_i64..).zip(events) {
        if event.position.0 != position || at.is_some_and(|at| event.at < at) {
            return Err(format!("{} stands at {position}, or time runs back there", event.position));
        }
        at = Some(event.at);
        if let (Some(cause), Some(n)) = (event.cause, event.n) {
            if cause >= event.position || last.is_some_and(|last| last >= (cause, n)) {
                return Err(format!("the outcome at {position} is out of order"));
            }
            last = Some((cause, n));
        }
    }
    Ok(())
}

/// P6: the stored rows are the fold of the outcomes.
fn same(stored: &Rows, folded: &Rows) -> Result<(), String> {
    macro_rules! compare {
        ($($table:ident),*) => {$(
            if stored.$table != folded.$table {
                return Err(format!("{} are {:?}, and folded {:?}", stringify!($table), stored.$table, folded.$table));
            }
        )*};
    }
    compare!(orders, payments, stock, coupons, coupon_buyers, points, parked_keys, parked, groups, shop);
    Ok(())
}

/// P3, P4, P9: what must hold between the rows.
fn invariants(rows: &Rows, events: &[Event]) -> Result<(), String> {
    let mut settled: BTreeMap<String, usize> = BTreeMap::new();
    let settles = |event: &&Event| {
        let imports_paid = event.type_name == "order.imported" && event.kind == Kind::Outcome;
        event.type_name == "order.paid" || imports_paid && event.data().contains("\"paid_at\"")
    };
    for event in events.iter().filter(settles) {
        *settled.entry(event.key.name().into_owned()).or_default() += 1;
    }
    for order in rows.orders.values().flatten() {
        let times = settled.get(order.order.as_str()).copied().unwrap_or(0);
        if times != usize::from(order.paid_at.is_some()) {
            return Err(format!("{} is settled {times} times", order.order));
        }
    }
    for (sku, stock) in &rows.stock {
        let Some(stock) = stock else { continue };
        let held: i64 = rows.orders.values().flatten().map(|order| held_of(order, sku)).sum();
        if stock.on_hand() < 0 || stock.held != held {
            return Err(format!("{sku}: {stock:?}, of which orders hold {held}"));
        }
    }
    for coupon in rows.coupons.values().flatten() {
        if coupon.used + coupon.held > coupon.terms.max_uses {
            return Err(format!("{} is used too often", coupon.terms.code));
        }
    }
    let tried = rows.groups.values().flatten().map(|group| u64::from(group.attempts)).max();
    // An operator may try once more, and does by chance.
    let by_hand = events.iter().filter(|event| event.type_name == "event.redriven").count();
    if tried.is_some_and(|tried| tried > (REDRIVES.len() + by_hand) as u64) {
        return Err("a parked group is tried without end".to_owned());
    }
    Ok(())
}

/// P9: of what cannot be stored the right fact is parked, and no other.
fn rightly_parked(events: &[Event]) -> Result<(), String> {
    let unstored = |event: &&Event| event.type_name == "event.parked" && event.data().contains("22003");
    let wrong = events.iter().filter(unstored).find(|event| event.key.to_string() != "sku:B");
    wrong.map_or(Ok(()), |event| Err(format!("{} was parked for another", event.key)))
}

fn held_of(order: &Order, sku: &domain::Sku) -> i64 {
    let terms = order.terms.as_ref().filter(|terms| terms.tracks.stock && order.held_until.is_some());
    terms.and_then(|terms| terms.by_sku().get(sku).copied()).unwrap_or(0)
}

/// P8: the sink has every outcome, or it is a dead letter; and of each key they came first in their order, but for dead
/// letters: one may still be under way from a leader that was overtaken, and be taken behind what came after it.
fn delivered(state: &State) -> Result<(), String> {
    let mut last: BTreeMap<&str, Position> = BTreeMap::new();
    let mut had = BTreeSet::new();
    for (position, key) in &state.sink.received {
        if !had.insert(*position) {
            continue;
        }
        if last.get(key.as_str()).is_none_or(|last| last < position) {
            last.insert(key, *position);
        } else if !state.sink.is_dead(*position) {
            return Err(format!("{key}: {position} came late"));
        }
    }
    let outcomes = state.log.events().iter().filter(|event| event.kind == Kind::Outcome);
    let lost = outcomes.map(|event| event.position).find(|of| !had.contains(of) && !state.sink.is_dead(*of));
    lost.map_or(Ok(()), |position| Err(format!("{position} was never delivered")))
}

fn counted(told: Told, state: &mut State) -> Told {
    let epochs = state.checkpoint(Consumer::Relay).epoch;
    let received = state.sink.received.iter().map(|(position, _)| *position);
    let different = received.collect::<BTreeSet<_>>().len();
    let events = state.log.events();
    let count = |name: &str| events.iter().filter(|event| event.type_name == name).count() as u64;
    Told {
        events: events.len() as u64,
        acknowledged: state.deliveries.len() as u64,
        epochs: u64::try_from(epochs).unwrap_or(0),
        delivered: [different as u64, (state.sink.received.len() - different) as u64],
        unknown_commits: u64::from(state.unknown_commits),
        parked: [count("event.parked"), count("event.unparked")],
        paid: count("order.paid"),
        last: events.last().map_or([0; 32], |event| event_log::leaf_hash(&event.entry)),
        ..told
    }
}
