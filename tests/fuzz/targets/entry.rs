//! A line of the log: what is read of it is what it says.
#![no_main]

use domain::{Fact, Key, Position};
use event_log::{Event, Kind};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|entry: &str| {
    let Ok(event) = Event::decode(Position(0), entry.to_owned()) else { return };
    let whole: Value = serde_json::from_str(entry).expect("an entry is JSON");
    assert_eq!(serde_json::from_str(event.data()).ok().as_ref(), Some(&whole["data"]));
    assert_eq!(Key::parse(&event.key.to_string()).as_ref(), Some(&event.key));
    let _ = event.aggregate_type();
    match event.kind {
        Kind::Fact => {
            if let Ok(fact) = event.fact() {
                let data = fact.to_data().expect("it is plain JSON");
                assert_eq!(Fact::from_data(&event.type_name, &data.to_string()), Ok(fact));
            }
        }
        Kind::Outcome => {
            if let Ok(outcome) = event.outcome() {
                let data = serde_json::to_value(&outcome.change).expect("it is plain JSON");
                assert_eq!(serde_json::from_value(data).ok().as_ref(), Some(&outcome.change));
            }
        }
        Kind::Note => {}
    }
    // What an entry is made of can be written, or says what it has that no entry has.
    if let Ok(value) = serde_json::from_str(entry)
        && let Ok(written) = event_log::canonical_data(&value)
    {
        let again = serde_json::from_str(&written).expect("it is JSON");
        assert_eq!(value, again);
        assert_eq!(event_log::canonical_data(&again).as_ref(), Ok(&written));
    }
});
