//! Notes, checkpoints and cosignatures, against those that others wrote.

use ed25519_dalek::{Signature as TheirSignature, Verifier as _, VerifyingKey};
use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::*;

/// A checkpoint that tessera's `fsck`, Go's `note` and OpenSSL have accepted.
const GOLDEN: &str = "outbox.example/events/1
70000
+h0HE2gY33W9Kp3x9wqnNR5lVehzHWRYhvgJY1Wve3g=

— outbox.example/events/1 fR1ZAfW1FGnyz8v4nMwAJnML54sZvvAgutTA2OwZi32zWBNcaIlsS46QclGkiBazyFWa/R3H6f4wPuH/dcbYavRMdQA=
";
const GOLDEN_KEY: &str = "outbox.example/events/1+7d1d5901+AWlNgzTuO7A//+iBA1M3T17dvyz9QKYcUSP7rn3bjbir";

const ORIGIN: &str = "log.example/shop";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, [size as u8; 32]).unwrap()
}

fn their_verifier(vkey: &str) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).unwrap())])
}

#[test]
fn the_golden_checkpoint_opens_and_is_written_back() {
    let note = Note::parse(GOLDEN.as_bytes()).unwrap();
    assert_eq!(note.to_string(), GOLDEN);
    let key: Verifier = GOLDEN_KEY.parse().unwrap();
    assert_eq!((key.to_string().as_str(), key.key_type()), (GOLDEN_KEY, KeyType::Ed25519));
    assert_eq!(format!("{:08x}", key.key_id()), "7d1d5901");
    let policy = Policy::of_log(key).unwrap();
    let opened = policy.open(&note).unwrap();
    assert_eq!((opened.checkpoint.origin(), opened.checkpoint.size()), ("outbox.example/events/1", 70_000));
    assert_eq!(opened.checkpoint.to_string(), note.text());
    assert_eq!(opened.cosignatures, []);
}

#[test]
fn others_read_our_notes_and_keys_and_sign_them_the_same() {
    let ours = signer(7);
    let vkey = ours.verifier().to_string();
    let note = checkpoint(70_000).sign(&[&ours]).unwrap();

    let mut theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
    let (verified, unverified) = theirs.verify(&their_verifier(&vkey)).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let read = tlog_tiles::checkpoint::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!((read.origin(), read.size(), read.hash().0), (ORIGIN, 70_000, [70_000_u64 as u8; 32]));
    assert_eq!(read.to_bytes(), note.text().as_bytes());

    let skey = format!("PRIVATE+KEY+{ORIGIN}+{:08x}+", ours.verifier().key_id())
        + &text::base64(&[&[1], [7; 32].as_slice()].concat());
    theirs.add_sigs(&[&StandardSigner::new(&skey).unwrap()]).unwrap();
    assert_eq!(theirs.to_bytes(), note.to_string().as_bytes());
}

#[test]
fn a_checkpoint_is_signed_by_two_keys_while_the_key_is_changed() {
    let (old, new) = (signer(1), signer(2));
    let note = checkpoint(5).sign(&[&old, &new]).unwrap();
    for known in [old.verifier(), new.verifier()] {
        let policy = Policy::of_log(known.clone()).unwrap();
        assert_eq!(policy.open(&note).unwrap().checkpoint, checkpoint(5));
    }
    assert_eq!(note.open(&[old.verifier(), new.verifier()]).unwrap().len(), 2);
    assert_eq!(note.open(&[signer(3).verifier()]), Err(Error::NotSigned));
}

#[test]
fn known_keys_must_hold_and_unknown_ones_are_ignored() {
    let (log, other) = (signer(1), signer(2));
    let note = checkpoint(5).sign(&[&log]).unwrap();
    let bad = Note::parse(note.to_string().replace("\n5\n", "\n6\n").as_bytes()).unwrap();
    let refused = Error::BadSignature(ORIGIN.to_owned());
    assert_eq!(bad.open(&[log.verifier()]), Err(refused));
    // That the other one signed it does not help.
    let mut both = bad.clone();
    both.add(other.sign(bad.text())).unwrap();
    assert!(both.open(&[log.verifier(), other.verifier()]).is_err());
    assert_eq!(both.open(&[other.verifier()]).unwrap().len(), 1);
    // The name alone, or the id alone, is not the key.
    let renamed = Verifier::of_log("log.example/other", *log.verifier().public_key()).unwrap();
    assert_eq!(note.open(&[&renamed]), Err(Error::NotSigned));
}

