//! Orders that wait for their payment, placed through the API as a shop does.

use std::sync::Arc;
use std::time::Duration;

use database::{Database, sql};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

use crate::bench::cluster::BenchCluster;
use crate::bench::load::flood;
use crate::bench::serving::{BenchGround, TEMPLATE, Work};
use crate::bench::workload::{Prepared, SHOP, Workload};

const CONNECTIONS: usize = 64;
const DECIDED: Duration = Duration::from_secs(300);

/// Fills the template.
pub(crate) async fn seed(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
) -> anyhow::Result<()> {
    let serving = ground.serve(cluster, TEMPLATE, Work::Settle).await?;
    // What is in the log first is decided first, so the orders find what they need.
    for commands in [workload.supplies(), workload.placements()] {
        flood(serving.address, &prepared(ground, commands), CONNECTIONS).await?;
    }
    let owner = cluster.owner(TEMPLATE).await?;
    let placed = workload.callbacks.len() as i64;
    let deadline = Instant::now() + DECIDED;
    while open_orders(&owner).await? < placed {
        anyhow::ensure!(Instant::now() < deadline, "the orders were not all accepted in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    serving.stop().await?;
    drop(owner);
    cluster.settle(TEMPLATE).await
}

fn prepared(ground: &BenchGround, commands: Vec<(String, Value)>) -> Arc<Vec<Prepared>> {
    let headers = [
        ("authorization".to_owned(), format!("Bearer {}", ground.api_key.expose_secret())),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let requests =
        commands.into_iter().map(|(path, body)| Prepared::post(&path, &headers, body.to_string().as_bytes()));
    Arc::new(requests.collect())
}

async fn open_orders(owner: &Database) -> anyhow::Result<i64> {
    let client = owner.client().await?;
    Ok(client.query_one(&sql::counterfoil::COUNT_ORDERS, &[&SHOP]).await?.try_get("open")?)
}
