//! Digests of the read models: what the log's own fold comes to, so short that it can stand in the log.
//!
//! The digest of a table is the SHA-256 of its rows as `export --format jsonl` writes them: `sha256sum` tells whether a
//! file is the one that the log speaks of.

use aws_lc_rs::digest::{Context, SHA256};
use database::Database;
use domain::{Key, Position, ShopId};
use event_log::{Event, Guard, NewNote, NoteType, NotedAt, canonical_data, record_note};
use packed_rows::PackedRows;
use read_models::{Cells, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Fold, Mismatch, Point, Progress, Snapshot, Source, Take, read_into};

/// The tables that are digested: those that tell of money and goods. Rows of parked facts come and go.
pub const DIGESTED: [Table; 6] =
    [Table::Orders, Table::Payments, Table::Stock, Table::Coupons, Table::CouponBuyers, Table::Points];

/// The digest of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The table.
    pub model: String,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of the rows, hexadecimal.
    pub sha256: String,
}

/// What stands in a note `projection.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// The last position that was folded.
    pub as_of: Position,
    /// Each table.
    pub models: Vec<Digest>,
}

impl Digests {
    /// Of the rows that were folded up to a position.
    ///
    /// # Errors
    /// A row that cannot be written.
    pub fn of(all: &PackedRows, as_of: Position) -> Result<Self, Error> {
        let models = DIGESTED.iter().map(|table| digest(all, *table)).collect::<Result<_, _>>()?;
        Ok(Self { as_of, models })
    }
}

/// A row as a line of an export, without its line feed: RFC 8785 JSON, columns that are null left out.
///
/// # Errors
/// A value beyond what JSON can say exactly; no row of a sound log has one.
pub fn line(cells: Cells) -> Result<String, Error> {
    canonical_data(&Value::Object(cells)).map_err(|error| Error::Failed(error.to_string()))
}

/// What a table's file of an export comes to.
pub(crate) fn digest(all: &PackedRows, table: Table) -> Result<Digest, Error> {
    let (mut sha256, mut rows) = (Context::new(&SHA256), 0);
    for cells in table.rows(all) {
        sha256.update(line(cells?)?.as_bytes());
        sha256.update(b"\n");
        rows += 1;
    }
    Ok(Digest { model: table.name().to_owned(), rows, sha256: hex::encode(sha256.finish()) })
}

/// Digests that the log has, and what the fold comes to at each of them.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Ahead, by position.
    ahead: std::collections::VecDeque<(Position, Digests)>,
    pub(crate) compared: u64,
}

impl Recorded {
    /// Reads those of a log.
    pub(crate) async fn of(source: &Source, through: Position) -> Result<Self, Error> {
        let mut ahead = Vec::new();
        for event in source.notes(NoteType::ProjectionDigest).await? {
            let Ok(digests) = serde_json::from_str::<Digests>(event.data()) else { continue };
            if digests.as_of <= through {
                ahead.push((event.position, digests));
            }
        }
        ahead.sort_by_key(|(_, digests)| digests.as_of);
        Ok(Self { ahead: ahead.into(), compared: 0 })
    }

    /// Whether there is one as of this position.
    pub(crate) fn is_due(&self, position: Position) -> bool {
        self.ahead.front().is_some_and(|(_, digests)| digests.as_of <= position)
    }

    /// Compares what is due with a fold.
    pub(crate) fn compare(&mut self, all: &PackedRows, position: Position) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        while self.is_due(position) {
            let Some((noted_at, recorded)) = self.ahead.pop_front() else { break };
            self.compared += 1;
            match Digests::of(all, recorded.as_of) {
                Ok(digests) => mismatches.extend(differing(noted_at, &recorded, &digests)),
                Err(error) => mismatches.push(Mismatch { position: noted_at, what: error.to_string() }),
            }
        }
        mismatches
    }
}

fn differing(noted_at: Position, recorded: &Digests, now: &Digests) -> Vec<Mismatch> {
    let pairs = now.models.iter().map(|now| (now, recorded.models.iter().find(|was| was.model == now.model)));
    let differing = pairs.filter(|(now, was)| was.is_some_and(|was| was != *now));
    let mismatch = |(now, was): (&Digest, Option<&Digest>)| Mismatch {
        position: noted_at,
        what: format!(
            "the digest of {} as of {}: {} rows with {} are recorded, the fold has {} with {}",
            now.model,
            recorded.as_of,
            was.map_or(0, |was| was.rows),
            was.map_or("none", |was| was.sha256.as_str()),
            now.rows,
            now.sha256
        ),
    };
    differing.map(mismatch).collect()
}

