//! Histories by the thousand, each from a seed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test fails by it; a hunt tells how far it is, and is told a seed"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use simulation::{History, Told};

/// Runs the histories of these seeds on all cores, until the time is up; how many, and what came about in all of them.
fn run(seeds: std::ops::Range<u64>, until: Option<Instant>) -> (u64, Told) {
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (told, began) = (Mutex::new((0, Told::default())), Instant::now());
    let work = || {
        while !failed.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let history = History::of(seed);
            match history.run() {
                Ok(one) => {
                    let mut told = told.lock().unwrap();
                    *told = (told.0 + 1, told.1.clone().and(&one));
                    if told.0 % 50_000 == 0 {
                        eprintln!("{} histories in {} s, at seed {seed}", told.0, began.elapsed().as_secs());
                    }
                }
                Err(why) => {
                    failed.store(true, Ordering::Relaxed);
                    eprintln!("{history:?}: {why}");
                    let (History { seed, facts, is_hostile }, why) = history.shortened();
                    eprintln!(
                        "shortened to {facts} facts, {} faults: {why}\nagain: COUNTERFOIL_SEED={seed} COUNTERFOIL_FACTS={facts}{} \
                         cargo test -p simulation the_history_of_a_seed -- --nocapture",
                        if is_hostile { "with" } else { "without" },
                        if is_hostile { "" } else { " COUNTERFOIL_CALM=1" },
                    );
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().unwrap().get();
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert!(!failed.load(Ordering::Relaxed), "a history breaks a promise");
    let (count, told) = told.into_inner().unwrap();
    eprintln!("{count} histories in {:?}: {told:?}", began.elapsed());
    (count, told)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// P1, P3 to P6, P9: leaders are killed, stopped for longer than their lease and cut off, answers of COMMIT are lost, callbacks
/// come twice and in any order, facts cannot be decided or stored: nothing is lost, nothing happens twice, nobody who was
/// overtaken writes, and the rows are the fold of the log.
#[test]
fn ten_thousand_histories_keep_every_promise() {
    let (count, told) = run(0..10_000, None);
    assert_eq!(count, 10_000);
    // What was meant to happen did happen, to each on average or to many.
    assert!(told.paid > count / 4 && told.parked[0] > count / 2 && told.parked[1] > count / 10, "{told:?}");
    assert!(told.crashes > count && told.unknown_commits > count / 2 && told.epochs > 2 * count, "{told:?}");
}

/// What the million has found, and was mended: a dead letter that was still under way from a leader that was overtaken; one that
/// was taken up again by the next leader; a group that nobody tried again once one of it was dismissed.
#[test]
fn histories_that_broke_a_promise_keep_it_now() {
    for (seed, facts) in [(30126673244462804, 13), (30126674821613259, 19), (30126688143229293, 18)] {
        let history = History { facts, ..History::of(seed) };
        history.run().unwrap_or_else(|why| panic!("{history:?}: {why}"));
    }
}

/// A million, of seeds that nobody has seen, in at most `COUNTERFOIL_HUNT_SECONDS`.
#[test]
#[ignore = "takes long: make hunt"]
fn a_million_histories_keep_every_promise() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let first = number("COUNTERFOIL_SEED").unwrap_or(now.as_secs() << 24);
    let until =
        number("COUNTERFOIL_HUNT_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    eprintln!("a million histories from seed {first}");
    run(first..first + 1_000_000, until);
}

/// The history that `COUNTERFOIL_SEED` names, or the first.
#[test]
fn the_history_of_a_seed_is_the_same_again() {
    let mut history = History::of(number("COUNTERFOIL_SEED").unwrap_or(0));
    history.facts = number("COUNTERFOIL_FACTS").map_or(history.facts, |facts| facts.try_into().unwrap());
    history.is_hostile = number("COUNTERFOIL_CALM").is_none();
    let told = history.run().unwrap_or_else(|why| panic!("{}\n{why}", history.log().join("\n")));
    eprintln!("{history:?}: {told:?}");
    assert_eq!(history.run(), Ok(told));
}
