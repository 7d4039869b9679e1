//! What a sink is told.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::webhook;
use crate::{InvalidSelection, Selection};

/// Between attempts of one that is refused by itself: about three days in all. Standard Webhooks has the same growth.
const RETRY_S: [u32; 10] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400];
const RETRIES_MAX: usize = 50;
const RETRY_S_MAX: u32 = 7 * 86_400;
const SECRETS_MAX: usize = 8;

/// Where to, what, and how. No secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SinkSettings")]
pub struct Settings {
    /// Where to.
    #[serde(flatten)]
    pub target: Target,
    /// Names and patterns of types, with commas between them; all outcomes when empty.
    #[serde(default)]
    pub types: String,
    /// Facts, timers and notes too.
    #[serde(default)]
    pub all_kinds: bool,
    /// Seconds between the attempts of one message that is refused by itself; behind the last it is a dead letter.
    #[serde(default = "retry_s")]
    pub retry_s: Vec<u32>,
}

fn retry_s() -> Vec<u32> {
    RETRY_S.to_vec()
}

/// Where to, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "target", rename_all = "lowercase")]
pub enum Target {
    /// An endpoint that takes Standard Webhooks.
    Webhook(WebhookTarget),
    /// Apache Kafka.
    Kafka(KafkaTarget),
    /// RabbitMQ.
    Rabbitmq(RabbitmqTarget),
    /// NATS JetStream.
    Nats(NatsTarget),
}

impl Target {
    /// The kind, as it is written.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Kafka(_) => "kafka",
            Self::Rabbitmq(_) => "rabbitmq",
            Self::Nats(_) => "nats",
        }
    }
}

/// An HTTP endpoint. Secrets: `signing_key` (`whsec_..`), and `previous_signing_key` while keys are exchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// https, or http where private addresses are allowed.
    pub url: String,
    /// How long it may take to answer.
    #[serde(default = "webhook_timeout_s")]
    pub timeout_s: u32,
    /// Whether loopback, private and link-local addresses may be called.
    #[serde(default)]
    pub allow_private: bool,
    /// Requests under way at a time, each about another key.
    #[serde(default = "webhook_in_flight")]
    pub in_flight: u32,
    /// Roots in place of the system's: PEM, on every host that serves.
    #[serde(default)]
    pub ca_file: Option<String>,
}

fn webhook_timeout_s() -> u32 {
    15
}

fn webhook_in_flight() -> u32 {
    16
}

/// Apache Kafka. Secret: `password`, where there is a `username`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaTarget {
    /// `host:port`, with commas between them.
    pub brokers: String,
    /// Topics are called so, with the aggregate type behind it.
    #[serde(default = "topic_prefix")]
    pub topic_prefix: String,
    /// For SASL.
    #[serde(default)]
    pub username: Option<String>,
    /// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    #[serde(default = "sasl_mechanism")]
    pub sasl_mechanism: String,
    /// TLS; with `ca_file` by those roots, else by the system's.
    #[serde(default)]
    pub tls: bool,
    /// PEM, on every host that serves.
    #[serde(default)]
    pub ca_file: Option<String>,
}

fn topic_prefix() -> String {
    "outbox.event.".to_owned()
}

fn sasl_mechanism() -> String {
    "SCRAM-SHA-512".to_owned()
}

/// RabbitMQ. Secret: `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RabbitmqTarget {
    /// `amqp://user@host:5672/vhost` or `amqps://..`, without the password.
    pub url: String,
    /// A durable topic exchange.
    #[serde(default = "exchange")]
    pub exchange: String,
}

fn exchange() -> String {
    "outbox".to_owned()
}

/// NATS JetStream. Secrets: `password`, where there is a `username`; or `token`; or `credentials` (the text of a .creds file).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatsTarget {
    /// `nats://host:4222` or `tls://..`, with commas between them.
    pub servers: String,
    /// The stream that keeps the subjects.
    #[serde(default = "stream")]
    pub stream: String,
    /// Subjects are `<prefix>.<aggregate type>.<event>.<aggregate id>`.
    #[serde(default = "subject_prefix")]
    pub subject_prefix: String,
    /// For a password.
    #[serde(default)]
    pub username: Option<String>,
    /// PEM, on every host that serves.
    #[serde(default)]
    pub ca_file: Option<String>,
}

fn stream() -> String {
    "OUTBOX".to_owned()
}

fn subject_prefix() -> String {
    "outbox".to_owned()
}

/// What is wrong with a sink's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// They have another shape.
    #[error("{0}")]
    Shape(String),
    /// Nothing is selected by its types.
    #[error("types: {0}")]
    Types(#[from] InvalidSelection),
    /// The schedule.
    #[error("retry_s: 1 to {RETRIES_MAX} numbers of 1 to {RETRY_S_MAX} seconds")]
    Retry,
    /// Something that a target is or has.
    #[error("{field}: {why}")]
    Target {
        /// Which field.
        field: &'static str,
        /// What it must be.
        why: String,
    },
    /// A name that no sink of this kind has a secret of, or too many of them.
    #[error("secrets: a sink of this kind has {0}")]
    Secrets(String),
}

