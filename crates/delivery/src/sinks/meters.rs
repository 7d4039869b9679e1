//! What is counted of deliveries.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ShopId;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::publisher::Delivery;

/// Upper bounds, in seconds: a broker nearby, an endpoint that is slow, one that was down for a night.
const LATENCIES: [f64; 11] = [0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0, 3_600.0, 86_400.0];

/// What is counted: not what was held back, for then nothing was tried.
const RESULTS: [&str; 5] = ["confirmed", "unavailable", "refused", "undeliverable", "gone"];

type Labels<const N: usize> = [(&'static str, String); N];

/// Counts of the sinks that one process runs. Clones are the same.
#[derive(Clone, Debug)]
pub struct Meters {
    attempts: Family<Labels<3>, Counter>,
    latencies: Family<Labels<2>, Histogram, fn() -> Histogram>,
}

impl Default for Meters {
    fn default() -> Self {
        let latencies = Family::new_with_constructor((|| Histogram::new(LATENCIES)) as fn() -> Histogram);
        Self { attempts: Family::default(), latencies }
    }
}

impl Meters {
    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Messages that this process sent to a sink, by what became of them";
        registry.register("counterfoil_sink_attempts", help, self.attempts.clone());
        let help = "From the commit of an event until a sink had confirmed it, by the database's clock";
        registry.register("counterfoil_sink_latency_seconds", help, self.latencies.clone());
    }

    /// Those of one sink.
    pub(crate) fn of(&self, shop: &ShopId, sink: &str) -> SinkMeters {
        let labels = [("shop", shop.to_string()), ("sink", sink.to_owned())];
        let count = |result: &str| {
            let [shop, sink] = labels.clone();
            self.attempts.get_or_create_owned(&[shop, sink, ("result", result.to_owned())])
        };
        SinkMeters {
            attempts: RESULTS.map(|result| (result, count(result))),
            latency: self.latencies.get_or_create_owned(&labels),
        }
    }
}

/// Those of one sink, found once.
#[derive(Debug)]
pub(crate) struct SinkMeters {
    attempts: [(&'static str, Counter); RESULTS.len()],
    latency: Histogram,
}

impl SinkMeters {
    pub(crate) fn count(&self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            let counted = self.attempts.iter().find(|(result, _)| *result == delivery.name());
            if let Some((_, counter)) = counted {
                counter.inc();
            }
        }
    }

    /// Events that were recorded at these times are confirmed now.
    pub(crate) fn confirmed(&self, recorded: &[DateTime<Utc>], now: DateTime<Utc>) {
        for at in recorded {
            // A log's time may run ahead of a clock that was set back.
            let latency = (now - at).to_std().unwrap_or(Duration::ZERO);
            self.latency.observe(latency.as_secs_f64());
        }
    }
}
