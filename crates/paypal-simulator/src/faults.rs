//! What goes wrong at PayPal, by endpoint, so that tests can tell a story of an outage.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// As PayPal's tokens: nine hours.
const TOKENS_LAST_S: i64 = 32_400;

/// What PayPal can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/oauth2/token`
    Token,
    /// `GET /v1/notifications/webhooks-events`
    Events,
    /// `GET /v1/notifications/webhooks-events/{id}`
    Event,
    /// `POST /v1/notifications/webhooks-events/{id}/resend`
    Resend,
    /// `GET /v1/notifications/webhooks`
    Webhooks,
    /// `GET /v1/notifications/webhooks/{id}`
    Webhook,
    /// `POST /v1/notifications/verify-webhook-signature`
    VerifySignature,
    /// `GET /v1/notifications/certs/{id}`
    Certificate,
    /// `GET /v2/payments/captures/{id}`
    Capture,
    /// `GET /v1/payments/sale/{id}`
    Sale,
    /// `GET /v2/checkout/orders/{id}`
    Order,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 11] = [
        Self::Token,
        Self::Events,
        Self::Event,
        Self::Resend,
        Self::Webhooks,
        Self::Webhook,
        Self::VerifySignature,
        Self::Certificate,
        Self::Capture,
        Self::Sale,
        Self::Order,
    ];
}

/// What an endpoint does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429, with `Retry-After` in seconds.
    TooManyRequests {
        /// When to come again, in seconds.
        retry_after_s: u32,
    },
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// Takes the request and says nothing until the endpoint's fault is set or cleared anew; then it answers.
    Hangs,
    /// Answers, so much later.
    Slow(Duration),
    /// 404, as though it did not know yet what it has just sent.
    NotFound,
    /// 401, as though the token had ended.
    TokenEnded,
    /// 200 with a page that is no JSON, as from something that stands between.
    Garbled,
    /// 200, and the connection is cut in the middle of the body.
    CutShort,
}

#[derive(Clone, Copy)]
struct Setting {
    fault: Fault,
    /// For so many requests; `None` for all.
    left: Option<u32>,
}

#[derive(Default)]
struct Inner {
    settings: HashMap<Endpoint, Setting>,
    requests: HashMap<Endpoint, u64>,
    /// How often each endpoint's fault was set or cleared.
    changes: HashMap<Endpoint, u64>,
    tokens_last_s: Option<i64>,
    listed_after_s: Option<i64>,
}

/// The faults in force, and the requests that came.
#[derive(Default)]
pub struct Faults {
    inner: Mutex<Inner>,
    changed: Notify,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, endpoint: Endpoint, setting: Option<Setting>) {
        let mut inner = self.lock();
        match setting {
            Some(setting) => inner.settings.insert(endpoint, setting),
            None => inner.settings.remove(&endpoint),
        };
        *inner.changes.entry(endpoint).or_default() += 1;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Has every request from now on meet this fault.
    pub fn set(&self, endpoint: Endpoint, fault: Fault) {
        self.change(endpoint, Some(Setting { fault, left: None }));
    }

    /// Has the next so many requests meet this fault.
    pub fn set_for(&self, endpoint: Endpoint, requests: u32, fault: Fault) {
        self.change(endpoint, (requests > 0).then_some(Setting { fault, left: Some(requests) }));
    }

    /// Has every endpoint meet this fault: an outage.
    pub fn set_everywhere(&self, fault: Fault) {
        Endpoint::ALL.iter().for_each(|endpoint| self.set(*endpoint, fault));
    }

    /// Ends the endpoint's fault.
    pub fn clear(&self, endpoint: Endpoint) {
        self.change(endpoint, None);
    }

    /// Ends every fault.
    pub fn clear_everywhere(&self) {
        Endpoint::ALL.iter().for_each(|endpoint| self.clear(*endpoint));
    }

    /// Has tokens that are given out from now on last so many seconds.
    pub fn tokens_last(&self, seconds: i64) {
        self.lock().tokens_last_s = Some(seconds);
    }

    pub(crate) fn token_seconds(&self) -> i64 {
        self.lock().tokens_last_s.unwrap_or(TOKENS_LAST_S)
    }

    /// Has an event be listed only when it is so many seconds old, by the time at PayPal: what is listed later was created
    /// before what was listed already.
    pub fn listed_after(&self, seconds: i64) {
        self.lock().listed_after_s = Some(seconds);
    }

    pub(crate) fn listed_after_s(&self) -> Option<i64> {
        self.lock().listed_after_s
    }

    /// How many requests came to the endpoint, whatever became of them.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.lock().requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// Counts a request, and waits where it is to; the fault that it meets else.
    pub(crate) async fn meet(&self, endpoint: Endpoint) -> Option<Fault> {
        let (fault, change) = self.take(endpoint);
        match fault? {
            Fault::Hangs => loop {
                let changed = self.changed.notified();
                if self.lock().changes.get(&endpoint).copied().unwrap_or_default() != change {
                    return None;
                }
                changed.await;
            },
            Fault::Slow(wait) => {
                tokio::time::sleep(wait).await;
                None
            }
            fault => Some(fault),
        }
    }

    fn take(&self, endpoint: Endpoint) -> (Option<Fault>, u64) {
        let mut inner = self.lock();
        *inner.requests.entry(endpoint).or_default() += 1;
        let change = inner.changes.get(&endpoint).copied().unwrap_or_default();
        let Some(setting) = inner.settings.get_mut(&endpoint) else { return (None, change) };
        let fault = setting.fault;
        if let Some(left) = &mut setting.left {
            *left -= 1;
            if *left == 0 {
                inner.settings.remove(&endpoint);
            }
        }
        (Some(fault), change)
    }
}
