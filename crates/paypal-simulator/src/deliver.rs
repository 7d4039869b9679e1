//! Sends transmissions as they are given: twice, mixed, so many a second.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::Ids;

/// Headers and body of one transmission.
pub type Transmission = (Vec<(String, String)>, Vec<u8>);

/// The service could not be reached, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It could not be reached, or has cut the connection.
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    /// It took longer than PayPal waits.
    #[error("no answer in time")]
    Silent,
}

/// How callbacks are delivered.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often each transmission is sent; 2 sends everything twice.
    pub copies: usize,
    /// Mixes the order, the same way for the same seed.
    pub shuffle: Option<u64>,
    /// At most so many a second.
    pub per_second: Option<u32>,
    /// So many at the same time.
    pub at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { copies: 1, shuffle: None, per_second: None, at_once: 1 }
    }
}

/// One delivery's result.
#[derive(Debug)]
pub struct Sent {
    /// Which transmission, by its place in what was given.
    pub index: usize,
    /// The status of the answer.
    pub status: Result<u16, DeliverError>,
}

/// Sends one transmission and tells the status of the answer.
///
/// # Errors
/// [`DeliverError`] when there is no answer.
pub async fn deliver(
    client: &reqwest::Client,
    url: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Result<u16, DeliverError> {
    let mut request = client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Ok(request.send().await?.status().as_u16())
}

/// Sends all transmissions, copied and mixed as the options say; results come in the order of the answers.
pub async fn deliver_all(
    client: &reqwest::Client,
    url: &str,
    transmissions: &[Transmission],
    options: Options,
) -> Vec<Sent> {
    let mut order: Vec<usize> = (0..options.copies.max(1)).flat_map(|_| 0..transmissions.len()).collect();
    if let Some(seed) = options.shuffle {
        let mut ids = Ids::seeded(seed);
        for last in (1..order.len()).rev() {
            let bound = u64::try_from(last + 1).unwrap_or(u64::MAX);
            order.swap(last, usize::try_from(ids.number() % bound).unwrap_or(0));
        }
    }
    let pause = options.per_second.filter(|rate| *rate > 0).map(|rate| Duration::from_secs(1) / rate);
    let mut clock = pause.map(tokio::time::interval);
    let paced = stream::unfold((order.into_iter(), clock.take()), |(mut order, mut clock)| async move {
        let index = order.next()?;
        if let Some(clock) = &mut clock {
            clock.tick().await;
        }
        Some((index, (order, clock)))
    });
    let sends = paced.map(|index| async move {
        let (headers, body) = &transmissions[index];
        Sent { index, status: deliver(client, url, headers, body.clone()).await }
    });
    sends.buffer_unordered(options.at_once.max(1)).collect().await
}
