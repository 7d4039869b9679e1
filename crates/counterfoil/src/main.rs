//! The binary: configuration, telemetry, wiring, verbs.
//!
//! Never: be depended on, or decide anything. Only this crate reads the environment and uses `anyhow`.

mod api_client;
mod bench;
mod cli;
mod config;
mod dev;
mod exit;
mod output;
mod project;
mod service;
mod telemetry;
mod trust;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    telemetry::start();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(verbs::run(cli)));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error),
    }
}
