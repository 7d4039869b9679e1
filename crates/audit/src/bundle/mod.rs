//! The evidence bundle: one folder with everything that an auditor needs, and no database.
//!
//! ```text
//! README.txt        four commands, of programs that are not ours but for the last
//! log/              checkpoint, tiles, entry bundles, as C2SP tlog-tiles has them: always whole
//! log.vkey, log.pub.pem, policy
//! checkpoints/      what was published around the range, with cosignatures
//! bodies/           sealed evidence of the range, by position
//! keys.json         the keys of that evidence, as far as they are released
//! certificates/     what signed callbacks
//! export/           entries from the range's first to the end, and the read models as of the end
//! shop.json, report.json, manifest.sha256
//! ```

mod archive;
mod folder;
mod read;
mod readme;
mod report;
mod write;

use serde::{Deserialize, Serialize};
use tlog::Verifier;

pub use archive::{Archived, archive};
pub(crate) use folder::Folder;
pub use read::Bundle;
pub use report::BundleReport;
pub use write::{BundleRequest, range, write};

const LOG: &str = "log";
const CHECKPOINT: &str = "log/checkpoint";
const EXPORT: &str = "export";
const BODIES: &str = "bodies";
const CERTIFICATES: &str = "certificates";
const CHECKPOINTS: &str = "checkpoints";
const KEYS: &str = "keys.json";
const SHOP: &str = "shop.json";
const REPORT: &str = "report.json";
const README: &str = "README.txt";
const MANIFEST: &str = "manifest.sha256";
const VKEY: &str = "log.vkey";

/// The log's key as programs of others want it: each file with its text.
pub(crate) fn key_files(key: &Verifier) -> [(&'static str, String); 3] {
    [
        (VKEY, format!("{key}\n")),
        ("log.pub.pem", key.to_pem()),
        ("policy", format!("log {key}\nquorum none\n")),
    ]
}

/// What `shop.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShopFile {
    /// Whose log.
    shop: String,
    /// Which of PayPal's environments it is in.
    environment: String,
}
