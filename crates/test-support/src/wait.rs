//! Waiting without guessing how long.

use std::time::Duration;

use tokio::time::Instant;

/// Asks again and again until the condition holds; false when it still does not at the deadline.
pub async fn wait_until(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
