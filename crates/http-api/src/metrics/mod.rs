//! `GET /metrics`: what this process has counted, and what the database tells of all of them.
//!
//! What is counted is counted by atomics where it happens, and named by the crate that counts it. What the database is asked
//! is remembered for a second, so that scraping costs little however many scrape; without the database the rest is told all
//! the same.

mod page;
mod process;
mod text;
mod told;

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::page::Page;
use self::text::Format;
use crate::app::{Api, Build, Shared};
use crate::problem::Problem;

/// How long it is remembered what the database told.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What is told of one process.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// What is counted.
    counted: Registry,
    /// What runs here.
    build: Build,
    /// What the database told, and when. Whoever scrapes meanwhile waits for the same.
    told: Mutex<Option<(Instant, Arc<Page>)>>,
}

impl Metrics {
    pub(crate) fn new(counted: Registry, build: Build) -> Self {
        Self { counted, build, told: Mutex::default() }
    }

    async fn told(&self, api: &Api) -> Result<Arc<Page>, Problem> {
        let mut told = self.told.lock().await;
        if let Some((at, page)) = &*told
            && at.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(page));
        }
        let page = Arc::new(api.run(told::tell(api.database.clone())).await?);
        *told = Some((Instant::now(), Arc::clone(&page)));
        Ok(page)
    }
}

pub(crate) async fn metrics(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let format = Format::asked(&request);
    let told = api.metrics.told(&api).await?;
    let mut read = Registry::default();
    read.register_collector(Box::new(Arc::new(now(&api))));
    read.register_collector(Box::new(told));
    let mut metrics = String::new();
    let written = encode_registry(&mut metrics, &api.metrics.counted)
        .and_then(|()| encode_registry(&mut metrics, &read));
    written.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(format.finish(metrics)))
}

/// What this process is now.
fn now(api: &Api) -> Page {
    let mut page = Page::default();
    let Build { version, commit } = api.metrics.build;
    let version = ("version", version.to_owned());
    let commit = ("commit", commit.unwrap_or("unknown").to_owned());
    page.gauge("counterfoil_build_info", "1: what runs here.", [(vec![version, commit], 1_i64.into())]);
    let (size, free, waiting) = api.database.pool_status();
    let sessions = [("open", size), ("free", free), ("waited_for", waiting)];
    let sessions = sessions.map(|(state, count)| (vec![("state", state.to_owned())], count.into()));
    page.gauge("counterfoil_database_sessions", "Sessions with the database.", sessions);
    let forks = api.intake.guard().forks().into_iter();
    let forks = forks.map(|fork| (vec![("shop", fork.shop.to_string())], 1_i64.into()));
    let help = "1: the log is not the one that it was, and takes nothing.";
    page.gauge("counterfoil_log_forked", help, forks);
    let open = api.limits.streams.saturating_sub(api.streams.available_permits());
    page.gauge("counterfoil_feed_streams", "Streams of the feed that are open.", [(Vec::new(), open.into())]);
    process::tell(&mut page);
    page
}
