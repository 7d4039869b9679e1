//! What is counted of appends.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Fact, OutcomeType};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts of what one process has appended. Clones are the same.
#[derive(Clone, Debug)]
pub struct Meters {
    appended: Family<[(&'static str, &'static str); 1], Counter>,
    /// The same counters, found without a lock: every type that there is, so that there are never more.
    by_type: Arc<HashMap<&'static str, Counter>>,
}

impl Default for Meters {
    fn default() -> Self {
        let appended = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let facts = Fact::TYPES.iter().map(|(name, _)| *name);
        let types = facts.chain(OutcomeType::ALL.iter().map(|outcome| outcome.name()));
        let by_type = types.map(|name| (name, appended.get_or_create_owned(&[("type", name)]))).collect();
        Self { appended, by_type: Arc::new(by_type) }
    }
}

impl Meters {
    /// Facts or outcomes of these types were committed.
    pub fn appended(&self, types: &[&'static str]) {
        for name in types {
            if let Some(counter) = self.by_type.get(name) {
                counter.inc();
            }
        }
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Facts and outcomes that this process appended, by type";
        registry.register("counterfoil_events_appended", help, self.appended.clone());
    }
}
