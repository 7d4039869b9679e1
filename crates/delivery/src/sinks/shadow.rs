//! What was recorded while the shop was in shadow. Outcomes say so themselves; of facts and notes, which nobody decides, it is told
//! by where they stand: behind a change of settings. Only sinks that want them ask, once a page.

use std::collections::BTreeSet;

use database::Client;
use domain::{Key, Position, ShopId};
use event_log::{Event, Filter, Kind};
use serde::Deserialize;

use crate::selection::OUTCOMES;
use crate::{Error, Message, Page, contract};

const CHANGED: &str = "shop.configured";
const REFUSED: &str = "shop.rejected";
/// So many are read at a time: few shops have a dozen.
const READ: i64 = 1_000;

/// Leaves out of a page what was recorded in shadow and does not say so.
pub(super) async fn leave_out(client: &Client, shop: &ShopId, page: &mut Page) -> Result<(), Error> {
    if page.messages.iter().any(is_told_by_its_place) {
        let changes = changes(client, shop).await?;
        let is_sent = |message: &Message| !is_told_by_its_place(message) || !changes.are_of_shadow(message);
        page.messages.retain(is_sent);
    }
    Ok(())
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

/// From where on the shop was in shadow, and from where on it was not; in order.
struct Changes(Vec<(Position, bool)>);

impl Changes {
    /// A change is in force behind itself, as for decisions: that which ends the shadow stands within it.
    fn are_of_shadow(&self, message: &Message) -> bool {
        let before = self.0.partition_point(|(at, _)| *at < message.position);
        before.checked_sub(1).is_some_and(|last| self.0[last].1)
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

/// One that nobody has decided yet counts: what comes behind it is not sent before that.
async fn changes(client: &Client, shop: &ShopId) -> Result<Changes, Error> {
    let types = vec![CHANGED.to_owned(), REFUSED.to_owned()];
    let filter = Filter { key: Some(Key::Shop(shop.clone())), types, kinds: vec![Kind::Fact, Kind::Outcome] };
    let (mut changes, mut refused, mut after) = (Vec::new(), BTreeSet::new(), Position(-1));
    loop {
        let events = event_log::read(client, shop, after, READ, &filter).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        changes.extend(events.iter().filter(|event| event.kind == Kind::Fact).filter_map(change));
        refused
            .extend(events.iter().filter(|event| event.type_name == REFUSED).filter_map(|event| event.cause));
    }
    changes.retain(|(at, _)| !refused.contains(at));
    Ok(Changes(changes))
}

fn change(event: &Event) -> Option<(Position, bool)> {
    let Configured { settings } = serde_json::from_str(event.data()).ok()?;
    Some((event.position, settings.shadow))
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

    #[test]
    fn a_change_is_in_force_behind_itself() {
        let changes = Changes(vec![(Position(3), true), (Position(7), false)]);
        let in_shadow: Vec<i64> =
            (0..10).filter(|at| changes.are_of_shadow(&message("command", "order.placed", *at))).collect();
        assert_eq!(in_shadow, [4, 5, 6, 7]);
    }
}
