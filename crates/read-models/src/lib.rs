//! Orders, payments, stock, coupons, points and what is parked: fold(outcomes), as tables.
//!
//! [`ReadModels`] is the relay's projection. [`query`] reads the tables for the faces of the service, [`compare_live`] and
//! [`check`] say where the tables differ from a state that was made from the log alone, or from the rules.
//!
//! Never: write outside the relay's transaction, but for a rebuild and a restore.

mod check;
mod compare;
mod convert;
mod load;
mod projection;
pub mod query;
mod replace;
mod rows;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod whole;

pub use check::{Violation, check};
pub use compare::{ColumnDifference, Difference, Found, compare_live, compare_table};
pub use projection::{CONSUMER, ReadModels, Redrives};
pub use replace::{Replaced, put_back, replace_rows};
pub use rows::Cells;
pub use store::Changes;
pub use table::{RowKey, Table};
pub use whole::{is_empty, replace, store_all};

pub use relay::Error;
