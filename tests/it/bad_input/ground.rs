//! What the cases stand on: callbacks that may be wrong in every way, and a look at the whole database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use test_support::wait_until;

use super::certificates::rsa_key;
use crate::led_shop::DEADLINE;
use crate::served::{SHOP, Served, WEBHOOK_ID, body_of};

/// Changes by itself: who leads, and when a key was last used.
const RESTLESS: &str =
    "ARRAY['epoch', 'lease_holder', 'lease_expires_at', 'heartbeat_at', 'progressed_at', 'last_used_at']";

/// What a transmission says of itself, before it is signed.
#[derive(Clone)]
pub(super) struct Transmission {
    pub(super) id: String,
    pub(super) time: String,
    pub(super) webhook_id: String,
    /// Of the certificate.
    pub(super) url: String,
}

impl Transmission {
    /// A new one, all of it right, under the certificate of this name.
    pub(super) fn new(certificate: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("{number:08x}-68b1-11f1-8d2c-1d0f9a7b6c5d"),
            time: "2026-11-22T10:00:00Z".to_owned(),
            webhook_id: WEBHOOK_ID.to_owned(),
            url: url_of(certificate),
        }
    }

    /// The text that PayPal signs.
    pub(super) fn text(&self, body: &[u8]) -> String {
        paypal::signed_string(&self.id, &self.time, &self.webhook_id, paypal::crc32(body))
    }

    /// A callback of this transmission, signed as PayPal does.
    pub(super) fn of(&self, body: &[u8]) -> Callback {
        self.signed(sign(&RSA_PKCS1_SHA256, &self.text(body)), body)
    }

    /// The same with any signature.
    pub(super) fn signed(&self, signature: String, body: &[u8]) -> Callback {
        let headers = [
            ("paypal-transmission-id", self.id.clone()),
            ("paypal-transmission-time", self.time.clone()),
            ("paypal-transmission-sig", signature),
            ("paypal-cert-url", self.url.clone()),
            ("paypal-auth-algo", "SHA256withRSA".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec();
        Callback { headers, body: body.to_vec() }
    }
}

/// Where a certificate of this name is had in the environments sandbox and dev.
pub(super) fn url_of(certificate: &str) -> String {
    format!("https://api.sandbox.paypal.com/v1/notifications/certs/{certificate}")
}

/// A signature by the one key of all certificates that have an RSA key, in base64.
pub(super) fn sign(encoding: &'static dyn RsaEncoding, text: &str) -> String {
    let key = RsaKeyPair::from_pkcs8(&rsa_key().serialize_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// A request to PayPal's door.
#[derive(Clone)]
pub(super) struct Callback {
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Callback {
    pub(super) fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        let header = self.headers.iter_mut().find(|(known, _)| known == name).unwrap();
        header.1 = value;
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn also(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn value(&self, name: &str) -> Vec<u8> {
        self.headers.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    /// Delivers it to a shop.
    pub(super) async fn send(self, served: &Served, shop: &str) -> Answer {
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_bytes(value).unwrap())
            })
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            });
        let url = served.url(&format!("/webhooks/paypal/{shop}"));
        let answer = served.client.post(url).headers(headers).body(self.body).send().await.unwrap();
        let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        Answer { status, retry, problem: serde_json::from_slice(&body_of(answer).await).unwrap_or_default() }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// It says when to come again.
    pub(super) retry: bool,
    /// Null without one.
    pub(super) problem: Value,
}

/// A callback, and what must come of it.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) shop: &'static str,
    pub(super) callback: Callback,
    pub(super) status: u16,
    /// Stands in the problem's detail.
    pub(super) says: &'static str,
}

impl Case {
    pub(super) fn new(what: impl Into<String>, callback: Callback, status: u16, says: &'static str) -> Self {
        Self { what: what.into(), shop: SHOP, callback, status, says }
    }

    pub(super) fn to(mut self, shop: &'static str) -> Self {
        self.shop = shop;
        self
    }
}

/// The counter that goes with a refusal.
fn counter(code: &str) -> &'static str {
    match code {
        "callback_malformed" => "malformed",
        "not_authentic" => "not_authentic",
        "transmission_conflict" => "conflict",
        "unknown_shop" => "unknown_shop",
        "unavailable" => "unavailable",
        other => panic!("no callback is refused with {other}"),
    }
}

/// Delivers each: it is answered as it should be, with a problem that says why; is counted; and changes no table.
pub(super) async fn assert_refused(served: &Served, cases: Vec<Case>) {
    served.settled().await;
    assert!(wait_until(DEADLINE, async || is_led(served).await).await, "nobody leads");
    let (before, counted) = (tables(served).await, counters(served).await);
    let mut expected = counted.clone();
    for Case { what, shop, callback, status, says } in cases {
        let answer = callback.send(served, shop).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.problem);
        let problem = &answer.problem;
        assert_eq!(problem["status"], status, "{what}: {problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty() && detail.contains(says), "{what}: {detail:?} does not say {says:?}");
        assert_eq!(answer.retry, status == 503, "{what}: when to come again");
        *expected.get_mut(counter(problem["code"].as_str().unwrap())).unwrap() += 1;
    }
    let changed = changed(&before, &tables(served).await);
    assert!(changed.is_empty(), "what was refused has changed {changed:?}");
    assert_eq!(counters(served).await, expected);
}

/// Whoever leads first makes a row of it.
async fn is_led(served: &Served) -> bool {
    let led = "SELECT FROM counterfoil.checkpoints WHERE lease_holder IS NOT NULL";
    !served.test_superuser().await.query(led, &[]).await.unwrap().is_empty()
}

/// Tea for every order.
pub(super) async fn receive_tea(served: &Served) {
    let receive = serde_json::json!({"id": "all-of-it", "qty": 1_000_000});
    let (status, answer) = served.post("/v1/stock/tea/receive", &served.shop_key, &receive).await;
    assert_eq!(status, 200, "{answer}");
}

/// A hash of each table.
pub(super) async fn tables(served: &Served) -> BTreeMap<String, String> {
    let client = served.test_superuser().await;
    let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'counterfoil' ORDER BY 1";
    let mut hashes = BTreeMap::new();
    for row in client.query(names, &[]).await.unwrap() {
        let table: String = row.get(0);
        let rows = format!("SELECT (to_jsonb(t) - {RESTLESS})::text AS row FROM counterfoil.{table} AS t");
        let hash =
            format!("SELECT md5(coalesce(string_agg(row, E'\\n' ORDER BY row), '')) FROM ({rows}) AS r");
        hashes.insert(table, client.query_one(&hash, &[]).await.unwrap().get(0));
    }
    assert!(hashes.len() > 30, "{hashes:?}");
    hashes
}

/// The tables that differ.
pub(super) fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    before
        .iter()
        .filter(|(table, hash)| after.get(*table) != Some(*hash))
        .map(|(table, _)| table.clone())
        .collect()
}

/// How many callbacks were answered how.
pub(super) async fn counters(served: &Served) -> BTreeMap<String, u64> {
    let metrics = served.metrics().await;
    let lines = metrics.lines().filter_map(|line| {
        let (result, count) =
            line.strip_prefix("counterfoil_callbacks_total{result=\"")?.split_once("\"} ")?;
        Some((result.to_owned(), count.parse().unwrap()))
    });
    lines.collect()
}
