//! What the database tells: the same whichever process is asked, so that of several the highest is to be taken.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::tree::{self, TreeStatus};
use database::Database;
use delivery::Reader;
use read_models::ReadModels;
use read_models::query::dead_letters::{self, Parked};
use reconciliation::Standing;
use relay::{Health, Heartbeat, Projection as _, Standing as RelayStanding, Unsettled};
use tokio::time::{Instant, timeout_at};

use super::page::{Labels, Page, Value, seconds};

/// For all parts together: whoever scrapes waits for ten seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for one part after the other, over one session at a time. What cannot be had in time is left out, and is said to be.
pub(super) async fn tell(database: Database) -> Page {
    let (mut page, mut parts) =
        (Page::default(), Parts { until: Instant::now() + PATIENCE, had: Vec::new() });
    let consumer = ReadModels::default().consumer();
    if let Some(shops) = parts.ask("relay", relay::health(&database, consumer)).await {
        of_relays(&mut page, &shops);
        let unsettled = parts.ask("unsettled", relay::unsettled(&database, &shops)).await;
        of_unsettled(&mut page, &unsettled.unwrap_or_default());
    }
    if let Some(heartbeats) = parts.ask("heartbeats", relay::heartbeats(&database)).await {
        of_heartbeats(&mut page, &heartbeats);
    }
    if let Some(parked) = parts.ask("parked", dead_letters::parked(&database)).await {
        of_parked(&mut page, &parked);
    }
    if let Some(readers) = parts.ask("readers", delivery::readers(&database)).await {
        of_readers(&mut page, &readers);
    }
    if let Some(trees) = parts.ask("trees", tree::trees(&database)).await {
        of_trees(&mut page, &trees);
    }
    if let Some(standings) = parts.ask("reconciliation", reconciliation::standings(&database)).await {
        of_standings(&mut page, &standings);
    }
    let had = parts.had.iter().map(|(part, had)| (vec![("part", (*part).to_owned())], (*had).into()));
    page.gauge("counterfoil_scrape_part_ok", "1: the database told this part; 0: it is missing here.", had);
    page
}

struct Parts {
    until: Instant,
    had: Vec<(&'static str, bool)>,
}

impl Parts {
    async fn ask<T, E: std::fmt::Display>(
        &mut self,
        part: &'static str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let told = match timeout_at(self.until, asked).await {
            Ok(Ok(told)) => Some(told),
            Ok(Err(error)) => {
                tracing::debug!(part, %error, "a part of the metrics cannot be had");
                None
            }
            Err(_) => None,
        };
        self.had.push((part, told.is_some()));
        told
    }
}

fn of(shop: &str) -> Labels {
    vec![("shop", shop.to_owned())]
}

fn of_relays(page: &mut Page, shops: &[Health]) {
    let mut gauge = |name, help, value: fn(&Health) -> Value| {
        page.gauge(name, help, shops.iter().map(|health| (of(&health.shop), value(health))));
    };
    gauge("counterfoil_log_position", "The last position of the log; -1: it is empty.", |h| h.head.into());
    gauge("counterfoil_relay_position", "Decided up to here; -1: nothing yet.", |h| h.position.into());
    gauge("counterfoil_relay_lag_events", "Events behind what is decided.", |h| h.lag().into());
    gauge("counterfoil_relay_lag_seconds", "How long the first undecided fact has been there.", |h| {
        seconds(h.undecided_age_ms.unwrap_or(0))
    });
    gauge("counterfoil_relay_progress_age_seconds", "For how long nothing was decided.", |h| {
        seconds(h.progress_age_ms.unwrap_or(0))
    });
    let states = shops.iter().flat_map(|health| {
        let standing = health.standing();
        RelayStanding::ALL.iter().map(move |state| {
            let mut labels = of(&health.shop);
            labels.push(("state", state.name().to_owned()));
            (labels, (*state == standing).into())
        })
    });
    let help = "1: how the shop's relay gets on; stalled and leaderless are to be looked at.";
    page.gauge("counterfoil_relay_state", help, states);
}

fn of_unsettled(page: &mut Page, shops: &BTreeMap<String, Unsettled>) {
    let sums = shops.iter().flat_map(|(shop, unsettled)| {
        unsettled.minor.iter().map(move |(currency, minor)| {
            let mut labels = of(shop);
            labels.push(("currency", currency.code().to_owned()));
            (labels, (*minor).into())
        })
    });
    let help = "Captured, in the log and not decided yet: minor units of the currency.";
    page.gauge("counterfoil_unsettled_minor", help, sums);
    let capped = shops.iter().map(|(shop, unsettled)| (of(shop), unsettled.is_capped.into()));
    let help = "1: too much is undecided to be looked at: counterfoil_unsettled_minor says at least.";
    page.gauge("counterfoil_unsettled_capped", help, capped);
}

