//! The client of PayPal's REST API, as far as Counterfoil asks it anything.
//!
//! It only reads; it moves no money. Every call is bounded: in time, in the size of the answer, and it follows no redirect,
//! so that a token goes nowhere but to the host that was configured. It never waits to try again by itself but once, with a
//! fresh token: how long to back off is said by the error, and is up to whoever asks.
//!
//! What is read of an answer is what PayPal's OpenAPI documents (`notifications_webhooks_v1`, `payments_payment_v2`,
//! `checkout_orders_v2`); every field is optional there, and unknown ones are passed over.

mod answers;
mod call;
mod error;
mod token;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use secrecy::SecretString;

use crate::Environment;
use answers::{CaptureAnswer, OrderAnswer, PageAnswer, SaleAnswer, WebhookAnswer};

pub use answers::{CaptureRead, EventsPage, ListedEvent, OrderRead, Webhook};
pub use error::RestError;

/// How many events a page has, at most: a listing of an ordinary hour is one page.
const PAGE_SIZE: u32 = 100;
const EVENTS: &str = "/v1/notifications/webhooks-events";

/// How PayPal's API is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// Another address than the environment's: `https`, or `http` on the loopback.
    pub base_url: Option<String>,
    /// The most time that one request may take, its answer's body included.
    pub timeout: Duration,
    /// Believe only these roots (PEM) for the connection, instead of the system's.
    pub roots: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { base_url: None, timeout: Duration::from_secs(20), roots: None }
    }
}

/// What an application of a merchant account logs in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub secret: SecretString,
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// A development shop has no PayPal but the one that it is given.
    #[error("the environment dev has no PayPal of its own: give its base URL")]
    NoBaseUrl,
    /// No URL, or one that would send the secret in the clear.
    #[error("the base URL must be https://.., or http:// on the loopback, without path, query or user")]
    BaseUrl,
    /// The HTTPS client cannot be set up.
    #[error("the HTTPS client cannot be set up: {0}")]
    Client(String),
}

/// A window of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Created at or after.
    pub from: DateTime<Utc>,
    /// Created at or before.
    pub to: DateTime<Utc>,
}

/// Where the next page of a listing is. Only a [`Client`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage(String);

/// One application's client. Clones share the token and the connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    token: token::Tokens,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.0.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the environment's API.
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub fn new(
        environment: Environment,
        credentials: Credentials,
        options: &Options,
    ) -> Result<Self, InvalidOptions> {
        let base = match (&options.base_url, environment.api()) {
            (Some(url), _) => base_url(url)?,
            (None, Some(url)) => base_url(url)?,
            (None, None) => return Err(InvalidOptions::NoBaseUrl),
        };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // A proxy named by the environment would see what decides about money.
            .no_proxy()
            .https_only(base.scheme() == "https")
            .connect_timeout(options.timeout.min(Duration::from_secs(5)))
            .timeout(options.timeout)
            .user_agent("counterfoil");
        let setup = |error: reqwest::Error| InvalidOptions::Client(error.to_string());
        if let Some(roots) = &options.roots {
            builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(roots).map_err(setup)?);
        }
        let http = builder.build().map_err(setup)?;
        Ok(Self(Arc::new(Inner { http, base, credentials, token: token::Tokens::default() })))
    }

    /// Which host is asked.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.0.base.as_str()
    }

    /// The first page of the webhook events that were created within a window.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn events(&self, window: Window) -> Result<EventsPage, RestError> {
        self.events_page(&listing(&self.0.base, window, None)).await
    }

    /// The first page of the webhook events about one transaction: a capture, a sale, a refund.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn events_of(&self, transaction: &str, window: Window) -> Result<EventsPage, RestError> {
        self.events_page(&listing(&self.0.base, window, Some(transaction))).await
    }

    /// The page after one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn next_events(&self, next: &NextPage) -> Result<EventsPage, RestError> {
        self.events_page(&next.0).await
    }

    async fn events_page(&self, path: &str) -> Result<EventsPage, RestError> {
        let answer: PageAnswer = self.get(path).await?.ok_or_else(|| RestError::odd("404 for a listing"))?;
        answer.read(&self.0.base)
    }

    /// A capture, as it is now; none where PayPal knows no such one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn capture(&self, id: &str) -> Result<Option<CaptureRead>, RestError> {
        let raw = self.get_raw(&format!("/v2/payments/captures/{}", segment(id)?)).await?;
        raw.map(|raw| CaptureAnswer::read(&raw)).transpose()
    }

    /// A sale of the first version, as it is now; none where PayPal knows no such one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn sale(&self, id: &str) -> Result<Option<CaptureRead>, RestError> {
        let raw = self.get_raw(&format!("/v1/payments/sale/{}", segment(id)?)).await?;
        raw.map(|raw| SaleAnswer::read(&raw)).transpose()
    }

    /// An order at PayPal, as it is now; none where PayPal knows no such one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn order(&self, id: &str) -> Result<Option<OrderRead>, RestError> {
        let answer: Option<OrderAnswer> = self.get(&format!("/v2/checkout/orders/{}", segment(id)?)).await?;
        Ok(answer.map(OrderAnswer::read))
    }

    /// What a webhook is subscribed to; none where the application has no such one.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn webhook(&self, id: &str) -> Result<Option<Webhook>, RestError> {
        let answer: Option<WebhookAnswer> =
            self.get(&format!("/v1/notifications/webhooks/{}", segment(id)?)).await?;
        Ok(answer.map(WebhookAnswer::read))
    }
}

impl Environment {
    /// Where its REST API is; none in development.
    #[must_use]
    pub fn api(self) -> Option<&'static str> {
        match self {
            Self::Live => Some("https://api-m.paypal.com"),
            Self::Sandbox => Some("https://api-m.sandbox.paypal.com"),
            Self::Dev => None,
        }
    }
}

fn base_url(text: &str) -> Result<Url, InvalidOptions> {
    let url = Url::parse(text).map_err(|_| InvalidOptions::BaseUrl)?;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let is_plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if is_plain && is_safe { Ok(url) } else { Err(InvalidOptions::BaseUrl) }
}

/// An id as a segment of a path. Ids come out of callbacks: none may lead elsewhere.
fn segment(id: &str) -> Result<&str, RestError> {
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { Ok(id) } else { Err(RestError::odd("an id that PayPal does not give")) }
}

/// The path and query of a listing.
fn listing(base: &Url, window: Window, transaction: Option<&str>) -> String {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut url = base.clone();
    url.set_path(EVENTS);
    url.query_pairs_mut()
        .append_pair("page_size", &PAGE_SIZE.to_string())
        .append_pair("start_time", &text(window.from))
        .append_pair("end_time", &text(window.to))
        .extend_pairs(transaction.map(|id| ("transaction_id", id)));
    format!("{EVENTS}?{}", url.query().unwrap_or_default())
}
