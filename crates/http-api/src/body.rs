//! Reads bodies within a size and a time.
//!
//! The server's own time-out covers the head of a request alone: without a deadline here a sender of one byte a second
//! would keep its connection for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::{self, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpMessage as _, HttpRequest};
use futures_util::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::problem::{Code, Problem};

/// A whole body, and its share of the memory that all bodies may take together.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    held: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// The bytes, and what to keep for as long as something made of them waits.
    pub(crate) fn into_parts(self) -> (Bytes, Option<OwnedSemaphorePermit>) {
        (self.bytes, self.held)
    }
}

/// Takes from the budget what the chunk needs.
fn hold(
    budget: &Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    chunk: usize,
) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    let kib = u32::try_from(chunk.div_ceil(1024)).unwrap_or(u32::MAX);
    let more = Arc::clone(budget)
        .try_acquire_many_owned(kib)
        .map_err(|_| Problem::new(Code::Unavailable, "Too many bodies are on their way."))?;
    Ok(match held {
        Some(mut held) => {
            held.merge(more);
            Some(held)
        }
        None => Some(more),
    })
}

/// Reads the whole body.
///
/// # Errors
/// 413 beyond `limit`, 408 after `deadline`, 400 for a body that breaks off, 503 when all bodies together take too much.
pub(crate) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
    deadline: Duration,
    budget: &Arc<Semaphore>,
) -> Result<Body, Problem> {
    refuse_encoding(request)?;
    if declared_length(request).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let deadline = Instant::now() + deadline;
    let mut held = None;
    let mut first: Option<Bytes> = None;
    let mut body = BytesMut::new();
    while let Some(chunk) = next(&mut payload, deadline).await? {
        if body.len() + first.as_ref().map_or(0, Bytes::len) + chunk.len() > limit {
            return Err(too_large(limit));
        }
        held = hold(budget, held, chunk.len())?;
        // Most bodies come in one chunk, which needs no copy.
        if first.is_none() && body.is_empty() {
            first = Some(chunk);
        } else {
            if let Some(first) = first.take() {
                body.extend_from_slice(&first);
            }
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Body { bytes: first.unwrap_or_else(|| body.freeze()), held })
}

/// The next chunk; `None` at the end.
pub(crate) async fn next(payload: &mut Payload, deadline: Instant) -> Result<Option<Bytes>, Problem> {
    match timeout_at(deadline, payload.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(_))) => Err(Problem::new(Code::BadRequest, "The body broke off.")),
        Err(_) => Err(Problem::new(Code::Timeout, "The body did not come within its deadline.")),
    }
}

pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("The body has more than {limit} bytes."))
}

/// A compressed body is other bytes than those that were signed, and a bomb at worst.
pub(crate) fn refuse_encoding(request: &HttpRequest) -> Result<(), Problem> {
    // Each of them: one that stands behind another is applied all the same.
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING);
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType, "The body must not be compressed."))
    }
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// How long a body that nobody reads to its end is kept.
const HELD: Duration = Duration::from_secs(2);

/// A chunked body that closes its connection when it is not read to its end.
///
/// The server reads on after the answer when such a body is dropped, in the hope of using the connection again, and no
/// deadline ends that: a sender of one byte a second would keep its connection for ever. While the body is only held,
/// the server closes instead.
pub(crate) struct Closing {
    payload: Option<dev::Payload>,
}

impl Closing {
    /// Puts it around the body of a chunked request; others are closed by the server as they should be.
    pub(crate) fn around(request: &mut ServiceRequest) {
        if request.headers().contains_key(header::TRANSFER_ENCODING) {
            let payload = Some(request.take_payload());
            request.set_payload(dev::Payload::Stream { payload: Box::pin(Self { payload }) });
        }
    }
}

impl Stream for Closing {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(payload) = &mut self.payload else { return Poll::Ready(None) };
        let polled = payload.poll_next_unpin(cx);
        if let Poll::Ready(None) = polled {
            self.payload = None;
        }
        polled
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            actix_web::rt::spawn(async move {
                tokio::time::sleep(HELD).await;
                drop(payload);
            });
        }
    }
}