#[test]
fn a_log_signs_under_its_own_origin_only() {
    let elsewhere = Checkpoint::new("log.example/elsewhere", 5, EMPTY_ROOT).unwrap();
    let note = elsewhere.sign(&[&signer(1)]).unwrap();
    assert!(note.open(&[signer(1).verifier()]).is_ok());
    assert_eq!(Policy::of_log(signer(1).verifier().clone()).unwrap().open(&note), Err(Error::NotSigned));
}

#[test]
fn up_to_a_hundred_signatures_are_taken_and_none_is_lost() {
    let mut note = checkpoint(5).sign(&[&signer(0)]).unwrap();
    let before = note.to_string();
    for seed in 1..=99 {
        let witness = Cosigner::from_seed(format!("witness.example/{seed}"), &[seed; 32]).unwrap();
        note.add(witness.cosign(&note, 1_700_000_000)).unwrap();
        note.add(witness.cosign(&note, 1_700_000_000)).unwrap();
    }
    assert_eq!(note.signatures().len(), MAX_SIGNATURES);
    assert!(note.to_string().starts_with(&before));
    assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note.clone()));
    assert_eq!(
        Policy::of_log(signer(0).verifier().clone()).unwrap().open(&note).unwrap().checkpoint,
        checkpoint(5)
    );
    let kept = note.clone();
    assert!(note.add(signer(100).sign(note.text())).is_err());
    assert_eq!(note, kept);
}

#[test]
fn a_cosignature_is_over_the_time_and_the_whole_text() {
    let witness = Cosigner::from_seed("witness.example/1", &[9; 32]).unwrap();
    let mut note = checkpoint(5).sign(&[&signer(1)]).unwrap();
    let signature = witness.cosign(&note, 1_679_315_147);
    // By hand, and with another's Ed25519.
    let key = VerifyingKey::from_bytes(witness.verifier().public_key()).unwrap();
    let message = format!("cosignature/v1\ntime 1679315147\n{}", note.text());
    let (time, bytes) = signature.bytes().split_at(8);
    assert_eq!(time, 1_679_315_147_u64.to_be_bytes());
    key.verify(message.as_bytes(), &TheirSignature::from_slice(bytes).unwrap()).unwrap();

    let line = signature.to_string();
    assert_eq!(Signature::parse_lines(&line).unwrap(), [signature]);
    note.add(Signature::parse_lines(&line).unwrap().remove(0)).unwrap();
    let verified = note.open(&[witness.verifier()]).unwrap();
    assert_eq!(verified, [Verified { by: witness.verifier(), time_s: Some(1_679_315_147) }]);
    // Another time, another text, or the same bytes as a log's signature.
    let later = line_with_time(&note.signatures()[1], 1_679_315_148);
    for bad in [
        Note::parse(format!("{}\n{later}", note.text()).as_bytes()).unwrap(),
        Note::parse(note.to_string().replace("\n5\n", "\n6\n").as_bytes()).unwrap(),
    ] {
        assert_eq!(bad.open(&[witness.verifier()]), Err(Error::BadSignature("witness.example/1".to_owned())));
    }
    let as_log = Verifier::of_log("witness.example/1", *witness.verifier().public_key()).unwrap();
    assert_ne!(as_log.key_id(), witness.verifier().key_id());
    assert_eq!(note.open(&[&as_log]), Err(Error::NotSigned));
}

fn line_with_time(signature: &Signature, time_s: u64) -> Signature {
    let line = signature.to_string();
    let (before, base64) = line.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = text::from_base64(base64).unwrap();
    bytes[4..12].copy_from_slice(&time_s.to_be_bytes());
    Signature::parse_lines(&format!("{before} {}\n", text::base64(&bytes))).unwrap().remove(0)
}

