//! What librdkafka tells us while it works.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// Keeps what was told last of the brokers, and which messages were not taken.
#[derive(Default)]
pub(super) struct Events {
    trouble: Mutex<Option<(RDKafkaErrorCode, String)>>,
    failed: Mutex<Vec<(usize, RDKafkaErrorCode)>>,
}

impl Events {
    /// Forgets what went wrong.
    pub(super) fn clear(&self) {
        *lock(&self.trouble) = None;
        lock(&self.failed).clear();
    }

    /// What is wrong with the brokers or with our way to them.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).as_ref().map(|(_, why)| why.clone())
    }

    /// Why they do not let us in, where that is so: waiting does not help.
    pub(super) fn refusal(&self) -> Option<String> {
        lock(&self.trouble).as_ref().filter(|(code, _)| is_refusal(*code)).map(|(_, why)| why.clone())
    }

    /// The messages that were not taken, by their place in the batch.
    pub(super) fn take_failed(&self) -> Vec<(usize, RDKafkaErrorCode)> {
        std::mem::take(&mut lock(&self.failed))
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // What keeps a sink from delivering is told by its worker.
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::info!(target: "librdkafka", facility, "{text}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{text}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let mut trouble = lock(&self.trouble);
        // That all brokers are down follows from what was told before.
        let says_less = code == RDKafkaErrorCode::AllBrokersDown
            || trouble.as_ref().is_some_and(|(known, _)| is_refusal(*known) && !is_refusal(code));
        if trouble.is_none() || !says_less {
            // How long it took is another each time, and the trouble the same.
            let why = reason.rsplit_once(" (after ").map_or(reason, |(why, _)| why);
            *trouble = Some((code, why.replace("ssl.ca.location", "ca_file")));
        }
    }
}

impl ProducerContext for Events {
    /// The place in the batch.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            lock(&self.failed).push((place, code));
        }
    }
}

fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
            | RDKafkaErrorCode::SSL
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves them whole: each change is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_we_are_not_let_in_is_not_hidden_by_what_follows_from_it() {
        let events = Events::default();
        let told = |code, reason| events.error(KafkaError::Global(code), reason);
        told(RDKafkaErrorCode::BrokerTransportFailure, "connection refused");
        assert_eq!((events.refusal(), events.trouble().unwrap()), (None, "connection refused".to_owned()));
        told(RDKafkaErrorCode::Authentication, "invalid credentials (after 302ms in state AUTH_REQ)");
        told(RDKafkaErrorCode::BrokerTransportFailure, "disconnected");
        told(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert_eq!(events.refusal().unwrap(), "invalid credentials");
        events.clear();
        assert_eq!(events.trouble(), None);
    }
}
