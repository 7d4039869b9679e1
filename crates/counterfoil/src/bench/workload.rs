//! The orders and the callbacks that pay for them, all made and signed before any clock starts.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use database::{Clock, SystemClock};
use domain::{Money, Timestamp};
use paypal_simulator::{Authority, EventKind, Ids, Story};
use serde_json::{Value, json};

/// The shop that is measured.
pub(crate) const SHOP: &str = "bench";
/// Its webhook id.
pub(crate) const WEBHOOK_ID: &str = "8BE00000000WEBHOOK";
/// As many as the plain transaction has.
const PRODUCTS: usize = 1_000;
const USERS: usize = 100_000;
const TOTAL_MINOR: i64 = 895;
/// How long an order waits for its payment, in seconds.
pub(crate) const HOLD_S: u32 = 86_400;

/// A request that only has to be sent.
pub(crate) struct Prepared(Vec<u8>);

impl Prepared {
    pub(crate) fn post(path: &str, headers: &[(String, String)], body: &[u8]) -> Self {
        let mut head =
            format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            // Writing to a string cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        Self([head.as_bytes(), body].concat())
    }

    /// The request, byte for byte.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One callback, about an order of its own.
pub(crate) struct Callback {
    pub(crate) event_id: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Callback {
    /// Ready to be sent.
    pub(crate) fn prepare(&self) -> Prepared {
        Prepared::post(&format!("/webhooks/paypal/{SHOP}"), &self.headers, &self.body)
    }
}

/// Everything that is sent.
pub(crate) struct Workload {
    pub(crate) authority: Arc<Authority>,
    pub(crate) callbacks: Vec<Callback>,
    /// The same, ready to be sent.
    pub(crate) requests: Arc<Vec<Prepared>>,
    /// Buyers, each with points and a coupon.
    pub(crate) users: usize,
}

impl Workload {
    /// Makes so many callbacks. Signing takes most of a millisecond each, so all cores do it.
    pub(crate) async fn make(folder: &Path, count: usize) -> anyhow::Result<Self> {
        let authority =
            Arc::new(Authority::load_or_create(&folder.join("paypal")).context("the bench's CA")?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(threads).max(1);
        let makers: Vec<_> = (0..count)
            .step_by(share)
            .map(|first| {
                let authority = Arc::clone(&authority);
                let numbers = first..(first + share).min(count);
                tokio::task::spawn_blocking(move || {
                    numbers.map(|n| callback(&authority, n, TOTAL_MINOR)).collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut callbacks = Vec::with_capacity(count);
        for maker in makers {
            callbacks.extend(maker.await??);
        }
        let requests = callbacks.iter().map(Callback::prepare).collect();
        Ok(Self { authority, callbacks, requests: Arc::new(requests), users: count.min(USERS) })
    }

    /// The mean size of a body, in bytes.
    pub(crate) fn body_bytes(&self) -> usize {
        let total: usize = self.callbacks.iter().map(|callback| callback.body.len()).sum();
        total / self.callbacks.len().max(1)
    }

    /// The products, coupons and points that the orders need, as (path, body).
    pub(crate) fn supplies(&self) -> Vec<(String, Value)> {
        let orders = self.callbacks.len();
        let users = self.users;
        let products = (0..PRODUCTS).map(|n| {
            (format!("/v1/stock/sku-{n}/receive"), json!({"id": format!("s-{n}"), "qty": 1_000_000_000}))
        });
        let each = orders.div_ceil(users.max(1));
        let coupons = (0..users).map(move |n| {
            (format!("/v1/coupons/c-{n}/issue"), json!({"id": format!("c-{n}"), "max_uses": each}))
        });
        let points = (0..users).map(|n| {
            (format!("/v1/points/u-{n}/grant"), json!({"id": format!("p-{n}"), "points": 1_000_000}))
        });
        products.chain(coupons).chain(points).collect()
    }

    /// Placements: each takes stock, a coupon and points, as the plain transaction does.
    pub(crate) fn placements(&self, which: Range<usize>) -> Vec<(String, Value)> {
        let users = self.users;
        which
            .map(|n| {
                let mut placement = placement(n);
                placement["coupons"] = json!([{"code": format!("c-{}", n % users), "minor": 100}]);
                placement["points"] = json!({"spend": 5, "minor": 5, "earn": 9});
                placement["buyer"] = json!(format!("u-{}", n % users));
                placement["total_minor"] = json!(TOTAL_MINOR);
                ("/v1/orders".to_owned(), placement)
            })
            .collect()
    }
}

/// Commands that so many callbacks need: products, coupons, points and placements.
#[cfg(test)]
pub(crate) fn commands_at_most(callbacks: u32) -> u32 {
    (PRODUCTS + 2 * USERS) as u32 + callbacks
}

/// An order that takes one product, and nothing else.
pub(crate) fn placement(n: usize) -> Value {
    json!({
        "order": order(n), "buyer": "u-0", "currency": "USD", "total_minor": 1000, "hold_s": HOLD_S,
        "lines": [{"sku": format!("sku-{}", n % PRODUCTS), "qty": 1, "unit_minor": 1000}],
    })
}

/// What an order is called.
pub(crate) fn order(n: usize) -> String {
    format!("B-{n}")
}

/// What pays so much for an order.
pub(crate) fn callback(authority: &Authority, n: usize, minor: i64) -> anyhow::Result<Callback> {
    let mut ids = Ids::seeded(n as u64 * 7919 + 1);
    let now = Timestamp::new(SystemClock.now());
    let amount = Money { minor, currency: domain::Currency::parse("USD")? };
    let story = Story::new(&mut ids, &order(n), amount, now);
    let event_id = ids.event();
    let body = serde_json::to_vec(&story.body(EventKind::CaptureCompleted, &event_id))?;
    let headers = paypal_simulator::sign(authority, WEBHOOK_ID, &body, now);
    Ok(Callback { event_id, headers, body })
}
