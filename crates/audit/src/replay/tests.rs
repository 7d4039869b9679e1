//! Given a log, when it is replayed, then this is found.

use domain::Position;
use event_log::Event;
use serde_json::{Value, json};

use super::{End, Fold, Replay, Replayed, replay};

fn event(position: i64, type_name: &str, key: &str, more: Value, data: Value) -> Event {
    let mut entry = json!({
        "v": 1, "id": "00000000-0000-0000-0000-000000000000", "type": type_name, "key": key,
        "at": format!("2026-01-01T00:00:{position:02}.000000Z"), "data": data,
    });
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Event::decode(Position(position), entry.to_string()).unwrap()
}

fn received(position: i64, qty: i64) -> Event {
    event(position, "stock.received", "sku:A", json!({}), json!({"sku": "A", "qty": qty}))
}

fn moved(position: i64, cause: i64, received: i64) -> Event {
    let data = json!({"stock": [{"sku": "A", "received": received}]});
    let data: Value = serde_json::from_str(&event_log::canonical_data(&data).unwrap()).unwrap();
    event(position, "stock.received", "sku:A", json!({"cause": cause, "n": 0}), data)
}

fn on_hand(replayed: &Replayed) -> [i64; 2] {
    let sku = "A".parse().unwrap();
    [replayed.decided(), replayed.folded()].map(|rows| rows.stock(&sku).map_or(0, |stock| stock.on_hand()))
}

#[test]
fn outcomes_may_stand_behind_newer_facts() {
    let log = [received(0, 5), received(1, 7), moved(2, 0, 5), received(3, 9), moved(4, 1, 7)];
    let replayed = replay(log, Position(1));
    assert_eq!(replayed.mismatches, []);
    assert_eq!((replayed.facts, replayed.outcomes, on_hand(&replayed)), (2, 2, [12, 12]));
}

#[test]
fn a_decision_that_was_another_one_is_found() {
    let replayed = replay([received(0, 5), moved(1, 0, 6)], Position(0));
    assert_eq!(replayed.mismatches.len(), 1);
    assert_eq!(on_hand(&replayed), [5, 6]);
    let replayed = replay([received(0, 5)], Position(0));
    assert_eq!(replayed.mismatches.len(), 1, "a decided fact lacks its outcome");
    let replayed = replay([received(0, 5), moved(1, 0, 5), moved(2, 0, 5)], Position(0));
    assert_eq!(replayed.mismatches.len(), 1, "one outcome too many");
}

#[test]
fn a_recorded_parking_is_obeyed() {
    let parked = json!({"parked": {"fact": 0, "group": 0, "keys": ["sku:A"], "error": "a bug"}});
    let parking = event(1, "event.parked", "sku:A", json!({"cause": 0, "n": 0}), parked);
    let replayed = replay([received(0, 5), parking], Position(0));
    assert_eq!(replayed.mismatches, []);
    assert_eq!(on_hand(&replayed), [0, 0]);
    assert!(replayed.folded().group(Position(0)).is_some());
}

/// The fold alone is what the replay's is, wherever the log is cut; what stands behind the cut is not missed.
#[test]
fn given_a_log_that_is_cut_when_it_is_replayed_then_what_stands_behind_the_cut_is_not_missed() {
    let log = [received(0, 5), received(1, 7), moved(2, 0, 5), received(3, 9), moved(4, 1, 7)];
    for (cut, left) in [(0, 0), (1, 0), (2, 0), (3, 5), (4, 5), (5, 12)] {
        let (mut replay, mut fold) = (Replay::default(), Fold::default());
        for event in &log[..cut] {
            replay.push(event.clone());
            fold.push(event.clone());
        }
        let replayed = replay.finish(End::Cut);
        let (rows, mismatches) = fold.finish();
        assert_eq!((replayed.mismatches.as_slice(), mismatches.as_slice()), (&[][..], &[][..]));
        let sku = "A".parse().unwrap();
        let folded = rows.stock(&sku).map_or(0, |stock| stock.on_hand());
        assert_eq!((on_hand(&replayed), folded), ([left, left], left), "{cut}");
    }
}
