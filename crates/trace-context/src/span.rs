//! Spans of `tracing`, and their places in traces. Without the feature `otel`, and where nothing records, there are none, and
//! asking costs nothing to speak of.

use tracing::Span;

use crate::TraceParent;

/// The spans that are recorded, by their names. Others, as that of a leader, go on for days and are for log lines alone.
pub const RECORDED: [&str; 4] = ["request", "append", "decide", "deliver"];

/// Has a new span, which nobody has entered, follow from another process' or an earlier one.
#[cfg(feature = "otel")]
pub fn follow(span: &Span, parent: &TraceParent) {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let flags = if parent.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace_id, span_id) = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
    let parent = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    // Where nothing records there is nothing to follow from.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Has a new span, which nobody has entered, follow from another process' or an earlier one.
#[cfg(not(feature = "otel"))]
pub fn follow(_span: &Span, _parent: &TraceParent) {}

/// The place of a span that is recorded.
#[cfg(feature = "otel")]
#[must_use]
pub fn of(span: &Span) -> Option<TraceParent> {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    let context = span.context();
    let span = context.span();
    let place = span.span_context();
    (place.is_valid() && place.is_sampled()).then(|| TraceParent {
        trace_id: u128::from_be_bytes(place.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(place.span_id().to_bytes()),
        is_sampled: true,
    })
}

/// The place of a span that is recorded.
#[cfg(not(feature = "otel"))]
#[must_use]
pub fn of(_span: &Span) -> Option<TraceParent> {
    None
}
