//! A log in memory, for simulations: deduplication, numbering and entries are those of the service; of the database it has
//! the UNIQUE constraints, and that a transaction is inserted as a whole or not at all.

use std::collections::{HashMap, HashSet};

use domain::{Position, ShopId, Timestamp};

use crate::fact::{Digest, Prepared};
use crate::rows::EventColumns;
use crate::settle::{Known, KnownCallback, settle};
use crate::{AppendError, Appended, Event, NewFact, OutcomeAppend};

/// One shop's log.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    events: Vec<Event>,
    transmissions: HashMap<String, (Digest, i64)>,
    callbacks: HashMap<String, (Option<Digest>, i64)>,
    commands: HashMap<(String, String), (Digest, i64)>,
}

/// The rows of one transaction, which has its positions and is not committed.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    events: Vec<Event>,
    transmissions: Vec<(String, (Digest, i64))>,
    callbacks: Vec<(String, (Option<Digest>, i64))>,
    commands: Vec<((String, String), (Digest, i64))>,
}

/// A UNIQUE constraint that a transaction breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of {0} is there already")]
pub struct Violated(pub &'static str);

impl MemoryRows {
    /// Where the last event stands.
    #[must_use]
    pub fn last(&self) -> Option<Position> {
        Some(self.events.last()?.position)
    }
}

impl MemoryLog {
    /// Everything, by position.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Settles a batch of facts as the door does under the shop's lock: what is to be inserted, and the answers that hold
    /// once it is. Not looked up, all of it is taken for new but for what it repeats of itself.
    ///
    /// # Errors
    /// A fact that cannot be an entry.
    pub fn place_facts(
        &self,
        shop: &ShopId,
        facts: &[NewFact],
        now: Timestamp,
        is_looked_up: bool,
    ) -> Result<(MemoryRows, Vec<Result<Appended, AppendError>>), AppendError> {
        let facts =
            facts.iter().map(|fact| Prepared::new(shop, fact.clone())).collect::<Result<Vec<_>, _>>()?;
        let mut known = Known {
            epoch: 0,
            next: self.next(),
            at: self.time(now),
            transmissions: HashMap::new(),
            callbacks: HashMap::new(),
            commands: HashMap::new(),
            has_reimported: false,
            reimported: HashMap::new(),
        };
        if is_looked_up {
            known.transmissions.clone_from(&self.transmissions);
            known.commands.clone_from(&self.commands);
            let callbacks = self.callbacks.iter().map(|(key, (mac, position))| {
                let callback = KnownCallback { mac: *mac, position: *position, signed_since: mac.is_some() };
                (key.clone(), callback)
            });
            known.callbacks = callbacks.collect();
        }
        let settled = settle(&mut known, &facts.iter().collect::<Vec<_>>());
        let rows = settled.rows;
        let placed = MemoryRows {
            events: events(&rows.events)?,
            transmissions: rows
                .transmission_ids
                .iter()
                .zip(&rows.transmission_macs)
                .zip(&rows.transmission_keys)
                .map(|((id, mac), key)| {
                    let position = known.callbacks.get(key).map_or(0, |callback| callback.position);
                    ((*id).to_owned(), (digest(mac), position))
                })
                .collect(),
            callbacks: rows
                .callback_keys
                .iter()
                .zip(&rows.callback_macs)
                .zip(&rows.callback_positions)
                .map(|((key, mac), position)| (key.clone(), (mac.as_deref().map(digest), *position)))
                .collect(),
            commands: rows
                .command_types
                .iter()
                .zip(&rows.command_ids)
                .zip(rows.command_contents.iter().zip(&rows.command_positions))
                .map(|((kind, id), (content, position))| {
                    (((*kind).to_owned(), (*id).to_owned()), (digest(content), *position))
                })
                .collect(),
        };
        Ok((placed, settled.answers))
    }

    /// Gives the next positions to outcomes, as the relay does under the shop's lock.
    ///
    /// # Errors
    /// One that cannot be read back.
    pub fn place_outcomes(
        &self,
        outcomes: &OutcomeAppend,
        now: Timestamp,
    ) -> Result<MemoryRows, AppendError> {
        let (columns, _) = outcomes.columns(self.next(), self.time(now));
        Ok(MemoryRows { events: events(&columns)?, ..MemoryRows::default() })
    }

    /// Inserts all of it, or nothing.
    ///
    /// # Errors
    /// [`Violated`] names the table.
    pub fn insert(&mut self, rows: MemoryRows) -> Result<(), Violated> {
        let fits = |at: usize, event: &Event| {
            let taken = usize::try_from(event.position.0).is_ok_and(|position| position < self.events.len());
            if taken && at == 0 { Err(Violated("events")) } else { Ok(()) }
        };
        rows.events.iter().enumerate().try_for_each(|(at, event)| fits(at, event))?;
        unique(&self.transmissions, &rows.transmissions, "transmissions")?;
        unique(&self.callbacks, &rows.callbacks, "callbacks")?;
        unique(&self.commands, &rows.commands, "commands")?;
        self.events.extend(rows.events);
        self.transmissions.extend(rows.transmissions);
        self.callbacks.extend(rows.callbacks);
        self.commands.extend(rows.commands);
        Ok(())
    }

    fn next(&self) -> i64 {
        self.events.last().map_or(0, |last| last.position.0 + 1)
    }

    fn time(&self, now: Timestamp) -> Timestamp {
        self.events.last().map_or(now, |last| now.max(last.at))
    }
}

fn unique<K: Eq + std::hash::Hash, V>(
    table: &HashMap<K, V>,
    rows: &[(K, V)],
    name: &'static str,
) -> Result<(), Violated> {
    let mut seen = HashSet::new();
    let is_new = rows.iter().all(|(key, _)| !table.contains_key(key) && seen.insert(key));
    if is_new { Ok(()) } else { Err(Violated(name)) }
}

/// They are read back from their entries, for these are all there is of an event.
fn events(columns: &EventColumns<'_>) -> Result<Vec<Event>, AppendError> {
    let rows = columns.positions.iter().zip(&columns.entries);
    let events = rows.map(|(position, entry)| Event::decode(Position(*position), entry.clone()));
    events.collect::<Result<_, _>>().map_err(|error| AppendError::Invalid(error.to_string()))
}

/// A digest of another length is equal to none that is computed.
fn digest(bytes: impl AsRef<[u8]>) -> Digest {
    bytes.as_ref().try_into().unwrap_or([0; 32])
}
