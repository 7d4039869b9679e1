//! The shops, their logs, and whoever works on them.

use std::path::Path;

use database::Database;
use event_log::StateFiles;
use intake::shops::ListedShop;
use read_models::ReadModels;
use relay::{Projection, Standing};

use super::findings::{Findings, Verdict};

pub(super) async fn examine(
    pool: &Database,
    shops: &[ListedShop],
    state_dir: Option<&Path>,
    findings: &mut Findings,
) {
    listed(shops, findings);
    forks(pool, state_dir, findings).await;
    cosigners(pool, findings).await;
    leaders(pool, findings).await;
    readers(pool, findings).await;
    trees(pool, findings).await;
}

fn listed(shops: &[ListedShop], findings: &mut Findings) {
    if shops.is_empty() {
        let cure = "make one with `counterfoil shops create shop-eu --environment sandbox --webhook-id ID`";
        findings.fail("shops", "there is none, so no callback is taken", cure);
    }
    for ListedShop { shop, environment, webhook_ids, .. } in shops {
        match webhook_ids.len() {
            0 => {
                let what = format!("{shop} has no webhook id, so no callback of it is authentic");
                let cure = format!(
                    "run `counterfoil shops webhooks {shop} --add ID`, with the id of the webhook at PayPal"
                );
                findings.fail("shops", what, cure);
            }
            _ => {
                let what = format!(
                    "{shop} ({environment}) takes callbacks of the webhook {}",
                    webhook_ids.join(", ")
                );
                findings.ok("shops", what);
            }
        }
    }
}

/// Whether each log is the one that it was.
async fn forks(pool: &Database, state_dir: Option<&Path>, findings: &mut Findings) {
    let Some(dir) = state_dir else { return };
    let guard = StateFiles::open(dir).and_then(|files| files.guard());
    let cure = "give the folder of `serve --state-dir`, as a user who may read it";
    let Some(guard) = findings.judge("state files", guard, "can be read", cure) else { return };
    if findings.asked("logs", guard.check_all(pool).await).is_some() {
        for fork in guard.forks() {
            findings.fail("logs", fork.to_string(), "run `counterfoil shops recover`; its --help says how");
        }
    }
}

/// What each witness has seen, of the present epochs and of those before.
async fn cosigners(pool: &Database, findings: &mut Findings) {
    let Some(seen) = findings.asked("witnesses", witnesses::seen(pool).await) else { return };
    for witnesses::Seen { origin, witness, size, at, error, .. } in seen {
        let at = at.map_or("never".to_owned(), |at| at.to_rfc3339());
        let said = format!("{witness} has seen {size} events of {origin}, the last time {at}");
        match error {
            Some(why) => {
                let cure = "see its URL and key in the policy file, and ask whoever runs it";
                findings.warn("witnesses", format!("{said}; now: {why}"), cure);
            }
            None => findings.ok("witnesses", said),
        }
    }
}

async fn leaders(pool: &Database, findings: &mut Findings) {
    let consumer = ReadModels::default().consumer();
    let Some(shops) = findings.asked("relay", relay::health(pool, consumer).await) else { return };
    for shop in shops {
        let (name, holder, lag) = (&shop.shop, shop.holder.as_deref().unwrap_or("nobody"), shop.lag());
        let waited = shop.undecided_age_ms.unwrap_or(0) / 1000;
        let start = "start `counterfoil serve` without --no-relay, and see its log";
        let behind = format!("{lag} events behind and the first of them {waited} s old");
        match shop.standing() {
            Standing::Idle => findings.ok("relay", format!("{name} is led by {holder}, and all is decided")),
            Standing::Working => {
                findings.ok("relay", format!("{name} is led by {holder}, {lag} events behind"))
            }
            Standing::Vacant => findings.warn("relay", format!("{name} is led by nobody"), start),
            Standing::Stalled => {
                let what = format!("{name} is led by {holder}, which decides nothing, {behind}");
                findings.fail("relay", what, "see the log of that process, and start it anew");
            }
            Standing::Leaderless => {
                findings.fail("relay", format!("{name} is led by nobody, {behind}"), start);
            }
        }
    }
}

async fn readers(pool: &Database, findings: &mut Findings) {
    let Some(readers) = findings.asked("downstream", delivery::readers(pool).await) else { return };
    for reader in readers {
        let delivery::Reader { shop, kind, name, state, lag_events, .. } = &reader;
        let why = reader.error.as_deref().unwrap_or("nobody says why");
        let (verdict, what, cure) = match (state.as_str(), kind.as_str()) {
            ("running", _) if reader.dead > 0 => {
                let cure =
                    format!("see `counterfoil sinks undelivered {name} --state dead`, and redrive them");
                (Verdict::Warn, format!("has {} dead letters", reader.dead), cure)
            }
            ("running", _) => (Verdict::Ok, format!("is {lag_events} events behind"), String::new()),
            ("failing", _) => {
                let cure = format!("run `counterfoil sinks check {name}`");
                (Verdict::Fail, format!("delivers nothing, {lag_events} events behind: {why}"), cure)
            }
            ("lost", "consumer") => {
                let what = "has not moved for long, and the outbox waits no longer".to_owned();
                (Verdict::Warn, what, format!("run `counterfoil consumers reset {name}`, or delete it"))
            }
            ("lost", _) => {
                (Verdict::Fail, why.to_owned(), format!("run `counterfoil sinks reset {name}`, or delete it"))
            }
            (state, _) => {
                let cure = format!("when that is over, run `counterfoil sinks resume {name}`");
                (Verdict::Warn, format!("is {state}, {lag_events} events behind: {why}"), cure)
            }
        };
        findings.add(verdict, "downstream", format!("{shop}: {kind} {name} {what}"), cure);
    }
}

async fn trees(pool: &Database, findings: &mut Findings) {
    let Some(trees) = findings.asked("tree", audit::tree::trees(pool).await) else { return };
    for tree in trees.iter().filter(|tree| tree.is_begun()) {
        let (name, lag) = (&tree.shop, tree.lag());
        match &tree.error {
            Some(error) => {
                let what = format!("{name} does not grow: {error}");
                findings.fail("tree", what, "see the log of `serve`, and `counterfoil log status`");
            }
            None if !tree.is_well() => {
                let what = format!("{name} is {lag} events behind, and does not grow");
                findings.fail("tree", what, "give `serve` its key with COUNTERFOIL_LOG_KEY_FILE");
            }
            None => findings.ok("tree", format!("{name} has {} events, and {lag} to come", tree.size)),
        }
    }
}
