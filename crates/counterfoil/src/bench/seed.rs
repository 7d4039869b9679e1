//! Orders that wait for their payment, placed through the API as a shop does.

use std::ops::Range;
use std::sync::Arc;

use anyhow::Context;
use database::Database;
use domain::RULES_LATEST;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::bench::cluster::BenchCluster;
use crate::bench::load::flood;
use crate::bench::round::{self, wait_until_decided};
use crate::bench::serving::{BenchGround, Serving, TEMPLATE, Work};
use crate::bench::workload::{Prepared, Workload};

const CONNECTIONS: usize = 64;

/// Fills the template: what all orders need, and the orders.
pub(crate) async fn seed(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<()> {
    let owner = cluster.owner(TEMPLATE).await?;
    begin_with_newest_rules(&owner, ground).await?;
    let serving = ground.serve(cluster, TEMPLATE, Work::Settle).await?;
    supply(&serving, ground, workload).await?;
    place(&serving, ground, workload, 0..workload.callbacks.len()).await?;
    wait_until_decided(&owner, ground).await?;
    let (placed, open) = (workload.callbacks.len() as i64, round::open_orders(&owner.client().await?).await?);
    anyhow::ensure!(open == placed, "of {placed} orders {open} were accepted");
    serving.stop().await?;
    drop(owner);
    cluster.settle(TEMPLATE).await
}

/// As every new shop does.
pub(crate) async fn begin_with_newest_rules(owner: &Database, ground: &BenchGround) -> anyhow::Result<()> {
    intake::shops::activate_rules(owner, &ground.shop, RULES_LATEST, "counterfoil bench").await?;
    Ok(())
}

/// The products, coupons and points. What is in the log first is decided first, so that orders find what they need.
pub(crate) async fn supply(
    serving: &Serving,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<()> {
    send(serving, ground, workload.supplies()).await
}

/// Some of the orders.
pub(crate) async fn place(
    serving: &Serving,
    ground: &BenchGround,
    workload: &Workload,
    which: Range<usize>,
) -> anyhow::Result<()> {
    send(serving, ground, workload.placements(which)).await
}

/// Commands, each until it is answered.
pub(crate) async fn send(
    serving: &Serving,
    ground: &BenchGround,
    commands: Vec<(String, Value)>,
) -> anyhow::Result<()> {
    let headers = [
        ("authorization".to_owned(), format!("Bearer {}", ground.api_key.expose_secret())),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let requests =
        commands.into_iter().map(|(path, body)| Prepared::post(&path, &headers, body.to_string().as_bytes()));
    let requests = Arc::new(requests.collect());
    flood(serving.address, &requests, CONNECTIONS).await.context("a command was not taken")?;
    Ok(())
}
