//! Roots, tiles and bundles.

use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use proptest::prelude::*;

use super::*;

/// Size, root, and the SHA-256 over every tile and bundle with its path: by a script of thirty lines that follows RFC 6962 and
/// C2SP to the letter.
const GOLDEN: [(u64, &str, &str); 9] = [
    (
        0,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        1,
        "773885a613489e24ce2cf76199d6a423f042e4bbf12d7eecee912ef276c65701",
        "850a23e57a774320ad8ee74206338c4d030d38dd0c0b0384225cf91187a7f057",
    ),
    (
        255,
        "cf66793e6329dff242eb3cee0a6f36ad3e3a196dcc573a1ec775e102be863f1c",
        "5fc021e60415b97f7bcf006f5717ac7c18c3319baab3874f52a72064fd4d7405",
    ),
    (
        256,
        "da6596d95369f5fef322ab8e4e0da3b0b50236aa9c8a3b1d246f7411c9e2e32e",
        "b91c93798711b36d68cddf9d3efa4323028b4be3249e907a7f06120bff70cf07",
    ),
    (
        257,
        "5c1fdfe835358022f2392de478dbe053fc130cfe1d3a082879a90cf6bf14bf7e",
        "0ebb6a850691435ee8e75f84074b688803f4cf0a8aed8511cdcc105b99b29148",
    ),
    (
        65535,
        "b8cd5046a19969bdc7e89289272390b40dd66ab18a7866c20b8920a6752668a5",
        "d7afac08b11d221801f3ea5579bb05dda9fb95e0bf7321aa277cf80bf88cd7dc",
    ),
    (
        65536,
        "07b1a377960a4e12e3348d6e9329ae6316a95b02fb1c22e909231b3aa44861a7",
        "1b14f51dcf6e6f22d0df9990303f0105926abd5963c6d66ca9765f3954444ad7",
    ),
    (
        65537,
        "b99c570aaf13b96e026383e8e252e69c7142b3ad7e6e0264f3dc10dfd884d8c5",
        "4d844d3d7c8b16c4a9774a08080000a33b7230c7a7fbbe32c06fc7a82bf43fc8",
    ),
    (
        70000,
        "a3920fba7f239a071a9bd10721f1341addefbaededb41c7e24437a9d16bdf00a",
        "3d79f9abf488841d2a99e27cb964ee1f7d0be03fbfcac1a4a80dff942bd55b52",
    ),
];

fn bundle(bundle: Bundle) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = bundle.positions().map(entry).collect();
    encode_bundle(&entries).unwrap()
}

#[test]
fn roots_tiles_and_bundles_are_the_golden_ones() {
    for (size, root, bytes) in GOLDEN {
        let log = Tree::of(size);
        assert_eq!(hex::encode(log.growth.root()), root, "{size}");
        let mut digest = Context::new(&SHA256);
        for tile in tiles_between(0, size) {
            digest.update(format!("{tile}\n").as_bytes());
            digest.update(log.tile(tile).unwrap());
            if tile.level == 0 {
                digest.update(format!("{}\n", Bundle::from(tile)).as_bytes());
                digest.update(&bundle(tile.into()));
            }
        }
        assert_eq!(hex::encode(digest.finish()), bytes, "{size}");
    }
}

