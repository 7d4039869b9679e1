//! The right edge of a tree: all that is needed to go on appending, and to have the root.

use crate::error::Error;
use crate::hash::{Hash, join, node_hash};

/// The roots of the complete subtrees that a tree is made of, from the largest to the smallest: one for each bit of its
/// size, so at most 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// Of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// From what [`Frontier::size`] and [`Frontier::hashes`] once gave.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a tree of this size has not that many subtrees.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, Error> {
        if hashes.len() != size.count_ones() as usize {
            return Err(Error::malformed("a frontier", "it has one hash for each bit of the size"));
        }
        Ok(Self { size, subtrees: hashes })
    }

    /// Of subtrees that are known to make up the size.
    pub(crate) fn of(size: u64, subtrees: Vec<Hash>) -> Self {
        debug_assert_eq!(subtrees.len(), size.count_ones() as usize);
        Self { size, subtrees }
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        // Each low bit that is set is a subtree as large as the one that was just completed.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            root = node_hash(&left, &root);
        }
        self.subtrees.push(root);
        self.size += 1;
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What to store, to go on from later.
    pub fn hashes(&self) -> &[Hash] {
        &self.subtrees
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        join(&self.subtrees)
    }
}
