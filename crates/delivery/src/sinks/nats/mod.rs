//! NATS JetStream: a message counts when the stream has acknowledged it.

mod stream;
mod subject;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{Context as JetStream, ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap, ServerAddr};
use database::BoxFuture;
use domain::ShopId;
use tokio::time::Instant;

use super::pipeline::in_key_order;
use super::publisher::{Context, Delivery, Publisher};
use super::settings::{NatsTarget, Secrets};
use crate::{Message, TRACEPARENT};

/// Messages under way at a time, each of another key.
const UNDER_WAY: usize = 512;
/// A server that takes longer to let us in is none.
const CONNECTING: Duration = Duration::from_secs(3);
/// A message that is not acknowledged by then may or may not be in the stream.
const ACKNOWLEDGING: Duration = Duration::from_secs(5);
/// After this long nothing more of a batch is begun, so that it ends.
const BEGINNING: Duration = Duration::from_secs(4);
const PINGING: Duration = Duration::from_secs(5);

pub(crate) async fn open(
    target: &NatsTarget,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    let client = connect(target, secrets, context).await?;
    let jetstream = ContextBuilder::new().timeout(ACKNOWLEDGING).build(client);
    stream::check(&jetstream, target).await?;
    Ok(Box::new(Nats {
        jetstream,
        shop: context.shop.clone(),
        prefix: target.subject_prefix.clone(),
        stream: target.stream.clone(),
    }))
}

async fn connect(target: &NatsTarget, secrets: &Secrets, context: &Context) -> Result<Client, String> {
    let servers = target
        .servers
        .split(',')
        .map(|server| server.trim().parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "servers: they are written nats://host:4222, with commas between them".to_owned())?;
    if servers.iter().any(|server| server.username().is_some() || server.password().is_some()) {
        return Err(
            "servers: a login does not belong into the URL: give `username`, and the secret `password`"
                .to_owned(),
        );
    }
    let options = ConnectOptions::new()
        .name(format!("counterfoil {} {}", context.shop, context.sink))
        .connection_timeout(CONNECTING)
        .ping_interval(PINGING)
        // Each server once: whoever waits for an acknowledgement is to be told soon that none comes.
        .max_reconnects(servers.len())
        .ignore_discovered_servers();
    let mut options = authenticated(options, target, secrets)?;
    if let Some(file) = &target.ca_file {
        options = options.require_tls(true).add_root_certificates(file.into());
    }
    options.connect(servers).await.map_err(|error| {
        let hint = match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                ": the server refuses the login: see `username` and the secret `password`, `token` or `credentials`"
            }
            ConnectErrorKind::Tls => ": see `ca_file`, and that the certificate is for this host",
            _ => "",
        };
        format!("cannot connect to {}: {}{hint}", target.servers, chain(&error))
    })
}

/// Of several secrets the most particular one counts.
fn authenticated(
    options: ConnectOptions,
    target: &NatsTarget,
    secrets: &Secrets,
) -> Result<ConnectOptions, String> {
    if let Some(text) = secrets.get("credentials") {
        // What it says of a text that is none may be a part of it.
        let odd = |_| "the secret `credentials` is not the text of a .creds file".to_owned();
        return options.credentials(text).map_err(odd);
    }
    if let Some(token) = secrets.get("token") {
        return Ok(options.token(token.to_owned()));
    }
    match (&target.username, secrets.get("password")) {
        (Some(user), Some(password)) => Ok(options.user_and_password(user.clone(), password.to_owned())),
        (Some(_), None) => Err("a `username` needs the secret `password`".to_owned()),
        (None, Some(_)) => Err("the secret `password` needs a `username`".to_owned()),
        (None, None) => Ok(options),
    }
}

/// An error with what is behind it, each thing once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        let cause_said = cause.to_string();
        if !said.contains(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        behind = cause.source();
    }
    said
}

struct Nats {
    jetstream: JetStream,
    shop: ShopId,
    prefix: String,
    stream: String,
}

impl Publisher for Nats {
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>> {
        let (this, begun) = (&*self, Instant::now());
        Box::pin(in_key_order(batch, UNDER_WAY, move |message| async move {
            if begun.elapsed() > BEGINNING { Delivery::Held } else { this.send(&message).await }
        }))
    }
}

impl Nats {
    async fn send(&self, message: &Message) -> Delivery {
        let subject = subject::of(&self.prefix, message);
        let published = async {
            let acknowledgement = self.jetstream.send_publish(subject, self.outbound(message)).await?;
            acknowledgement.await
        };
        match tokio::time::timeout(ACKNOWLEDGING, published).await {
            // A duplicate is in the stream since an earlier time.
            Ok(Ok(_)) => Delivery::Confirmed,
            Ok(Err(error)) => self.failed(&error),
            Err(_) => Delivery::Unavailable(format!(
                "{} did not acknowledge within {} s",
                self.stream,
                ACKNOWLEDGING.as_secs()
            )),
        }
    }

    /// CloudEvents in binary mode; the id is what the stream deduplicates by.
    fn outbound(&self, message: &Message) -> PublishMessage {
        let mut headers = HeaderMap::new();
        for (name, value) in message.attributes(&self.shop) {
            headers.insert(format!("ce-{name}"), subject::header_value(&value));
        }
        if let Some(trace) = message.traceparent() {
            headers.insert(TRACEPARENT, trace.as_str());
        }
        PublishMessage::build()
            .headers(headers)
            .message_id(message.id.to_string())
            .expected_stream(&self.stream)
            .payload(message.payload.clone().into())
    }

    fn failed(&self, error: &PublishError) -> Delivery {
        let why = chain(error);
        let of_server = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
        match (error.kind(), of_server.map(jetstream::Error::error_code)) {
            (PublishErrorKind::MaxPayloadExceeded, _) => {
                Delivery::Undeliverable(format!("too large for the server: {why}"))
            }
            (
                _,
                Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM),
            ) => Delivery::Undeliverable(format!("too large for the stream {}: {why}", self.stream)),
            (PublishErrorKind::StreamNotFound, _) => {
                Delivery::Unavailable(format!("no stream takes {}.>", self.prefix))
            }
            _ => Delivery::Unavailable(why),
        }
    }
}
