//! What is counted of verification.

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds, in seconds: a signature, a certificate that is fetched, and PayPal's own word.
const VERIFICATIONS: [f64; 10] = [0.000_05, 0.000_1, 0.000_25, 0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0];

type Methods = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// Counts of one process. Clones are the same.
#[derive(Clone, Debug)]
pub struct Meters {
    verifications: Methods,
    local: Histogram,
    postback: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let verifications = Methods::new_with_constructor(|| Histogram::new(VERIFICATIONS));
        let of = |method| verifications.get_or_create_owned(&[("method", method)]);
        Self { local: of("local"), postback: of("postback"), verifications }
    }
}

impl Meters {
    /// A signature was verified, or refused; its certificate may have been fetched for it.
    pub(crate) fn verified(&self, took: Duration) {
        self.local.observe(took.as_secs_f64());
    }

    /// PayPal was asked.
    pub(crate) fn asked(&self, took: Duration) {
        self.postback.observe(took.as_secs_f64());
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long it took to see whether a callback is authentic, by how that was seen";
        registry.register("counterfoil_verify_duration_seconds", help, self.verifications.clone());
    }
}
