//! What it was measured on.

use serde_json::{Map, Value, json};

use crate::bench::Plan;
use crate::bench::cluster::BenchCluster;

/// The machine, the build, the server with its settings, and how much was measured.
pub(crate) fn describe(plan: &Plan, cluster: &BenchCluster) -> Map<String, Value> {
    let settings: Map<String, Value> =
        cluster.settings().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let described = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "quick": plan.quick,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_mb": memory_mb(),
        "postgresql": cluster.binaries().version(),
        "settings": settings,
        "rounds": plan.rounds,
        "callbacks": plan.callbacks,
        "connections": plan.connections,
    });
    described.as_object().cloned().unwrap_or_default()
}

/// All memory of the machine.
fn memory_mb() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram * u64::from(info.mem_unit) / 1_000_000
}
