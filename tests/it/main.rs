//! The integration tests: one binary.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod access;
mod architecture;
mod away;
mod bad_input;
mod bench;
mod binary;
mod brokers;
mod cli;
mod contract;
mod crash;
mod downstream;
mod event_log;
mod feed;
mod foreign_log;
mod foreign_proof;
mod ground;
mod http_api;
mod instances;
mod led_shop;
mod load;
mod moves;
mod plans;
mod program;
mod promises;
mod relay;
mod restart;
mod schema;
mod serve;
mod served;
mod settlement;
mod sink_ground;
#[cfg(feature = "kafka")]
mod sinks_kafka;
mod sinks_nats;
mod sinks_rabbitmq;
mod sinks_webhook;
mod soundness;
mod take_over;
mod tree;
mod tree_files;
mod tree_ground;
mod tree_served;
mod upgrade;
mod verbs;
