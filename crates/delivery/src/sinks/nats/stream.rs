//! The stream that keeps the subjects: it is the operator's, and must be there.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{Context as JetStream, GetStreamErrorKind};
use async_nats::jetstream::stream::Config;

use super::chain;
use crate::sinks::settings::NatsTarget;

/// For so long a message may be published again that was not known to be taken, so the stream must know it by its id.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Sees that the stream is there and keeps what will be published; else what is wrong, and the command that mends it.
pub(super) async fn check(jetstream: &JetStream, target: &NatsTarget) -> Result<(), String> {
    let NatsTarget { stream, subject_prefix: prefix, .. } = target;
    let found = jetstream.get_stream(stream).await.map_err(|error| match error.kind() {
        GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => format!(
            "there is no stream {stream}: nats stream add {stream} --subjects '{prefix}.>' --storage file \
             --retention limits --discard old --dupe-window 2m --defaults"
        ),
        _ => format!("cannot ask for the stream {stream}: {}", chain(&error)),
    })?;
    wrong_with(&found.cached_info().config, prefix).map_or(Ok(()), Err)
}

fn wrong_with(config: &Config, prefix: &str) -> Option<String> {
    let name = &config.name;
    if !config.subjects.iter().any(|pattern| covers(pattern, prefix)) {
        let mut subjects = config.subjects.clone();
        subjects.push(format!("{prefix}.>"));
        return Some(format!(
            "the stream {name} does not keep {prefix}.>: nats stream edit {name} --subjects '{}'",
            subjects.join(",")
        ));
    }
    if config.duplicate_window < DUPLICATE_WINDOW {
        return Some(format!(
            "the stream {name} knows duplicates for {} s only: nats stream edit {name} --dupe-window 2m",
            config.duplicate_window.as_secs()
        ));
    }
    if config.no_ack {
        return Some(format!("the stream {name} acknowledges nothing: nats stream edit {name} --ack"));
    }
    config.sealed.then(|| format!("the stream {name} is sealed: it takes nothing any more"))
}

/// Whether a stream of this subject gets all that begins with the prefix.
fn covers(pattern: &str, prefix: &str) -> bool {
    let mut wanted = prefix.split('.');
    for token in pattern.split('.') {
        match (token, wanted.next()) {
            (">", _) => return true,
            ("*", Some(_)) => {}
            (token, Some(wanted)) if token == wanted => {}
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_must_get_everything_behind_the_prefix() {
        for pattern in [">", "shop.>", "shop.outbox.>", "*.outbox.>", "*.*.>"] {
            assert!(covers(pattern, "shop.outbox"), "{pattern}");
        }
        for pattern in ["shop.outbox", "shop.outbox.*", "shop.outbox.order.>", "other.>", "shop", "*.*"] {
            assert!(!covers(pattern, "shop.outbox"), "{pattern}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_stream_is_said_with_the_command_that_mends_it() {
        let good = Config {
            name: "OUTBOX".to_owned(),
            subjects: vec!["outbox.>".to_owned()],
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        assert_eq!(wrong_with(&good, "outbox"), None);
        let said = |config: Config| wrong_with(&config, "outbox").unwrap();
        let other = Config { subjects: vec!["orders.>".to_owned()], ..good.clone() };
        assert!(said(other).ends_with("nats stream edit OUTBOX --subjects 'orders.>,outbox.>'"));
        let short = Config { duplicate_window: Duration::from_secs(10), ..good.clone() };
        assert!(said(short).ends_with("nats stream edit OUTBOX --dupe-window 2m"));
        assert!(said(Config { no_ack: true, ..good.clone() }).contains("--ack"));
        assert!(said(Config { sealed: true, ..good }).contains("sealed"));
    }
}
