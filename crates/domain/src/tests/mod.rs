//! Decisions as sentences: given what happened before, when a fact comes, then this follows.

mod confirmation;
mod imports;
mod money;
mod orders;
mod parking;
mod payments;
mod permutations;
mod support;
