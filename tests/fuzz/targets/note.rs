//! Everything that others give us of a transparency log: what is read is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{Bundle, Checkpoint, Note, Policy, ProofFile, Submission, Tile, Verifier, decode_bundle, encode_bundle};

fuzz_target!(|input: &[u8]| {
    if let Ok(note) = Note::parse(input) {
        assert_eq!(note.to_string().as_bytes(), input);
        let _ = note.open(&[]);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(Checkpoint::parse(&checkpoint.to_string()).as_ref(), Ok(&checkpoint));
            assert!(note.text().starts_with(&checkpoint.to_string()));
        }
    }
    if let Ok(submission) = Submission::parse(input) {
        assert_eq!(submission.to_string().as_bytes(), input);
    }
    if let Ok(proof) = ProofFile::parse(input) {
        assert_eq!(proof.to_string().as_bytes(), input);
    }
    if let Ok(entries) = decode_bundle(input) {
        assert_eq!(encode_bundle(&entries).as_deref(), Ok(input));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(verifier) = text.parse::<Verifier>() {
        assert_eq!(verifier.to_string(), text);
    }
    if let Ok(tile) = text.parse::<Tile>() {
        assert_eq!(tile.to_string(), text);
        let _ = tile.first_leaf();
    }
    if let Ok(bundle) = text.parse::<Bundle>() {
        assert_eq!(bundle.to_string(), text);
        let _ = bundle.positions();
    }
    let _ = text.parse::<Policy>();
});
