//! A transparency log in the formats of C2SP: Merkle tree, tiles, notes, proofs.
//!
//! An entry is bytes. Its leaf hash stands in the tree of RFC 6962 at the entry's position; the tree is kept as tiles
//! (`tlog-tiles`), its root is published as a checkpoint (`tlog-checkpoint`), which is a note (`signed-note`) that the log
//! signs and witnesses cosign (`tlog-cosignature`, `tlog-witness`). Whoever holds a checkpoint can check what they are shown
//! later against it, with this crate or with anybody else's.
//!
//! Everything here is pure: tiles are asked for by name, and given by whoever keeps them.
//!
//! Never: know what an entry means, do I/O, read a clock.

mod bundle;
mod checkpoint;
mod cosignature;
mod error;
mod frontier;
mod growth;
mod hash;
mod key;
mod note;
mod policy;
mod proof;
mod proof_file;
mod submission;
#[cfg(test)]
mod tests;
mod text;
mod tile;

pub use bundle::{Bundle, MAX_ENTRY_BYTES, append_entry, bundles_between, decode_bundle, encode_bundle};
pub use checkpoint::Checkpoint;
pub use cosignature::Cosigner;
pub use error::Error;
pub use frontier::Frontier;
pub use growth::Growth;
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub use key::{KeyType, Signer, Verifier};
pub use note::{MAX_NOTE_BYTES, MAX_SIGNATURES, Note, Signature, Verified};
pub use policy::{Cosignature, Log, Opened, Policy, Witness};
pub use proof::{Plan, verify_consistency, verify_inclusion};
pub use proof_file::ProofFile;
pub use submission::Submission;
pub use tile::{TILE_WIDTH, Tile, right_edge, tiles_between};
