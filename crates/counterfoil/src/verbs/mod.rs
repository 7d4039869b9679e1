//! The verbs, one file each.

pub(crate) mod bench;
pub(crate) mod consumers;
pub(crate) mod dead_letters;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod feed;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod log;
pub(crate) mod log_keys;
pub(crate) mod migrate;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod postgres;
pub(crate) mod projections;
pub(crate) mod prove;
pub(crate) mod recover;
pub(crate) mod serve;
pub(crate) mod shops;
pub(crate) mod sinks;
pub(crate) mod stock;
pub(crate) mod trigger;
pub(crate) mod webhook;

use crate::cli::{Cli, Verb};
use crate::exit::Exit;

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let globals = &cli.globals;
    match cli.verb {
        Verb::Dev(verb) => verb.run(globals).await,
        Verb::Serve(verb) => verb.run(globals).await,
        Verb::Migrate(verb) => verb.run(globals).await,
        Verb::Doctor(verb) => verb.run(globals).await,
        Verb::Shops(verb) => verb.run(globals).await,
        Verb::Keys(verb) => verb.run(globals).await,
        Verb::Trigger(verb) => verb.run(globals).await,
        Verb::Orders(verb) => verb.run(globals).await,
        Verb::Stock(verb) => verb.run(globals).await,
        Verb::Payments(verb) => verb.run(globals).await,
        Verb::RefundsDue(verb) => verb.run(globals).await,
        Verb::Events(verb) => verb.run(globals).await,
        Verb::DeadLetters(verb) => verb.run(globals).await,
        Verb::Feed(verb) => verb.run(globals).await,
        Verb::Consumers(verb) => verb.run(globals).await,
        Verb::Listen(verb) => verb.run(globals).await,
        Verb::Sinks(verb) => verb.run(globals).await,
        Verb::Projections(verb) => verb.run(globals).await,
        Verb::Log(verb) => verb.run(globals).await,
        Verb::Prove(verb) => verb.run(globals).await,
        Verb::Postgres(verb) => verb.run(globals).await,
        Verb::Bench(verb) => verb.run(globals).await,
        Verb::Webhook(verb) => verb.run(globals).await,
    }
}

/// 128 random bits as text, for ids of commands that name none.
pub(crate) fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
    Ok(hex::encode(bytes))
}
