//! Everything that has an id, once: its id, its row if it has one, and what hangs on it.
//!
//! Rows name each other by number, and a number stays: where the row is may change.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::chunks::Chunks;
use crate::slab::{Address, Slab};

/// What kind of thing an id is of: the same text may be the id of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Order,
    // Payments, in the order of the names of what they are of.
    Authorization,
    Capture,
    Dispute,
    PaypalOrder,
    Refund,
    Sku,
    Code,
    Buyer,
    Payee,
    /// The uses of a coupon by a buyer: the numbers of both.
    CouponBuyer,
}

/// The number of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(pub(crate) u32);

/// The end of a list.
const END: u32 = u32::MAX;
/// Beside the kind: a row follows the id.
const HAS_ROW: u8 = 0x80;

#[derive(Clone, Copy, Debug)]
struct Entity {
    /// Its record: kind, length of the id, id, row.
    record: Address,
    /// The first of what hangs on it.
    first: u32,
}

/// One of the things that hang on another.
#[derive(Clone, Copy, Debug)]
struct Hanging {
    what: u32,
    next: u32,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Entities {
    slab: Slab,
    entities: Chunks<Entity>,
    hanging: Chunks<Hanging>,
    /// Places in `hanging` that can be used again.
    free: u32,
    index: HashTable<u32>,
    /// Its seed differs from process to process: nobody can choose ids that collide.
    hasher: RandomState,
    record: Vec<u8>,
}

impl Default for Entities {
    fn default() -> Self {
        Self {
            slab: Slab::default(),
            entities: Chunks::default(),
            hanging: Chunks::default(),
            free: END,
            index: HashTable::new(),
            hasher: RandomState::default(),
            record: Vec::new(),
        }
    }
}

/// The part of a record that says whose it is, without whether it has a row.
fn head(record: &[u8]) -> (u8, &[u8]) {
    (record[0] & !HAS_ROW, &record[2..2 + usize::from(record[1])])
}

impl Entities {
    /// The number of a thing that was named before.
    pub(crate) fn find(&self, kind: Kind, id: &[u8]) -> Option<Number> {
        let is_it = |number: &u32| {
            let (its_kind, its_id) = head(self.slab.get(self.entities.get(*number).record));
            its_kind == kind as u8 && its_id == id
        };
        self.index.find(self.hasher.hash_one((kind as u8, id)), is_it).map(|number| Number(*number))
    }

    /// The number of a thing; it gets one when it is named first.
    pub(crate) fn name(&mut self, kind: Kind, id: &[u8]) -> Number {
        if let Some(known) = self.find(kind, id) {
            return known;
        }
        self.record.clear();
        // No id is longer than 129 bytes.
        self.record.extend([kind as u8, id.len() as u8]);
        self.record.extend_from_slice(id);
        let record = self.slab.put(&self.record);
        let number = self.entities.push(Entity { record, first: END });
        let (entities, slab, hasher) = (&self.entities, &self.slab, &self.hasher);
        let hash = |number: &u32| hasher.hash_one(head(slab.get(entities.get(*number).record)));
        self.index.insert_unique(hasher.hash_one((kind as u8, id)), number, hash);
        Number(number)
    }

    /// The id of a thing.
    pub(crate) fn id(&self, number: Number) -> (u8, &[u8]) {
        head(self.slab.get(self.entities.get(number.0).record))
    }

    /// The row of a thing, if it has one; what follows it means nothing.
    pub(crate) fn row(&self, number: Number) -> Option<&[u8]> {
        let record = self.slab.get(self.entities.get(number.0).record);
        (record[0] & HAS_ROW != 0).then(|| &record[2 + usize::from(record[1])..])
    }

    /// Keeps a row, or that there is none any more.
    pub(crate) fn put(&mut self, number: Number, row: Option<&[u8]>) {
        let entity = self.entities.get_mut(number.0);
        let before = self.slab.get(entity.record);
        let id = 2 + usize::from(before[1]);
        self.record.clear();
        self.record.extend_from_slice(&before[..id]);
        self.record[0] = self.record[0] & !HAS_ROW | if row.is_some() { HAS_ROW } else { 0 };
        self.record.extend_from_slice(row.unwrap_or_default());
        entity.record = self.slab.replace(entity.record, &self.record);
    }

    /// All things of a kind that have rows, in the order in which they were named.
    pub(crate) fn with_rows(&self, kind: Kind) -> impl Iterator<Item = Number> + '_ {
        let is_it =
            move |number: &u32| self.slab.get(self.entities.get(*number).record)[0] == kind as u8 | HAS_ROW;
        self.entities.numbers().filter(is_it).map(Number)
    }

    /// What hangs on a thing.
    pub(crate) fn on(&self, number: Number) -> impl Iterator<Item = Number> + '_ {
        let mut next = self.entities.get(number.0).first;
        std::iter::from_fn(move || {
            let hanging = (next != END).then(|| self.hanging.get(next))?;
            next = hanging.next;
            Some(Number(hanging.what))
        })
    }

    /// Hangs one thing on another.
    pub(crate) fn hang(&mut self, what: Number, on: Number) {
        let entity = self.entities.get_mut(on.0);
        let hanging = Hanging { what: what.0, next: entity.first };
        entity.first = if self.free == END {
            self.hanging.push(hanging)
        } else {
            let place = self.hanging.get_mut(self.free);
            std::mem::replace(&mut self.free, std::mem::replace(place, hanging).next)
        };
    }

    /// Takes one thing off another.
    pub(crate) fn take_off(&mut self, what: Number, on: Number) {
        let (mut before, mut at) = (END, self.entities.get(on.0).first);
        while at != END {
            let Hanging { what: found, next } = *self.hanging.get(at);
            if found == what.0 {
                if before == END {
                    self.entities.get_mut(on.0).first = next;
                } else {
                    self.hanging.get_mut(before).next = next;
                }
                self.hanging.get_mut(at).next = std::mem::replace(&mut self.free, at);
                return;
            }
            (before, at) = (at, next);
        }
    }

    /// What all of it takes of memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.slab.bytes() + self.entities.bytes() + self.hanging.bytes() + self.index.allocation_size()
    }
}
