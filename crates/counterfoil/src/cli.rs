//! The command line: every verb, with its help and an example.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use http_api::Build;

use crate::exit::Exit;
use crate::output::Format;
use crate::verbs;

/// The version, and the commit that it was built from.
pub(crate) const BUILD: Build =
    Build { version: env!("CARGO_PKG_VERSION"), commit: option_env!("COUNTERFOIL_BUILT_FROM") };

/// Both, for people.
static VERSION: LazyLock<String> = LazyLock::new(|| match BUILD.commit {
    Some(commit) => format!("{} ({commit})", BUILD.version),
    None => BUILD.version.to_owned(),
});

/// How the part of a help text begins that says how a verb ends.
pub(crate) const EXIT_CODES: &str = "Exit codes:";
/// How the part of a help text begins that shows how a verb is used.
pub(crate) const EXAMPLES: &str = "Examples:";

fn after_help() -> String {
    let codes = Exit::ALL.map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning())).join("\n");
    format!(
        "{EXIT_CODES}\n{codes}\n\n\
         Environment: COUNTERFOIL_LOG (as `info` or `warn,relay=debug`), NO_COLOR, CLICOLOR_FORCE; each secret also as \
         <NAME>_FILE.\n\n\
         {EXAMPLES}\n  counterfoil dev\n  counterfoil man ~/.local/share/man/man1\n  counterfoil doctor -o json"
    )
}

/// Keeps the proof of every payment callback, and turns it into orders, stock, coupons and points.
#[derive(Debug, Parser)]
#[command(name = "counterfoil", version = VERSION.as_str(), about, after_help = after_help(), max_term_width = 110)]
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
    /// Print what a shell needs to complete verbs and options
    Completions(verbs::completions::Completions),
    /// Write the manual pages
    Man(verbs::man::Man),
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::{Cli, EXAMPLES};
    use crate::exit::Exit;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// Each verb that does something, with its name.
    fn leaves<'c>(command: &'c Command, name: &str, found: &mut Vec<(String, &'c Command)>) {
        let below: Vec<&Command> =
            command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
        if below.is_empty() || !command.is_subcommand_required_set() {
            found.push((name.to_owned(), command));
        }
        for verb in below {
            leaves(verb, &format!("{name} {}", verb.get_name()), found);
        }
    }

    /// The commands of ours in a line of shell: behind variables, before pipes and redirections, also `$(counterfoil ..)`.
    fn commands(line: &str) -> Vec<Vec<String>> {
        let parts = line.replace("$(", " ; ").replace(')', " ; ");
        let words = shlex::split(&parts).unwrap_or_else(|| panic!("no shell understands {line}"));
        let mut found = Vec::new();
        for part in words.split(|word| matches!(word.as_str(), ";" | "|" | ">" | "&&") || word.ends_with(';'))
        {
            let is_variable = |word: &&String| word.contains('=') && !word.starts_with('-');
            let part: Vec<String> = part.iter().skip_while(is_variable).cloned().collect();
            if part.first().is_some_and(|program| program == "counterfoil") {
                found.push(part);
            }
        }
        found
    }

    fn examples(help: &str) -> Vec<String> {
        let section = help.split_once(EXAMPLES).map_or("", |(_, section)| section);
        section
            .replace("\\\n", " ")
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_verb_has_examples_and_each_of_them_is_understood_as_that_verb() {
        let command = Cli::command();
        let mut found = Vec::new();
        leaves(&command, "counterfoil", &mut found);
        assert!(found.len() > 60, "only {} verbs were found", found.len());
        for (name, verb) in found {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = examples(&help);
            assert!(!lines.is_empty(), "`{name}` has no part {EXAMPLES}");
            let mut shows_itself = false;
            for line in &lines {
                for words in commands(line) {
                    if let Err(error) = Cli::try_parse_from(&words) {
                        panic!("`{name}` shows {line}\nwhich is not understood: {error}");
                    }
                    shows_itself |= words.join(" ").starts_with(&name);
                }
            }
            assert!(shows_itself, "no example of `{name}` shows it");
        }
    }

    #[test]
    fn an_example_that_is_not_understood_is_noticed() {
        for (line, is_one) in [
            ("A=b counterfoil orders get A-1 > file", true),
            ("echo x > y; counterfoil what-if --rules 1 | jq .", true),
            ("counterfoil orders gett A-1", false),
            ("counterfoil verify --no-such-option", false),
        ] {
            let words = commands(line).pop().unwrap_or_else(|| panic!("{line}"));
            assert_eq!(Cli::try_parse_from(words).is_ok(), is_one, "{line}");
        }
    }

    #[test]
    fn a_verb_that_is_nearly_right_is_guessed() {
        let error = Cli::try_parse_from(["counterfoil", "verfiy"]).map(drop).unwrap_err().to_string();
        assert!(error.contains("'verify'"), "{error}");
    }

    #[test]
    fn the_exit_codes_stand_in_the_help() {
        let help = Cli::command().render_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{help}");
        }
    }
}
