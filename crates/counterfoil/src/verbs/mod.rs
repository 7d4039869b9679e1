//! The verbs, one file each.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod consumers;
pub(crate) mod dead_letters;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod feed;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod log;
pub(crate) mod log_keys;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod postgres;
pub(crate) mod projections;
pub(crate) mod recover;
pub(crate) mod serve;
pub(crate) mod shadow;
pub(crate) mod shops;
pub(crate) mod sinks;
pub(crate) mod stock;
pub(crate) mod trigger;
pub(crate) mod webhook;

use domain::{BuyerId, ShopId};

use crate::cli::{Cli, Verb};
use crate::exit::{self, Exit};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let globals = &cli.globals;
    match cli.verb {
        Verb::Dev(verb) => verb.run(globals).await,
        Verb::Serve(verb) => (*verb).run(globals).await,
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
        Verb::Reconcile(verb) => verb.run(globals).await,
        Verb::Import(verb) => verb.run(globals).await,
        Verb::Shadow(verb) => verb.run(globals).await,
        Verb::Erase(verb) => verb.run(globals).await,
        Verb::LegalHold(verb) => verb.run(globals).await,
        Verb::Log(verb) => verb.run(globals).await,
        Verb::Prove(verb) => verb.run(globals).await,
        Verb::Postgres(verb) => verb.run(globals).await,
        Verb::Verify(verb) => verb.run(globals).await,
        Verb::Replay(verb) => verb.run(globals).await,
        Verb::AsOf(verb) => verb.run(globals).await,
        Verb::WhatIf(verb) => verb.run(globals).await,
        Verb::Export(verb) => verb.run(globals).await,
        Verb::Rebuild(verb) => verb.run(globals).await,
        Verb::Evidence(verb) => verb.run(globals).await,
        Verb::Digest(verb) => verb.run(globals).await,
        Verb::Bench(verb) => verb.run(globals).await,
        Verb::Webhook(verb) => verb.run(globals).await,
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run(),
    }
}

/// 128 random bits as text, for ids of commands that name none.
pub(crate) fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
    Ok(hex::encode(bytes))
}

/// A shop that is named on the command line.
pub(crate) fn parse_shop(text: &str) -> anyhow::Result<ShopId> {
    ShopId::parse(text).map_err(|error| exit::usage(format!("{text:?} cannot be a shop's name: {error}")))
}

/// A buyer that is named on the command line.
pub(crate) fn parse_buyer(text: &str) -> anyhow::Result<BuyerId> {
    BuyerId::parse(text).map_err(|error| exit::usage(format!("{text:?} cannot be a buyer: {error}")))
}

/// Who does what the log will say; opaque, for no personal data belongs into the log.
pub(crate) fn by(named: Option<&str>, verb: &str) -> anyhow::Result<String> {
    match named {
        Some(name) => opaque("--by", name),
        None => Ok(verb.to_owned()),
    }
}

/// A reference that will stand in the log for ever: it has the shape of an id, so that no personal data can hide in it.
pub(crate) fn opaque(what: &str, text: &str) -> anyhow::Result<String> {
    let parsed = BuyerId::parse(text);
    parsed.map(|id| id.to_string()).map_err(|error| {
        exit::usage(format!("{what} {text:?} stands in the log for ever, so it must be opaque: {error}"))
    })
}
