//! A log to audit, wherever it is, read by position.

mod snapshot;

use domain::{Key, Position, ShopId, Timestamp};
use event_log::{Event, Kind, NoteType};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::{Bundle, End, Error, Progress};

pub use snapshot::Snapshot;

/// Entries are read so many at a time.
const PAGE: i64 = 1_000;
/// Pages that are read before they are asked for.
const AHEAD: usize = 2;

/// A log to audit.
#[derive(Debug)]
pub enum Source {
    /// In a database, as it was at one moment.
    Snapshot(Snapshot),
    /// In a bundle, on disk.
    Bundle(Bundle),
}

/// Where in a log: `as of` it, everything up to it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Everything.
    Head,
    /// Up to this position.
    Position(Position),
    /// Up to this time.
    Time(Timestamp),
}

impl Source {
    /// Whose log it is.
    #[must_use]
    pub fn shop(&self) -> &ShopId {
        match self {
            Self::Snapshot(snapshot) => snapshot.shop(),
            Self::Bundle(bundle) => bundle.shop(),
        }
    }

    /// The last position; -1 for an empty log.
    #[must_use]
    pub fn head(&self) -> Position {
        match self {
            Self::Snapshot(snapshot) => snapshot.head(),
            Self::Bundle(bundle) => bundle.head(),
        }
    }

    /// Where a replay up to this position ends.
    #[must_use]
    pub fn end(&self, through: Position) -> End {
        match self {
            Self::Snapshot(snapshot) if through >= snapshot.head() => {
                End::Decided(snapshot.decided_through())
            }
            Self::Snapshot(_) | Self::Bundle(_) => End::Cut,
        }
    }

    /// Gives back what it holds.
    pub async fn close(self) {
        match self {
            Self::Snapshot(snapshot) => snapshot.close().await,
            Self::Bundle(_) => {}
        }
    }

    /// At most `limit` entries behind a position.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn entries(&self, after: Position, limit: i64) -> Result<Vec<(Position, String)>, Error> {
        match self {
            Self::Snapshot(snapshot) => snapshot.entries(after, limit).await,
            Self::Bundle(bundle) => bundle.entries(after, limit),
        }
    }

    /// The outcomes in a range that mention a text, in order, at most `limit` of them.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn mentions(
        &self,
        (after, through): (Position, Position),
        limit: i64,
        text: &str,
    ) -> Result<Vec<Event>, Error> {
        match self {
            Self::Snapshot(snapshot) => snapshot.mentions((after, through), limit, text).await,
            Self::Bundle(bundle) => {
                let within = |event: &Event| event.position > after && event.position <= through;
                let mut events = bundle.scan(|event| {
                    within(event) && event.kind == Kind::Outcome && event.entry.contains(text)
                })?;
                events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(events)
            }
        }
    }

    /// The outcomes with a key up to a position, in order.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn outcomes_of_key(&self, key: &Key, through: Position) -> Result<Vec<Event>, Error> {
        match self {
            Self::Snapshot(snapshot) => snapshot.events_of_key(Kind::Outcome, key, &[], through).await,
            Self::Bundle(bundle) => bundle
                .scan(|event| event.kind == Kind::Outcome && event.key == *key && event.position <= through),
        }
    }

    /// The events at these positions, in order.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn at(&self, positions: &[Position]) -> Result<Vec<Event>, Error> {
        match self {
            Self::Snapshot(snapshot) => snapshot.at(positions).await,
            Self::Bundle(bundle) => bundle.scan(|event| positions.contains(&event.position)),
        }
    }

    /// The notes of a type, in order.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn notes(&self, kind: NoteType) -> Result<Vec<Event>, Error> {
        match self {
            Self::Snapshot(snapshot) => {
                let key = Key::Shop(snapshot.shop().clone());
                snapshot.events_of_key(Kind::Note, &key, &[kind.name()], snapshot.head()).await
            }
            Self::Bundle(bundle) => {
                bundle.scan(|event| event.kind == Kind::Note && event.type_name == kind.name())
            }
        }
    }

    /// The last position that counts as of this point; -1 before the first event.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a position that is not there.
    pub async fn locate(&self, point: Point) -> Result<Position, Error> {
        let head = self.head();
        match point {
            Point::Head => Ok(head),
            Point::Position(position) if (-1..=head.0).contains(&position.0) => Ok(position),
            Point::Position(position) => Err(Error::OutOfRange(format!("position {position}"), head)),
            Point::Time(time) => self.last_until(time).await,
        }
    }

    /// Time never runs backwards in a log, so that halving finds it.
    async fn last_until(&self, time: Timestamp) -> Result<Position, Error> {
        let (mut low, mut high) = (-1, self.head().0);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let entries = self.entries(Position(middle - 1), 1).await?;
            let Some((position, entry)) = entries.into_iter().next() else { break };
            if Event::decode(position, entry)?.at <= time {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Position(low))
    }
}

/// Takes the events of a log, one by one.
pub trait Take: Send + 'static {
    /// Takes the next one.
    fn take(&mut self, event: Event);
}

/// Gives all events up to a position to the taker, which works on a thread of its own while the next ones are read.
///
/// # Errors
/// The log cannot be read, or an entry in it: [`event_log::Error::Entry`] names the first one.
pub async fn read_into<T: Take>(
    source: &Source,
    through: Position,
    mut taker: T,
    (what, progress): (&'static str, &Progress),
) -> Result<T, Error> {
    progress.begin(what, u64::try_from(through.0 + 1).unwrap_or(0));
    let (send_raw, mut raw) = mpsc::channel::<Vec<(Position, String)>>(AHEAD);
    let (send, mut decoded) = mpsc::channel::<Vec<Event>>(AHEAD);
    // Reading JSON takes as long as deciding.
    let decoder = spawn_blocking(move || -> Result<(), Error> {
        while let Some(page) = raw.blocking_recv() {
            let events: Result<Vec<Event>, _> =
                page.into_iter().map(|(position, entry)| Event::decode(position, entry)).collect();
            if send.blocking_send(events?).is_err() {
                break;
            }
        }
        Ok(())
    });
    let counted = progress.clone();
    let worker = spawn_blocking(move || {
        while let Some(events) = decoded.blocking_recv() {
            let count = events.len() as u64;
            events.into_iter().for_each(|event| taker.take(event));
            counted.add(count);
        }
        taker
    });
    let mut after = Position(-1);
    while after < through {
        let page = source.entries(after, PAGE.min(through.0 - after.0)).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        // Nobody takes any more when an entry could not be read: the decoder says which.
        if send_raw.send(page).await.is_err() {
            break;
        }
    }
    drop(send_raw);
    let failed = |error: tokio::task::JoinError| Error::Failed(error.to_string());
    decoder.await.map_err(failed)??;
    worker.await.map_err(failed)
}
