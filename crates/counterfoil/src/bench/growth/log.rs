//! A large log, as the service would have left it.
//!
//! One order is placed and paid by HTTP. What it left in every table is left as often as is wanted, with ids of its own each time:
//! whatever the service writes, the log is full of it. A replay of the smallest log tells that nothing was made up.

use anyhow::Context;
use audit::{Point, Progress, Snapshot};
use database::{Client, Database, sql};
use domain::Position;
use serde_json::Value;

use super::SPARE_BYTES;
use crate::bench::cluster::BenchCluster;
use crate::bench::load::flood;
use crate::bench::round::wait_until_decided;
use crate::bench::seed;
use crate::bench::serving::{BenchGround, TEMPLATE, Work};
use crate::bench::workload::{HOLD_S, SHOP, Workload, callback, order, placement};

/// Orders that are made by one statement.
const CHUNK: i64 = 12_500;
/// What one costs, by what its placement says.
const TOTAL_MINOR: i64 = 1000;

/// One settled order: its events as formats of order, capture, PayPal's order, id and cause.
pub(super) struct Sample {
    order: String,
    sku: String,
    positions: Vec<i64>,
    entries: Vec<String>,
    payloads: Vec<String>,
    causes: Vec<Option<i64>>,
    at: chrono::DateTime<chrono::Utc>,
}

/// One of its events, as it is.
struct Event {
    position: i64,
    cause: Option<i64>,
    at: chrono::DateTime<chrono::Utc>,
    at_text: String,
    held_text: String,
    id: String,
    entry: String,
    payload: String,
}

impl Sample {
    /// Fills the template with what all orders need, and with one order that is settled.
    pub(super) async fn settle(
        cluster: &BenchCluster,
        ground: &BenchGround,
        workload: &Workload,
    ) -> anyhow::Result<Self> {
        let number = workload.callbacks.len();
        let owner = cluster.owner(TEMPLATE).await?;
        seed::begin_with_newest_rules(&owner, ground).await?;
        let serving = ground.serve(cluster, TEMPLATE, Work::Settle).await?;
        seed::supply(&serving, ground, workload).await?;
        let placement = placement(number);
        let sku = placement["lines"][0]["sku"].as_str().unwrap_or_default().to_owned();
        seed::send(&serving, ground, vec![("/v1/orders".to_owned(), placement)]).await?;
        // Its payment comes when it is accepted, so that its events stand as those of an order usually do.
        wait_until_decided(&owner, ground).await?;
        let payment = vec![callback(&workload.authority, number, TOTAL_MINOR)?.prepare()];
        flood(serving.address, &payment.into(), 1).await?;
        wait_until_decided(&owner, ground).await?;
        serving.stop().await?;
        Self::read(&owner.client().await?, order(number), sku).await
    }

    async fn read(client: &Client, order: String, sku: String) -> anyhow::Result<Self> {
        let key = format!("order:{order}");
        let rows = client.query(&sql::bench::READ_SAMPLE, &[&SHOP, &key, &f64::from(HOLD_S)]).await?;
        let mut events = Vec::new();
        for row in &rows {
            events.push(Event {
                position: row.try_get("position")?,
                cause: row.try_get("cause")?,
                at: row.try_get("at")?,
                at_text: row.try_get("at_text")?,
                held_text: row.try_get("held_text")?,
                id: row.try_get("id")?,
                entry: row.try_get("entry")?,
                payload: row.try_get("payload")?,
            });
        }
        let last = events.last().context("the sample has no events")?;
        let payment = events.iter().find_map(|event| ids_of_payment(&event.payload));
        let (capture, paypal_order) = payment.context("the sample was not paid")?;
        let ids = [(order.as_str(), "%1$s"), (&capture, "%2$s"), (&paypal_order, "%3$s")];
        let pattern = |text: &str| {
            // All of them happened at the same time, then, so that time never runs backwards.
            let text = events.iter().fold(text.replace('%', "%%"), |text, event| {
                text.replace(&event.at_text, &last.at_text).replace(&event.held_text, &last.held_text)
            });
            ids.iter()
                .fold(text, |text, (id, place)| text.replace(&format!("\"{id}\""), &format!("\"{place}\"")))
        };
        let place = |position: i64| {
            events.iter().position(|event| event.position == position).map(|place| place as i64)
        };
        let entry = |event: &Event| {
            let entry = pattern(&event.entry).replace(&event.id, "%4$s");
            let entry = entry.replace(&format!("\"{key}\""), "\"order:%1$s\"");
            event.cause.map_or(entry.clone(), |cause| {
                entry.replace(&format!("\"cause\":{cause},"), "\"cause\":%5$s,")
            })
        };
        Ok(Self {
            positions: events.iter().map(|event| event.position).collect(),
            entries: events.iter().map(entry).collect(),
            payloads: events.iter().map(|event| pattern(&event.payload)).collect(),
            causes: events.iter().map(|event| place(event.cause?)).collect(),
            at: last.at,
            order,
            sku,
        })
    }

    /// How many events an order leaves.
    fn events(&self) -> i64 {
        self.positions.len() as i64
    }

    /// Lets a log grow to so many events; only those from a position on have a row in the outbox.
    pub(super) async fn grow(
        &self,
        cluster: &BenchCluster,
        owner: &Database,
        to: i64,
        announced: i64,
    ) -> anyhow::Result<()> {
        let client = owner.client().await?;
        client.batch_execute(sql::bench::SEED_FAST.text()).await?;
        let head = event_log::head(&client, &SHOP.parse()?).await?.map_or(-1, |(position, _)| position.0);
        let (mut first, mut number) = (head + 1, head + 1);
        while first + self.events() <= to {
            anyhow::ensure!(
                cluster.free_bytes()? > SPARE_BYTES,
                "the disk is nearly full: somebody else fills it too"
            );
            let orders = CHUNK.min((to - first) / self.events());
            client
                .execute(
                    &sql::bench::GROW_LOG,
                    &[
                        &SHOP,
                        &self.order,
                        &self.positions,
                        &self.entries,
                        &self.payloads,
                        &self.causes,
                        &self.at,
                        &first,
                        &number,
                        &orders,
                        &announced,
                        &self.sku,
                    ],
                )
                .await?;
            first += orders * self.events();
            number += orders;
        }
        Ok(())
    }
}

/// Prunes the outbox of all before a position. The sample's rows go with it: nothing can be made of it any more.
pub(super) async fn prune(owner: &Database, before: i64) -> anyhow::Result<()> {
    let client = owner.client().await?;
    client.batch_execute(sql::bench::SEED_FAST.text()).await?;
    client.execute(&sql::bench::SEED_PRUNED, &[&SHOP, &(before - 1)]).await?;
    Ok(())
}

/// Of what came from PayPal: its capture and its order there.
fn ids_of_payment(payload: &str) -> Option<(String, String)> {
    let payload: Value = serde_json::from_str(payload).ok()?;
    Some((payload["capture"].as_str()?.to_owned(), payload["paypal_order"].as_str()?.to_owned()))
}

/// That the log is one that the service could have written.
pub(super) async fn check(owner: &Database, ground: &BenchGround) -> anyhow::Result<Position> {
    let source = audit::Source::Snapshot(Snapshot::take(owner, &ground.shop).await?);
    let head = source.locate(Point::Head).await?;
    let ran = audit::run(&source, head, &Progress::default()).await?;
    source.close().await;
    anyhow::ensure!(
        ran.is_clean(),
        "a replay of the seeded log decides otherwise: {:?}",
        ran.replayed.mismatches
    );
    Ok(head)
}
