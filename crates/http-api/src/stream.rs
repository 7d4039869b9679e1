//! The feed as server-sent events: the same events as the pages have, pushed as they come.

use std::convert::Infallible;
use std::io::Write as _;
use std::time::Duration;

use access::{Identity, Share};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use delivery::{Feed, Selection, Since};
use domain::{Position, ShopId};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::Shared;
use crate::feed::{Asked, too_many_streams};
use crate::{Problem, downstream};

/// Events of one page, and so of one piece of the stream.
const PAGE: usize = 200;
/// Pieces that wait for a reader.
const WAITING: usize = 2;
/// Shows both sides that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Then the reader comes again, and whether its key still holds is seen anew.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A stream that is open.
struct Stream {
    feed: Feed,
    shop: ShopId,
    selection: Selection,
    pieces: mpsc::Sender<Bytes>,
    stop: CancellationToken,
    stall: Duration,
    /// One of those that may be open.
    _permit: OwnedSemaphorePermit,
    /// One of those that its key may have.
    _share: Share,
}

/// Opens a stream. What is wrong with the cursor is answered as everywhere, before the first event.
pub(crate) async fn open(api: &Shared, identity: &Identity, asked: Asked) -> Result<HttpResponse, Problem> {
    let shop = identity.shop.clone();
    let share = api.admission.stream(identity)?;
    let permit = api.streams.clone().try_acquire_owned().map_err(|_| too_many_streams())?;
    let (feed, selection, since) = (api.delivery.feed.clone(), asked.selection, asked.since);
    let first = {
        let (feed, shop, selection) = (feed.clone(), shop.clone(), selection.clone());
        api.run(async move { feed.read(&shop, since, PAGE, &selection, Duration::ZERO).await }).await?
    };
    let (bounds, page) = first.map_err(|error| downstream::problem(&error))?;
    let (pieces, taken) = mpsc::channel(WAITING);
    let stop = api.stopping.clone();
    let stall = api.limits.stream_stall;
    let stream = Stream { feed, shop, selection, pieces, stop, stall, _permit: permit, _share: share };
    // Not awaited: it ends when the reader goes.
    api.spawn(async move {
        stream.run((bounds, page)).await;
    });
    let body = stream::unfold(taken, |mut taken| async move {
        let piece = taken.recv().await?;
        Some((Ok::<_, Infallible>(piece), taken))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

impl Stream {
    async fn run(self, first: (delivery::Bounds, delivery::Page)) {
        let until = Instant::now() + LONGEST;
        let (mut bounds, mut page) = first;
        if !self.send(b"retry: 3000\n\n".to_vec()).await {
            return;
        }
        while !self.stop.is_cancelled() && Instant::now() < until {
            let piece = self.write(&bounds, &page);
            if !piece.is_empty() && !self.send(piece).await {
                return;
            }
            if page.is_end && !self.wait(page.seen).await {
                return;
            }
            let since = Since::Cursor(bounds.at(page.seen));
            match self.feed.read(&self.shop, since, PAGE, &self.selection, Duration::ZERO).await {
                Ok(read) => (bounds, page) = read,
                // The reader comes again with the id of its last event, and is told then.
                Err(error) => return tracing::debug!(shop = %self.shop, %error, "a stream ends"),
            }
        }
    }

    fn write(&self, bounds: &delivery::Bounds, page: &delivery::Page) -> Vec<u8> {
        let mut piece = Vec::new();
        for message in &page.messages {
            // To memory, which cannot fail.
            let _ =
                write!(piece, "id: {}\nevent: {}\ndata: ", bounds.at(message.position), message.type_name);
            message.write_json(&self.shop, &mut piece);
            piece.extend_from_slice(b"\n\n");
        }
        piece
    }

    /// Until there may be more; with heart-beats, in which the reader's absence shows. `false` when it has gone.
    async fn wait(&self, seen: Position) -> bool {
        loop {
            tokio::select! {
                () = self.feed.grown(&self.shop, seen) => return true,
                () = self.stop.cancelled() => return false,
                () = self.pieces.closed() => return false,
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
            if !self.send(b":\n\n".to_vec()).await {
                return false;
            }
        }
    }

    async fn send(&self, piece: Vec<u8>) -> bool {
        matches!(timeout(self.stall, self.pieces.send(piece.into())).await, Ok(Ok(())))
    }
}
