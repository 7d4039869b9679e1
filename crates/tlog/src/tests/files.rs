//! Proof files, submissions to witnesses, policies.

use proptest::prelude::*;

use super::*;

const ORIGIN: &str = "log.example/shop";

fn log_key() -> Signer {
    Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(format!("witness.example/{number}"), &[100 + number; 32]).unwrap()
}

/// A policy over three witnesses, of which some must have cosigned.
fn policy(quorum: &str) -> Policy {
    let witnesses: String =
        (1..=3).map(|number| format!("witness w{number} {}\n", witness(number).verifier())).collect();
    format!("log {}\n{witnesses}{quorum}\n", log_key().verifier()).parse().unwrap()
}

fn cosigned(note: &Note, by: &[u8]) -> Note {
    let mut note = note.clone();
    by.iter().for_each(|&number| {
        note.add(witness(number).cosign(&note, 1_700_000_000 + u64::from(number))).unwrap()
    });
    note
}

fn proof(size: u64, index: u64) -> ProofFile {
    let log = Tree::of(size);
    let checkpoint = Checkpoint::new(ORIGIN, size, log.growth.root()).unwrap().sign(&[&log_key()]).unwrap();
    ProofFile { extra: None, index, hashes: log.hashes(&Plan::inclusion(index, size).unwrap()), checkpoint }
}

