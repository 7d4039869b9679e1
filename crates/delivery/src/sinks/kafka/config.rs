//! What librdkafka is told.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::sinks::publisher::Context;
use crate::sinks::settings::{KafkaTarget, Secrets};

/// Of records that are written together; brokers take four times as much, unless they were told otherwise.
const WRITE_BYTES: &str = "262144";
/// More no record may have, whatever the broker takes: the queue must have room for it.
const RECORD_BYTES: &str = "8388608";
const QUEUE_KBYTES: &str = "32768";
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The producers' settings, but for their ids.
pub(super) fn of(target: &KafkaTarget, secrets: &Secrets) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &target.brokers)
        .set("client.id", "counterfoil")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // The same partitions as Java's clients choose.
        .set("partitioner", "murmur2_random")
        .set("allow.auto.create.topics", "false")
        .set("compression.codec", "lz4")
        .set("linger.ms", "1")
        .set("batch.size", WRITE_BYTES)
        .set("message.max.bytes", RECORD_BYTES)
        .set("queue.buffering.max.messages", "2000")
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        // A batch ends before the broker gives up its transaction, and that soon enough for those who read behind it.
        .set("message.timeout.ms", "7000")
        .set("socket.timeout.ms", "7000")
        .set("transaction.timeout.ms", "15000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "1000");
    secure(&mut config, target, secrets)?;
    Ok(config)
}

/// Each record is written by itself, so that the broker refuses by itself what is too large.
pub(super) fn one_by_one(config: &mut ClientConfig) {
    config.set("batch.num.messages", "1");
}

/// What fences leaders of a sink off from each other: each of a sink's producers has it with a number behind.
pub(super) fn transactional_id(context: &Context) -> String {
    format!("counterfoil.{}.{}", context.shop, context.sink)
}

fn secure(config: &mut ClientConfig, target: &KafkaTarget, secrets: &Secrets) -> Result<(), String> {
    let protocol = match (target.tls, &target.username) {
        (false, None) => "plaintext",
        (true, None) => "ssl",
        (false, Some(_)) => "sasl_plaintext",
        (true, Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if target.tls {
        config
            // Else where the system keeps its roots.
            .set("ssl.ca.location", target.ca_file.as_deref().unwrap_or("probe"))
            .set("enable.ssl.certificate.verification", "true")
            .set("ssl.endpoint.identification.algorithm", "https");
    }
    if let Some(username) = &target.username {
        if !MECHANISMS.contains(&target.sasl_mechanism.as_str()) {
            return Err(format!("sasl_mechanism is one of {}", MECHANISMS.join(", ")));
        }
        let Some(password) = secrets.get("password") else {
            return Err(format!(
                "the password of {username} is missing: give the sink its secret `password`"
            ));
        };
        config
            .set("sasl.mechanism", &target.sasl_mechanism)
            .set("sasl.username", username)
            .set("sasl.password", password);
    }
    Ok(())
}

/// What is wrong with the settings, without the value.
pub(super) fn complaint(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, why, key, _) => format!("{key}: {why}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use database::{Config, Database};
    use domain::ShopId;
    use rdkafka::producer::BaseProducer;
    use serde_json::json;

    use super::*;

    fn context() -> Context {
        let database = Database::lazy(Config::new("host=localhost".to_owned().into())).unwrap();
        Context { shop: ShopId::parse("demo").unwrap(), sink: "lake".to_owned(), database }
    }

    fn configured(target: serde_json::Value, password: Option<&str>) -> Result<ClientConfig, String> {
        let mut secrets = Secrets::default();
        if let Some(password) = password {
            secrets.set("password", password.to_owned().into());
        }
        of(&serde_json::from_value(target).unwrap(), &secrets)
    }

    #[tokio::test]
    async fn a_producer_is_fenced_by_shop_and_sink_and_writes_safely() {
        let config = configured(json!({"brokers": "kafka:9092"}), None).unwrap();
        assert_eq!(transactional_id(&context()), "counterfoil.demo.lake");
        assert_eq!((config.get("acks"), config.get("enable.idempotence")), (Some("all"), Some("true")));
        assert_eq!(config.get("security.protocol"), Some("plaintext"));
        assert!(config.create_native_config().is_ok());
    }

    #[tokio::test]
    async fn who_has_a_name_needs_a_password_and_tls_is_verified() {
        let target = json!({"brokers": "kafka:9092", "username": "shop", "tls": true});
        assert!(configured(target.clone(), None).unwrap_err().contains("`password`"));
        let config = configured(target, Some("hunter2")).unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("enable.ssl.certificate.verification"), Some("true"));
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(config.create::<BaseProducer>().is_ok(), "TLS and SCRAM are built in");
        let roots = json!({"brokers": "kafka:9092", "tls": true, "ca_file": "/nowhere/ca.pem"});
        let error = configured(roots, None).unwrap().create::<BaseProducer>().err().unwrap();
        assert!(complaint(&error).contains("ssl.ca.location"), "{error}");
        let odd = json!({"brokers": "x", "username": "shop", "sasl_mechanism": "GSSAPI"});
        assert!(configured(odd, Some("hunter2")).unwrap_err().contains("SCRAM-SHA-256"));
    }
}
