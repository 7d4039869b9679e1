//! The HTTP API: PayPal's door, the shop's commands, what the read models say, and the log.
//!
//! Every error is a problem document (RFC 9457). A body is read within a size and a time, and a unit of work runs to its
//! end even when its client has gone away.
//!
//! Never: SQL, a decision, or a body, a header's value or a key in a log line.

mod admission;
mod app;
mod batch;
mod body;
mod commands;
mod consumers;
mod counters;
mod coupons;
mod dead_letters;
mod docs;
mod downstream;
mod events;
mod feed;
mod health;
mod methods;
mod metrics;
mod openapi;
mod orders;
mod payments;
mod points;
mod problem;
mod published;
mod request;
mod schemas;
mod settings;
mod sinks;
mod stock;
mod stream;
mod tls;
mod trace;
mod views;
mod webhooks;

pub use app::{Api, Build, Delivery, Limits, Parts, Routes, configure, server, server_with};
pub use commands::{not_valid, refused, roles};
pub use counters::{CallbackResult, CommandResult, Counters, FeedMode, Limited};
pub use downstream::problem as downstream_problem;
pub use methods::{Methods, at};
pub use problem::{Code, PROBLEM_JSON, Problem};
pub use tls::{Tls, TlsError};
pub use trace::of as trace_of;
