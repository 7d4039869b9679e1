//! What `dev` stands on: a database of its own, and a day of orders.

pub(crate) mod callbacks;
pub(crate) mod day;
mod ground;

pub(crate) use ground::Ground;

/// The shop that `dev` makes.
pub(crate) const SHOP: &str = "dev";
/// The webhook id whose callbacks it takes.
pub(crate) const WEBHOOK_ID: &str = "8DE70000WEBHOOK01";
