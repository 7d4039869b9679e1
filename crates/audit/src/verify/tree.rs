//! Grows the tree from the entries themselves, and compares it with the stored one: tiles, root, and everything that was
//! signed.

use std::collections::VecDeque;

use database::sql;
use domain::{Key, Position};
use event_log::{Kind, NoteType};
use serde::Serialize;
use tlog::{Checkpoint, Growth, Hash, Note, Tile, Verifier};

use crate::tree::{Size, Tiles, known_keys, root, size};
use crate::{Error, Findings, Snapshot};

const TREE: &str = "tree";
const CHECKPOINT: &str = "checkpoint";
/// Tiles are compared when so many leaves have come together, so that each is read once or twice.
const LEAVES: u64 = 16_384;

/// What was compared of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TreeCounts {
    /// How many events are in it.
    pub size: u64,
    /// The root over them, hexadecimal; none while there is no tree.
    pub root: Option<String>,
    /// How many tiles were compared.
    pub tiles: u64,
    /// How many signed checkpoints were.
    pub checkpoints: u64,
}

struct Signed {
    size: u64,
    root: Hash,
    note: String,
}

/// The tree of a log that is walked through.
pub(super) struct TreeWalk {
    growth: Growth,
    /// What its row says; of an empty tree where there is none.
    stored: Size,
    /// The largest size that is stored or was signed.
    until: u64,
    /// The root at the stored size.
    root: Option<Hash>,
    /// Tiles as they are at the stored size, that were not compared yet.
    grown: Vec<(Tile, Vec<u8>)>,
    /// Tiles that begin behind the stored size.
    beyond: i64,
    signed: VecDeque<Signed>,
    /// The keys that the log names.
    keys: Vec<Verifier>,
    /// The size at which tiles were taken last.
    taken: u64,
    counts: TreeCounts,
}