impl Settings {
    /// Reads them, and says what is wrong.
    ///
    /// # Errors
    /// [`InvalidSettings`].
    pub fn parse(document: &serde_json::Value, secrets: &Secrets) -> Result<Self, InvalidSettings> {
        let known = ["kind", "target", "types", "all_kinds", "retry_s"];
        let odd =
            document.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
        if let Some((name, _)) = odd {
            return Err(InvalidSettings::Shape(format!("a sink has no setting {name:?}")));
        }
        let settings: Self = serde_json::from_value(document.clone())
            .map_err(|error| InvalidSettings::Shape(error.to_string()))?;
        settings.selection()?;
        let retry = &settings.retry_s;
        let is_schedule = (1..=RETRIES_MAX).contains(&retry.len())
            && retry.iter().all(|seconds| (1..=RETRY_S_MAX).contains(seconds));
        if !is_schedule {
            return Err(InvalidSettings::Retry);
        }
        settings.check_secrets(secrets)?;
        if let Target::Webhook(target) = &settings.target {
            webhook::check(target, secrets)?;
        }
        Ok(settings)
    }

    /// Which events it wants: never what was decided in shadow, nor what was recorded in it.
    ///
    /// # Errors
    /// Its types are none.
    pub fn selection(&self) -> Result<Selection, InvalidSelection> {
        Ok(Selection::of_kinds(self.all_kinds).of_types(&self.types)?.outside_shadow())
    }

    fn check_secrets(&self, secrets: &Secrets) -> Result<(), InvalidSettings> {
        let known: &[&str] = match &self.target {
            Target::Webhook(_) => &["signing_key", "previous_signing_key"],
            Target::Kafka(_) | Target::Rabbitmq(_) => &["password"],
            Target::Nats(_) => &["password", "token", "credentials"],
        };
        if secrets.0.keys().all(|name| known.contains(&name.as_str())) {
            return Ok(());
        }
        Err(InvalidSettings::Secrets(known.join(", ")))
    }
}

/// Passwords and keys, by name. Nobody sees them but who opens the sink.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Takes a secret, in place of another of its name.
    pub fn set(&mut self, name: &str, value: SecretString) {
        self.0.insert(name.to_owned(), value);
    }

    /// The secret of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Reads an object of texts.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidSettings> {
        let odd = || InvalidSettings::Shape("secrets are texts by name, a handful".to_owned());
        let map: BTreeMap<String, String> = serde_json::from_slice(bytes).map_err(|_| odd())?;
        if map.len() > SECRETS_MAX {
            return Err(odd());
        }
        Ok(Self(map.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }

    /// As [`Secrets::parse`] reads them: to be wrapped, and for nothing else.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let map: BTreeMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        // Texts by text: nothing in it can fail.
        serde_json::to_vec(&map).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_with_sane_defaults_and_nothing_is_taken_that_is_not_known() {
        let none = Secrets::default();
        let nats = json!({"kind": "nats", "target": {"servers": "nats://localhost"}, "types": "order.*"});
        let settings = Settings::parse(&nats, &none).unwrap();
        let Target::Nats(target) = &settings.target else { panic!("{settings:?}") };
        assert_eq!((target.stream.as_str(), target.subject_prefix.as_str()), ("OUTBOX", "outbox"));
        assert_eq!(settings.retry_s, RETRY_S);
        for (bad, said) in [
            (json!({"kind": "nats", "target": {}}), "servers"),
            (json!({"kind": "smtp", "target": {}}), "smtp"),
            (json!({"kind": "nats", "target": {"servers": "x", "serverz": 1}}), "serverz"),
            (json!({"kind": "nats", "target": {"servers": "x"}, "typos": ""}), "typos"),
            (json!({"kind": "nats", "target": {"servers": "x"}, "types": "A"}), "types"),
            (json!({"kind": "nats", "target": {"servers": "x"}, "retry_s": []}), "retry_s"),
            (json!({"kind": "nats", "target": {"servers": "x"}, "retry_s": [0]}), "retry_s"),
        ] {
            let error = Settings::parse(&bad, &none).unwrap_err().to_string();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn a_secret_shows_its_name_only_and_must_be_known_to_its_kind() {
        let secrets = Secrets::parse(br#"{"password": "hunter2"}"#).unwrap();
        assert_eq!(format!("{secrets:?}"), "{\"password\"}");
        assert_eq!(Secrets::parse(&secrets.to_json()).unwrap().get("password"), Some("hunter2"));
        let webhook = json!({"kind": "webhook", "target": {"url": "https://example.com"}});
        let error = Settings::parse(&webhook, &secrets).unwrap_err().to_string();
        assert!(error.contains("signing_key"), "{error}");
    }
}
