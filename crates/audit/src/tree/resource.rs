//! What a log publishes, by its path below the log's prefix (<https://c2sp.org/tlog-tiles>).

use std::str::FromStr;

use tlog::{Bundle, Tile};

/// A resource of a published log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The checkpoint that was published last.
    Checkpoint,
    /// A tile of the tree.
    Tile(Tile),
    /// The entries under a tile of level 0.
    Bundle(Bundle),
}

impl Resource {
    /// Whether it has the same bytes for ever.
    #[must_use]
    pub fn is_immutable(self) -> bool {
        self != Self::Checkpoint
    }
}

impl FromStr for Resource {
    type Err = tlog::Error;

    fn from_str(path: &str) -> Result<Self, tlog::Error> {
        if path == "checkpoint" {
            Ok(Self::Checkpoint)
        } else if path.starts_with("tile/entries/") {
            path.parse().map(Self::Bundle)
        } else {
            path.parse().map(Self::Tile)
        }
    }
}
