//! Who may ask how often, and how much work may be done for whoever has proven nothing.
//!
//! Two rules. A key has a bucket of its own. An address has one that only failures are taken from: what is authentic is never
//! counted, never throttled, and never refused for what else comes from its address; PayPal shares one with everybody where
//! a proxy stands before the service. An address whose bucket is empty is a *suspect*: its failures are answered late, so that
//! each of its connections gets a small share of the processors, and few certificates are fetched for it at a time.
//! Verifying is computing, and done by the server's own threads: there is nothing to queue for, and a queue would hold up
//! what is authentic behind what is not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use access::{Block, Exhausted, Identity, RateLimit, Share, Shares, TrustedProxies};
use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::app::Limits;
use crate::counters::{Counters, Limited};
use crate::problem::{Code, Problem};

/// How late a suspect's failures are answered, between these: a connection that waits costs nothing.
const LATE: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(3);
/// Of the span between them, from one to the next: those that came together do not come together again.
const STEP: Duration = Duration::from_millis(1236);
/// Suspects' callbacks whose certificate is fetched at a time; who comes then is sent away, to come again.
const FETCHED: usize = 4;

/// What is known of those who ask. In bounded memory.
#[derive(Debug)]
pub(crate) struct Admission {
    proxies: TrustedProxies,
    failures: RateLimit<Block>,
    keys: RateLimit<String>,
    fetched: Semaphore,
    /// Of the connections, so many may wait for a late answer; the others are closed at once.
    late: Semaphore,
    /// How many were.
    answered_late: AtomicU32,
    streams: Shares,
    waits: Shares,
    stopping: CancellationToken,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, stopping: CancellationToken) -> Self {
        Self {
            proxies: limits.trusted_proxies.clone(),
            failures: RateLimit::new(limits.failures),
            keys: RateLimit::new(limits.key_rate),
            fetched: Semaphore::new(FETCHED),
            late: Semaphore::new(limits.max_connections * limits.workers.max(1) * 3 / 4),
            answered_late: AtomicU32::new(0),
            streams: Shares::new(limits.key_streams),
            waits: Shares::new(limits.key_waits),
            stopping,
        }
    }

    /// Where a request comes from.
    pub(crate) fn place(&self, request: &HttpRequest) -> Block {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let peer = request.peer_addr().unwrap_or(nowhere);
        let client: IpAddr = if self.proxies.is_empty() {
            peer.ip()
        } else {
            self.proxies.client(peer, forwarded(request.headers()))
        };
        client.into()
    }

    /// Whether a proxy that is believed says that the client speaks TLS with it.
    pub(crate) fn is_https(&self, request: &HttpRequest) -> bool {
        let believed = request.peer_addr().is_some_and(|peer| self.proxies.believes(peer.ip()));
        believed && says_https(request.headers())
    }

    /// Whether nothing but failures came from there of late.
    pub(crate) fn is_suspect(&self, place: &Block) -> bool {
        self.failures.is_exhausted(place)
    }

    /// One of few turns to have a certificate fetched for a suspect's callback.
    ///
    /// # Errors
    /// 503 while others are fetched: it is to come again.
    pub(crate) fn fetch(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = self.fetched.try_acquire();
        turn.map_err(|_| Problem::new(Code::Unavailable, "Too many certificates are on their way."))
    }

    /// Counts a failure against where it comes from, and says how it is answered: as it is, or late and with 429.
    pub(crate) async fn fail(&self, place: &Block, problem: Problem, counters: &Counters) -> Problem {
        let Err(exhausted) = self.failures.take(place) else { return problem };
        counters.limited(Limited::Address);
        let answer = too_many("Too much that was not authentic came from this address.", exhausted);
        let Ok(_late) = self.late.try_acquire() else { return answer.closing() };
        let number = self.answered_late.fetch_add(1, Ordering::Relaxed);
        let span = (LATEST - LATE).as_millis() as u64;
        let more = u64::from(number) * STEP.as_millis() as u64 % span;
        tokio::select! {
            () = tokio::time::sleep(LATE + Duration::from_millis(more)) => answer,
            () = self.stopping.cancelled() => answer,
        }
    }

    /// Refuses a key that is not known yet, from where only failures came: looking it up costs a session with the database.
    pub(crate) fn refuse_suspect(&self, place: &Block, counters: &Counters) -> Result<(), Problem> {
        if !self.is_suspect(place) {
            return Ok(());
        }
        counters.limited(Limited::Address);
        let exhausted = Exhausted { after: LATE };
        Err(too_many("Too many requests without a valid key came from this address.", exhausted))
    }

    /// Counts a request of a key.
    ///
    /// # Errors
    /// 429.
    pub(crate) fn count(&self, identity: &Identity, counters: &Counters) -> Result<(), Problem> {
        self.keys.take(&holder(identity)).map_err(|exhausted| {
            counters.limited(Limited::Key);
            too_many("This key asks too often.", exhausted)
        })
    }

    /// One more stream for a key.
    ///
    /// # Errors
    /// 429 when it has as many as it may have.
    pub(crate) fn stream(&self, identity: &Identity) -> Result<Share, Problem> {
        self.streams.take(&holder(identity)).ok_or_else(|| {
            too_many("This key has as many streams open as it may have.", Exhausted { after: LATE })
        })
    }

    /// One more request of a key that waits for something to happen; none when as many wait as may.
    pub(crate) fn wait(&self, identity: &Identity) -> Option<Share> {
        self.waits.take(&holder(identity))
    }
}

fn holder(identity: &Identity) -> String {
    format!("{}/{}", identity.shop, identity.key_id)
}

/// The values of `Forwarded`, else of `X-Forwarded-For`.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let name = if headers.contains_key("forwarded") { "forwarded" } else { "x-forwarded-for" };
    headers.get_all(name).filter_map(|value| value.to_str().ok())
}

/// `Forwarded: proto=https`, else `X-Forwarded-Proto: https`, as the proxy that is nearest says.
fn says_https(headers: &HeaderMap) -> bool {
    let last = |name: &str| headers.get_all(name).last().and_then(|value| value.to_str().ok());
    let nearest = |text: &str| text.rsplit(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    match last("forwarded").map(nearest) {
        Some(hop) => hop.split(';').any(|part| part.trim().trim_matches('"') == "proto=https"),
        None => last("x-forwarded-proto").map(nearest).is_some_and(|proto| proto == "https"),
    }
}

fn too_many(detail: &str, exhausted: Exhausted) -> Problem {
    let seconds = exhausted.after.as_secs_f32().ceil().max(1.0);
    Problem::new(Code::TooManyRequests, detail).after(seconds as u32)
}
