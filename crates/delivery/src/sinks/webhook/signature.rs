//! Signs by Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sinks::Secrets;

const CURRENT: &str = "signing_key";
const PREVIOUS: &str = "previous_signing_key";
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const HOW: &str =
    "whsec_ and the base64 of 24 to 64 random bytes; one is made by: echo whsec_$(openssl rand -base64 32)";

/// The keys of a sink: two while they are exchanged.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// The keys that are there, or why one of them is none.
    pub(crate) fn of(secrets: &Secrets) -> Result<Self, (&'static str, String)> {
        let mut keys = Vec::with_capacity(2);
        for name in [CURRENT, PREVIOUS] {
            if let Some(secret) = secrets.get(name) {
                keys.push(key_of(secret).ok_or_else(|| (name, format!("must be {HOW}")))?);
            }
        }
        Ok(Self(keys))
    }

    /// The same, with the one that every sink must have.
    pub(crate) fn required(secrets: &Secrets) -> Result<Self, String> {
        if secrets.get(CURRENT).is_none() {
            return Err(format!("the sink needs the secret {CURRENT}: {HOW}"));
        }
        Self::of(secrets).map_err(|(name, why)| format!("the secret {name} {why}"))
    }

    /// The header `webhook-signature`: a signature by each key.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let prefix = format!("{id}.{timestamp}.");
        let signatures = self.0.iter().map(|key| {
            let mut context = Context::with_key(key);
            context.update(prefix.as_bytes());
            context.update(body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key_of(secret: &str) -> Option<Key> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    BYTES.contains(&bytes.len()).then(|| Key::new(HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vector of Standard Webhooks' own libraries.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secrets(of: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in of {
            secrets.set(name, (*value).into());
        }
        secrets
    }

    #[test]
    fn the_vector_of_the_specification_has_its_signature() {
        let keys = Keys::required(&secrets(&[(CURRENT, KEY)])).unwrap();
        assert_eq!(keys.sign(ID, 1_614_265_330, BODY), SIGNATURE);
        assert_ne!(keys.sign(ID, 1_614_265_331, BODY), SIGNATURE);
    }

    #[test]
    fn while_keys_are_exchanged_there_is_a_signature_by_each_the_new_one_first() {
        let other = format!("whsec_{}", STANDARD.encode([7; 64]));
        let keys = Keys::required(&secrets(&[(CURRENT, &other), (PREVIOUS, KEY)])).unwrap();
        let signed = keys.sign(ID, 1_614_265_330, BODY);
        let signatures: Vec<&str> = signed.split(' ').collect();
        assert_eq!(signatures.len(), 2);
        assert_eq!(signatures[1], SIGNATURE);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for bad in ["hunter2", "whsec_hunter2", "whsec_hunter2!", &short, &long, "whsk_AAAA"] {
            let (name, why) = Keys::of(&secrets(&[(PREVIOUS, bad)])).unwrap_err();
            assert!(name == PREVIOUS && !why.contains(bad), "{bad}: {why}");
        }
        let error = Keys::required(&Secrets::default()).unwrap_err();
        assert!(error.contains("signing_key") && error.contains("openssl rand"), "{error}");
    }
}
