//! How events reach others: the contract that each keeps, and the ways that they go.
//!
//! Never: decide anything.

pub mod contract;
