//! Against golden bytes, against what others wrote, and against bad input.

mod files;
mod malformed;
mod notes;
mod oracle;
mod proofs;
mod tree;

use std::collections::HashMap;

use crate::*;

/// The sizes around which something changes.
const SIZES: [u64; 9] = [0, 1, 255, 256, 257, 65535, 65536, 65537, 70000];

/// An entry without meaning.
fn entry(position: u64) -> Vec<u8> {
    format!("entry {position}").into_bytes()
}

fn leaf(position: u64) -> Hash {
    leaf_hash(&entry(position))
}

/// The tiles of a log, as its files would be.
#[derive(Default)]
struct Tree {
    growth: Growth,
    tiles: HashMap<Tile, Vec<u8>>,
}

impl Tree {
    fn of(size: u64) -> Self {
        let mut log = Self::default();
        log.grow(size);
        log
    }

    /// Appends up to that size and writes what is to be written.
    fn grow(&mut self, size: u64) -> Vec<Tile> {
        for position in self.growth.size()..size {
            self.growth.push(leaf(position));
        }
        let written = self.growth.take();
        let names = written.iter().map(|(tile, _)| *tile).collect();
        self.tiles.extend(written);
        names
    }

    fn tile(&self, tile: Tile) -> Option<&[u8]> {
        self.tiles.get(&tile).map(Vec::as_slice)
    }

    fn hashes(&self, plan: &Plan) -> Vec<Hash> {
        plan.hashes(|tile| self.tile(tile)).unwrap()
    }
}
