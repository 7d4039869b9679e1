//! Records digests of the read models at the end of each day, by a process of its own: folding a long log takes memory that
//! the service should not have.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use audit::Digests;
use chrono::{DateTime, Utc};
use database::Database;
use domain::{ShopId, Timestamp};
use event_log::{Guard, NoteType};
use relay::Lease;
use tokio::process::Command;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::holder;

/// The name that the lease is kept under: of several instances one does it.
const CONSUMER: &str = "digest";
/// A fold that takes longer has died: another instance may begin anew.
const LEASE: Duration = Duration::from_secs(3_600);
/// A fold takes long: where it fails, the next one waits.
const RETRY: Duration = Duration::from_secs(900);

/// The task that closes days.
#[derive(Debug)]
pub(crate) struct DayClose {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl DayClose {
    /// Starts; a day is as long as `every`, and ends at its multiples, UTC. Nothing is recorded in a log that has forked.
    pub(crate) fn start(database: Database, guard: Guard, every: Duration) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let look = (every / 20).clamp(Duration::from_millis(200), Duration::from_secs(60));
        let retry = RETRY.min(every);
        let mut closing = Closing { database, guard, every, retry, shops: HashMap::new() };
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(look).await;
                if let Err(error) = closing.look().await {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "whether a day has ended cannot be told now"
                    );
                }
            }
        }));
        tasks.close();
        Self { stop, tasks }
    }

    /// Stops, and with it the process that folds: another one will.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

struct Closing {
    database: Database,
    guard: Guard,
    every: Duration,
    retry: Duration,
    shops: HashMap<ShopId, Shop>,
}

/// What is known of a shop's days.
#[derive(Default)]
struct Shop {
    /// The end of the day that was closed last, by whomever.
    closed: Option<Timestamp>,
    /// It failed: not before this.
    not_before: Option<Instant>,
}

impl Closing {
    async fn look(&mut self) -> anyhow::Result<()> {
        let Some(end) = last_end(self.database.now().await?, self.every) else { return Ok(()) };
        for listed in intake::shops::list(&self.database).await? {
            let shop = ShopId::parse(&listed.shop)?;
            let known = self.shops.entry(shop.clone()).or_default();
            let waits = known.not_before.is_some_and(|until| Instant::now() < until);
            if waits || known.closed == Some(end) {
                continue;
            }
            match self.close(&shop, end).await {
                Ok(true) => self.shops.entry(shop).or_default().closed = Some(end),
                Ok(false) => {}
                // Others' days end as well.
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(%shop, error, "the digests of the day cannot be recorded now");
                    self.shops.entry(shop).or_default().not_before = Some(Instant::now() + self.retry);
                }
            }
        }
        Ok(())
    }

    /// Whether the day is closed now.
    async fn close(&self, shop: &ShopId, end: Timestamp) -> anyhow::Result<bool> {
        let name = format!("day/{end}");
        let client = self.database.client().await?;
        match self.guard.check(&client, shop).await {
            // The guard has said so, and the day is closed when somebody has mended it.
            Err(event_log::Error::Forked(_)) => return Ok(false),
            checked => checked?,
        }
        let noted = event_log::find_note(&client, shop, NoteType::ProjectionDigest, &name).await?;
        let first = event_log::read_all(&client, shop, domain::Position(-1), 1).await?;
        drop(client);
        // Or nothing was there to digest by then.
        if noted.is_some() || first.first().is_none_or(|event| event.at >= end) {
            return Ok(true);
        }
        let lease = Lease::acquire(&self.database, shop, CONSUMER, &holder(), LEASE).await?;
        let Some((lease, _)) = lease else { return Ok(false) };
        let recorded = self.record(shop, end, &name).await;
        lease.release(&self.database).await;
        recorded?;
        tracing::info!(%shop, as_of = %end, "the digests of the day are recorded");
        Ok(true)
    }

    /// The other process folds, and this one appends: it knows whether the log is still the one that it was.
    async fn record(&self, shop: &ShopId, end: Timestamp, name: &str) -> anyhow::Result<()> {
        // What was recorded at the very end belongs to the next day.
        let digests = fold(shop, self.database.schema(), end.just_before()).await?;
        let said = (name, "counterfoil serve");
        audit::record_digests(&self.guard, &self.database, shop, &digests, said).await?;
        Ok(())
    }
}

/// The last multiple of a length of time.
fn last_end(now: DateTime<Utc>, every: Duration) -> Option<Timestamp> {
    let every = i64::try_from(every.as_micros()).ok().filter(|every| *every > 0)?;
    let now = now.timestamp_micros();
    DateTime::from_timestamp_micros(now - now.rem_euclid(every)).map(Timestamp::new)
}

async fn fold(shop: &ShopId, schema: &str, as_of: Timestamp) -> anyhow::Result<Digests> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["digest", "--dry-run", "-o", "json", "--shop", shop.as_str(), "--schema", schema])
        .args(["--as-of", &as_of.to_string()])
        // What the service logs in with is enough.
        .env_remove("MAINTENANCE_DATABASE_URL")
        .env_remove("MAINTENANCE_DATABASE_URL_FILE")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = command.output().await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    anyhow::ensure!(
        ended.status.success(),
        "`counterfoil digest` ended with {}: {}",
        ended.status,
        said.trim()
    );
    Ok(serde_json::from_slice(&ended.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_multiples_of_its_length() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let day = Duration::from_secs(86_400);
        let end = |now, every| last_end(at(now), every).unwrap().to_string();
        assert_eq!(end("2026-11-26T01:30:00Z", day), "2026-11-26T00:00:00.000000Z");
        assert_eq!(end("2026-11-26T00:00:00Z", day), "2026-11-26T00:00:00.000000Z");
        assert_eq!(end("2026-11-26T01:30:00.7Z", Duration::from_secs(2)), "2026-11-26T01:30:00.000000Z");
        assert!(last_end(at("2026-11-26T01:30:00Z"), Duration::ZERO).is_none());
    }
}
