//! The keys: that they are there, are nobody else's, and are those that everything was sealed and signed with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use audit::tree::{LogKeys, noted_key};
use database::Database;
use domain::ShopId;
use evidence::KeyEncryptionKey;
use intake::shops::ListedShop;

use super::findings::Findings;
use crate::config::{KekArgs, LogArgs};
use crate::project::Project;

const KEK: &str = "key-encryption key";
const LOG: &str = "log key";

/// The key-encryption key, under which all evidence is.
pub(super) fn of_evidence(
    args: &KekArgs,
    project: Option<&Project>,
    shops: &[ListedShop],
    findings: &mut Findings,
) {
    let file = match args.file(project) {
        Ok(file) => file,
        Err(error) => return findings.fail_as_told(KEK, &error.to_string()),
    };
    let cure = "give its file with COUNTERFOIL_KEK_FILE, from its copy where it was lost; a new one opens nothing that is sealed";
    let read = KeyEncryptionKey::from_file(&file);
    let Some(key) = findings.judge(KEK, read, "can be read", cure) else { return };
    is_private(KEK, &file, findings);
    for shop in shops.iter().filter(|shop| shop.kek_id != key.id()) {
        let what = format!(
            "the evidence of {} is sealed under the key {}, and {} is {}",
            shop.shop,
            shop.kek_id,
            file.display(),
            key.id()
        );
        findings.fail(
            KEK,
            what,
            "give the file that `serve` had when the shop was made, from its copy elsewhere",
        );
    }
}

/// Whoever reads such a file opens everything, or signs in our name.
fn is_private(check: &'static str, file: &Path, findings: &mut Findings) {
    let Ok(metadata) = std::fs::metadata(file) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    // A group may be the service's own, as in a container.
    if mode & 0o007 != 0 {
        let what = format!("every user of this host may read or change {} ({mode:03o})", file.display());
        let cure = format!("chmod 600 {0}, and have it belong to the user of `serve`", file.display());
        findings.fail(check, what, cure);
    }
}

/// The keys that sign the logs.
pub(super) async fn of_logs(
    args: &LogArgs,
    project: Option<&Project>,
    pool: Option<&Database>,
    shops: &[ListedShop],
    findings: &mut Findings,
) {
    let keys = match args.key_file(project) {
        Some(file) => {
            let cure = "give its file with COUNTERFOIL_LOG_KEY_FILE, from its copy where it was lost";
            let read = LogKeys::from_file(&file);
            let Some(keys) = findings.judge(LOG, read, "can be read", cure) else { return };
            is_private(LOG, &file, findings);
            Some(keys)
        }
        None => None,
    };
    let mut signs = false;
    for shop in shops {
        let (Some(pool), Ok(id)) = (pool, ShopId::parse(&shop.shop)) else { continue };
        let Some(noted) = findings.asked(LOG, noted_key(pool, &id).await) else { return };
        let Some(noted) = noted else { continue };
        signs = true;
        let what = match &keys {
            Some(keys) if keys.has(&noted) => continue,
            Some(_) => format!("the log of {id} is signed with {noted}, which is not in the file"),
            None => format!("the log of {id} is signed with {noted}, and no key file is given"),
        };
        let cure = "give the file that `serve` had with COUNTERFOIL_LOG_KEY_FILE; `keys log rotate` changes keys so that readers can follow";
        findings.fail(LOG, what, cure);
    }
    if keys.is_none() && !signs {
        let what = "there is none, so no Merkle tree is grown, and nobody can prove what is in the logs";
        let cure = "make one with `counterfoil keys log create`, and set COUNTERFOIL_LOG_KEY_FILE";
        findings.warn(LOG, what, cure);
    }
}
