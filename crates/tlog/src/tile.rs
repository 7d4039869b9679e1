//! Tiles: the hashes of a tree, 256 at a time, under names that never change their content.
//!
//! The tiles of level 0 hold leaf hashes; a hash of any other level is the root over a full tile of the level below. Formats:
//! <https://c2sp.org/tlog-tiles>.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::hash::Hash;
use crate::text::decimal;

/// How many hashes a full tile has, and entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// 256 is two to this power: a level's hashes are so many bits above those of the level below.
pub(crate) const TILE_BITS: u32 = 8;

/// Levels that a path may name; trees of 2^64 leaves end at level 7.
const MAX_LEVEL: u64 = 63;

/// The name of a tile. As text it is its path below the log's prefix: `tile/0/x001/x234/067.p/112`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// How many levels of full tiles lie below.
    pub level: u8,
    /// Which tile of the level, from the left.
    pub index: u64,
    /// How many hashes: 256 for a full tile, 1 to 255 for a partial one.
    pub width: u16,
}

impl Tile {
    /// The tile at this place in a tree of that size; `None` where it has no hash yet.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let first = index.checked_mul(u64::from(TILE_WIDTH))?;
        let hashes = level_size(level, size).checked_sub(first).filter(|&hashes| hashes > 0)?;
        Some(Self { level, index, width: hashes.min(u64::from(TILE_WIDTH)) as u16 })
    }

    /// The leaf that it begins with.
    pub fn first_leaf(&self) -> u64 {
        let width = u64::from(TILE_WIDTH);
        self.index.saturating_mul(width.saturating_pow(u32::from(self.level) + 1))
    }

    /// Whether it will never grow.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile that it is, or becomes a part of.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// Whether a tree of that size has all its hashes.
    pub fn is_within(&self, size: u64) -> bool {
        Self::at(self.level, self.index, size).is_some_and(|there| there.width >= self.width)
    }

    /// Its hashes, from its bytes or from those of a wider tile at the same place, which begins with them.
    ///
    /// # Errors
    /// [`Error::BrokenTile`] if there are too few or too many bytes, or no whole number of hashes.
    pub fn hashes<'a>(&self, bytes: &'a [u8]) -> Result<&'a [Hash], Error> {
        let (hashes, rest) = bytes.as_chunks();
        let wide_enough = (usize::from(self.width)..=usize::from(TILE_WIDTH)).contains(&hashes.len());
        if !rest.is_empty() || !wide_enough {
            return Err(Error::BrokenTile(*self));
        }
        Ok(&hashes[..usize::from(self.width)])
    }

    /// As [`Tile::hashes`], of a tile that is asked for.
    pub(crate) fn read<B: AsRef<[u8]>>(
        self,
        read: &mut impl FnMut(Tile) -> Option<B>,
    ) -> Result<Vec<Hash>, Error> {
        let bytes = read(self).ok_or(Error::MissingTile(self))?;
        Ok(self.hashes(bytes.as_ref())?.to_vec())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl FromStr for Tile {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("the path of a tile", why);
        let rest = path.strip_prefix("tile/").ok_or_else(|| malformed("it begins with tile/"))?;
        let (level, place) = rest.split_once('/').ok_or_else(|| malformed("a level and an index follow"))?;
        let level = decimal(level).filter(|&level| level <= MAX_LEVEL);
        let level = level.ok_or_else(|| malformed("the level is a number from 0 to 63"))?;
        let (index, width) = parse_place(place).ok_or_else(|| malformed(PLACE))?;
        Ok(Self { level: level as u8, index, width })
    }
}

/// What [`parse_place`] wants.
pub(crate) const PLACE: &str =
    "the index is in groups of three digits, each but the last after an x, and .p/ with 1 to 255 may follow";

/// The end of a path: the index, and the width of what is not full.
pub(crate) fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
}

/// The index and width at the end of a path, in the only form that they have.
pub(crate) fn parse_place(text: &str) -> Option<(u64, u16)> {
    let (groups, width) = match text.split_once(".p/") {
        Some((groups, width)) => (groups, decimal(width).filter(|width| (1..256).contains(width))? as u16),
        None => (text, TILE_WIDTH),
    };
    let (above, last) = match groups.rsplit_once('/') {
        Some((above, last)) => (Some(above), last),
        None => (None, groups),
    };
    if above.is_some_and(|above| above.starts_with("x000")) {
        return None;
    }
    let mut index: u64 = 0;
    for group in above.iter().flat_map(|above| above.split('/')) {
        index = index.checked_mul(1000)?.checked_add(three_digits(group.strip_prefix('x')?)?)?;
    }
    index = index.checked_mul(1000)?.checked_add(three_digits(last)?)?;
    // The first entry below has a position.
    (index <= u64::MAX >> TILE_BITS).then_some((index, width))
}

fn three_digits(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// How many hashes a level has in a tree of that size.
pub(crate) fn level_size(level: u8, size: u64) -> u64 {
    size.checked_shr(TILE_BITS * u32::from(level)).unwrap_or(0)
}

/// The levels of a tree of that size.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0_u8..).take_while(move |&level| level_size(level, size) > 0)
}

/// What a log that grew from one size to another has to write: every tile that got hashes, as it is at the new size. None is
/// empty, and none was there before.
pub fn tiles_between(old: u64, new: u64) -> Vec<Tile> {
    let grown = levels(new).flat_map(move |level| {
        let (before, after) = (level_size(level, old), level_size(level, new));
        let width = u64::from(TILE_WIDTH);
        // Where nothing was added to the level there is nothing to write, also if its last tile is partial.
        let indexes = if before < after { before / width..after.div_ceil(width) } else { 0..0 };
        indexes.filter_map(move |index| Tile::at(level, index, new))
    });
    grown.collect()
}

/// The partial tiles of a size, at most one a level: what is needed to go on appending to it.
pub fn right_edge(size: u64) -> Vec<Tile> {
    let last = |level| Tile::at(level, level_size(level, size) / u64::from(TILE_WIDTH), size);
    levels(size).filter_map(last).collect()
}
