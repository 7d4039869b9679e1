//! Every fault of the catalogue that can be brought about here: a shop is served and under load while one thing breaks.
//! Nothing that was answered may be lost, nothing may take effect twice, every answer is 200 or 503, and when the fault is
//! over it comes back by itself.
//!
//! `make test-all` has a short round of each, `make faults` a long one and says of each row of the catalogue what came of
//! it; `FAULTS=F11,F14` selects. `make soak HOURS=n` goes on with faults by chance. A seed brings the same choices again.

mod catalogue;
mod clocks;
mod cuts;
mod database;
mod processes;
mod proxy;
mod round;
mod soak;
mod standby;
mod storage;
mod tools;
mod upkeep;
mod wire;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use catalogue::{CATALOGUE, How, Row};
use round::{Inject, Round, Verdict};

/// A round that hangs is a fault that was not survived.
const DEADLINE: Duration = Duration::from_secs(900);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, strace and other tools: make test-all, make faults"]
async fn no_fault_of_the_catalogue_loses_or_repeats_anything() {
    let is_long = text("COUNTERFOIL_FAULTS_LONG").is_some();
    let selected = text("COUNTERFOIL_FAULTS").filter(|selected| selected != "all");
    let is_selected =
        |row: &&Row| selected.as_ref().is_none_or(|ids| ids.split(',').any(|id| id.trim() == row.id));
    let seed = seed();
    say(&format!("COUNTERFOIL_SEED={seed}"));
    let (mut failed, mut acknowledged) = (Vec::new(), 0);
    let mut done: Vec<Inject> = Vec::new();
    for row in CATALOGUE.iter().filter(is_selected) {
        let How::Here(injections) = &row.how else {
            say_elsewhere(row);
            continue;
        };
        for (how, inject) in *injections {
            if done.iter().any(|other| std::ptr::fn_addr_eq(*other, *inject)) {
                say(&format!("{}  the same round as above: {how}", row.id));
                continue;
            }
            done.push(*inject);
            let since = Instant::now();
            let line = match run(*inject, Round::new(seed, is_long)).await {
                Ok(Verdict::Held(held)) => {
                    acknowledged += held.acknowledged;
                    format!(
                        "held     {} callbacks, {} refused, {} unanswered, slowest {} ms, decided after {} ms: {}",
                        held.acknowledged,
                        held.told.refused,
                        held.told.unanswered,
                        held.told.slowest.as_millis(),
                        held.recovered.as_millis(),
                        held.note
                    )
                }
                Ok(Verdict::Skipped(why)) => format!("skipped  {why}"),
                Err(why) => {
                    failed.push(row.id);
                    format!("FAILED   {why}")
                }
            };
            say(&format!("{}  {} ({how}, {} s): {line}", row.id, row.what, since.elapsed().as_secs()));
        }
    }
    say(&format!("{acknowledged} acknowledged callbacks checked; failed: {failed:?}"));
    assert!(failed.is_empty(), "COUNTERFOIL_SEED={seed} FAULTS={}", failed.join(","));
}

/// One that does not hold keeps none from its turn.
async fn run(inject: Inject, round: Round) -> Result<Verdict, String> {
    let caught = AssertUnwindSafe(inject(round)).catch_unwind();
    match tokio::time::timeout(DEADLINE, caught).await {
        Ok(Ok(verdict)) => Ok(verdict),
        Ok(Err(panic)) => Err(match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic").to_owned(),
        }),
        Err(_) => Err(format!("it does not come to an end within {} s", DEADLINE.as_secs())),
    }
}

fn say_elsewhere(row: &Row) {
    match row.how {
        How::Covered(tests) => say(&format!("{}  {}: covered by {}", row.id, row.what, tests.join(", "))),
        How::LeftOut(why) => say(&format!("{}  {}: left out: {why}", row.id, row.what)),
        How::Here(_) => {}
    }
}

#[test]
fn every_row_of_the_catalogue_is_brought_about_covered_or_left_out_with_a_reason() {
    let ids: Vec<String> = CATALOGUE.iter().map(|row| row.id.to_owned()).collect();
    let expected: Vec<String> = (1..=50).map(|number| format!("F{number:02}")).collect();
    assert_eq!(ids, expected);
    let covered: BTreeSet<&str> = CATALOGUE
        .iter()
        .filter_map(|row| match row.how {
            How::Covered(tests) => Some(tests),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    crate::architecture::assert_tests_are_there(&covered);
}

#[expect(clippy::disallowed_methods, reason = "rounds are asked for from outside")]
fn text(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

fn seed() -> u64 {
    text("COUNTERFOIL_SEED")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()))
}

#[expect(clippy::print_stderr, reason = "what came of each fault, and how to have the same again")]
fn say(line: &str) {
    eprintln!("{line}");
}
