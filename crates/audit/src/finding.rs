//! What an audit finds.

use std::fmt;

use domain::Position;
use serde::Serialize;

/// More of them say no more.
const MAX: usize = 100;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the log.
    pub position: Position,
    /// Which check found it: `columns`, `outbox`, `evidence`.
    pub check: &'static str,
    /// What differs.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.check, self.position, self.what)
    }
}

/// The first of them, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// How many there are.
    pub count: u64,
    /// The first hundred, in the order of the log.
    pub first: Vec<Finding>,
}

impl Findings {
    /// Takes one.
    pub(crate) fn add(&mut self, position: Position, check: &'static str, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < MAX {
            self.first.push(Finding { position, check, what: what.into() });
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
