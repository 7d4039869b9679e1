//! Clocks that are stepped an hour, both ways: that of the service, and that of the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Clock as _, SystemClock};
use futures_util::future::LocalBoxFuture;
use private_postgres::{Binaries, Cluster, Options};
use test_support::{Server, TestDatabase, wait_until};

use super::round::{Field, QUIET, Round, Verdict, lasts, script};
use super::tools::{self, faked, step};
use crate::binary::{self, TempDir};
use crate::ground::{Ground, client};
use crate::program::free_address;

/// From the real time, in hours.
const STEPS: [i64; 4] = [1, -1, 2, 0];

/// Steps the clock, until whoever has it says so.
async fn step_until_told(clock: &Path, hours: i64, told: impl AsyncFn() -> DateTime<Utc>) {
    step(clock, &format!("{hours:+}h"));
    let stepped = wait_until(Duration::from_secs(30), async || {
        let ahead = told().await - SystemClock.now();
        (ahead - TimeDelta::hours(hours)).abs() < TimeDelta::minutes(5)
    });
    assert!(stepped.await, "the clock was not stepped by {hours} h");
}

/// F26: the service's clock.
pub(crate) fn of_the_service(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let library = match tools::need_faketime() {
            Ok(library) => library,
            Err(why) => return Verdict::Skipped(why),
        };
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let clock = ground.folder().join("clock");
        step(&clock, "+0");
        let serving =
            ground.serve_told(binary::path(), "serve0", free_address(), &faked(&library, &clock)).await;
        let field = Field::load(ground, vec![serving]).await;
        let says = async || {
            let answer = client(Duration::from_secs(10))
                .get(format!("http://{}/livez", field.serving[0].address))
                .send();
            let date = answer.await.unwrap().headers()["date"].to_str().unwrap().to_owned();
            DateTime::parse_from_rfc2822(&date).unwrap().to_utc()
        };
        for by in STEPS.iter().cycle().take(round.times(STEPS.len(), 5 * STEPS.len())) {
            step_until_told(&clock, *by, says).await;
            // Longer than a lease, and than what is kept of certificates and keys.
            lasts(round.seconds(2, 12)).await;
            field.load.gets_through(QUIET).await;
        }
        assert_eq!(field.load.told().refused, 0, "nobody is told to come again for the sake of a clock");
        Verdict::Held(field.survived(format!("stepped by {STEPS:?} hours")).await)
    })
}

/// F27: the database's clock.
pub(crate) fn of_the_database(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let library = match tools::need_faketime() {
            Ok(library) => library,
            Err(why) => return Verdict::Skipped(why),
        };
        let folder = TempDir::new();
        let clock = folder.path().join("clock");
        step(&clock, "+0");
        let server = tokio::task::spawn_blocking({
            let (dir, clock) = (folder.path().to_owned(), clock.clone());
            move || {
                let usual = test_support::binaries();
                let programs = dir.join("bin");
                std::fs::create_dir_all(&programs).unwrap();
                std::os::unix::fs::symlink(usual.bin_dir().join("initdb"), programs.join("initdb")).unwrap();
                let sets: Vec<String> =
                    faked(&library, &clock).iter().map(|(name, value)| format!("{name}={value}")).collect();
                let postgres = usual.bin_dir().join("postgres");
                let line = format!("exec env {} {} \"$@\"", sets.join(" "), postgres.display());
                script(&programs, "postgres", &line);
                let binaries =
                    Binaries::find(Some(&programs), None).unwrap_or_else(|error| panic!("{error}"));
                let options = Options::new(dir.join("data"));
                Server::on(Cluster::start(&binaries, &options).unwrap_or_else(|error| panic!("{error}")))
            }
        })
        .await
        .unwrap();
        let ground = Ground::prepare(TestDatabase::create_on(Arc::clone(&server)).await).await;
        let field = Field::serve(ground, 2).await;
        let superuser = field.ground.test.superuser().await;
        let says = async || superuser.query_one("SELECT clock_timestamp()", &[]).await.unwrap().get(0);
        for by in STEPS.iter().cycle().take(round.times(STEPS.len(), 5 * STEPS.len())) {
            step_until_told(&clock, *by, says).await;
            lasts(Duration::from_secs(2) + round.seconds(0, 10)).await;
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived(format!("stepped by {STEPS:?} hours")).await)
    })
}
