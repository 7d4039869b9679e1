//! Asks again, a few times, where PayPal has trouble or asks to slow down.

use std::time::Duration;

use paypal::rest::RestError;
use relay::backoff;
use tokio::time::sleep;

/// How often something is asked, and how long is waited between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    /// From and to, doubling.
    pub(crate) pauses: (Duration, Duration),
    /// Where PayPal asks to wait for longer, the run ends instead.
    pub(crate) most: Duration,
}

impl Patience {
    /// Asks until there is an answer, or it is time to give up for now.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, RestError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, RestError> {
        let mut failures = 0;
        loop {
            let error = match call().await {
                Err(error) if error.is_passing() && failures + 1 < self.tries => error,
                answer => return answer,
            };
            let wanted = error.retry_after().unwrap_or_default();
            if wanted > self.most {
                return Err(error);
            }
            sleep(backoff(failures, self.pauses).max(wanted)).await;
            failures += 1;
        }
    }
}
