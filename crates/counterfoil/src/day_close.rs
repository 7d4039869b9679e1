//! Records digests of the read models at the end of each day, by a process of its own: folding a long log takes memory that
//! the service should not have.

use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::Database;
use domain::{ShopId, Timestamp};
use event_log::NoteType;
use relay::Lease;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::holder;

/// The name that the lease is kept under: of several instances one does it.
const CONSUMER: &str = "digest";
/// A fold that takes longer has died: another instance may begin anew.
const LEASE: Duration = Duration::from_secs(3_600);

/// The task that closes days.
#[derive(Debug)]
pub(crate) struct DayClose {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl DayClose {
    /// Starts; a day is as long as `every`, and ends at its multiples, UTC.
    pub(crate) fn start(database: Database, every: Duration) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let look = (every / 20).clamp(Duration::from_millis(200), Duration::from_secs(60));
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(look).await;
                if let Err(error) = close_all(&database, every).await {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the digests of the day cannot be recorded now"
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

async fn close_all(database: &Database, every: Duration) -> anyhow::Result<()> {
    let Some(end) = last_end(database.now().await?, every) else { return Ok(()) };
    for listed in intake::shops::list(database).await? {
        let shop = ShopId::parse(&listed.shop)?;
        let name = format!("day/{end}");
        let client = database.client().await?;
        let is_recorded = event_log::find_note(&client, &shop, NoteType::ProjectionDigest, &name).await?;
        let first = event_log::read_all(&client, &shop, domain::Position(-1), 1).await?;
        drop(client);
        // Nothing was there to digest by then.
        if is_recorded.is_some() || first.first().is_none_or(|event| event.at >= end) {
            continue;
        }
        let Some((lease, _)) = Lease::acquire(database, &shop, CONSUMER, &holder(), LEASE).await? else {
            continue;
        };
        let recorded = record(database, &shop, end, &name).await;
        lease.release(database).await;
        recorded?;
        tracing::info!(%shop, as_of = %end, "the digests of the day are recorded");
    }
    Ok(())
}

/// The last multiple of a length of time.
fn last_end(now: DateTime<Utc>, every: Duration) -> Option<Timestamp> {
    let every = i64::try_from(every.as_micros()).ok().filter(|every| *every > 0)?;
    let now = now.timestamp_micros();
    DateTime::from_timestamp_micros(now - now.rem_euclid(every)).map(Timestamp::new)
}

async fn record(database: &Database, shop: &ShopId, end: Timestamp, name: &str) -> anyhow::Result<()> {
    // What was recorded at the very end belongs to the next day.
    let as_of = end.just_before();
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["digest", "--shop", shop.as_str(), "--as-of", &as_of.to_string(), "--name", name])
        .args(["--schema", database.schema()])
        // What the service logs in with is enough.
        .env_remove("MAINTENANCE_DATABASE_URL")
        .env_remove("MAINTENANCE_DATABASE_URL_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let ended = command.output().await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    anyhow::ensure!(
        ended.status.success(),
        "`counterfoil digest` ended with {}: {}",
        ended.status,
        said.trim()
    );
    Ok(())
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
