//! The command line: every verb, with its help and an example.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::output::Format;
use crate::verbs;

const EXIT_CODES: &str = "\
Exit codes:
   0  all is well
   1  a finding: not authentic, refused, not found, something failed the check
   2  the arguments are wrong
  69  the database or the service cannot be had now: try again later
  70  a bug
  78  the configuration is wrong or incomplete

Environment: COUNTERFOIL_LOG (as `info` or `warn,relay=debug`), NO_COLOR; each secret also as <NAME>_FILE.

Example:
  counterfoil dev";

/// Keeps the proof of every payment callback, and turns it into orders, stock, coupons and points.
#[derive(Debug, Parser)]
#[command(name = "counterfoil", version, about, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Globals {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// The folder of `dev`; else the nearest .counterfoil from here upwards
    #[arg(long, global = true, env = "COUNTERFOIL_PROJECT", value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start everything for development: a private database, a dev CA, a day of orders
    Dev(verbs::dev::Dev),
    /// Serve: take callbacks and commands, decide, answer
    Serve(Box<verbs::serve::Serve>),
    /// Bring the database's schema up to date
    Migrate(verbs::migrate::Migrate),
    /// Check the database, the keys and the leaders, and say what to do
    Doctor(verbs::doctor::Doctor),
    /// Shops: one PayPal merchant account in one environment each
    #[command(subcommand)]
    Shops(verbs::shops::Shops),
    /// API keys, and those that sign the logs
    #[command(subcommand)]
    Keys(verbs::keys::Keys),
    /// Send callbacks of a PayPal to develop against
    Trigger(verbs::trigger::Trigger),
    /// Orders and whether they may be shipped
    #[command(subcommand)]
    Orders(verbs::orders::Orders),
    /// Stock
    #[command(subcommand)]
    Stock(verbs::stock::Stock),
    /// Payments: captures, authorisations, refunds, disputes
    #[command(subcommand)]
    Payments(verbs::payments::Payments),
    /// Money that is owed to buyers
    RefundsDue(verbs::payments::RefundsDue),
    /// The log: facts and outcomes
    Events(verbs::events::Events),
    /// Facts that could not be decided, and the ways past them
    #[command(subcommand)]
    DeadLetters(verbs::dead_letters::DeadLetters),
    /// What goes downstream: every outcome, in order
    Feed(verbs::feed::Feed),
    /// Readers of the feed whose cursor is kept by the service
    #[command(subcommand)]
    Consumers(verbs::consumers::Consumers),
    /// Send what goes downstream to an endpoint of yours, while you develop it
    Listen(verbs::listen::Listen),
    /// Where events are sent to: webhooks, Kafka, RabbitMQ, NATS
    #[command(subcommand)]
    Sinks(verbs::sinks::Sinks),
    /// How far each shop's read models are, and who keeps them
    #[command(subcommand)]
    Projections(verbs::projections::Projections),
    /// Compare the log with its copies, its evidence, its decisions and the read models
    Verify(verbs::audit::verify::Verify),
    /// Decide and fold the log from nothing, and compare
    Replay(verbs::audit::replay::Replay),
    /// What was: one order, article, coupon or buyer at a point of the log
    AsOf(verbs::audit::as_of::AsOf),
    /// Bring a read model to what the log says, while callbacks keep coming
    Rebuild(verbs::audit::rebuild::Rebuild),
    /// Decide the log anew under other rules or settings, and show what would have become of each order
    WhatIf(verbs::audit::what_if::WhatIf),
    /// Write the log and the read models into files, with a manifest
    Export(verbs::audit::export::Export),
    /// Write an evidence bundle: everything an auditor needs, in one folder, without a database
    Evidence(verbs::audit::evidence::Evidence),
    /// Record a digest of each read model in the log, made from the log alone
    Digest(verbs::audit::digest::Digest),
    /// Compare PayPal's settlement report with the log: what never came, and what nobody sent
    Reconcile(verbs::audit::reconcile::Reconcile),
    /// Bring a shop along that already sells: opening balances, and orders that are open or were paid lately
    Import(verbs::import::Import),
    /// A shop in shadow: decided beside the shop's own systems, and delivered to nobody
    #[command(subcommand)]
    Shadow(verbs::shadow::Shadow),
    /// Make the evidence of a buyer's orders unreadable, for good
    Erase(verbs::audit::erase::Erase),
    /// Keep a buyer's evidence from being destroyed
    #[command(subcommand)]
    LegalHold(verbs::audit::legal_hold::LegalHold),
    /// The Merkle tree over each log
    #[command(subcommand)]
    Log(verbs::log::Log),
    /// Prove that an event is in the log, for whoever has its entry
    Prove(verbs::audit::prove::Prove),
    /// Measure throughput and latency against the plain transaction
    Bench(verbs::bench::Bench),
    /// Look at a callback without sending it anywhere
    #[command(subcommand)]
    Webhook(verbs::webhook::Webhook),
    /// Find PostgreSQL's programs, or get them
    Postgres(verbs::postgres::Postgres),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
