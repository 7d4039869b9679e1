//! A witness that is not ours: `omniwitness` of transparency.dev, as operators of witnesses run it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tlog::{Cosigner, Signer, Verifier};

use crate::AnyWitness;
use crate::foreign::go_tool;
use crate::process::{Folder, Launch, Process, watched};

/// It has no releases.
const PACKAGE: &str =
    "github.com/transparency-dev/witness/cmd/omniwitness@v0.0.0-20260720115447-2e1c6971d19e";
const SEED: [u8; 32] = [11; 32];
/// Of an Ed25519 key, in a note's keys.
const ED25519: u8 = 1;

/// An omniwitness of one log more than those that it knows by itself. It listens on the loopback, serves no metrics, and calls
/// nobody: only a distributor, a bastion or a list of logs, of which it is told none, would have it call.
pub struct Omniwitness {
    port: u16,
    verifier: Verifier,
    _process: Process,
}

impl Omniwitness {
    /// One of this name, for the log of this key. None: skip the test, it was said why.
    pub async fn start(name: &str, log: &Verifier) -> Option<Self> {
        let program = go_tool(PACKAGE).await?;
        let verifier = Cosigner::from_seed(name, &SEED).unwrap().verifier().clone();
        let logs = format!("Logs:\n  - Origin: '{}'\n    PublicKey: '{log}'\n", log.name());
        let prepare = |folder: &Folder, [port]: [u16; 1]| {
            let mut command = watched(&program);
            command.args(["--listen", &format!("127.0.0.1:{port}"), "--metrics_listen", ""]);
            command.arg("--private_key_path").arg(folder.write("witness.key", &key_text(name)));
            command.arg("--additional_logs").arg(folder.write("logs.yaml", &logs));
            command.arg("--db_file").arg(folder.path().join("witness.db"));
            Launch { command, ready: "HTTP server goroutine started" }
        };
        let (process, [port]) = Process::start("omniwitness", prepare).await;
        Some(Self { port, verifier, _process: process })
    }
}

impl AnyWitness for Omniwitness {
    fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The private key as Go's `x/mod/sumdb/note` writes one.
fn key_text(name: &str) -> String {
    let id = Signer::from_seed(name, &SEED).unwrap().verifier().key_id();
    let key = [&[ED25519], SEED.as_slice()].concat();
    format!("PRIVATE+KEY+{name}+{id:08x}+{}", BASE64_STANDARD.encode(key))
}
