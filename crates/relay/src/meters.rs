//! What is counted of batches.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds, in seconds: from one fact to a full batch, and beyond what a lease bears.
const BATCHES: [f64; 9] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Counts of the shops that one process leads. Clones are the same.
#[derive(Clone, Debug)]
pub struct Meters {
    batches: Histogram,
    facts: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        Self { batches: Histogram::new(BATCHES), facts: Counter::default() }
    }
}

impl Meters {
    /// A batch of so many facts was committed, and writing it took so long.
    pub(crate) fn wrote(&self, facts: usize, took: Duration) {
        self.batches.observe(took.as_secs_f64());
        self.facts.inc_by(facts as u64);
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long it took to write what was decided of a batch of facts";
        registry.register("counterfoil_relay_batch_duration_seconds", help, self.batches.clone());
        registry.register("counterfoil_relay_facts", "Facts that this process decided", self.facts.clone());
    }
}
