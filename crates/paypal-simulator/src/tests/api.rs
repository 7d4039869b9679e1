//! A PayPal to ask, and what is asked of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use domain::Timestamp;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::at;
use crate::{Authority, Endpoint, PayPal};

/// One for all tests: its key takes a while to make.
pub(super) static AUTHORITY: LazyLock<Arc<Authority>> =
    LazyLock::new(|| Arc::new(Authority::in_memory().unwrap()));

pub(super) const SECONDS_A_DAY: i64 = 86_400;

/// A PayPal whose clock is set by hand, and a client with a token.
pub(super) struct Api {
    pub(super) paypal: PayPal,
    client: reqwest::Client,
    clock: Arc<AtomicI64>,
    token: String,
}

impl Api {
    pub(super) async fn start() -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let seconds = Arc::clone(&clock);
        let now = move || at().plus_seconds(seconds.load(Ordering::Relaxed)).unwrap();
        let paypal = PayPal::start(Arc::clone(&AUTHORITY), 7, now).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut api = Self { paypal, client, clock, token: String::new() };
        api.log_in().await;
        api
    }

    pub(super) async fn log_in(&mut self) {
        let answer = self.token_request("client_credentials").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        self.token = json(answer).await["access_token"].as_str().unwrap().to_owned();
    }

    pub(super) fn token_request(&self, grant: &str) -> RequestBuilder {
        let client = self.paypal.client();
        self.token_request_of(&client.id, client.secret.expose_secret(), grant)
    }

    pub(super) fn token_request_of(&self, id: &str, secret: &str, grant: &str) -> RequestBuilder {
        let url = format!("{}/v1/oauth2/token", self.paypal.url());
        self.client.post(url).body(format!("grant_type={grant}")).basic_auth(id, Some(secret))
    }

    pub(super) fn now(&self) -> Timestamp {
        at().plus_seconds(self.clock.load(Ordering::Relaxed)).unwrap()
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A request with the token, to a path or a link.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url =
            if path.starts_with('/') { format!("{}{path}", self.paypal.url()) } else { path.to_owned() };
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The answer to a request that is answered with 200.
    pub(super) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        json(answer).await
    }

    /// A request that each endpoint answers with a success, where this event and webhook are there.
    pub(super) fn ask(&self, endpoint: Endpoint, known: &Known) -> RequestBuilder {
        let events = "/v1/notifications/webhooks-events";
        let get = |path: String| self.request(Method::GET, &path);
        match endpoint {
            Endpoint::Token => self.token_request("client_credentials"),
            Endpoint::Events => get(events.to_owned()),
            Endpoint::Event => get(format!("{events}/{}", known.event)),
            Endpoint::Resend => self.request(Method::POST, &format!("{events}/{}/resend", known.event)),
            Endpoint::Webhooks => get("/v1/notifications/webhooks".to_owned()),
            Endpoint::Webhook => get(format!("/v1/notifications/webhooks/{}", known.webhook)),
            Endpoint::VerifySignature => {
                let path = "/v1/notifications/verify-webhook-signature";
                self.request(Method::POST, path).body(known.postback.clone())
            }
            Endpoint::Certificate => get(format!("/v1/notifications/certs/{}", AUTHORITY.certificate_id())),
            Endpoint::Capture => get(format!("/v2/payments/captures/{}", known.capture)),
            Endpoint::Sale => get(format!("/v1/payments/sale/{}", known.capture)),
            Endpoint::Order => get(format!("/v2/checkout/orders/{}", known.order)),
        }
    }
}

/// Ids that PayPal knows.
pub(super) struct Known {
    pub(super) event: String,
    pub(super) webhook: String,
    pub(super) postback: String,
    pub(super) capture: String,
    pub(super) order: String,
}

pub(super) async fn json(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// An error in PayPal's shape; its name.
pub(super) async fn refused(answer: Response, status: u16) -> String {
    assert_eq!(answer.status(), StatusCode::from_u16(status).unwrap());
    let debug_id = answer.headers()["paypal-debug-id"].to_str().unwrap().to_owned();
    let body = json(answer).await;
    assert_eq!(body["debug_id"], debug_id);
    assert!(!body["message"].as_str().unwrap().is_empty());
    body["name"].as_str().unwrap().to_owned()
}

/// The request of a verification by postback: the event's bytes stand in it as they are.
pub(super) fn postback(webhook_id: &str, headers: &[(String, String)], body: &[u8]) -> String {
    let value = |name: &str| &headers.iter().find(|(other, _)| other == name).unwrap().1;
    let fields = [
        ("auth_algo", value("paypal-auth-algo").as_str()),
        ("cert_url", value("paypal-cert-url")),
        ("transmission_id", value("paypal-transmission-id")),
        ("transmission_sig", value("paypal-transmission-sig")),
        ("transmission_time", value("paypal-transmission-time")),
        ("webhook_id", webhook_id),
    ];
    let fields: String = fields.iter().map(|(name, value)| format!("\"{name}\":\"{value}\",")).collect();
    format!("{{{fields}\"webhook_event\":{}}}", std::str::from_utf8(body).unwrap())
}
