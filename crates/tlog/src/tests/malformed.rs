//! Bad input to every parser: refused with its rule, never a panic.

use proptest::prelude::*;

use super::*;

#[test]
fn paths_that_are_not_canonical_are_refused() {
    for place in [
        "",
        "0",
        "00",
        "0000",
        "1",
        "x000/000",
        "x000/001",
        "x001",
        "x001/",
        "x001/x002",
        "001/002",
        "x1/000",
        "x0001/000",
        "/000",
        "000/",
        "000.p",
        "000.p/",
        "000.p/0",
        "000.p/00",
        "000.p/01",
        "000.p/256",
        "000.p/-1",
        "000.p/+1",
        "000.p/1/",
        "000.p/1.p/1",
        "+00",
        "-01",
        " 00",
        "٠٠٠",
        "0x0",
        "000.P/1",
        "000..p/1",
        "../000",
        // More than positions have.
        "x072/x057/x594/x037/x927/936",
        "x999/x999/x999/x999/x999/x999/999",
        "x001/x000/x000/x000/x000/x000/x000/x000/000",
    ] {
        assert!(format!("tile/0/{place}").parse::<Tile>().is_err(), "{place}");
        assert!(format!("tile/entries/{place}").parse::<Bundle>().is_err(), "{place}");
    }
    for path in [
        "tile/64/000",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile//000",
        "tile/entries/000",
        "tile/000",
        "tile/0000",
        "/tile/0/000",
        "Tile/0/000",
        "checkpoint",
        "tile/999999999999999999999/000",
    ] {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
    assert_eq!(
        "tile/64/000".parse::<Tile>().unwrap_err().to_string(),
        "not the path of a tile: the level is a number from 0 to 63"
    );
}

#[test]
fn bundles_that_are_cut_off_empty_or_too_long_are_refused() {
    let bytes = encode_bundle(&["one", "two"]).unwrap();
    for end in [0, 1, 3, 6, 8] {
        assert!(decode_bundle(&bytes[..end]).is_err(), "{end}");
    }
    assert!(decode_bundle(&bytes[..5]).is_ok());
    assert!(decode_bundle(&[0; 2 * 256]).is_ok());
    assert!(decode_bundle(&[0; 2 * 257]).is_err());
}

#[test]
fn a_frontier_has_a_hash_for_each_bit_of_its_size() {
    assert!(Frontier::from_parts(0, Vec::new()).is_ok());
    assert!(Frontier::from_parts(3, vec![EMPTY_ROOT; 2]).is_ok());
    assert!(Frontier::from_parts(3, vec![EMPTY_ROOT]).is_err());
    assert!(Frontier::from_parts(u64::MAX, vec![EMPTY_ROOT; 65]).is_err());
}

proptest! {
    #[test]
    fn whatever_is_read_as_a_path_is_written_the_same(path in "(tile/)?([0-9]{1,3}|entries)/(x[0-9]{1,4}/){0,7}[0-9]{2,4}(\\.p/[0-9]{1,4})?") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        } else if let Ok(bundle) = path.parse::<Bundle>() {
            prop_assert_eq!(bundle.to_string(), path);
        }
    }

    #[test]
    fn no_text_makes_a_path_parser_panic(text: String) {
        let _ = text.parse::<Tile>();
        let _ = format!("tile/0/{text}").parse::<Tile>();
        let _ = format!("tile/entries/{text}").parse::<Bundle>();
    }

    #[test]
    fn whatever_is_read_as_a_bundle_is_written_the_same(bytes in prop::collection::vec(0_u8..4, 0..400)) {
        if let Ok(entries) = decode_bundle(&bytes) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn no_tile_of_any_length_makes_a_reader_panic(length in 0_usize..9_000, size: u64) {
        let bytes = vec![0; length];
        let _ = Growth::load(size, |_| Some(&bytes));
        let _ = Plan::inclusion(size / 2, size).map(|plan| plan.hashes(|_| Some(&bytes)));
    }
}
