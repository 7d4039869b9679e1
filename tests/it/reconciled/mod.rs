//! Reconciliation with PayPal, against a simulated one that loses, forges, and has trouble.

mod confirmation;
mod ground;
mod listing;
mod orders;
mod postback;
mod serving;
