//! What the program says while it runs: to standard error, for people on a terminal and as JSON elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Names the parts of the program that speak, and how much: `info`, or `warn,relay=debug`.
const FILTER: &str = "COUNTERFOIL_LOG";

/// A broken session is told by whoever used it; the pool's line beside that says nothing more.
const DEFAULT: &str =
    "warn,counterfoil=info,relay=info,intake=info,http_api=info,delivery=info,deadpool.postgres=error";

/// Whatever is asked for. The driver's lines hold the parameters of every statement: headers, digests, sealed bytes; and
/// lapin's hold the payloads of messages that came back.
const QUIET: [&str; 2] = ["tokio_postgres=warn", "lapin=error"];

/// Starts it. Called once.
pub(crate) fn start() {
    // A filter that cannot be read must not keep the service from starting.
    let filter =
        EnvFilter::builder().with_env_var(FILTER).try_from_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let quiet = QUIET.iter().filter_map(|directive| directive.parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start is a test's; the first one stays.
    let stderr = std::io::stderr();
    let _ = if stderr.is_terminal() {
        builder.with_ansi(crate::output::wants_color(&stderr)).with_target(false).compact().try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
}
