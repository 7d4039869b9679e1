//! What was recorded while the shop was in shadow. Outcomes say so themselves; of facts and notes, which nobody decides, it is told
//! by where they stand: behind a change of settings. Only sinks that want them ask, once a page.

use std::collections::BTreeSet;

use database::Client;
use domain::{Key, Position, ShopId};
use event_log::{Event, Filter, Kind};
use serde::Deserialize;

use crate::selection::OUTCOMES;
use crate::{Error, Message, Page, contract};

/// A change of settings; it is in force once it is decided.
const CONFIGURED: &str = "shop.configured";
/// What else may come of one.
const NOT_SO: [&str; 2] = ["shop.rejected", "event.parked"];
/// So many are read at a time: few shops have a dozen.
const READ: i64 = 1_000;

/// Leaves out of a page what was recorded in shadow and does not say so. A page ends with a change that nobody has decided yet, and
/// is held there: what is behind it is told once that is decided. Whether it is held.
pub(super) async fn leave_out(client: &Client, shop: &ShopId, page: &mut Page) -> Result<bool, Error> {
    if !page.messages.iter().any(is_told_by_its_place) {
        return Ok(false);
    }
    let changes = changes(client, shop).await?;
    let held = changes.open.filter(|open| *open < page.seen);
    if let Some(open) = held {
        page.messages.retain(|message| message.position <= open);
        (page.seen, page.is_end) = (open, true);
    }
    page.messages.retain(|message| !is_told_by_its_place(message) || !changes.are_of_shadow(message));
    Ok(held.is_some())
}

/// Whether it is a fact or a note.
fn is_told_by_its_place(message: &Message) -> bool {
    let (aggregate, type_name) = (message.aggregate_type.as_str(), message.type_name.as_str());
    let is_outcome = OUTCOMES.contains(&aggregate)
        // The log's own are of every kind.
        || aggregate == "log"
            && contract::of(aggregate, type_name).is_some_and(|known| known.kind == contract::Kind::Outcome);
    !is_outcome
}

/// The shop's settings, as far as they are of shadow.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// From where on the shop was in shadow, and from where on it was not; in order.
    decided: Vec<(Position, bool)>,
    /// The first that nobody has decided yet.
    open: Option<Position>,
}

impl Changes {
    fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let (mut asked, mut changes) = (BTreeSet::new(), Self::default());
        for event in events {
            match event.cause {
                None => _ = asked.insert(event.position),
                // One that was parked is decided by what redrives it, and in force from there on.
                Some(cause) => {
                    asked.remove(&cause);
                    changes.decided.extend(shadow(event).map(|is_on| (cause, is_on)));
                }
            }
        }
        changes.open = asked.first().copied();
        changes
    }

    /// A change is in force behind itself, as for decisions: that which ends the shadow stands within it.
    fn are_of_shadow(&self, message: &Message) -> bool {
        let before = self.decided.partition_point(|(at, _)| *at < message.position);
        before.checked_sub(1).is_some_and(|last| self.decided[last].1)
    }
}

#[derive(Deserialize)]
struct Configured {
    settings: Settings,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    shadow: bool,
}

async fn changes(client: &Client, shop: &ShopId) -> Result<Changes, Error> {
    let types = [CONFIGURED].into_iter().chain(NOT_SO).map(str::to_owned).collect();
    let filter = Filter { key: Some(Key::Shop(shop.clone())), types, kinds: vec![Kind::Fact, Kind::Outcome] };
    let (mut events, mut after) = (Vec::new(), Position(-1));
    loop {
        let page = event_log::read(client, shop, after, READ, &filter).await?;
        let is_last = (page.len() as i64) < READ;
        after = page.last().map_or(after, |event| event.position);
        events.extend(page);
        if is_last {
            return Ok(Changes::of(events.iter()));
        }
    }
}

/// Whether a change that was decided sets the shop in shadow.
fn shadow(event: &Event) -> Option<bool> {
    let is_change = event.kind == Kind::Outcome && event.type_name == CONFIGURED;
    let Configured { settings } = is_change.then(|| serde_json::from_str(event.data()).ok())??;
    Some(settings.shadow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(aggregate: &str, type_name: &str, position: i64) -> Message {
        let entry = format!(
            r#"{{"at":"2026-11-22T10:00:00.000001Z","data":{{}},"id":"00000000-0000-0000-0000-000000000000","key":"order:1","type":"{type_name}","v":1}}"#
        );
        let event = Event::decode(Position(position), entry).unwrap();
        Message { aggregate_type: aggregate.to_owned(), ..Message::in_epoch(&event, 0) }
    }

    #[test]
    fn facts_and_notes_are_told_by_their_place_and_outcomes_by_themselves() {
        for (aggregate, type_name, is_told) in [
            ("command", "order.placed", true),
            ("callback", "payment.captured", true),
            ("command", "shop.configured", true),
            ("log", "order.expired", true),
            ("log", "sink.changed", true),
            ("order", "order.placed", false),
            ("log", "event.parked", false),
            ("log", "shop.configured", false),
        ] {
            assert_eq!(
                is_told_by_its_place(&message(aggregate, type_name, 1)),
                is_told,
                "{aggregate} {type_name}"
            );
        }
    }

    fn event(position: i64, cause: Option<i64>, type_name: &str, data: &str) -> Event {
        let cause = cause.map_or(String::new(), |cause| format!(r#""cause":{cause},"#));
        let entry = format!(
            r#"{{"at":"2026-11-22T10:00:00.000001Z",{cause}"data":{data},"id":"00000000-0000-0000-0000-000000000000","key":"shop:s","type":"{type_name}","v":1}}"#
        );
        Event::decode(Position(position), entry).unwrap()
    }

    #[test]
    fn a_change_is_in_force_behind_itself_once_it_is_decided() {
        let (on, off) = (r#"{"settings":{"shadow":true}}"#, r#"{"settings":{}}"#);
        let log = [
            event(0, None, CONFIGURED, on),
            event(1, Some(0), "shop.rejected", "{}"),
            event(3, None, CONFIGURED, on),
            event(5, Some(3), CONFIGURED, on),
            event(6, None, CONFIGURED, off),
            event(7, Some(6), "event.parked", "{}"),
            event(10, Some(9), CONFIGURED, off),
            event(12, None, CONFIGURED, on),
            event(14, None, CONFIGURED, off),
        ];
        let changes = Changes::of(log.iter());
        let in_shadow: Vec<i64> =
            (0..16).filter(|at| changes.are_of_shadow(&message("command", "order.placed", *at))).collect();
        assert_eq!(in_shadow, [4, 5, 6, 7, 8, 9], "refused at 0, parked at 6 and redriven at 9");
        assert_eq!(changes.open, Some(Position(12)));
    }
}
