//! The Merkle tree over each shop's log: grown by what is committed, signed, published, read.
//!
//! A leaf's place is the event's position, and its bytes are the entry, so neither is kept again. One process at a time grows
//! a shop's tree; it reads what was committed behind the tree, hashes the entries itself, and stores tiles, root and the
//! signed checkpoint in one transaction behind a fence. So a size has one root for ever, and only what is stored for good
//! is signed. At most once a second the latest checkpoint is published; then others may keep it, and it stays.
//!
//! The tree is refused, loudly and until somebody has looked, where the log, the tree or the key is not what it was.

mod directory;
mod error;
mod files;
mod integrate;
mod key_note;
mod keys;
mod origin;
mod resource;
mod status;
mod store;
mod supervisor;
#[cfg(test)]
mod tests;
mod worker;

pub use directory::{Directories, publish_files};
pub use error::Error;
pub(crate) use files::LOCK;
pub use integrate::{Integrated, Integrator};
pub(crate) use key_note::known_keys;
pub use key_note::{Settled, noted_key, settle_key};
pub use keys::LogKeys;
pub use origin::Origin;
pub use resource::Resource;
pub use status::{TreeStatus, trees};
pub use store::{Published, Trees};
pub(crate) use store::{Size, Tiles, root, size};
pub use supervisor::{Growing, Options};

/// Whose checkpoint and lease the tree's are.
pub const CONSUMER: &str = "tree";
