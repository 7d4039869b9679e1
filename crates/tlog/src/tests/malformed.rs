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

/// A checkpoint with a cosignature, and a proof file and a submission with it.
fn texts() -> [String; 3] {
    let log = Signer::from_seed("log.example", &[1; 32]).unwrap();
    let mut checkpoint = Checkpoint::new("log.example", 5, EMPTY_ROOT).unwrap().sign(&[&log]).unwrap();
    let witness = Cosigner::from_seed("witness.example", &[2; 32]).unwrap();
    checkpoint.add(witness.cosign(&checkpoint, 1)).unwrap();
    let hashes = vec![EMPTY_ROOT; 2];
    let submission = Submission { old_size: 3, proof: hashes.clone(), checkpoint: checkpoint.clone() };
    let file = ProofFile { extra: Some(vec![1]), index: 4, hashes, checkpoint: checkpoint.clone() };
    [checkpoint.to_string(), submission.to_string(), file.to_string()]
}

/// Reads as everything; whatever is taken must be written back byte for byte.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let _ = Checkpoint::parse(note.text());
        let witness = Cosigner::from_seed("witness.example", &[2; 32]).unwrap();
        let log = Signer::from_seed("log.example", &[1; 32]).unwrap();
        let _ = note.open(&[log.verifier(), witness.verifier()]);
    }
    if let Ok(submission) = Submission::parse(bytes) {
        assert_eq!(submission.to_string().as_bytes(), bytes);
    }
    if let Ok(file) = ProofFile::parse(bytes) {
        assert_eq!(file.to_string().as_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Policy>();
        let _ = text.parse::<Verifier>().inspect(|key| assert_eq!(key.to_string(), text));
        let _ = Checkpoint::parse(text);
        let _ = Signature::parse_lines(text);
    }
    let _ = Signer::from_pkcs8("log.example", bytes);
}

#[test]
fn texts_that_are_cut_off_are_refused() {
    for (text, read) in texts().iter().zip([
        (|bytes| Note::parse(bytes).is_ok()) as fn(&[u8]) -> bool,
        |bytes| Submission::parse(bytes).is_ok(),
        |bytes| ProofFile::parse(bytes).is_ok(),
    ]) {
        // The log's signature alone makes a note as well.
        let without_cosignature = text.trim_end().rfind('\n').unwrap() + 1;
        for end in (0..text.len()).filter(|&end| end != without_cosignature) {
            assert!(!read(&text.as_bytes()[..end]), "{:?}", text.as_bytes()[..end].utf8_chunks());
        }
        assert!(read(text.as_bytes()) && read(&text.as_bytes()[..without_cosignature]));
    }
}

#[test]
fn notes_that_break_a_rule_are_refused_with_it() {
    let [note, ..] = texts();
    let line = "\u{2014} a AAAAAAA=\n";
    for (bytes, why) in [
        (note.replace('\n', "\r\n").into_bytes(), "it has no control characters"),
        ([note.as_bytes(), &[0xff]].concat(), "it is UTF-8"),
        ("a\n".repeat(500_001).into_bytes(), "it has at most 1000000 bytes"),
        (b"text\n".to_vec(), "an empty line stands before its signatures"),
        (b"text\n\n".to_vec(), "each ends with a newline"),
        (format!("text\n\n{line}\n").into_bytes(), "each ends with a newline"),
        (format!("text\n\n{}", line.repeat(101)).into_bytes(), "there are at most 100"),
        (format!("text\n\n{line}more\n").into_bytes(), "each is a dash, a name and base64"),
        (
            format!("text\n\n{}", line.replace('\u{2014}', "-")).into_bytes(),
            "each is a dash, a name and base64",
        ),
        (
            format!("text\n\n{}", line.replace(" a ", " a+b ")).into_bytes(),
            "each is a dash, a name and base64",
        ),
        (
            format!("text\n\n{}", line.replace(" a ", " \u{a0} ")).into_bytes(),
            "each is a dash, a name and base64",
        ),
        (format!("text\n\n{}", line.replace(" a ", "  ")).into_bytes(), "each is a dash, a name and base64"),
        // Not the one form of these bytes, and only a key id.
        (
            format!("text\n\n{}", line.replace("AAA=", "AAB=")).into_bytes(),
            "each is a dash, a name and base64",
        ),
        (format!("text\n\n{}", line.replace('=', "")).into_bytes(), "each is a dash, a name and base64"),
        (
            format!("text\n\n{}", line.replace("AAAAAAA=", "AAAAAA==")).into_bytes(),
            "each is a dash, a name and base64",
        ),
    ] {
        let refused = Note::parse(&bytes).unwrap_err().to_string();
        assert!(refused.ends_with(why), "{refused}, not {why}");
    }
    assert!(Note::parse(format!("text\n\n{}", line.repeat(100)).as_bytes()).is_ok());
    let signer = Signer::from_seed("a", &[1; 32]).unwrap();
    assert!(Note::sign("text".to_owned(), &[&signer]).is_err());
    assert!(Note::sign("a\tb\n".to_owned(), &[&signer]).is_err());
    assert!(Note::sign("text\n".to_owned(), &[]).is_err());
    assert_eq!(Note::sign("\n\n\n".to_owned(), &[&signer]).unwrap().text(), "\n\n\n");
}

