//! Proof files and policies as others see them: torchwood, a library in Go, believes what we believe.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::foreign;
use tlog::{Checkpoint, Cosigner, Growth, Plan, Policy, ProofFile, Signer, leaf_hash};

use crate::binary::TempDir;

/// A verifier of proof files of which nothing is ours but what reads files.
pub(crate) struct ForeignProofVerifier(PathBuf);

impl ForeignProofVerifier {
    /// None: skip the test, it was said why.
    pub(crate) async fn get() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/verify_proof");
        foreign::go_module(&folder).await.map(Self)
    }

    /// Why it does not believe that the entry is in a log of the policy.
    pub(crate) fn refused(&self, policy: &str, entry: &[u8], proof: &str) -> Option<String> {
        let dir = TempDir::new();
        let files = [("policy", policy.as_bytes()), ("entry", entry), ("entry.tlog-proof", proof.as_bytes())];
        let mut verify = Command::new(&self.0);
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            verify.arg(path);
        }
        let output = verify.output().unwrap();
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

const ORIGIN: &str = "log.example/made-up";

fn entry(position: u64) -> Vec<u8> {
    format!(r#"{{"made":"up","n":{position}}}"#).into_bytes()
}

fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(format!("witness.example/{number}"), &[100 + number; 32]).unwrap()
}

/// That the entry is in a log of that size, which these witnesses saw.
fn proof(size: u64, index: u64, witnesses: &[u8]) -> ProofFile {
    let mut growth = Growth::new();
    (0..size).for_each(|position| growth.push(leaf_hash(&entry(position))));
    let tiles: HashMap<_, _> = growth.take().into_iter().collect();
    let log = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let mut checkpoint = Checkpoint::new(ORIGIN, size, growth.root()).unwrap().sign(&[&log]).unwrap();
    for &number in witnesses {
        checkpoint.add(witness(number).cosign(&checkpoint, 1_700_000_000)).unwrap();
    }
    let hashes = Plan::inclusion(index, size).unwrap().hashes(|tile| tiles.get(&tile)).unwrap();
    ProofFile { extra: None, index, hashes, checkpoint }
}

fn policy(quorum: &str) -> String {
    let log = Signer::from_seed(ORIGIN, &[7; 32]).unwrap();
    let witnesses: String =
        (1..=3).map(|number| format!("witness w{number} {}\n", witness(number).verifier())).collect();
    let groups = "group two 2 w1 w2 w3\ngroup all-of-two all two\n";
    format!("log {}\n{witnesses}{groups}quorum {quorum}\n", log.verifier())
}

#[tokio::test]
#[ignore = "needs Go: make test-all"]
async fn a_library_of_others_believes_the_same_proofs_and_policies() {
    let Some(verifier) = ForeignProofVerifier::get().await else { return };
    let extra = |extra: &[u8]| ProofFile { extra: Some(extra.to_vec()), ..proof(257, 256, &[1, 2]) };
    let mut tampered = proof(257, 3, &[]);
    tampered.hashes[2][0] ^= 1;
    let (other_key, elsewhere) =
        (Signer::from_seed(ORIGIN, &[8; 32]).unwrap(), ProofFile { index: 4, ..proof(257, 3, &[]) });
    let stranger = ProofFile {
        checkpoint: Checkpoint::new(ORIGIN, 1, leaf_hash(&entry(0))).unwrap().sign(&[&other_key]).unwrap(),
        ..proof(1, 0, &[])
    };
    for (what, proof, position, quorum, believed) in [
        ("one entry", proof(1, 0, &[]), 0, "none", true),
        ("the last of many", proof(70_000, 69_999, &[]), 69_999, "none", true),
        ("one of many, witnessed", proof(70_000, 1_234, &[2, 3]), 1_234, "two", true),
        ("with something extra", extra(b"extra"), 256, "all-of-two", true),
        ("with nothing extra", extra(b""), 256, "w2", true),
        ("too few witnesses", proof(257, 3, &[1]), 3, "two", false),
        ("another witness", proof(257, 3, &[1, 3]), 3, "w2", false),
        ("another entry", proof(257, 3, &[]), 4, "none", false),
        ("another position", elsewhere, 3, "none", false),
        ("another hash", tampered, 3, "none", false),
        ("another key", stranger, 0, "none", false),
    ] {
        let (policy, entry) = (policy(quorum), entry(position));
        let theirs = verifier.refused(&policy, &entry, &proof.to_string());
        assert_eq!(theirs.is_none(), believed, "{what}: {theirs:?}");
        let policy: Policy = policy.parse().unwrap();
        let ours = proof.verify(&leaf_hash(&entry), &policy);
        assert_eq!(ours.is_ok(), believed, "{what}: {ours:?}");
    }
}
