//! What is counted of the pool.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds, in seconds: a session that is free, one that is to be opened, and the end of patience.
const WAITS: [f64; 9] = [0.000_1, 0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Counts of one pool. Clones are the same.
#[derive(Clone, Debug)]
pub struct Meters {
    waits: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        Self { waits: Histogram::new(WAITS) }
    }
}

impl Meters {
    /// Somebody has waited so long for a session, whether or not he got one.
    pub(crate) fn waited(&self, wait: Duration) {
        self.waits.observe(wait.as_secs_f64());
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long somebody waited for a session with the database";
        registry.register("counterfoil_database_wait_seconds", help, self.waits.clone());
    }
}
