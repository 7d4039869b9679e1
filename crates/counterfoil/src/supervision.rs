//! What systemd is told (sd_notify(3)), where it is systemd that started the service: that it is ready, that it lives, that it
//! ends. Everywhere else nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

/// A service that is ready. It says so once, and that it lives as often as it is asked to (`WatchdogSec=`), from a task on
/// the runtime that everything runs on: where that hangs, systemd starts another.
#[derive(Debug)]
pub(crate) struct Supervised {
    alive: Option<JoinHandle<()>>,
}

impl Supervised {
    /// Says that it is ready.
    pub(crate) fn ready(status: &str) -> Self {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        let alive = sd_notify::watchdog_enabled().map(|within| {
            tokio::spawn(async move {
                // Twice in the time that it is given, as sd_watchdog_enabled(3) recommends.
                let mut beat = tokio::time::interval((within / 2).max(Duration::from_millis(1)));
                loop {
                    beat.tick().await;
                    tell(&[NotifyState::Watchdog]);
                }
            })
        });
        Self { alive }
    }

    /// Says that it ends.
    pub(crate) fn stopping(self) {
        tell(&[NotifyState::Stopping]);
        if let Some(alive) = self.alive {
            alive.abort();
        }
    }
}

/// A socket that is named and not there is no reason not to serve.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
