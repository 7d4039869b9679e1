//! Walks through every row of a log, and compares the columns of each event, its outbox row and its evidence with its entry:
//! the entry is the event, the rest are copies or what it rests on.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use database::sql;
use domain::{Position, Timestamp};
use event_log::{Event, Kind, canonical_data, leaf_hash, outcome_id};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::evidence::{self, EvidenceCounts, Judged, Opener};
use super::tree::{TreeCounts, TreeWalk};
use crate::{Error, Findings, Progress, Snapshot};

/// Each with its evidence, which may be large.
const PAGE: i64 = 500;
const COLUMNS: &str = "columns";
const ENTRY: &str = "entry";
const OUTBOX: &str = "outbox";
const LOG: &str = "log";

/// What only the entries tell: dense, canonical, in the order of time, with the ids that follow from each other.
#[derive(Default)]
pub(super) struct Entries {
    next: i64,
    last_at: Option<Timestamp>,
    /// The ids of facts whose outcomes may still come.
    facts: VecDeque<(Position, Uuid)>,
}

/// What is remembered from one event to the next.
struct Walk<'a> {
    entries: Entries,
    pruned_through: i64,
    judged: Judged<'a>,
    tree: TreeWalk,
}

/// Reads every event with all there is of it. Gives how many there are, and what was checked of their evidence: with an
/// opener also what is sealed in it.
pub(super) async fn verify_rows(
    snapshot: &Snapshot,
    opener: Option<&Opener<'_>>,
    progress: &Progress,
    findings: &mut Findings,
) -> Result<(u64, EvidenceCounts, TreeCounts), Error> {
    let (client, shop) = (snapshot.client()?, snapshot.shop().as_str());
    let pruned = client.query_opt(&sql::delivery::READ_PRUNED, &[&shop]).await?;
    let pruned_through = pruned.map(|row| row.try_get(0)).transpose()?.unwrap_or(-1);
    let judged = Judged::new(findings, evidence::lost(snapshot).await?);
    let tree = TreeWalk::begin(snapshot).await?;
    let mut walk = Walk { entries: Entries::default(), pruned_through, judged, tree };
    progress.begin("events and evidence", u64::try_from(snapshot.head().0 + 1).unwrap_or(0));
    let mut after = -1_i64;
    loop {
        let rows = client.query(&sql::audit::READ_ROWS, &[&shop, &after, &PAGE]).await?;
        let Some(last) = rows.last() else { break };
        let through: i64 = last.try_get("position")?;
        let mut evidence = evidence::load(snapshot, after, through).await?;
        walk.tree.expect(snapshot, after, through).await?;
        for row in &rows {
            let position: i64 = row.try_get("position")?;
            let piece = evidence.remove(&position);
            if let Some(event) = walk.step(Position(position), row)? {
                walk.judged.event(&event, piece.as_ref(), opener);
            }
        }
        for (position, _) in evidence {
            walk.judged.findings.add(
                Position(position),
                LOG,
                "there is evidence of an event that is not there",
            );
        }
        walk.tree.compare(snapshot, walk.judged.findings).await?;
        after = through;
        progress.add(rows.len() as u64);
        tokio::task::yield_now().await;
    }
    let head = walk.entries.next - 1;
    for row in client.query(&sql::audit::READ_BEYOND, &[&shop, &head]).await? {
        let (table, rows, first): (&str, i64, i64) =
            (row.try_get("name")?, row.try_get("count")?, row.try_get("first")?);
        let what =
            format!("{rows} rows of {table} are of events behind the last one, {head}: it was cut short");
        walk.judged.findings.add(Position(first), LOG, what);
    }
    let tree = walk.tree.finish(snapshot, walk.judged.findings).await?;
    Ok((u64::try_from(walk.entries.next).unwrap_or(0), walk.judged.finish(), tree))
}

