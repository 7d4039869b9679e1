//! What happened at the door, counted for Prometheus.

use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trace_context::TraceParent;

/// Upper bounds of answers to callbacks, in seconds: from one that is a duplicate to one that waits for its certificate.
const ANSWERS: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[allow(missing_docs, reason = "the label says it")] $variant,)* }

        impl $name {
            const LABELS: [&'static str; [$($label,)*].len()] = [$($label,)*];
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

counted! {
    /// How the feed was asked for.
    FeedMode {
        Page = "page",
        Wait = "wait",
        Stream = "stream",
    }
}

/// The hundreds of a status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

type Labels = [(&'static str, &'static str); 1];

/// A counter for each value of a label, found without a lock. All of them are told from the beginning, so that what happens
/// for the first time is a rise.
#[derive(Debug)]
struct Counted<const N: usize> {
    family: Family<Labels, Counter>,
    counters: [Counter; N],
}

impl<const N: usize> Counted<N> {
    fn by(label: &'static str, values: [&'static str; N]) -> Self {
        let family = Family::<Labels, Counter>::default();
        let counters = values.map(|value| family.get_or_create_owned(&[(label, value)]));
        Self { family, counters }
    }
}

/// Counters of one process.
#[derive(Debug)]
pub struct Counters {
    callbacks: Counted<{ CallbackResult::LABELS.len() }>,
    commands: Counted<{ CommandResult::LABELS.len() }>,
    limited: Counted<{ Limited::LABELS.len() }>,
    feed: Counted<{ FeedMode::LABELS.len() }>,
    responses: Counted<{ CLASSES.len() }>,
    answers: HistogramWithExemplars<[(&'static str, String); 1]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            callbacks: Counted::by("result", CallbackResult::LABELS),
            commands: Counted::by("result", CommandResult::LABELS),
            limited: Counted::by("whose", Limited::LABELS),
            feed: Counted::by("mode", FeedMode::LABELS),
            responses: Counted::by("class", CLASSES),
            answers: HistogramWithExemplars::new(ANSWERS.into_iter()),
        }
    }
}

impl Counters {
    /// A callback was answered after so long; where it belongs to a trace that is recorded, that is an example of it.
    pub(crate) fn callback(&self, result: CallbackResult, took: Duration, trace: Option<&TraceParent>) {
        self.callbacks.counters[result as usize].inc();
        let exemplar = trace.filter(|trace| trace.is_sampled).map(|trace| [("trace_id", trace.trace())]);
        let at = exemplar.is_some().then(SystemTime::now);
        self.answers.observe(took.as_secs_f64(), exemplar, at);
    }

    pub(crate) fn command(&self, result: CommandResult) {
        self.commands.counters[result as usize].inc();
    }

    pub(crate) fn limited(&self, whose: Limited) {
        self.limited.counters[whose as usize].inc();
    }

    pub(crate) fn feed(&self, mode: FeedMode) {
        self.feed.counters[mode as usize].inc();
    }

    pub(crate) fn response(&self, status: u16) {
        if let Some(counter) = self.responses.counters.get(usize::from(status / 100).saturating_sub(1)) {
            counter.inc();
        }
    }

    /// How many callbacks were answered so.
    #[must_use]
    pub fn callbacks(&self, result: CallbackResult) -> u64 {
        self.callbacks.counters[result as usize].get()
    }

    /// Names what is counted.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let mut family = |name: &str, help: &str, family: &Family<Labels, Counter>| {
            registry.register(name, help, family.clone());
        };
        let callbacks = &self.callbacks.family;
        family("counterfoil_callbacks", "Callbacks at the door, by how they were answered", callbacks);
        family("counterfoil_commands", "Commands, by how they were answered", &self.commands.family);
        let help = "Requests that were answered 429, by whose bucket was empty";
        family("counterfoil_limited", help, &self.limited.family);
        family(
            "counterfoil_feed_requests",
            "Requests for the feed, by how it was asked for",
            &self.feed.family,
        );
        let help = "Answers, by the hundred of their status";
        family("counterfoil_http_responses", help, &self.responses.family);
        let help = "How long a callback took from its head to its answer, with traces as exemplars";
        registry.register("counterfoil_callback_duration_seconds", help, self.answers.clone());
    }
}