/// Folds the log up to a point, and digests what it comes to. `None`: there is nothing up to that point.
///
/// # Errors
/// The log cannot be read, or cannot be folded.
pub async fn fold_digests(
    database: &Database,
    shop: &ShopId,
    point: Point,
    progress: &Progress,
) -> Result<Option<Digests>, Error> {
    let source = Source::Snapshot(Snapshot::take(database, shop).await?);
    let as_of = source.locate(point).await?;
    if as_of.0 < 0 {
        source.close().await;
        return Ok(None);
    }
    let fold = read_into(&source, as_of, Fold::default(), ("folding", progress)).await?;
    source.close().await;
    let (all, mismatches) = fold.finish();
    if let Some(mismatch) = mismatches.first() {
        return Err(Error::Unfoldable(mismatch.clone()));
    }
    Digests::of(&all, as_of).map(Some)
}

/// Appends digests as a note; `id` names it, and the same one is appended once.
///
/// # Errors
/// The database's; a log that has forked.
pub async fn record_digests(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    digests: &Digests,
    (id, by): (&str, &str),
) -> Result<NotedAt, Error> {
    let note = NewNote {
        kind: NoteType::ProjectionDigest,
        key: Key::Shop(shop.clone()),
        by: by.to_owned(),
        id: id.to_owned(),
        data: json!(digests),
        evidence: None,
    };
    Ok(record_note(guard, database, shop, note).await?)
}

/// A replay that compares the recorded digests on its way.
#[derive(Debug)]
pub(crate) struct DigestedReplay {
    pub(crate) replay: crate::Replay,
    pub(crate) recorded: Recorded,
    pub(crate) mismatches: Vec<Mismatch>,
}

impl Take for DigestedReplay {
    fn take(&mut self, event: Event) {
        let position = event.position;
        self.replay.push(event);
        if self.recorded.is_due(position) {
            self.mismatches.extend(self.recorded.compare(&self.replay.folded(), position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use crate::{End, Replay};

    /// A shop's day, with facts that have several outcomes.
    fn story() -> Story {
        let mut story = Story::begin("2026-01-01T00:00:00.000000Z");
        story.tell("stock.received", json!({"sku": "A", "qty": 2}));
        for (order, places_first) in [("1", true), ("2", false), ("3", true)] {
            let placement = json!({"order": order, "buyer": "bea", "currency": "USD", "total_minor": 1000,
                "lines": [{"sku": "A", "qty": 1, "unit_minor": 1000}]});
            let captured = json!({"capture": format!("CAP-{order}"), "order": order, "amount_minor": 1000,
                "currency": "USD"});
            let mut facts = [("order.placed", placement), ("payment.captured", captured)];
            if !places_first {
                facts.reverse();
            }
            for (type_name, data) in facts {
                story.tell(type_name, data);
            }
        }
        story
    }

    /// What is found when digests of every position stand in the log.
    fn replayed(events: &[Event]) -> (Vec<Mismatch>, Vec<Mismatch>) {
        let mut fold = Fold::default();
        let mut ahead = std::collections::VecDeque::new();
        for event in events {
            fold.push(event.clone());
            ahead.push_back((event.position, Digests::of(fold.rows(), event.position).unwrap()));
        }
        let recorded = Recorded { ahead, compared: 0 };
        let mut replay = DigestedReplay { replay: Replay::default(), recorded, mismatches: Vec::new() };
        events.iter().cloned().for_each(|event| replay.take(event));
        assert_eq!(replay.recorded.compared, events.len() as u64);
        let head = events.last().unwrap().position;
        (replay.mismatches, replay.replay.finish(End::Decided(head)).mismatches)
    }
    #[test]
    fn a_digest_as_of_any_position_holds_also_between_the_outcomes_of_one_fact() {
        let events = story().events;
        assert!(events.iter().any(|event| event.n == Some(1)), "one fact has several outcomes");
        assert_eq!(replayed(&events), (vec![], vec![]));
    }

    #[test]
    fn a_digest_in_front_of_an_outcome_that_is_missing_does_not_hide_that_it_is() {
        let events = story().events;
        let seconds = || (0..events.len()).filter(|index| events[*index].n == Some(1));
        assert!(seconds().count() > 0);
        for gone in seconds() {
            let mut events = events.clone();
            events.remove(gone);
            let (_, mismatches) = replayed(&events);
            assert!(!mismatches.is_empty(), "without {gone}");
        }
    }
}
