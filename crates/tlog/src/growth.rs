//! Growing a tree, tile by tile.

use crate::error::Error;
use crate::frontier::Frontier;
use crate::hash::{Hash, subtree_root};
use crate::tile::{TILE_WIDTH, Tile, level_size, right_edge};

/// A tree that grows: its partial tiles, and the tiles that are to be written.
///
/// Load it once, push leaf hashes, write what [`Growth::take`] gives, and go on. Where writing failed, load it again.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    size: u64,
    /// The size at which tiles were taken last.
    taken: u64,
    /// The hashes of each level's partial tile, which may have none yet.
    levels: Vec<Vec<Hash>>,
    /// Tiles that became full since.
    full: Vec<(Tile, Vec<u8>)>,
}

impl Growth {
    /// Of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a tree whose tiles are stored. Asks for those of [`right_edge`]; a wider tile at the same place does as well.
    ///
    /// # Errors
    /// [`Error::MissingTile`], [`Error::BrokenTile`].
    pub fn load<B: AsRef<[u8]>>(size: u64, mut read: impl FnMut(Tile) -> Option<B>) -> Result<Self, Error> {
        let mut levels = Vec::new();
        for tile in right_edge(size) {
            levels.resize(usize::from(tile.level) + 1, Vec::new());
            levels[usize::from(tile.level)] = tile.read(&mut read)?;
        }
        Ok(Self { size, taken: size, levels, full: Vec::new() })
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        self.size += 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH.into()));
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH.into() {
                return;
            }
            let level_size = level_size(level as u8, self.size);
            let index = level_size / u64::from(TILE_WIDTH) - 1;
            self.full.push((
                Tile { level: level as u8, index, width: TILE_WIDTH },
                hashes.as_flattened().to_vec(),
            ));
            hash = subtree_root(hashes);
            hashes.clear();
        }
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The right edge in its shortest form.
    pub fn frontier(&self) -> Frontier {
        let mut subtrees = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(largest) = rest.len().checked_ilog2() {
                let (subtree, smaller) = rest.split_at(1 << largest);
                subtrees.push(subtree_root(subtree));
                rest = smaller;
            }
        }
        Frontier::of(self.size, subtrees)
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// The tiles to write, with their bytes: those that became full since the last time, and the partial ones of levels that
    /// grew. They are those of [`crate::tiles_between`] the last size and this one.
    pub fn take(&mut self) -> Vec<(Tile, Vec<u8>)> {
        let mut tiles = std::mem::take(&mut self.full);
        let (taken, size) = (self.taken, self.size);
        tiles.extend(
            self.edge().filter(|(tile, _)| level_size(tile.level, taken) < level_size(tile.level, size)),
        );
        self.taken = size;
        tiles
    }

    /// The partial tiles of [`right_edge`], with their bytes, whenever they grew.
    pub fn edge(&self) -> impl Iterator<Item = (Tile, Vec<u8>)> {
        let bytes = |tile: Tile| self.levels[usize::from(tile.level)].as_flattened().to_vec();
        right_edge(self.size).into_iter().map(move |tile| (tile, bytes(tile)))
    }
}
