//! Entry bundles: the entries under a tile of level 0, each after its length as two bytes, the high one first.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::error::Error;
use crate::tile::{PLACE, TILE_WIDTH, Tile, parse_place, tiles_between, write_place};

/// The longest entry that there can be, in bytes.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// The name of an entry bundle. As text it is its path below the log's prefix: `tile/entries/x001/x234/067.p/112`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bundle {
    /// Which bundle, from the left.
    pub index: u64,
    /// How many entries: 256 in a full bundle, 1 to 255 in a partial one.
    pub width: u16,
}

impl Bundle {
    /// The bundle at this place in a log of that size; `None` where it has no entry yet.
    pub fn at(index: u64, size: u64) -> Option<Self> {
        Tile::at(0, index, size).map(Self::from)
    }

    /// Whether it will never grow.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full bundle that it is, or becomes a part of.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// The tile of level 0 with the leaf hashes of its entries.
    pub fn tile(&self) -> Tile {
        Tile { level: 0, index: self.index, width: self.width }
    }

    /// Whether a log of that size has all its entries.
    pub fn is_within(&self, size: u64) -> bool {
        self.tile().is_within(size)
    }

    /// The positions of its entries.
    pub fn positions(&self) -> Range<u64> {
        let first = self.index * u64::from(TILE_WIDTH);
        first..first + u64::from(self.width)
    }
}

impl From<Tile> for Bundle {
    fn from(tile: Tile) -> Self {
        Self { index: tile.index, width: tile.width }
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

impl FromStr for Bundle {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("the path of an entry bundle", why);
        let place = path.strip_prefix("tile/entries/");
        let place = place.ok_or_else(|| malformed("it begins with tile/entries/"))?;
        let (index, width) = parse_place(place).ok_or_else(|| malformed(PLACE))?;
        Ok(Self { index, width })
    }
}

/// The bundles that a log which grew from one size to another has to write.
pub fn bundles_between(old: u64, new: u64) -> Vec<Bundle> {
    let leaves = tiles_between(old, new).into_iter().take_while(|tile| tile.level == 0);
    leaves.map(Bundle::from).collect()
}

/// Appends an entry to the bytes of a bundle. What was a partial bundle is the beginning of the wider one.
///
/// # Errors
/// [`Error::EntryTooLong`]
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bytes of a bundle with these entries.
///
/// # Errors
/// [`Error::EntryTooLong`]
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, Error> {
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| entry.as_ref().len() + 2).sum());
    for entry in entries {
        append_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The entries of a bundle, from its bytes. There are 1 to 256, and nothing is left over.
///
/// # Errors
/// [`Error::Malformed`]
pub fn decode_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let malformed = |why| Error::malformed("an entry bundle", why);
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) =
            after.split_at_checked(length).ok_or_else(|| malformed("its last entry is cut off"))?;
        if entries.len() == TILE_WIDTH.into() {
            return Err(malformed("it has at most 256 entries"));
        }
        entries.push(entry);
        rest = after;
    }
    match (entries.is_empty(), rest.is_empty()) {
        (true, true) => Err(malformed("it has at least one entry")),
        (_, false) => Err(malformed("it ends within a length")),
        (false, true) => Ok(entries),
    }
}