impl Walk<'_> {
    fn add(&mut self, position: Position, check: &'static str, what: impl Into<String>) {
        self.judged.findings.add(position, check, what);
    }

    /// The event, where its entry can be read.
    fn step(&mut self, here: Position, row: &Row) -> Result<Option<Event>, Error> {
        let entry: &str = row.try_get("entry")?;
        let leaf = leaf_hash(entry);
        if row.try_get::<_, &[u8]>("leaf_hash")? != leaf {
            self.add(here, COLUMNS, "leaf_hash is not the entry's: one of them was changed");
        }
        self.tree.push(here, leaf, self.judged.findings);
        let Some(event) = self.entries.step(here, entry, self.judged.findings) else { return Ok(None) };
        self.columns(row, &event)?;
        if here.0 > self.pruned_through || row.try_get::<_, Option<Uuid>>("outbox_id")?.is_some() {
            self.outbox(row, &event)?;
        }
        Ok(Some(event))
    }

    fn columns(&mut self, row: &Row, event: &Event) -> Result<(), Error> {
        let at = Timestamp::new(row.try_get::<_, DateTime<Utc>>("at")?);
        let cause: Option<i64> = row.try_get("cause")?;
        let columns = [
            ("id", row.try_get::<_, Uuid>("id")?.to_string(), event.id.to_string()),
            ("kind", row.try_get("kind")?, event.kind.as_str().to_owned()),
            ("type", row.try_get("type")?, event.type_name.clone()),
            ("key", row.try_get("key")?, event.key.to_string()),
            ("at", at.to_string(), event.at.to_string()),
            ("cause", show(cause), show(event.cause.map(|cause| cause.0))),
        ];
        self.differing(event.position, COLUMNS, columns);
        Ok(())
    }

    fn outbox(&mut self, row: &Row, event: &Event) -> Result<(), Error> {
        let Some(id) = row.try_get::<_, Option<Uuid>>("outbox_id")? else {
            self.add(event.position, OUTBOX, "there is no row, and it was not pruned");
            return Ok(());
        };
        let columns = [
            ("id", id.to_string(), event.id.to_string()),
            ("aggregatetype", row.try_get("aggregatetype")?, event.aggregate_type().to_owned()),
            ("aggregateid", row.try_get("aggregateid")?, event.key.name().into_owned()),
            ("type", row.try_get("outbox_type")?, event.type_name.clone()),
            ("payload", row.try_get("payload")?, event.data().to_owned()),
        ];
        self.differing(event.position, OUTBOX, columns);
        Ok(())
    }

    fn differing<const N: usize>(
        &mut self,
        position: Position,
        check: &'static str,
        columns: [(&str, String, String); N],
    ) {
        for (column, stored, of_entry) in columns {
            if stored != of_entry {
                self.add(position, check, format!("{column} is {stored}, the entry has {of_entry}"));
            }
        }
    }
}

impl Entries {
    /// The event, where the entry can be read.
    pub(super) fn step(&mut self, here: Position, entry: &str, findings: &mut Findings) -> Option<Event> {
        if here.0 != self.next {
            let what = format!("positions {} to {} are missing before it", self.next, here.0 - 1);
            findings.add(here, LOG, what);
        }
        self.next = here.0 + 1;
        let event = match Event::decode(here, entry.to_owned()) {
            Ok(event) => event,
            Err(error) => {
                findings.add(here, ENTRY, error.to_string());
                return None;
            }
        };
        if !is_canonical(entry) {
            findings.add(here, ENTRY, "it is not RFC 8785 JSON");
        }
        if self.last_at.is_some_and(|last| event.at < last) {
            findings.add(here, LOG, format!("its time {} is before the one before it", event.at));
        }
        self.last_at = self.last_at.max(Some(event.at));
        self.id(&event, findings);
        Some(event)
    }

    /// An outcome's id follows from its fact's.
    fn id(&mut self, event: &Event, findings: &mut Findings) {
        match (event.kind, event.cause, event.n) {
            (Kind::Fact, ..) => self.facts.push_back((event.position, event.id)),
            (Kind::Outcome, Some(cause), Some(n)) => {
                while self.facts.front().is_some_and(|(position, _)| *position < cause) {
                    self.facts.pop_front();
                }
                let derived = self.facts.front().filter(|(position, _)| *position == cause);
                if derived.is_none_or(|(_, id)| outcome_id(id, n) != event.id) {
                    let what = format!("its id is not that of outcome {n} of {cause}");
                    findings.add(event.position, ENTRY, what);
                }
            }
            _ => {}
        }
    }
}

fn show(position: Option<i64>) -> String {
    position.map_or_else(|| "nothing".to_owned(), |position| position.to_string())
}

fn is_canonical(entry: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(entry) else { return false };
    canonical_data(&value).is_ok_and(|written| written == entry)
}
