//! Clocks that are stepped an hour, both ways: that of the service, and that of the database.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use private_postgres::{Binaries, Cluster, Options};
use test_support::{Server, TestDatabase};

use super::round::{Field, QUIET, Round, Verdict, lasts, script};
use super::tools::{self, faked, step};
use crate::binary::{self, TempDir};
use crate::ground::Ground;
use crate::program::free_address;

const STEPS: [&str; 4] = ["+1h", "-1h", "+2h", "+0"];

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
        for by in STEPS.iter().cycle().take(round.times(STEPS.len(), 5 * STEPS.len())) {
            step(&clock, by);
            // Longer than a lease, and than what is kept of certificates and keys.
            lasts(round.seconds(2, 12)).await;
            field.load.gets_through(QUIET).await;
        }
        assert_eq!(field.load.told().refused, 0, "nobody is told to come again for the sake of a clock");
        Verdict::Held(field.survived(format!("stepped {STEPS:?}")).await)
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
                let usual = Binaries::find(None, None).unwrap_or_else(|error| panic!("{error}"));
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
        for by in STEPS.iter().cycle().take(round.times(STEPS.len(), 5 * STEPS.len())) {
            step(&clock, by);
            lasts(Duration::from_secs(2) + round.seconds(0, 10)).await;
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived(format!("stepped {STEPS:?}")).await)
    })
}
