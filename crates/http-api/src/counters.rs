//! What happened at the door, counted for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[allow(missing_docs, reason = "the label says it")] $variant,)* }

        impl $name {
            const LABELS: &'static [&'static str] = &[$($label,)*];
        }
    };
}

counted! {
    /// How a callback was answered.
    CallbackResult {
        New = "new",
        Duplicate = "duplicate",
        Revised = "revised",
        Unreadable = "unreadable",
        Malformed = "malformed",
        NotAuthentic = "not_authentic",
        Conflict = "conflict",
        UnknownShop = "unknown_shop",
        TooLarge = "too_large",
        Timeout = "timeout",
        Unavailable = "unavailable",
        Refused = "refused",
    }
}

counted! {
    /// How a command was answered.
    CommandResult {
        New = "new",
        Known = "known",
        Conflict = "conflict",
        Invalid = "invalid",
        Denied = "denied",
        Unavailable = "unavailable",
        Refused = "refused",
    }
}

counted! {
    /// Whose bucket was empty.
    Limited {
        Address = "address",
        Key = "key",
    }
}

/// Counters of one process.
#[derive(Debug, Default)]
pub struct Counters {
    callbacks: [AtomicU64; CallbackResult::LABELS.len()],
    commands: [AtomicU64; CommandResult::LABELS.len()],
    limited: [AtomicU64; Limited::LABELS.len()],
    /// Answers by hundreds: 1xx to 5xx.
    responses: [AtomicU64; 5],
}

impl Counters {
    pub(crate) fn callback(&self, result: CallbackResult) {
        self.callbacks[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn command(&self, result: CommandResult) {
        self.commands[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn limited(&self, whose: Limited) {
        self.limited[whose as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn response(&self, status: u16) {
        if let Some(counter) = self.responses.get(usize::from(status / 100).saturating_sub(1)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many callbacks were answered so.
    #[must_use]
    pub fn callbacks(&self, result: CallbackResult) -> u64 {
        self.callbacks[result as usize].load(Ordering::Relaxed)
    }

    /// The counters in Prometheus' text format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        family(
            &mut text,
            "counterfoil_callbacks_total",
            "Callbacks at the door, by how they were answered.",
            "result",
            CallbackResult::LABELS.iter().copied().zip(&self.callbacks),
        );
        family(
            &mut text,
            "counterfoil_commands_total",
            "Commands, by how they were answered.",
            "result",
            CommandResult::LABELS.iter().copied().zip(&self.commands),
        );
        family(
            &mut text,
            "counterfoil_limited_total",
            "Requests that were answered 429, by whose bucket was empty.",
            "whose",
            Limited::LABELS.iter().copied().zip(&self.limited),
        );
        family(
            &mut text,
            "counterfoil_http_responses_total",
            "Answers, by the hundred of their status.",
            "class",
            ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.responses),
        );
        text
    }
}

fn family<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: impl Iterator<Item = (&'static str, &'a AtomicU64)>,
) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
    for (value, counter) in values {
        let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {}", counter.load(Ordering::Relaxed));
    }
}
