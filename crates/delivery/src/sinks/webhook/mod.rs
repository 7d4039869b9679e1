//! Standard Webhooks: each event is posted to an endpoint, signed, as one CloudEvents document.
//!
//! A success is the delivery; what else an answer says is in [`answer`]. Attempts are kept, the successful ones too.

mod answer;
mod attempts;
mod guard;
mod signature;
mod target;

use std::sync::Arc;
use std::time::Duration;

use database::{BoxFuture, Clock, SystemClock};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Certificate, Client, Url, redirect};
use tokio::time::Instant;

use self::attempts::Attempts;
use self::guard::GuardedResolver;
use self::signature::Keys;
pub(crate) use self::target::check;
use super::pipeline::in_key_order;
use super::publisher::{Context, Delivery, Publisher};
use super::settings::{Secrets, WebhookTarget};
use crate::{Message, TRACEPARENT};

const CONNECTING: Duration = Duration::from_secs(5);
/// After this no more of a batch is begun; what is under way ends by its own time limit.
const BEGINNING: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("Counterfoil/", env!("CARGO_PKG_VERSION"));
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

struct Webhook {
    client: Client,
    url: Url,
    keys: Keys,
    timeout_s: u32,
    in_flight: usize,
    context: Context,
}

/// Makes ready. Nothing is sent: an endpoint shows whether it is there by what it answers to the first event.
pub(crate) async fn open(
    target: &WebhookTarget,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    let keys = Keys::required(secrets)?;
    let url = target::url(target).map_err(|why| format!("url: {why}"))?;
    let client = client(target, &url).await?;
    Ok(Box::new(Webhook {
        client,
        url,
        keys,
        timeout_s: target.timeout_s,
        in_flight: target.in_flight as usize,
        context: context.clone(),
    }))
}

async fn client(target: &WebhookTarget, url: &Url) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        // A proxy named by the environment would resolve names in place of the guard.
        .no_proxy()
        .dns_resolver(GuardedResolver { allow_private: target.allow_private })
        .timeout(Duration::from_secs(target.timeout_s.into()))
        .connect_timeout(CONNECTING)
        .pool_max_idle_per_host(target.in_flight as usize)
        .user_agent(USER_AGENT);
    if let Some(path) = &target.ca_file {
        let pem = tokio::fs::read(path).await.map_err(|error| format!("ca_file {path}: {error}"))?;
        let roots = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("ca_file {path} has no certificates in PEM: {error}"))?;
        builder = builder.tls_certs_only(roots);
    } else if url.scheme() == "http" {
        // Hosts without roots can do this too.
        builder = builder.tls_certs_only([]);
    }
    // The system's roots are read from many files.
    let built = tokio::task::spawn_blocking(|| builder.build()).await.map_err(|error| error.to_string())?;
    built.map_err(|error| {
        let why = answer::root(&error);
        format!(
            "TLS cannot be set up: {why} (apt-get install ca-certificates, or name a ca_file in the target)"
        )
    })
}

impl Publisher for Webhook {
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>> {
        Box::pin(async move {
            let (attempts, end) = (Attempts::default(), Instant::now() + BEGINNING);
            let (webhook, kept) = (&*self, &attempts);
            let deliveries = in_key_order(batch, self.in_flight, |message| async move {
                if Instant::now() >= end { Delivery::Held } else { webhook.send(&message, kept).await }
            })
            .await;
            attempts.keep(&self.context).await;
            deliveries
        })
    }
}

impl Webhook {
    async fn send(&self, message: &Message, attempts: &Attempts) -> Delivery {
        let mut body = Vec::with_capacity(message.bytes() + 256);
        message.write_json(&self.context.shop, &mut body);
        // The time that is signed is this host's: an endpoint compares it with its own.
        let (at, begun) = (SystemClock.now(), Instant::now());
        let id = message.id.to_string();
        let signature = self.keys.sign(&id, at.timestamp(), &body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header(ID, id)
            .header(TIMESTAMP, at.timestamp())
            .header(SIGNATURE, signature)
            .body(body);
        let request = match message.traceparent() {
            Some(trace) => request.header(TRACEPARENT, trace),
            None => request,
        };
        let (status, delivery) = match request.send().await {
            Ok(response) => (Some(response.status().as_u16()), answer::judge(response, at).await),
            Err(error) => (None, Delivery::Unavailable(answer::failure(&error, self.timeout_s))),
        };
        attempts.add(message.position, at, begun.elapsed(), status, &delivery);
        delivery
    }
}
