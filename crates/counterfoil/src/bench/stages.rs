//! Where the time goes: the steps of a callback, each by itself on one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use database::{Clock, SystemClock};
use domain::{Position, Timestamp};
use evidence::{CallbackEvidence, VerifiedBy};
use paypal::{Certificates, Environment, Sources, TransmissionHeaders, TrustAnchors, Verifier};
use serde::Serialize;

use crate::bench::cluster::BenchCluster;
use crate::bench::round::{DATABASE, Round, Run};
use crate::bench::serving::BenchGround;
use crate::bench::workload::{Callback, WEBHOOK_ID, Workload};

/// So many callbacks are enough to tell microseconds.
const SAMPLE: usize = 4_000;

/// Microseconds of processor time a callback.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Stages {
    /// Its headers and its body, to a fact.
    pub(crate) parse: f64,
    /// Its chain and signature, the certificate known.
    pub(crate) verify: f64,
    /// Its evidence compressed and sealed, its key wrapped.
    pub(crate) seal: f64,
    /// PostgreSQL's share of the append, where callbacks were only taken too.
    pub(crate) commit: Option<f64>,
    /// Reading the log, deciding and folding all of it again, for each fact.
    pub(crate) decide: f64,
    /// PostgreSQL's share of outcomes and read models, likewise.
    pub(crate) project: Option<f64>,
}

/// Measures the steps in this process; the database's shares are from the rounds.
pub(crate) async fn measure(
    cluster: &BenchCluster,
    ground: &BenchGround,
    workload: &Workload,
    rounds: &[Round],
) -> anyhow::Result<Stages> {
    let sample = &workload.callbacks[..workload.callbacks.len().min(SAMPLE)];
    let anchors = TrustAnchors::from_pem(workload.authority.root_pem().as_bytes())?;
    let sources = Sources { directory: Some(cluster.folder().join("paypal")), ..Sources::default() };
    let verifier = Verifier::new(
        Environment::Sandbox,
        vec![WEBHOOK_ID.to_owned()],
        Arc::new(anchors),
        Certificates::new(sources)?,
    )?;
    let now = Timestamp::new(SystemClock.now());
    let mut headers = Vec::with_capacity(sample.len());
    let started = Instant::now();
    for callback in sample {
        headers.push(TransmissionHeaders::parse(pairs(callback))?);
        std::hint::black_box(paypal::translate(&callback.body, &|text: &str| text.to_owned()));
    }
    let parse = each(started.elapsed(), sample.len());

    let mut authentic = Vec::with_capacity(sample.len());
    let started = Instant::now();
    for (callback, headers) in sample.iter().zip(&headers) {
        authentic.push(verifier.verify(headers, &callback.body, now).await?);
    }
    let verify = each(started.elapsed(), sample.len());

    let started = Instant::now();
    for ((callback, headers), authentic) in sample.iter().zip(&headers).zip(&authentic) {
        let pairs = headers.pairs().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let evidence = CallbackEvidence {
            body: callback.body.clone(),
            headers: pairs.to_vec(),
            certificate_sha256: hex::encode(authentic.certificate.sha256()),
            webhook_id: authentic.webhook_id.clone(),
            verified_by: VerifiedBy::Signature,
        };
        std::hint::black_box(ground.vault.seal(ground.shop.as_str(), &evidence.encode())?);
    }
    let seal = each(started.elapsed(), sample.len());

    let decide = decide(cluster, ground).await?;
    let postgres = |run: fn(&Round) -> Option<&Run>| {
        let runs: Vec<&Run> = rounds.iter().filter_map(run).collect();
        let total: u64 = runs.iter().map(|run| run.cpu.postgres).sum();
        let callbacks = runs.len() * workload.callbacks.len();
        (callbacks > 0).then(|| total as f64 / callbacks as f64)
    };
    let commit = postgres(|round| round.ingest.as_ref());
    let settled = postgres(|round| Some(&round.settled));
    let project = settled.zip(commit).map(|(settled, commit)| (settled - commit).max(0.0));
    Ok(Stages { parse, verify, seal, commit, decide, project })
}

/// The log that the last run left, decided again from nothing.
async fn decide(cluster: &BenchCluster, ground: &BenchGround) -> anyhow::Result<f64> {
    let owner = cluster.owner(DATABASE).await?;
    let client = owner.client().await?;
    let mut events = Vec::new();
    let mut after = Position(-1);
    loop {
        let page = event_log::read_all(&client, &ground.shop, after, 5_000).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        events.extend(page);
    }
    let started = Instant::now();
    let replayed = audit::replay(events, after);
    let took = started.elapsed();
    anyhow::ensure!(
        replayed.mismatches.is_empty(),
        "a replay decides otherwise than the relay did: {:?}",
        replayed.mismatches
    );
    Ok(each(took, usize::try_from(replayed.facts)?))
}

fn pairs(callback: &Callback) -> impl Iterator<Item = (&str, &[u8])> {
    callback.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e6 / count.max(1) as f64
}
