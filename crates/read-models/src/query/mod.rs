//! The read models as the faces of the service show them.
//!
//! Amounts are integers in minor units, named `.._minor`, beside the `currency` they are in. Every row has the
//! `position` of the fact that changed it last: its ETag. Pages come in the order of the ids, those of the newest orders in that of
//! the log; `next` leads on.

pub mod coupons;
pub mod dead_letters;
pub mod orders;
pub mod payments;
pub mod points;
pub mod stock;

use serde::Serialize;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; `None`: this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of at most `limit` rows out of one more than that.
    fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}
