//! Webhook events that PayPal lists and the log lacks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use intake::{ReceivedKind, Shop};
use paypal::rest::{Client, EventsPage, ListedEvent, Window};
use relay::Lease;

use crate::store::{self, Cursor};
use crate::{Error, Reconciler};

/// PayPal keeps events for 30 days; a window that begins before is refused.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Listed in one go; where that is too much it is halved.
const WINDOW: TimeDelta = TimeDelta::hours(6);
const WINDOW_LEAST: TimeDelta = TimeDelta::minutes(1);
/// So many appends of one page are under way at a time: they share transactions, and leave the door's queue to callbacks.
const AT_ONCE: usize = 32;

/// How much was listed, and how much of it was missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) listed: i64,
    pub(crate) appended: i64,
}

impl Reconciler {
    /// Lists what PayPal has since the cursor, with an overlap, and appends what is missing. The cursor moves behind each
    /// window of which everything is in the log; an error leaves it where it stands.
    pub(crate) async fn list_events(&self, lease: &Lease, shop: &Shop, client: &Client) -> Result<(), Error> {
        let cursor = Cursor::read(&self.database.client().await?, &shop.id).await?;
        let end = cursor.now;
        let mut from = self.listed_from(shop, &cursor);
        let mut width = WINDOW;
        while from < end {
            let to = (from + width).min(end);
            let counts = match self.list_window(shop, client, Window { from, to }).await {
                Err(Error::TooMany) if width > WINDOW_LEAST => {
                    width = (width / 2).max(WINDOW_LEAST);
                    continue;
                }
                counts => counts?,
            };
            let session = self.database.client().await?;
            Cursor::advance(&session, lease, to, (counts.listed, counts.appended)).await?;
            from = to;
        }
        Ok(())
    }

    /// From when events are listed: an overlap before the cursor, for PayPal lists some of them late.
    fn listed_from(&self, shop: &Shop, cursor: &Cursor) -> DateTime<Utc> {
        let overlap = TimeDelta::from_std(self.options.overlap).unwrap_or(TimeDelta::hours(1));
        let wanted = cursor.listed_through.unwrap_or(cursor.created_at) - overlap;
        // A minute is for the difference of the clocks, and for the request itself.
        let first = cursor.now - KEPT + TimeDelta::minutes(1);
        if wanted < first && cursor.listed_through.is_some() {
            tracing::error!(
                shop = %shop.id, listed_through = %wanted, from = %first,
                "events between are not listed by PayPal any more: compare its settlement reports \
                 (`counterfoil reconcile --settlement`)"
            );
        }
        wanted.max(first)
    }

    async fn list_window(&self, shop: &Shop, client: &Client, window: Window) -> Result<Counts, Error> {
        let first = self.patience().ask(|| client.events(window)).await?;
        self.append_pages(shop, client, first).await
    }

    /// All events about one transaction, of the time that PayPal keeps them.
    pub(crate) async fn events_about(
        &self,
        shop: &Shop,
        client: &Client,
        transaction: &str,
    ) -> Result<Vec<ListedEvent>, Error> {
        let to = self.database.now().await?;
        let window = Window { from: to - KEPT + TimeDelta::minutes(1), to };
        let page = self.patience().ask(|| client.events_of(transaction, window)).await?;
        // A transaction has a handful of events: one page.
        self.append_missing(shop, &page.events).await?;
        Ok(page.events)
    }

    async fn append_pages(&self, shop: &Shop, client: &Client, first: EventsPage) -> Result<Counts, Error> {
        let (mut counts, mut page) = (Counts::default(), first);
        for _ in 0..self.options.pages_max {
            counts.appended += self.append_missing(shop, &page.events).await?;
            counts.listed += i64::try_from(page.events.len()).unwrap_or(i64::MAX);
            let Some(next) = page.next.take() else { return Ok(counts) };
            page = self.patience().ask(|| client.next_events(&next)).await?;
        }
        Err(Error::TooMany)
    }

    /// Appends those that the log lacks; how many that were. What comes through the door meanwhile is told by the log.
    async fn append_missing(&self, shop: &Shop, events: &[ListedEvent]) -> Result<i64, Error> {
        let ids: Vec<&str> = events.iter().filter_map(|event| event.id.as_deref()).collect();
        let known = store::known_events(&self.database.client().await?, &shop.id, &ids).await?;
        let is_missing = |event: &&ListedEvent| event.id.as_ref().is_none_or(|id| !known.contains(id));
        let missing: Vec<Vec<u8>> = events.iter().filter(is_missing).map(|event| event.raw.clone()).collect();
        let appends = missing.into_iter().map(|raw| self.intake.copy(shop, raw, None));
        let received: Vec<_> = stream::iter(appends).buffer_unordered(AT_ONCE).try_collect().await?;
        let is_new = |kind| matches!(kind, ReceivedKind::New | ReceivedKind::Unreadable);
        let appended = received.iter().filter(|received| is_new(received.kind)).count();
        if appended > 0 {
            tracing::warn!(shop = %shop.id, appended, "events that never came were found at PayPal");
        }
        Ok(i64::try_from(appended).unwrap_or(i64::MAX))
    }
}

/// As long as no event can be late by more.
pub(crate) const OVERLAP_LEAST: Duration = Duration::from_secs(3_600);
