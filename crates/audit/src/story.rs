//! For tests: a log as it comes about, each fact decided as the relay decides it.

use std::sync::Arc;

use domain::{Position, State, Timestamp};
use event_log::Event;
use serde_json::{Value, json};

use crate::{End, Take};

/// A log under way.
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    state: State,
    at: Timestamp,
}

impl Story {
    /// An empty log, which begins at this time.
    pub(crate) fn begin(at: &str) -> Self {
        Self { events: Vec::new(), state: State::empty(), at: time(at) }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.at = self.at.plus_seconds(seconds).unwrap();
    }

    /// Appends a fact and what follows from it, and says where the fact stands.
    pub(crate) fn tell(&mut self, type_name: &str, data: Value) -> Position {
        self.tell_with(type_name, data, json!({"by": "a test"}))
    }

    /// The same, with more in the entry.
    pub(crate) fn tell_with(&mut self, type_name: &str, data: Value, more: Value) -> Position {
        let fact = domain::Fact::from_data(type_name, &data.to_string()).unwrap();
        let key = fact.key(&format!("WH-{}", self.events.len())).to_string();
        let position = self.push(type_name, &key, &data, more);
        let received = Arc::new(relay::received(self.events.last().unwrap()));
        self.state.mark_stored();
        for (n, outcome) in (0..).zip(self.state.decide(&received).unwrap()) {
            let mut more = json!({"cause": position, "n": n});
            if let Some(answers) = outcome.answers {
                more["for"] = json!(answers);
            }
            let change = serde_json::to_value(&outcome.change).unwrap();
            self.push(outcome.kind.name(), &outcome.key.to_string(), &change, more);
        }
        position
    }

    /// Appends any event.
    pub(crate) fn push(&mut self, type_name: &str, key: &str, data: &Value, more: Value) -> Position {
        let position = Position(i64::try_from(self.events.len()).unwrap());
        self.wait(1);
        let mut entry = json!({
            "v": 1, "id": "00000000-0000-0000-0000-000000000000", "type": type_name, "key": key,
            "at": self.at, "data": data,
        });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.events.push(Event::decode(position, entry.to_string()).unwrap());
        position
    }

    /// Gives all of it to a taker.
    pub(crate) fn give<T: Take>(&self, mut taker: T) -> T {
        self.events.iter().cloned().for_each(|event| taker.take(event));
        taker
    }

    /// Everything is decided.
    pub(crate) fn end(&self) -> End {
        End::Decided(Position(i64::try_from(self.events.len()).unwrap()))
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    serde_json::from_value(json!(text)).unwrap()
}
