//! What others who wrote the same say: Cloudflare's port of Go's sumdb, and `ct-merkle`.

use ct_merkle::InclusionProof;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::tlog::{self as sumdb, HashReader};

use super::*;

/// The tree as sumdb numbers its hashes.
#[derive(Default)]
struct Sumdb(Vec<sumdb::Hash>);

impl HashReader for Sumdb {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<sumdb::Hash>, sumdb::Error> {
        Ok(indexes.iter().map(|&index| self.0[index as usize]).collect())
    }
}

impl Sumdb {
    fn of(size: u64) -> Self {
        let mut tree = Self::default();
        for position in 0..size {
            let hashes = sumdb::stored_hashes(position, &entry(position), &tree).unwrap();
            tree.0.extend(hashes);
        }
        tree
    }
}

fn ours(hashes: &[sumdb::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| hash.0).collect()
}

fn theirs(hashes: &[Hash]) -> Vec<sumdb::Hash> {
    hashes.iter().map(|&hash| sumdb::Hash(hash)).collect()
}

/// `tile/8/0/273` there is `tile/0/273` here.
fn path(tile: &tlog_tiles::tile::Tile) -> Tile {
    tile.path().replacen("tile/8/", "tile/", 1).parse().unwrap()
}

fn agree_on_the_tree(size: u64) {
    let (log, sumdb) = (Tree::of(size), Sumdb::of(size));
    assert_eq!(log.growth.root(), sumdb::tree_hash(size, &sumdb).unwrap().0, "{size}");
    let tiles = tlog_tiles::tile::Tile::new_tiles(8, 0, size);
    assert_eq!(tiles.iter().map(path).collect::<Vec<_>>(), tiles_between(0, size));
    for tile in tiles {
        assert_eq!(
            log.tile(path(&tile)),
            Some(tile.read_data(&sumdb).unwrap().as_slice()),
            "{}",
            tile.path()
        );
    }
    let mut merkle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    (0..size).for_each(|position| merkle.push(entry(position)));
    assert_eq!(log.growth.root()[..], merkle.root().as_bytes()[..], "{size}");
    // Some places of each tree, its ends among them.
    for at in [0, size / 3, size / 2, size.saturating_sub(1)] {
        if size > 0 {
            agree_on_inclusion(&log, &sumdb, &merkle, at, size);
        }
    }
    for old in [1, size / 3, size / 2, size.saturating_sub(1), size] {
        if (1..=size).contains(&old) {
            agree_on_consistency(&log, &sumdb, &merkle, old, size);
        }
    }
}

fn agree_on_inclusion(
    log: &Tree,
    sumdb: &Sumdb,
    merkle: &MemoryBackedTree<Sha256, Vec<u8>>,
    index: u64,
    size: u64,
) {
    let proof = log.hashes(&Plan::inclusion(index, size).unwrap());
    assert_eq!(proof, ours(&sumdb::prove_record(size, index, sumdb).unwrap()));
    assert_eq!(proof.as_flattened(), merkle.prove_inclusion(index as usize).as_bytes());
    let root = log.growth.root();
    verify_inclusion(&leaf(index), index, size, &proof, &root).unwrap();
    sumdb::check_record(&theirs(&proof), size, sumdb::Hash(root), index, sumdb::Hash(leaf(index))).unwrap();
    let bytes = InclusionProof::try_from_bytes(proof.as_flattened().to_vec()).unwrap();
    merkle.root().verify_inclusion(&entry(index), index, &bytes).unwrap();
}

fn agree_on_consistency(
    log: &Tree,
    sumdb: &Sumdb,
    merkle: &MemoryBackedTree<Sha256, Vec<u8>>,
    old: u64,
    size: u64,
) {
    let proof = log.hashes(&Plan::consistency(old, size).unwrap());
    assert_eq!(proof, ours(&sumdb::prove_tree(size, old, sumdb).unwrap()));
    assert_eq!(proof.as_flattened(), merkle.prove_consistency((size - old) as usize).as_bytes());
    let (old_root, root) = (sumdb::tree_hash(old, sumdb).unwrap(), log.growth.root());
    verify_consistency(old, size, &proof, &old_root.0, &root).unwrap();
    sumdb::check_tree(&theirs(&proof), size, sumdb::Hash(root), old, old_root).unwrap();
}

#[test]
fn three_implementations_agree_where_something_changes() {
    SIZES.into_iter().for_each(agree_on_the_tree);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn three_implementations_agree_at_any_size(size in 0_u64..3_000) {
        agree_on_the_tree(size);
    }

    #[test]
    fn tiles_between_are_those_that_sumdb_would_publish(old in 0_u64..1 << 40, more in 0_u64..100_000) {
        let theirs = tlog_tiles::tile::Tile::new_tiles(8, old, old + more);
        prop_assert_eq!(tiles_between(old, old + more), theirs.iter().map(path).collect::<Vec<_>>());
    }
}
