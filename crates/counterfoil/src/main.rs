//! The binary: configuration, telemetry, wiring, verbs.
//!
//! Never: be depended on, or decide anything. Only this crate reads the environment and uses `anyhow`.

mod accounts;
mod acting;
mod api_client;
mod bench;
mod cli;
mod config;
mod day_close;
mod dev;
mod effective;
mod exit;
mod output;
mod progress;
mod project;
mod service;
mod supervision;
mod telemetry;
mod trust;
mod verbs;
mod witnessing;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// What a verb has left running gets so long at the end.
const LEFT_BEHIND: Duration = Duration::from_millis(200);

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let telemetry = telemetry::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(verbs::run(cli));
        // What a verb has left behind, as a look-up of a name that nobody answers, keeps nobody waiting.
        runtime.shutdown_timeout(LEFT_BEHIND);
        ended
    });
    telemetry.end();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error),
    }
}
