//! Why something was refused, or what is wrong with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One reason: a stable code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Stable, snake_case: `stock_insufficient`, `coupon_expired`, or the name of the field that is wrong.
    pub code: String,
    /// What is wrong, with the figures.
    pub detail: String,
}

impl Reason {
    /// A reason from its code and sentence.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}
