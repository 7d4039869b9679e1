//! What each event promises those who read it: one registry, from which the JSON Schemas and the AsyncAPI document come.
//!
//! A schema is of an outbox row's payload, which is the entry's `data`, and is derived from the domain's own types. Fields
//! are added, never changed: a reader takes what it knows, and leaves the rest. The same holds for the words of an
//! enumeration. `contract.json` keeps all schemas as they were last published, and a test compares.
//!
//! A fact and an outcome may have one name: the shop says `order.placed`, and then it is decided. So a contract is found
//! by the outbox's `aggregatetype` and type, and facts have a folder of their own.

mod asyncapi;
mod notes;
mod outcomes;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use domain::{Fact, OutcomeType};
pub use event_log::Kind;
use serde_json::Value;

pub use asyncapi::asyncapi;

/// Where the schemas are served.
pub const SCHEMAS_PATH: &str = "/schemas/";

/// What events of one type promise.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The type: `order.paid`.
    pub type_name: &'static str,
    /// What kind of event it is.
    pub kind: Kind,
    /// The outbox's `aggregatetype`: `order`.
    pub aggregate: &'static str,
    /// What has happened, in a sentence.
    pub summary: &'static str,
    /// Where its schema is, below [`SCHEMAS_PATH`]: `order.paid.json`, `facts/order.placed.json`.
    pub path: String,
    /// The schema of the payload: a whole document of draft 2020-12 whose `$id` is its place.
    pub schema: Value,
}

impl Contract {
    fn new(
        (kind, aggregate, type_name): (Kind, &'static str, &'static str),
        summary: &'static str,
        schema: Value,
    ) -> Self {
        let folder = if kind == Kind::Fact { "facts/" } else { "" };
        let path = format!("{folder}{type_name}.json");
        let schema = schema::document(schema, &path, type_name, summary);
        Self { type_name, kind, aggregate, summary, path, schema }
    }

    /// The type without its aggregate: `paid`; the whole type where it does not begin with that.
    #[must_use]
    pub fn event(&self) -> &'static str {
        event_of(self.aggregate, self.type_name)
    }

    /// The schema that allows nothing which it does not name. What this version writes keeps it; for tests.
    #[must_use]
    pub fn closed_schema(&self) -> Value {
        let mut schema = self.schema.clone();
        schema::close(&mut schema);
        schema
    }
}

/// A type without its aggregate: `paid` of `order.paid`. Facts, and what the log says of itself, keep the whole type.
#[must_use]
pub fn event_of<'a>(aggregate: &str, type_name: &'a str) -> &'a str {
    type_name.strip_prefix(aggregate).and_then(|rest| rest.strip_prefix('.')).unwrap_or(type_name)
}

static ALL: LazyLock<Vec<Contract>> = LazyLock::new(|| {
    let facts = Fact::CONTRACTS.iter().map(|fact| {
        let about = (Kind::Fact, fact.source.aggregate(), fact.name);
        Contract::new(about, fact.summary, (fact.schema)(schema::generator()).to_value())
    });
    let outcomes = OutcomeType::ALL.iter().map(|outcome| {
        let about = (Kind::Outcome, outcome.aggregate(), outcome.name());
        Contract::new(about, outcome.summary(), outcomes::schema(*outcome))
    });
    facts.chain(outcomes).chain(notes::contracts()).collect()
});

/// The contract of every type: facts, then outcomes, then notes.
#[must_use]
pub fn all() -> &'static [Contract] {
    &ALL
}

/// The contract of what an outbox row of this `aggregatetype` and type carries.
#[must_use]
pub fn of(aggregate: &str, type_name: &str) -> Option<&'static Contract> {
    all().iter().find(|contract| contract.type_name == type_name && contract.aggregate == aggregate)
}

/// The schema at a path below [`SCHEMAS_PATH`].
#[must_use]
pub fn schema(path: &str) -> Option<&'static Value> {
    all().iter().find(|contract| contract.path == path).map(|contract| &contract.schema)
}