#[test]
fn a_proof_file_has_the_form_of_its_specification() {
    let mut file = proof(5, 4);
    let hash = text::base64(&file.hashes[0]);
    assert_eq!(file.to_string(), format!("c2sp.org/tlog-proof@v1\nindex 4\n{hash}\n\n{}", file.checkpoint));
    file.extra = Some(b"extra".to_vec());
    assert_eq!(
        file.to_string(),
        format!("c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 4\n{hash}\n\n{}", file.checkpoint)
    );
    assert_eq!(ProofFile::parse(file.to_string().as_bytes()), Ok(file));
    let alone = proof(1, 0);
    assert_eq!(alone.to_string(), format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{}", alone.checkpoint));
    assert_eq!(ProofFile::parse(alone.to_string().as_bytes()), Ok(alone));
}

#[test]
fn a_proof_file_proves_its_entry_and_no_other_to_whoever_knows_the_log() {
    let file = proof(70_000, 1_234);
    let trusted = Policy::of_log(log_key().verifier().clone()).unwrap();
    assert_eq!(file.verify(&leaf(1_234), &trusted).unwrap().checkpoint.size(), 70_000);
    assert_eq!(file.verify(&leaf(1_235), &trusted), Err(Error::NotProven));
    let elsewhere = ProofFile { index: 1_235, ..file.clone() };
    assert_eq!(elsewhere.verify(&leaf(1_234), &trusted), Err(Error::NotProven));
    let outside = ProofFile { index: 70_000, ..file.clone() };
    assert!(matches!(outside.verify(&leaf(1_234), &trusted), Err(Error::OutOfRange { .. })));
    let stranger = Signer::from_seed(ORIGIN, &[2; 32]).unwrap();
    let other = Policy::of_log(stranger.verifier().clone()).unwrap();
    assert_eq!(file.verify(&leaf(1_234), &other), Err(Error::NotSigned));
    // Either key will do where both are known, and the witnesses must have seen it where that is asked for.
    assert!(file.verify(&leaf(1_234), &other.with_log(log_key().verifier().clone()).unwrap()).is_ok());
    let strict = policy("group g 2 w1 w2 w3\nquorum g");
    assert_eq!(file.verify(&leaf(1_234), &strict), Err(Error::NoQuorum));
    let seen = ProofFile { checkpoint: cosigned(&file.checkpoint, &[1, 3]), ..file };
    let opened = seen.verify(&leaf(1_234), &strict).unwrap();
    let times: Vec<(&str, u64)> =
        opened.cosignatures.iter().map(|one| (one.witness.name.as_str(), one.time_s)).collect();
    assert_eq!(times, [("w1", 1_700_000_001), ("w3", 1_700_000_003)]);
}

#[test]
fn a_submission_has_the_form_of_its_specification() {
    let log = Tree::of(300);
    let checkpoint = Checkpoint::new(ORIGIN, 300, log.growth.root()).unwrap().sign(&[&log_key()]).unwrap();
    let first = Submission { old_size: 0, proof: Vec::new(), checkpoint: checkpoint.clone() };
    assert_eq!(first.to_string(), format!("old 0\n\n{checkpoint}"));
    assert_eq!(Submission::parse(first.to_string().as_bytes()), Ok(first));
    let next = Submission { old_size: 5, proof: log.hashes(&Plan::consistency(5, 300).unwrap()), checkpoint };
    assert_eq!(Submission::parse(next.to_string().as_bytes()), Ok(next.clone()));
    let bases: Vec<String> = next.proof.iter().map(|hash| text::base64(hash)).collect();
    assert_eq!(next.to_string(), format!("old 5\n{}\n\n{}", bases.join("\n"), next.checkpoint));
    let long = Submission { proof: vec![EMPTY_ROOT; 63], ..next };
    assert!(Submission::parse(long.to_string().as_bytes()).is_ok());
    let longer = Submission { proof: vec![EMPTY_ROOT; 64], ..long };
    assert!(Submission::parse(longer.to_string().as_bytes()).is_err());
}

#[test]
fn a_policy_asks_for_the_witnesses_that_it_says() {
    let note = Checkpoint::new(ORIGIN, 5, EMPTY_ROOT).unwrap().sign(&[&log_key()]).unwrap();
    type Witnesses<'a> = &'a [&'a [u8]];
    let cases: [(&str, Witnesses<'_>, Witnesses<'_>); 6] = [
        ("quorum none", &[&[], &[1]], &[]),
        ("quorum w2", &[&[2], &[1, 2, 3]], &[&[], &[1, 3]]),
        ("group g any w1 w2\nquorum g", &[&[1], &[2, 3]], &[&[], &[3]]),
        ("group g all w1 w2 w3\nquorum g", &[&[1, 2, 3]], &[&[1, 2]]),
        ("group g 2 w1 w2 w3\nquorum g", &[&[1, 2], &[1, 3], &[3, 2, 1]], &[&[1], &[1, 1]]),
        ("group a any w1 w2\ngroup b all a w3\nquorum b", &[&[1, 3], &[2, 3]], &[&[1, 2], &[3]]),
    ];
    for (quorum, enough, too_few) in cases {
        let policy = policy(quorum);
        for by in enough {
            assert_eq!(
                policy.open(&cosigned(&note, by)).unwrap().cosignatures.len(),
                by.len(),
                "{quorum} {by:?}"
            );
        }
        for by in too_few {
            assert_eq!(policy.open(&cosigned(&note, by)), Err(Error::NoQuorum), "{quorum} {by:?}");
        }
    }
}

#[test]
fn a_policy_may_have_comments_urls_tabs_and_no_log() {
    let (log, first) = (log_key(), witness(1));
    let file = format!(
        "# whom to believe\n\n  log\t{}  https://log.example/shop \nwitness ärzte {} https://w.example/\n\t# all\ngroup g 1 ärzte\nquorum g",
        log.verifier(),
        first.verifier(),
    );
    let policy: Policy = file.parse().unwrap();
    assert_eq!(
        policy.logs(),
        [Log { verifier: log.verifier().clone(), url: Some("https://log.example/shop".to_owned()) }]
    );
    assert_eq!(policy.witnesses()[0].name, "ärzte");
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example/"));
    let none: Policy = "quorum none\n".parse().unwrap();
    let note = Checkpoint::new(ORIGIN, 5, EMPTY_ROOT).unwrap().sign(&[&log]).unwrap();
    assert_eq!(none.open(&note), Err(Error::NotSigned));
    assert!(none.with_log(log.verifier().clone()).unwrap().open(&note).is_ok());
    assert!(Policy::of_log(first.verifier().clone()).is_err());
}

#[test]
fn a_policy_that_is_wrong_is_refused_with_line_and_rule() {
    let (log, one, two) = (
        log_key().verifier().to_string(),
        witness(1).verifier().to_string(),
        witness(2).verifier().to_string(),
    );
    let again = Verifier::of_witness("other.example", *witness(1).verifier().public_key()).unwrap();
    let start = format!("witness w1 {one}\nwitness w2 {two}\n");
    let none_of = "it is none of: log VKEY [URL], witness NAME VKEY [URL], group NAME all|any|K NAME.., quorum NAME|none";
    for (file, line, why) in [
        (String::new(), 1, "the file has no quorum line"),
        (format!("log {log}\n"), 2, "the file has no quorum line"),
        ("quorum none\nquorum none\n".to_owned(), 2, "there is one quorum line"),
        ("quorum none\r\n".to_owned(), 1, "it has a control character (lines end with a newline alone)"),
        ("quorum w1\n".to_owned(), 1, "w1 is not defined above"),
        ("quorum\n".to_owned(), 1, none_of),
        ("log\n".to_owned(), 1, none_of),
        (format!("log {log} a b\n"), 1, none_of),
        (format!("{start}group g any\n"), 3, none_of),
        ("logs x\n".to_owned(), 1, none_of),
        (format!("log {one}\n"), 1, "its key is not of type 1"),
        (format!("witness w {log}\n"), 1, "its key is not of type 4"),
        (format!("log {log}\nlog {log}\n"), 2, "its key stands above already"),
        (format!("{start}witness w3 {again}\n"), 3, "its key stands above already"),
        (format!("witness none {one}\n"), 1, "none is defined already"),
        (format!("witness w {one}\nwitness w {two}\n"), 2, "w is defined already"),
        (format!("{start}group w1 any w2\n"), 3, "w1 is defined already"),
        (format!("{start}group g any w1 none\n"), 3, "none is not defined above"),
        (format!("{start}group g any g\n"), 3, "g is not defined above"),
        (format!("{start}group g all w1 w1\n"), 3, "w1 is a member already"),
        (format!("{start}group g any w1\ngroup h any w1\n"), 4, "w1 is a member already"),
        (format!("{start}group g 0 w1 w2\n"), 3, "of 2 members all, any or 1 to 2"),
        (format!("{start}group g 3 w1 w2\n"), 3, "of 2 members all, any or 1 to 2"),
        (format!("{start}group g 02 w1 w2\n"), 3, "of 2 members all, any or 1 to 2"),
        ("log nonsense\n".to_owned(), 1, "not a verifier key: it has the form name+id+key"),
    ] {
        let refused = Error::Policy { line, why: why.to_owned() };
        assert_eq!(file.parse::<Policy>(), Err(refused), "{file}");
    }
}

#[test]
fn a_policy_of_groups_in_groups_is_bounded() {
    let mut file = format!("witness w {}\ngroup g0 any w\n", witness(1).verifier());
    for group in 1..256 {
        file += &format!("group g{group} any g{}\n", group - 1);
    }
    let policy: Policy = format!("{file}quorum g255\n").parse().unwrap();
    let note = Checkpoint::new(ORIGIN, 5, EMPTY_ROOT).unwrap().sign(&[&log_key()]).unwrap();
    let policy = policy.with_log(log_key().verifier().clone()).unwrap();
    assert!(policy.open(&cosigned(&note, &[1])).is_ok());
    assert_eq!(policy.open(&note), Err(Error::NoQuorum));
    let refused = Error::Policy { line: 258, why: "there are at most 256 of a kind".to_owned() };
    assert_eq!(format!("{file}group g256 any g255\nquorum g256\n").parse::<Policy>(), Err(refused));
}

proptest! {
    #[test]
    fn files_are_read_as_they_are_written(extra: Option<Vec<u8>>, index: u64, hashes in prop::collection::vec(any::<Hash>(), 0..=63)) {
        let checkpoint = Checkpoint::new(ORIGIN, 5, EMPTY_ROOT).unwrap().sign(&[&log_key()]).unwrap();
        let submission = Submission { old_size: index, proof: hashes.clone(), checkpoint: checkpoint.clone() };
        prop_assert_eq!(Submission::parse(submission.to_string().as_bytes()), Ok(submission));
        let file = ProofFile { extra, index, hashes, checkpoint };
        prop_assert_eq!(ProofFile::parse(file.to_string().as_bytes()), Ok(file));
    }
}
