//! PayPal's settlement report against the log: the one defence against a callback that never came.
//!
//! A Merkle tree proves that nothing which was recorded is gone, never that everything was recorded. PayPal's report (STL)
//! lists every transaction that moved the account's balance in a day, so what it has and the log has not is a lost
//! callback, and what the log has and it has not is money that nobody sent.
//!
//! What is compared is the log's own fold, never the live tables, by PayPal's transaction id: captures with gross, fee and
//! currency, refunds and reversals with amount and currency. The result, and the report's SHA-256, go into the log.

mod books;
mod compare;
mod meter;
mod place;
mod record;
mod report;
mod row;
#[cfg(test)]
mod tests;

pub use books::Books;
pub use compare::{
    Class, Comparison, Counts, Difference, Here, Kind, Options, OtherAccount, There, Total, Unmatched,
    compare,
};
pub use record::record;
pub use report::{Malformed, ROWS_MAX, Report, Section};
pub use row::{Money, Transaction};
