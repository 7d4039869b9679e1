//! What the program says while it runs: to standard error, for people on a terminal and as JSON elsewhere; and its traces, where
//! they are built in (`otel`) and somebody is named who takes them.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Names the parts of the program that speak, and how much: `info`, or `warn,relay=debug`.
const FILTER: &str = "COUNTERFOIL_LOG";

/// A broken session is told by whoever used it; the pool's line beside that says nothing more.
const DEFAULT: &str =
    "warn,counterfoil=info,relay=info,intake=info,http_api=info,delivery=info,deadpool.postgres=error";

/// Whatever is asked for. The driver's lines hold the parameters of every statement: headers, digests, sealed bytes; and
/// lapin's hold the payloads of messages that came back. Spans of traces are for whoever takes traces.
const QUIET: [&str; 3] = ["tokio_postgres=warn", "lapin=error", "traces=off"];

type Part = Box<dyn Layer<Registry> + Send + Sync>;

/// Ends what was started: traces that were not sent yet are sent.
#[must_use]
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Starts it. Called once, outside of a runtime.
pub(crate) fn start() -> Telemetry {
    let parts = vec![log()];
    #[cfg(feature = "otel")]
    let (parts, traces) = {
        let (part, traces) = traces::start().unzip();
        (parts.into_iter().chain(part).collect::<Vec<_>>(), traces)
    };
    // A second start is a test's; the first one stays.
    let _ = tracing_subscriber::registry().with(parts).try_init();
    Telemetry {
        #[cfg(feature = "otel")]
        traces,
    }
}

impl Telemetry {
    /// Called once, at the end.
    pub(crate) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown_with_timeout(traces::LEFT)) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn log() -> Part {
    // A filter that cannot be read must not keep the service from starting.
    let filter =
        EnvFilter::builder().with_env_var(FILTER).try_from_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let quiet = QUIET.iter().filter_map(|directive| directive.parse().ok());
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let stderr = std::io::stderr();
    if stderr.is_terminal() {
        let lines = lines.with_ansi(crate::output::wants_color(&stderr)).with_target(false);
        lines.compact().with_filter(filter).boxed()
    } else {
        let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
        lines.with_filter(filter).boxed()
    }
}

/// Traces over OTLP, as the standard variables say: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
/// and <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
#[cfg(feature = "otel")]
mod traces {
    use std::time::Duration;

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Level;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::filter_fn;

    use super::Part;

    /// What was not sent by then is lost: the process has to end in time.
    pub(super) const LEFT: Duration = Duration::from_millis(500);

    /// None where nobody is named who takes them: they would be sent to whatever listens on this host.
    pub(super) fn start() -> Option<(Part, SdkTracerProvider)> {
        #[expect(clippy::disallowed_methods, reason = "this is the binary")]
        let var = |name: &str| std::env::var(name);
        let is_named = |name: &str| var(name).is_ok_and(|value| !value.is_empty());
        let has_taker = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let is_off = var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"))
            || var("OTEL_TRACES_EXPORTER").is_ok_and(|value| value == "none");
        if is_off || !has_taker.into_iter().any(is_named) {
            return None;
        }
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
        let exporter = match exporter {
            Ok(exporter) => exporter,
            Err(error) => {
                // There is no log yet; traces must not keep the service from starting.
                crate::output::note(&format!("no traces are sent: {error}"));
                return None;
            }
        };
        let resource = Resource::builder();
        let resource =
            if is_named("OTEL_SERVICE_NAME") { resource } else { resource.with_service_name("counterfoil") };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let recorded = |metadata: &tracing::Metadata<'_>| {
            metadata.is_span()
                && *metadata.level() <= Level::INFO
                && trace_context::RECORDED.contains(&metadata.name())
        };
        // Without the hint nothing in the process would be passed over by its level alone.
        let recorded = filter_fn(recorded).with_max_level_hint(Level::INFO);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("counterfoil"))
            // Nothing here asks OpenTelemetry which span is the current one.
            .with_context_activation(false)
            .with_location(false)
            .with_threads(false)
            .with_filter(recorded);
        Some((layer.boxed(), provider))
    }
}