fn of_heartbeats(page: &mut Page, heartbeats: &[Heartbeat]) {
    let ages = heartbeats.iter().map(|Heartbeat { shop, worker, age_ms }| {
        let mut labels = of(shop);
        labels.push(("worker", worker.clone()));
        (labels, seconds(*age_ms))
    });
    let help = "How long ago whoever leads this was heard of.";
    page.gauge("counterfoil_heartbeat_age_seconds", help, ages);
}

fn of_parked(page: &mut Page, parked: &[Parked]) {
    let count = parked.iter().map(|parked| (of(&parked.shop), parked.facts.into()));
    page.gauge(
        "counterfoil_parked_facts",
        "Facts that could not be decided, and those that wait behind them.",
        count,
    );
    let ages = parked.iter().map(|parked| (of(&parked.shop), seconds(parked.age_ms)));
    page.gauge("counterfoil_parked_oldest_age_seconds", "How long the oldest of them has been parked.", ages);
}

fn of_readers(page: &mut Page, readers: &[Reader]) {
    let labels = |reader: &Reader| {
        vec![("shop", reader.shop.clone()), ("kind", reader.kind.clone()), ("name", reader.name.clone())]
    };
    let mut gauge = |name, help, value: fn(&Reader) -> Value| {
        page.gauge(name, help, readers.iter().map(|reader| (labels(reader), value(reader))));
    };
    gauge("counterfoil_reader_lag_events", "Events behind a sink or a consumer.", |r| r.lag_events.into());
    gauge("counterfoil_reader_lag_seconds", "How long the first of them has been there.", |r| {
        seconds(r.lag_ms)
    });
    gauge("counterfoil_reader_well", "1: it runs and something gets through; 0: look at it.", |r| {
        (r.state == "running").into()
    });
    gauge("counterfoil_reader_paused", "1: an operator has stopped it.", |r| (r.state == "paused").into());
    gauge("counterfoil_sink_waiting", "Events that were set aside and are tried again.", |r| {
        r.waiting.into()
    });
    gauge("counterfoil_sink_dead", "Dead letters of a sink.", |r| r.dead.into());
    gauge(
        "counterfoil_sink_dead_oldest_age_seconds",
        "How long ago the oldest of them was set aside.",
        |r| seconds(r.dead_ms),
    );
}

fn of_trees(page: &mut Page, trees: &[TreeStatus]) {
    let mut gauge = |name, help, value: fn(&TreeStatus) -> Value| {
        let begun = trees.iter().filter(|tree| tree.is_begun());
        page.gauge(name, help, begun.map(|tree| (of(&tree.shop), value(tree))));
    };
    gauge("counterfoil_tree_size", "Events in the Merkle tree.", |tree| tree.size.into());
    gauge("counterfoil_tree_lag_events", "Events of the log that are not in it.", |tree| tree.lag().into());
    gauge("counterfoil_tree_lag_seconds", "How long the first of them has been there.", |tree| {
        seconds(tree.waiting_age_ms.unwrap_or(0))
    });
    gauge("counterfoil_tree_published_size", "Events in the checkpoint that was published last.", |tree| {
        tree.published_size.unwrap_or(0).into()
    });
    gauge("counterfoil_tree_published_age_seconds", "How long ago that was; it waits for events.", |tree| {
        seconds(tree.published_age_ms.unwrap_or(0))
    });
    gauge("counterfoil_tree_well", "1: it grows, or there is nothing to grow by; 0: look at it.", |tree| {
        tree.is_well().into()
    });
}

fn of_standings(page: &mut Page, standings: &[Standing]) {
    let samples = |value: fn(&Standing) -> Value| {
        standings.iter().map(move |standing| (of(&standing.shop), value(standing)))
    };
    let help = "Events that PayPal has listed.";
    page.counter("counterfoil_reconciled_events", help, samples(|s| s.listed.into()));
    let help = "Events that never came and were found.";
    page.counter("counterfoil_reconciled_missing", help, samples(|s| s.appended.into()));
    let help = "Captures that PayPal confirmed.";
    page.counter("counterfoil_captures_confirmed", help, samples(|s| s.confirmed.into()));
    let help = "Captures that PayPal refuted.";
    page.counter("counterfoil_captures_refuted", help, samples(|s| s.refuted.into()));
    let help = "Captures that wait to be confirmed.";
    page.gauge("counterfoil_captures_awaiting", help, samples(|s| s.awaiting.into()));
    let help = "Orders looked up at PayPal.";
    page.counter("counterfoil_orders_looked_up", help, samples(|s| s.looked_up.into()));
    let help = "How long ago a run ended well; -1: never.";
    let age = samples(|s| s.ran_age_ms.map_or(Value::Whole(-1), seconds));
    page.gauge("counterfoil_reconciliation_age_seconds", help, age);
    let help = "1: the last run ended well; 0: look at it.";
    page.gauge("counterfoil_reconciliation_well", help, samples(|s| s.error.is_none().into()));
}
