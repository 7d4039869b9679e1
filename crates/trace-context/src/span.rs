//! Spans of `tracing`, and their places in traces. Without the feature `otel`, and where nothing records, there are none, and
//! asking costs nothing to speak of.

use tracing::Span;

use crate::TraceParent;

/// The spans that are recorded, by their names. Others, as that of a leader, go on for days and are for log lines alone.
pub const RECORDED: [&str; 4] = ["request", "append", "decide", "deliver"];

/// The target of recorded spans that no line of the log is written in. The log does not ask for them, so that they are not
/// even made where nothing records.
pub const TARGET: &str = "traces";

/// Has a new span, which nobody has entered, follow from another process' or an earlier one; from none, it begins a trace.
/// Says what goes on follows from: the span, where it is recorded; else its parent, as if it were not there; else the span
/// again, so that whoever goes on knows that nothing is recorded of it.
#[cfg(feature = "otel")]
#[must_use]
pub fn follow(span: &Span, parent: Option<TraceParent>) -> Option<TraceParent> {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if span.is_disabled() {
        return parent;
    }
    if let Some(parent) = parent {
        // Where nothing records there is nothing to follow from.
        let _ = span.set_parent(remote(parent));
    }
    let context = span.context();
    let span = context.span();
    let place = span.span_context();
    let own = place.is_valid().then(|| TraceParent {
        trace_id: u128::from_be_bytes(place.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(place.span_id().to_bytes()),
        is_sampled: place.is_sampled(),
    });
    own.filter(|own| own.is_sampled).or(parent).or(own)
}

#[cfg(feature = "otel")]
fn remote(parent: TraceParent) -> opentelemetry::Context {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

    let flags = if parent.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace_id, span_id) = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
    let parent = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    Context::new().with_remote_span_context(parent)
}

/// Has a new span, which nobody has entered, follow from another process' or an earlier one. Without the feature `otel` what
/// goes on follows from its parent, as if it were not there.
#[cfg(not(feature = "otel"))]
#[must_use]
pub fn follow(_span: &Span, parent: Option<TraceParent>) -> Option<TraceParent> {
    parent
}