#[test]
fn checkpoints_that_break_a_rule_are_refused_with_it() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (text, why) in [
        (format!("log\n5\n{root}"), "each line ends with a newline"),
        ("log\n5\n".to_owned(), "it has lines for origin, size and root"),
        (format!("\n5\n{root}\n"), "its origin is not empty and has no control characters"),
        (format!("log\n05\n{root}\n"), "its size is a number"),
        (format!("log\n+5\n{root}\n"), "its size is a number"),
        (format!("log\n-5\n{root}\n"), "its size is a number"),
        (format!("log\n\n{root}\n"), "its size is a number"),
        (format!("log\n18446744073709551616\n{root}\n"), "its size is a number"),
        ("log\n5\n47DEQpj8HBSa\n".to_owned(), "its root is 32 bytes in base64"),
        (format!("log\n5\n{}\n", root.replace("FU=", "FV=")), "its root is 32 bytes in base64"),
        (format!("log\n5\n{root}\n\n"), "it has no empty line"),
    ] {
        let refused = Checkpoint::parse(&text).unwrap_err().to_string();
        assert_eq!(refused, format!("not a checkpoint: {why}"), "{text}");
    }
    assert!(Checkpoint::new("log\nother", 5, EMPTY_ROOT).is_err());
    assert!(Checkpoint::parse(&format!("log\n18446744073709551615\n{root}\nmore\n")).is_ok());
}

#[test]
fn verifier_keys_that_break_a_rule_are_refused_with_it() {
    let key = Signer::from_seed("log.example", &[1; 32]).unwrap().verifier().to_string();
    let (id, base64) = (key.split('+').nth(1).unwrap(), key.splitn(3, '+').nth(2).unwrap());
    let of_type = |number: u8| {
        format!("log.example+00000000+{}", text::base64(&[&[number], [0; 32].as_slice()].concat()))
    };
    for (vkey, why) in [
        ("log.example".to_owned(), "not a verifier key: it has the form name+id+key"),
        (format!("log.example+{id}+?"), "not a verifier key: its key is base64"),
        (format!("log.example+{id}+"), "not a verifier key: its key has a type"),
        (
            format!("log.example+{id}+{}", text::base64(&[1; 32])),
            "not a verifier key: an Ed25519 key has 32 bytes",
        ),
        (format!("other.example+{id}+{base64}"), "not a verifier key: its id is that of another name or key"),
        (format!("log.example+0{id}+{base64}"), "not a verifier key: its id is that of another name or key"),
        (
            format!("+{id}+{base64}"),
            "not the name of a key: it is not empty and has no spaces and no plus sign",
        ),
        (
            format!("a b+{id}+{base64}"),
            "not the name of a key: it is not empty and has no spaces and no plus sign",
        ),
        (of_type(6), "keys of type 6 are not supported, only 1 (Ed25519) and 4 (Ed25519 cosignatures)"),
        (of_type(1), "not a verifier key: its id is that of another name or key"),
    ] {
        assert_eq!(vkey.parse::<Verifier>().unwrap_err().to_string(), why, "{vkey}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>) {
        read_as_everything(&bytes);
    }

    #[test]
    fn no_lines_make_a_parser_panic(text in "((old|index|extra|log|witness|group|quorum|c2sp.org/tlog-proof@v1|\u{2014})?[ \t]?[a-c0-9+/=]{0,9} ?[a-c0-9+/=]{0,9}\n\n?){0,9}") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn changed_texts_are_refused_or_written_back_as_they_are(which in 0_usize..3, at: prop::sample::Index, to: u8, cut: prop::sample::Index, join: bool) {
        let mut bytes = texts()[which].clone().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = to;
        read_as_everything(&bytes);
        if join {
            let from = cut.index(bytes.len());
            bytes.drain(from.min(place)..from.max(place));
        }
        read_as_everything(&bytes);
    }

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
