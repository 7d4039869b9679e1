//! Deliveries as parts of the traces that their events belong to.

use std::borrow::Cow;
use std::sync::Arc;

use domain::ShopId;
use tracing::Span;

use super::publisher::Delivery;
use crate::Message;

/// Messages on their way. Those of traces have a span each, from here until it is known what became of them.
pub(crate) struct Hops<'a> {
    messages: Cow<'a, [Arc<Message>]>,
    /// With their places among the messages.
    spans: Vec<(usize, Span)>,
}

impl<'a> Hops<'a> {
    /// Of messages without traces, nearly all, nothing is done.
    pub(crate) fn begin(shop: &ShopId, sink: &str, messages: &'a [Arc<Message>]) -> Self {
        let (mut hops, mut spans) = (Cow::Borrowed(messages), Vec::new());
        for (place, message) in messages.iter().enumerate() {
            if message.trace.is_none() {
                continue;
            }
            let span = tracing::info_span!(
                target: trace_context::TARGET, parent: None, "deliver", %shop, sink,
                position = %message.position, result = tracing::field::Empty
            );
            let hop = trace_context::follow(&span, message.trace);
            // Where it is not recorded, whoever takes the message follows from the event itself.
            if hop != message.trace {
                hops.to_mut()[place] = Arc::new(Message { hop, ..Message::clone(message) });
                spans.push((place, span));
            }
        }
        Self { messages: hops, spans }
    }

    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// This became of them.
    pub(crate) fn end(self, deliveries: &[Delivery]) {
        for (place, span) in self.spans {
            if let Some(delivery) = deliveries.get(place) {
                span.record("result", delivery.name());
            }
        }
    }
}
