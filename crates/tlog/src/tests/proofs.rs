//! Proofs from tiles, and proofs that prove nothing.

use proptest::prelude::*;

use super::*;

#[test]
fn every_proof_of_small_trees_holds() {
    let sizes = 70;
    let logs: Vec<Tree> = (0..=sizes).map(Tree::of).collect();
    let largest = &logs[sizes as usize];
    for size in 0..=sizes {
        let root = logs[size as usize].growth.root();
        for index in 0..size {
            let plan = Plan::inclusion(index, size).unwrap();
            verify_inclusion(&leaf(index), index, size, &logs[size as usize].hashes(&plan), &root).unwrap();
        }
        for new in size..=sizes {
            let plan = Plan::consistency(size, new).unwrap();
            let proof = logs[new as usize].hashes(&plan);
            verify_consistency(size, new, &proof, &root, &logs[new as usize].growth.root()).unwrap();
        }
    }
    assert_eq!(Plan::inclusion(70, 70), Err(Error::OutOfRange { wanted: 70, size: 70 }));
    assert_eq!(Plan::consistency(71, 70), Err(Error::OutOfRange { wanted: 71, size: 70 }));
    assert!(largest.hashes(&Plan::consistency(0, 70).unwrap()).is_empty());
    assert!(largest.hashes(&Plan::consistency(70, 70).unwrap()).is_empty());
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let log = Tree::of(70_000);
    let plan = Plan::inclusion(69_999, 70_000).unwrap();
    let edge: Tile = "tile/0/273.p/112".parse().unwrap();
    assert!(plan.tiles().contains(&edge));
    let without = |tile: Tile| if tile == edge { None } else { log.tile(tile) };
    assert_eq!(plan.hashes(without), Err(Error::MissingTile(edge)));
    let short = |tile: Tile| log.tile(tile).map(|bytes| if tile == edge { &bytes[1..] } else { bytes });
    assert_eq!(plan.hashes(short), Err(Error::BrokenTile(edge)));
    assert_eq!(Growth::load(70_000, short).unwrap_err(), Error::BrokenTile(edge));
    assert_eq!(Error::MissingTile(edge).to_string(), "tile/0/273.p/112 is missing");
}

#[test]
fn proofs_over_trees_too_large_to_build_are_planned() {
    for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 62, (1 << 63) + 1)] {
        let plan = Plan::inclusion(index, size).unwrap();
        assert!(plan.tiles().iter().all(|tile| tile.is_within(size)));
        let hashes = plan.hashes(|tile| Some(vec![7; 32 * usize::from(tile.width)])).unwrap();
        assert_eq!(verify_inclusion(&[7; 32], index, size, &hashes, &EMPTY_ROOT), Err(Error::NotProven));
        let plan = Plan::consistency(index.max(1), size).unwrap();
        assert!(plan.hashes(|tile| Some(vec![7; 32 * usize::from(tile.width)])).unwrap().len() <= 64);
    }
}

proptest! {
    #[test]
    fn a_proof_needs_no_more_than_its_tiles((size, index, old) in (1_u64..70_000).prop_flat_map(|size| (Just(size), 0..size, 0..=size))) {
        let log = Tree::of(size);
        for plan in [Plan::inclusion(index, size).unwrap(), Plan::consistency(old, size).unwrap()] {
            let tiles = plan.tiles();
            prop_assert!(tiles.len() <= 6);
            let given = |tile: Tile| tiles.contains(&tile).then(|| log.tile(tile))?;
            prop_assert_eq!(plan.hashes(given).unwrap(), log.hashes(&plan));
        }
    }

    #[test]
    fn a_tampered_inclusion_proof_is_refused(
        (size, index) in (2_u64..3_000).prop_flat_map(|size| (Just(size), 0..size)),
        which: prop::sample::Index,
        bit in 0_usize..256,
        other in 0_u64..4_000,
    ) {
        let log = Tree::of(size);
        let (root, leaf) = (log.growth.root(), leaf(index));
        let proof = log.hashes(&Plan::inclusion(index, size).unwrap());
        let refused = |leaf: &Hash, index, size, proof: &[Hash], root: &Hash| verify_inclusion(leaf, index, size, proof, root).is_err();
        prop_assert!(!refused(&leaf, index, size, &proof, &root));

        let mut flipped = proof.clone();
        flipped[which.index(proof.len())][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(refused(&leaf, index, size, &flipped, &root));
        let mut shorter = proof.clone();
        shorter.remove(which.index(proof.len()));
        prop_assert!(refused(&leaf, index, size, &shorter, &root));
        let mut longer = proof.clone();
        longer.insert(which.index(proof.len() + 1), leaf);
        prop_assert!(refused(&leaf, index, size, &longer, &root));
        prop_assert!(refused(&root, index, size, &proof, &root));
        prop_assert!(refused(&leaf, index, size, &proof, &leaf));
        prop_assert!(other == index || refused(&leaf, other, size, &proof, &root));
    }

    #[test]
    fn a_tampered_consistency_proof_is_refused(
        (size, old) in (2_u64..3_000).prop_flat_map(|size| (Just(size), 1..size)),
        which: prop::sample::Index,
        bit in 0_usize..256,
    ) {
        let log = Tree::of(size);
        let (root, old_root) = (log.growth.root(), Tree::of(old).growth.root());
        let proof = log.hashes(&Plan::consistency(old, size).unwrap());
        let refused = |old, size, proof: &[Hash], old_root: &Hash, root: &Hash| verify_consistency(old, size, proof, old_root, root).is_err();
        prop_assert!(!refused(old, size, &proof, &old_root, &root));

        let mut flipped = proof.clone();
        flipped[which.index(proof.len())][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(refused(old, size, &flipped, &old_root, &root));
        let mut shorter = proof.clone();
        shorter.remove(which.index(proof.len()));
        prop_assert!(refused(old, size, &shorter, &old_root, &root));
        let mut longer = proof.clone();
        longer.insert(which.index(proof.len() + 1), root);
        prop_assert!(refused(old, size, &longer, &old_root, &root));
        prop_assert!(refused(old, size, &proof, &root, &root));
        prop_assert!(refused(old, size, &proof, &old_root, &old_root));
        prop_assert!(refused(size, old, &proof, &root, &old_root));
    }

    #[test]
    fn nothing_that_is_offered_as_a_proof_makes_a_verifier_panic(
        a: u64,
        b: u64,
        proof in prop::collection::vec(any::<Hash>(), 0..70),
        root: Hash,
    ) {
        for (small, large) in [(a, b), (b, a), (a % 100, b % 100), (a, a)] {
            let _ = verify_inclusion(&root, small, large, &proof, &root);
            let _ = verify_consistency(small, large, &proof, &root, &root);
        }
    }
}
