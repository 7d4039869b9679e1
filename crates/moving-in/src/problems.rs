//! What is wrong in a file: all of it is counted, and so much of it is named.

use intake::InvalidCommand;
use serde::Serialize;

/// So many are named.
pub const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where: lines count from 1.
    pub line: u64,
    /// JSON pointer (RFC 6901) into the line; empty for the line as a whole.
    pub pointer: String,
    /// What. Never repeats a value.
    pub detail: String,
}

/// All that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// How many.
    pub count: u64,
    /// The first [`PROBLEMS_MAX`] that were found, by line.
    pub named: Vec<Problem>,
}

impl Problems {
    pub(crate) fn add(&mut self, line: u64, pointer: &str, detail: impl Into<String>) {
        self.count += 1;
        if self.named.len() < PROBLEMS_MAX {
            self.named.push(Problem { line, pointer: pointer.to_owned(), detail: detail.into() });
        }
    }

    pub(crate) fn add_invalid(&mut self, line: u64, invalid: InvalidCommand) {
        match invalid {
            InvalidCommand::NotJson(why) => self.add(line, "", why),
            InvalidCommand::Fields(fields) => {
                fields.into_iter().for_each(|field| self.add(line, &field.pointer, field.detail));
            }
        }
    }

    pub(crate) fn in_order(mut self) -> Self {
        self.named.sort();
        self
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