impl TreeWalk {
    pub(super) async fn begin(snapshot: &Snapshot) -> Result<Self, Error> {
        let (client, shop) = (snapshot.client()?, snapshot.shop());
        let stored = Size::read(client, shop).await?;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &i64::try_from(stored.size).unwrap_or(i64::MAX)];
        let beyond = client.query_one(&sql::audit::READ_BEYOND_TREE, parameters).await?;
        // A key may be named behind the first that it signs: what the log had then is in the tree by now.
        let about = Key::Shop(snapshot.shop().clone());
        let types = [NoteType::KeyRotated.name()];
        let notes = snapshot.events_of_key(Kind::Note, &about, &types, snapshot.head()).await?;
        Ok(Self {
            growth: Growth::new(),
            stored,
            until: stored.size.max(size(&beyond, "signed")?),
            root: None,
            grown: Vec::new(),
            beyond: beyond.try_get("tiles")?,
            signed: VecDeque::new(),
            keys: known_keys(&notes),
            taken: 0,
            counts: TreeCounts::default(),
        })
    }

    /// Reads what was signed of the sizes that come next.
    pub(super) async fn expect(
        &mut self,
        snapshot: &Snapshot,
        after: i64,
        through: i64,
    ) -> Result<(), Error> {
        if self.growth.size() >= self.until {
            return Ok(());
        }
        let shop = snapshot.shop().as_str();
        // A tree of a size ends one position before it.
        let parameters: database::Parameters<'_> = &[&shop, &(after + 1), &(through + 1)];
        for row in snapshot.client()?.query(&sql::audit::READ_CHECKPOINTS, parameters).await? {
            let signed = Signed { size: size(&row, "size")?, root: root(&row)?, note: row.try_get("note")? };
            self.signed.push_back(signed);
        }
        Ok(())
    }

    /// The next entry.
    pub(super) fn push(&mut self, position: Position, leaf: Hash, findings: &mut Findings) {
        if self.growth.size() >= self.until {
            return;
        }
        self.growth.push(leaf);
        if self.growth.size() == self.stored.size {
            self.root = Some(self.growth.root());
            self.grown = self.growth.take();
        }
        while let Some(signed) = self.signed.pop_front_if(|signed| signed.size <= self.growth.size()) {
            self.counts.checkpoints += 1;
            if let Err(what) = self.judge(&signed) {
                findings.add(position, CHECKPOINT, format!("of size {}: {what}", signed.size));
            }
        }
    }

    fn judge(&self, signed: &Signed) -> Result<(), String> {
        if signed.size != self.growth.size() {
            return Err("the events that it is of are not there".to_owned());
        }
        if signed.root != self.growth.root() {
            return Err(format!(
                "its root is {}, and the entries' is {}: one of them was changed",
                hex::encode(signed.root),
                hex::encode(self.growth.root())
            ));
        }
        let note = Note::parse(signed.note.as_bytes()).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
        if checkpoint.size() != signed.size || *checkpoint.root() != signed.root {
            return Err("its note says another size or root than its row".to_owned());
        }
        // The name of a key is the origin, which an epoch changes.
        let named = |key: &Verifier| Verifier::of_log(checkpoint.origin(), *key.public_key());
        let keys: Result<Vec<Verifier>, _> = self.keys.iter().map(named).collect();
        let keys = keys.map_err(|error| error.to_string())?;
        let known: Vec<&Verifier> = keys.iter().collect();
        let verified = note.open(&known).map_err(|error| error.to_string())?;
        if verified.is_empty() { Err("no key that the log names has signed it".to_owned()) } else { Ok(()) }
    }

    /// Compares the tiles that have grown since, when they are many.
    pub(super) async fn compare(
        &mut self,
        snapshot: &Snapshot,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let size = self.growth.size();
        if size >= self.taken + LEAVES {
            self.taken = size;
            let grown = self.growth.take();
            // What is behind the stored size was signed, and has no tiles.
            if size < self.stored.size {
                self.grown = grown;
            }
        }
        self.compare_tiles(snapshot, findings).await
    }

    async fn compare_tiles(&mut self, snapshot: &Snapshot, findings: &mut Findings) -> Result<(), Error> {
        for tiles in std::mem::take(&mut self.grown).chunks(256) {
            let wanted: Vec<_> = tiles.iter().map(|(tile, _)| *tile).collect();
            let stored = Tiles::read(snapshot.client()?, snapshot.shop(), &wanted).await?;
            for (tile, bytes) in tiles {
                self.counts.tiles += 1;
                // A stored tile may have grown further than this one.
                let is_same = stored.get(*tile).is_some_and(|there| there.starts_with(bytes));
                if !is_same {
                    let at = Position(i64::try_from(tile.first_leaf()).unwrap_or(i64::MAX));
                    findings.add(at, TREE, format!("the tile {tile} is not what the entries make it"));
                }
            }
        }
        Ok(())
    }

    /// Compares what is left.
    pub(super) async fn finish(
        mut self,
        snapshot: &Snapshot,
        findings: &mut Findings,
    ) -> Result<TreeCounts, Error> {
        let Size { size, root, .. } = self.stored;
        let events = self.growth.size();
        let end = Position(i64::try_from(events).unwrap_or(i64::MAX) - 1);
        if events < size {
            self.grown = self.growth.take();
        }
        self.compare_tiles(snapshot, findings).await?;
        if events < self.until {
            let until = self.until;
            let what = format!("there was one of {until} events, and the log has {events}: it was cut short");
            findings.add(end, TREE, what);
        }
        if size < self.until {
            let what = format!("its row says {size} events, and {} were signed: it was changed", self.until);
            findings.add(end, TREE, what);
        }
        if self.beyond > 0 {
            findings.add(end, TREE, format!("{} of its tiles are behind its {size} events", self.beyond));
        }
        if self.root.is_some_and(|grown| grown != root) {
            findings.add(end, TREE, "its root is not the entries'");
        }
        self.counts.size = size.min(events);
        self.counts.root = self.root.map(hex::encode);
        Ok(self.counts)
    }
}
