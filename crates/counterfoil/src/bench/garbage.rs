//! Authentic callbacks beside a flood of garbage: what the flood costs them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;
use crate::bench::figures::{Quantiles, median};
use crate::bench::load::{harass, pace};
use crate::bench::round::{begin, count_callbacks, millis};
use crate::bench::serving::{BenchGround, Work};
use crate::bench::workload::{Callback, Prepared, SHOP, Workload};
use crate::output::note;
use crate::progress::Rounds;

/// Connections that send nothing but garbage, each as fast as it is answered.
const GARBAGE: usize = 500;
/// Authentic callbacks a second.
const PER_S: f64 = 500.0;
/// Where the garbage comes from: a place of its own, or that of PayPal, as behind a proxy that is not named.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SAME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct GarbageReport {
    authentic_per_s: f64,
    garbage_connections: usize,
    quiet_ms: Quantiles,
    flooded_from_elsewhere_ms: Quantiles,
    flooded_from_the_same_address_ms: Quantiles,
    /// Of each round, how many times the quiet p99; in medians of the rounds.
    p99_ratio_elsewhere: f64,
    p99_ratio_same_address: f64,
    garbage_answered_per_s: f64,
    callbacks: usize,
    rounds: usize,
}

/// One phase: how long answers took, and how much garbage was answered a second.
#[derive(Clone, Copy, Debug)]
struct Phase {
    ms: Quantiles,
    garbage_per_s: f64,
}

pub(crate) async fn measure(cluster: &BenchCluster, plan: &Plan) -> anyhow::Result<GarbageReport> {
    note(&format!("Signing {} callbacks, each with a signature of its own ..", plan.callbacks));
    let workload = Workload::make(cluster.folder(), plan.callbacks).await?;
    let ground = BenchGround::prepare(cluster, &workload).await?;
    let garbage = Arc::new(garbage(&workload)?);
    let thirds: Vec<_> = workload.callbacks.chunks(plan.callbacks.div_ceil(3)).map(prepare).collect();
    let [first, second, third] = thirds.as_slice() else { anyhow::bail!("too few callbacks") };
    let (mut rounds, mut told) = (Vec::new(), Rounds::begin(plan.rounds));
    for _ in 1..=plan.rounds {
        let (serving, owner) = begin(cluster, &ground, Work::Settle).await?;
        let quiet = phase(&serving.address, first, None).await.context("quiet")?;
        let elsewhere = phase(&serving.address, second, Some((ELSEWHERE, &garbage))).await?;
        let same = phase(&serving.address, third, Some((SAME, &garbage))).await?;
        let taken = count_callbacks(&owner.client().await?).await?;
        anyhow::ensure!(taken == plan.callbacks as i64, "{taken} callbacks of {} are there", plan.callbacks);
        drop(owner);
        serving.stop().await?;
        told.told(&format_args!(
            "p99 {:.1} ms quiet, {:.1} ms beside garbage from elsewhere, {:.1} ms from the same address",
            quiet.ms.p99, elsewhere.ms.p99, same.ms.p99
        ));
        rounds.push([quiet, elsewhere, same]);
    }
    let of = |number: usize, value: fn(&Phase) -> f64| {
        let values: Vec<f64> = rounds.iter().map(|round| value(&round[number])).collect();
        median(&values)
    };
    let quantiles = |number| {
        let (p50, p99) = (of(number, |phase| phase.ms.p50), of(number, |phase| phase.ms.p99));
        Quantiles { p50, p99 }.rounded(1)
    };
    let ratio = |number: usize| {
        let ratios: Vec<f64> = rounds.iter().map(|round| round[number].ms.p99 / round[0].ms.p99).collect();
        (median(&ratios) * 100.0).round() / 100.0
    };
    Ok(GarbageReport {
        authentic_per_s: PER_S,
        garbage_connections: GARBAGE,
        quiet_ms: quantiles(0),
        flooded_from_elsewhere_ms: quantiles(1),
        flooded_from_the_same_address_ms: quantiles(2),
        p99_ratio_elsewhere: ratio(1),
        p99_ratio_same_address: ratio(2),
        garbage_answered_per_s: of(1, |phase| phase.garbage_per_s).round(),
        callbacks: plan.callbacks,
        rounds: plan.rounds,
    })
}

fn prepare(callbacks: &[Callback]) -> Arc<Vec<Prepared>> {
    Arc::new(callbacks.iter().map(Callback::prepare).collect())
}

async fn phase(
    address: &std::net::SocketAddr,
    requests: &Arc<Vec<Prepared>>,
    flood: Option<(IpAddr, &Arc<Vec<Prepared>>)>,
) -> anyhow::Result<Phase> {
    let stop = CancellationToken::new();
    let flooding =
        flood.map(|(from, garbage)| harass(*address, from, Arc::clone(garbage), GARBAGE, stop.clone()));
    let flooding = match flooding {
        Some(flooding) => Some(flooding.await?),
        None => None,
    };
    let began = tokio::time::Instant::now();
    let answered = pace(*address, requests, PER_S).await?;
    let took = began.elapsed().as_secs_f64();
    stop.cancel();
    let mut garbage = 0;
    for flooding in flooding.into_iter().flatten() {
        garbage += flooding.await??;
    }
    let ms: Vec<f64> = answered.iter().map(|answer| millis(answer.at - answer.due)).collect();
    Ok(Phase { ms: Quantiles::of(&ms), garbage_per_s: garbage as f64 / took })
}

/// Nothing of it is authentic: no headers, a body that is not the signed one, a certificate of somebody else's, much of
/// nothing.
fn garbage(workload: &Workload) -> anyhow::Result<Vec<Prepared>> {
    let path = format!("/webhooks/paypal/{SHOP}");
    let genuine = workload.callbacks.first().context("no callback")?;
    let mut forged = genuine.body.clone();
    forged.push(b' ');
    let mut elsewhere = genuine.headers.clone();
    for (name, value) in &mut elsewhere {
        if name.eq_ignore_ascii_case("paypal-cert-url") {
            "https://certificates.invalid/v1/notifications/certs/CERT-1".clone_into(value);
        }
    }
    let mut unknown = genuine.headers.clone();
    for (name, value) in &mut unknown {
        if name.eq_ignore_ascii_case("paypal-cert-url") {
            *value = value.replace("CERT-", "CERT-0-");
        }
    }
    Ok(vec![
        Prepared::post(&path, &genuine.headers, &forged),
        Prepared::post(&path, &[], &genuine.body),
        Prepared::post(&path, &elsewhere, &genuine.body),
        Prepared::post(&path, &unknown, &genuine.body),
        Prepared::post(&path, &genuine.headers, &vec![b'x'; 100_000]),
    ])
}
