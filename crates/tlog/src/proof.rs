//! Proofs that an entry is in a tree, and that a tree goes on from an older one (RFC 6962, sections 2.1.1 and 2.1.2).

use std::ops::Range;

use crate::error::Error;
use crate::hash::{EMPTY_ROOT, Hash, join, node_hash, subtree_root};
use crate::tile::{TILE_BITS, TILE_WIDTH, Tile};

/// How to make a proof: which tiles to fetch, and what to hash of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of the tree in which, or from which on, is proven.
    size: u64,
    /// The leaves below each hash of the proof, in its order.
    parts: Vec<Range<u64>>,
}

impl Plan {
    /// A proof that the entry at `index` is in the tree of `size`. Its first hash is the leaf's sibling.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the tree has no such entry.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, Error> {
        if index >= size {
            return Err(Error::OutOfRange { wanted: index, size });
        }
        let mut parts = Vec::new();
        let mut subtree = 0..size;
        while subtree.end - subtree.start > 1 {
            let middle = split(&subtree);
            let (left, right) = (subtree.start..middle, middle..subtree.end);
            let (inside, beside) = if index < middle { (left, right) } else { (right, left) };
            parts.push(beside);
            subtree = inside;
        }
        parts.reverse();
        Ok(Self { size, parts })
    }

    /// A proof that the tree of size `new` begins with that of size `old`. It is empty if they are the same, or the old one
    /// is empty.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the old one is larger.
    pub fn consistency(old: u64, new: u64) -> Result<Self, Error> {
        if old > new {
            return Err(Error::OutOfRange { wanted: old, size: new });
        }
        let mut parts = Vec::new();
        let mut subtree = 0..new;
        while (1..subtree.end).contains(&old) {
            let middle = split(&subtree);
            let (left, right) = (subtree.start..middle, middle..subtree.end);
            let (inside, beside) = if old <= middle { (left, right) } else { (right, left) };
            parts.push(beside);
            subtree = inside;
        }
        // What remains is the old tree itself, which is known, or its last part.
        if subtree.start > 0 {
            parts.push(subtree);
        }
        parts.reverse();
        Ok(Self { size: new, parts })
    }

    /// The tiles that are needed, each once.
    pub fn tiles(&self) -> Vec<Tile> {
        let nodes = self.parts.iter().flat_map(|part| nodes(part.clone()));
        let mut tiles: Vec<Tile> = nodes.filter_map(|node| node.tile(self.size)).collect();
        tiles.sort_unstable();
        tiles.dedup();
        tiles
    }

    /// The proof. Asks for the tiles of [`Plan::tiles`], for some more than once; a wider tile at the same place does as well.
    ///
    /// # Errors
    /// [`Error::MissingTile`], [`Error::BrokenTile`].
    pub fn hashes<B: AsRef<[u8]>>(
        &self,
        mut read: impl FnMut(Tile) -> Option<B>,
    ) -> Result<Vec<Hash>, Error> {
        let part_hash = |part: &Range<u64>| {
            let nodes: Result<Vec<Hash>, Error> =
                nodes(part.clone()).map(|node| node.hash(self.size, &mut read)).collect();
            Ok(join(&nodes?))
        };
        self.parts.iter().map(part_hash).collect()
    }
}

/// Where RFC 6962 splits a subtree: the left part is the largest power of two that leaves something to the right.
fn split(subtree: &Range<u64>) -> u64 {
    subtree.start + (1 << (subtree.end - subtree.start - 1).ilog2())
}

/// The root of a complete subtree.
#[derive(Clone, Copy)]
struct Node {
    height: u32,
    /// Which one of this height, from the left.
    index: u64,
}

/// The complete subtrees that leaves are made of, from the largest on. They begin where a subtree as large as theirs may.
fn nodes(leaves: Range<u64>) -> impl Iterator<Item = Node> {
    let mut start = leaves.start;
    std::iter::from_fn(move || {
        let height = (leaves.end - start).checked_ilog2()?;
        let node = Node { height, index: start >> height };
        start += 1 << height;
        Some(node)
    })
}

impl Node {
    /// How many hashes of a tile lie below, and the place of the first in its level.
    fn below(self) -> (u64, u64) {
        let within = self.height % TILE_BITS;
        (1 << within, self.index << within)
    }

    fn tile(self, size: u64) -> Option<Tile> {
        let level = (self.height / TILE_BITS) as u8;
        Tile::at(level, self.below().1 / u64::from(TILE_WIDTH), size)
    }

    fn hash<B: AsRef<[u8]>>(
        self,
        size: u64,
        read: &mut impl FnMut(Tile) -> Option<B>,
    ) -> Result<Hash, Error> {
        let tile = self.tile(size).ok_or(Error::OutOfRange { wanted: self.index << self.height, size })?;
        let hashes = tile.read(read)?;
        let (count, first) = self.below();
        let first = (first % u64::from(TILE_WIDTH)) as usize;
        let below = hashes.get(first..first + count as usize).ok_or(Error::BrokenTile(tile))?;
        Ok(subtree_root(below))
    }
}

/// Checks that `leaf` is at `index` of the tree of `size` with this root (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// [`Error::OutOfRange`], [`Error::NotProven`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    if index >= size {
        return Err(Error::OutOfRange { wanted: index, size });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for beside in proof {
        if last == 0 {
            return Err(Error::NotProven);
        }
        hash = if climb(&mut at, &mut last) { node_hash(beside, &hash) } else { node_hash(&hash, beside) };
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(Error::NotProven) }
}

/// Checks that the tree of size `new` begins with that of size `old` (RFC 9162, section 2.1.4.2).
///
/// # Errors
/// [`Error::OutOfRange`], [`Error::NotProven`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), Error> {
    if old > new {
        return Err(Error::OutOfRange { wanted: old, size: new });
    }
    let proven = |holds| if holds { Ok(()) } else { Err(Error::NotProven) };
    if old == new {
        return proven(proof.is_empty() && old_root == new_root);
    }
    if old == 0 {
        return proven(proof.is_empty() && *old_root == EMPTY_ROOT);
    }
    let below = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> below, (new - 1) >> below);
    // A complete old tree is a subtree of the new one, and its root is not sent again.
    let (first, proof) = match proof.split_first() {
        Some(_) if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return Err(Error::NotProven),
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for beside in proof {
        if last == 0 {
            return Err(Error::NotProven);
        }
        if climb(&mut at, &mut last) {
            old_hash = node_hash(beside, &old_hash);
            new_hash = node_hash(beside, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, beside);
        }
    }
    proven(last == 0 && old_hash == *old_root && new_hash == *new_root)
}

/// Goes from a node to the one above it, in a tree whose last node in this row is `last`. Whether the sibling is to the left.
/// A last node without a sibling is its own parent, so it may be several rows.
fn climb(at: &mut u64, last: &mut u64) -> bool {
    let sibling_is_left = *at & 1 == 1 || at == last;
    if sibling_is_left && *at & 1 == 0 {
        let rows = at.trailing_zeros();
        *at >>= rows;
        *last >>= rows;
    }
    *at >>= 1;
    *last >>= 1;
    sibling_is_left
}