#[test]
fn cosignatures_without_a_time_or_of_the_far_future_do_not_hold() {
    let witness = Cosigner::from_seed("witness.example/1", &[9; 32]).unwrap();
    for time_s in [0, 1 << 63] {
        let mut note = checkpoint(5).sign(&[&signer(1)]).unwrap();
        note.add(witness.cosign(&note, time_s)).unwrap();
        assert!(note.open(&[signer(1).verifier(), witness.verifier()]).is_err(), "{time_s}");
    }
}

#[test]
fn no_private_key_is_printed() {
    let seed = [0xab; 32];
    let signer = Signer::from_seed(ORIGIN, &seed).unwrap();
    assert_eq!(format!("{signer:?}"), format!("Signer({ORIGIN}+{:08x})", signer.verifier().key_id()));
    let cosigner = Cosigner::from_seed("witness.example/1", &seed).unwrap();
    assert_eq!(format!("{cosigner:?}"), "Cosigner(witness.example/1)");
}

#[test]
fn keys_are_read_from_pkcs8_as_openssl_writes_it() {
    // RFC 8410, section 10.3: a key without its public half, and the public key of section 10.1.
    let der = text::from_base64("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC").unwrap();
    let signer = Signer::from_pkcs8(ORIGIN, &der).unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    assert_eq!(signer.verifier().to_pem(), pem);
    let refused = Signer::from_pkcs8(ORIGIN, b"nonsense").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "not a private key: it is an Ed25519 key, as a seed of 32 bytes or in PKCS#8"
    );
    assert!(Signer::from_seed("a b", &[1; 32]).is_err());
}

proptest! {
    #[test]
    fn others_agree_on_what_a_note_is(text in "[ -~\n\u{2014}é]{0,60}", tail in "(\n?\n?(\u{2014} [a-z+ ]{1,3} ?[A-Za-z0-9+/=]{4,12}\n?){0,3}\n?)") {
        let note = format!("{text}{tail}");
        let (ours, theirs) = (Note::parse(note.as_bytes()), signed_note::Note::from_bytes(note.as_bytes()));
        // What we take they take; a signature of no bytes is the one thing that only they may take.
        if let Ok(ours) = &ours {
            prop_assert_eq!(ours.to_string(), note.clone());
            prop_assert_eq!(ours.text().as_bytes(), theirs.as_ref().unwrap().text());
        }
        if ours.is_err() && theirs.is_ok() {
            let bare = theirs.unwrap().to_bytes();
            prop_assert!(String::from_utf8(bare).unwrap().lines().any(|line| line.starts_with('\u{2014}') && line.rsplit(' ').next().is_some_and(|base64| base64.len() == 8 && base64.ends_with("=="))), "{:?}", note);
        }
    }

    #[test]
    fn others_agree_on_what_a_checkpoint_is(origin in "[a-z ]{0,3}", size in "(0|[0-9]{1,21}|[+-]?[0-9])", root: Hash, more in "([a-z]{0,2}\n){0,2}") {
        let text = format!("{origin}\n{size}\n{}\n{more}", text::base64(&root));
        let (ours, theirs) = (Checkpoint::parse(&text), tlog_tiles::checkpoint::Checkpoint::from_bytes(text.as_bytes()));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}", &text);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!((ours.origin(), ours.size(), ours.root()), (theirs.origin(), theirs.size(), &theirs.hash().0));
            prop_assert!(text.starts_with(&ours.to_string()));
        }
    }

    #[test]
    fn what_is_signed_opens_and_what_is_changed_does_not(origin in "[!-*,-~é]{1,20}", size: u64, root: Hash, seed: [u8; 32], at: prop::sample::Index, bit in 0_u32..8) {
        let signer = Signer::from_seed(origin.as_str(), &seed).unwrap();
        let checkpoint = Checkpoint::new(origin, size, root).unwrap();
        let bytes = checkpoint.sign(&[&signer]).unwrap().to_string().into_bytes();
        let policy = Policy::of_log(signer.verifier().clone()).unwrap();
        let open = |bytes: &[u8]| Note::parse(bytes).and_then(|note| Ok(policy.open(&note)?.checkpoint));
        prop_assert_eq!(open(&bytes), Ok(checkpoint));
        let mut changed = bytes;
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(open(&changed).is_err());
    }
}