#[test]
fn seventy_thousand_entries_have_the_tiles_of_the_specification() {
    let names: Vec<String> = tiles_between(0, 70_000).iter().map(Tile::to_string).collect();
    assert_eq!(names.len(), 273 + 1 + 1 + 1 + 1);
    assert_eq!(names[0], "tile/0/000");
    assert_eq!(
        names[272..],
        ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    let edge: Vec<String> = right_edge(70_000).iter().map(Tile::to_string).collect();
    assert_eq!(edge, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(
        tiles_between(0, 256).iter().map(Tile::to_string).collect::<Vec<_>>(),
        ["tile/0/000", "tile/1/000.p/1"]
    );
}

#[test]
fn paths_are_read_as_they_are_written() {
    for (path, level, index, width) in [
        ("tile/0/x001/x234/067", 0, 1_234_067, 256),
        ("tile/0/x001/x234/067.p/112", 0, 1_234_067, 112),
        ("tile/1/000.p/1", 1, 0, 1),
        ("tile/63/x001/000", 63, 1000, 256),
        ("tile/2/x072/x057/x594/x037/x927/935.p/255", 2, u64::MAX >> 8, 255),
    ] {
        let tile = Tile { level, index, width };
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    let bundle = Bundle { index: 1_234_067, width: 3 };
    assert_eq!(bundle.to_string(), "tile/entries/x001/x234/067.p/3");
    assert_eq!(bundle.to_string().parse(), Ok(bundle));
    assert_eq!(bundle.positions(), 315_921_152..315_921_155);
}

#[test]
fn a_tile_is_within_the_sizes_that_have_all_its_hashes() {
    let tile = Tile { level: 1, index: 1, width: 17 };
    assert!(tile.is_within(70_000) && tile.is_within(273 * 256) && tile.is_within(u64::MAX));
    assert!(!tile.is_within(273 * 256 - 1) && !tile.full().is_within(70_000));
    assert!(!Tile { level: 63, index: u64::MAX, width: 1 }.is_within(u64::MAX));
    assert_eq!(Tile::at(0, 273, 70_000), Some(Tile { level: 0, index: 273, width: 112 }));
    assert_eq!(Tile::at(0, 274, 70_000), None);
}

#[test]
fn a_million_leaves_have_their_root_and_it_is_said_how_long_it_took() {
    let begun = Instant::now();
    let mut growth = Growth::new();
    for position in 0..1_000_000_u64 {
        let mut hash = EMPTY_ROOT;
        hash[..8].copy_from_slice(&position.to_be_bytes());
        growth.push(hash);
    }
    let (tiles, root) = (growth.take().len(), hex::encode(growth.root()));
    println!("{tiles} tiles in {:?}", begun.elapsed());
    assert_eq!(root, "fb6f82b3a02d21b629a7e7f1d3e58fbaaeab057d7f0bde9f0974946f41a1d928");
}

proptest! {
    #[test]
    fn growing_in_steps_gives_the_tiles_between_and_the_same_bytes(steps in prop::collection::vec(0_u64..700, 0..8)) {
        let mut log = Tree::default();
        let mut frontier = Frontier::new();
        for step in steps {
            let (old, new) = (log.growth.size(), log.growth.size() + step);
            let mut written = log.grow(new);
            written.sort();
            prop_assert_eq!(&written, &tiles_between(old, new));
            prop_assert_eq!(
                bundles_between(old, new),
                written.iter().filter(|tile| tile.level == 0).map(|&tile| tile.into()).collect::<Vec<Bundle>>()
            );
            (old..new).for_each(|position| frontier.push(leaf(position)));
            prop_assert_eq!(&frontier, &log.growth.frontier());
            let stored = Frontier::from_parts(frontier.size(), frontier.hashes().to_vec()).unwrap();
            prop_assert_eq!(stored.root(), log.growth.root());
        }
        // All that a log of this size serves, whatever the steps.
        let whole = Tree::of(log.growth.size());
        for (tile, bytes) in &whole.tiles {
            prop_assert_eq!(log.tiles.get(tile), Some(bytes));
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_right_edge_alone(old in 0_u64..70_000, more in 0_u64..1_000) {
        let mut before = Tree::of(old);
        let edge = right_edge(old);
        prop_assert!(edge.iter().all(|tile| !tile.is_full()) && edge.len() <= 3);
        let mut loaded = Tree { growth: Growth::load(old, |tile| edge.contains(&tile).then(|| before.tile(tile))?).unwrap(), ..Tree::default() };
        prop_assert_eq!(loaded.growth.root(), before.growth.root());
        prop_assert_eq!(loaded.grow(old + more), before.grow(old + more));
        prop_assert_eq!(loaded.growth.root(), before.growth.root());
        for (tile, bytes) in &loaded.tiles {
            prop_assert_eq!(before.tiles.get(tile), Some(bytes));
        }
    }

    #[test]
    fn the_right_edge_is_loaded_from_wider_tiles_too(size in 1_u64..2_000, more in 1_u64..2_000) {
        let later = Tree::of(size + more);
        let wider = |tile: Tile| Tile::at(tile.level, tile.index, size + more).and_then(|tile| later.tile(tile));
        prop_assert_eq!(Growth::load(size, wider).unwrap().root(), Tree::of(size).growth.root());
    }

    #[test]
    fn tiles_between_leave_nothing_out_and_write_nothing_twice(old in 0_u64..1 << 40, more in 0_u64..100_000) {
        let tiles = tiles_between(old, old + more);
        for tile in &tiles {
            prop_assert!(tile.width > 0 && tile.is_within(old + more) && !tile.is_within(old));
            prop_assert_eq!(Some(*tile), Tile::at(tile.level, tile.index, old + more));
        }
        // The others of the right edge were there.
        for tile in right_edge(old + more) {
            prop_assert!(tiles.contains(&tile) || tile.is_within(old));
        }
        prop_assert_eq!(tiles.is_empty(), more == 0);
    }

    #[test]
    fn bundles_give_back_their_entries(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..=256)) {
        let bytes = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bytes).unwrap(), entries);
    }
}

#[test]
fn an_entry_is_at_most_65535_bytes() {
    let longest = vec![7; MAX_ENTRY_BYTES];
    assert_eq!(decode_bundle(&encode_bundle(&[&longest]).unwrap()).unwrap(), [&longest]);
    assert_eq!(encode_bundle(&[vec![7; 65536]]), Err(Error::EntryTooLong(65536)));
}

/// P7: nothing of an entry can be changed behind its leaf.
#[test]
fn every_byte_of_an_entry_counts_however_long_it_is() {
    for length in [1, 63, 64, 65, 1_000, 60_000] {
        let entry = vec![7; length];
        let hash = leaf_hash(&entry);
        for at in [0, length / 2, length - 1] {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            assert_ne!(leaf_hash(&changed), hash, "byte {at} of {length}");
        }
        assert_ne!(leaf_hash(&entry[1..]), hash, "{length}, and one less");
    }
}
