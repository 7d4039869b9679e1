//! Where the service meets the world: whom it believes, where it is reached, what room its host has.

use std::path::Path;
use std::time::Duration;

use intake::shops::ListedShop;
use reqwest::Url;

use super::findings::Findings;
use crate::{api_client, trust};

/// Whoever issues the certificates that PayPal signs callbacks with.
const ISSUER: &str = "DigiCert";
const PATIENCE: Duration = Duration::from_secs(5);
/// Less of a disk than this is nearly none: the state of each log is written anew with every commit.
const ROOM_MIN: u64 = 512 * 1024 * 1024;

/// Whose signatures are believed.
pub(super) fn roots(folder: Option<&Path>, is_dev: bool, shops: &[ListedShop], findings: &mut Findings) {
    const CHECK: &str = "roots";
    let cure = format!(
        "put {ISSUER}'s \"SHA2 Extended Validation Server CA\" and \"High Assurance EV Root CA\" (digicert.com/kb) as PEM files \
         into a folder, and name it with COUNTERFOIL_ROOTS"
    );
    let Some(folder) = folder else {
        let is_asked = shops.iter().any(|shop| shop.environment != "dev");
        return if is_dev && !is_asked {
            findings.ok(CHECK, "`dev` believes its own authority alone");
        } else {
            let what = "no folder is given, and PayPal's certificates need an intermediate that the system's store has not";
            findings.warn(CHECK, what, cure);
        };
    };
    let named = trust::names_issuer(folder, ISSUER).and_then(|named| {
        trust::anchors(Some(folder))?;
        Ok(named)
    });
    match named {
        Ok(true) => findings.ok(CHECK, format!("{} has certificates of {ISSUER}", folder.display())),
        Ok(false) => {
            let what = format!("{} has no certificate of {ISSUER}, who issues PayPal's", folder.display());
            findings.fail(CHECK, what, cure);
        }
        Err(error) => findings.fail(CHECK, error.to_string(), cure),
    }
}

/// Where PayPal sends to.
pub(super) async fn public_url(text: &str, findings: &mut Findings) {
    const CHECK: &str = "public URL";
    let url = match Url::parse(text) {
        Ok(url) if url.scheme() == "https" => url,
        _ => {
            let what = format!("{text} is no https:// URL, and PayPal sends to no other");
            let cure = "put a proxy with a certificate before `serve`, or give it --tls-cert and --tls-key";
            return findings.fail(CHECK, what, cure);
        }
    };
    let (Ok(http), Ok(alive)) = (api_client::http(), api_client::join(&url, &["livez"], &[])) else { return };
    let cure = "see the name in DNS, the certificate, and that the proxy passes /webhooks/ on; that this host cannot reach it \
                may also be its own firewall";
    match http.get(alive).timeout(PATIENCE).send().await {
        Ok(answer) if answer.status().is_success() => findings.ok(CHECK, format!("{text} answers")),
        Ok(answer) => findings.warn(CHECK, format!("{text}/livez is answered {}", answer.status()), cure),
        Err(error) => {
            let why = if error.is_timeout() { "in time" } else { "from here" };
            findings.warn(CHECK, format!("{text} cannot be reached {why}"), cure);
        }
    }
}

/// Whether a folder that is written to has room.
pub(super) fn disk(dir: &Path, findings: &mut Findings) {
    let Ok(found) = rustix::fs::statvfs(dir) else { return };
    room(dir, found.f_bavail.saturating_mul(found.f_frsize), findings);
}

fn room(dir: &Path, free: u64, findings: &mut Findings) {
    let what = format!("{} has {} MiB left", dir.display(), free / 1024 / 1024);
    if free < ROOM_MIN {
        findings.warn("disk", what, "make room, or move the folder: what cannot be written stops the log");
    } else {
        findings.ok("disk", what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_disk_that_is_nearly_full_when_it_is_examined_then_room_is_asked_for() {
        let mut findings = Findings::default();
        room(Path::new("/state"), ROOM_MIN, &mut findings);
        room(Path::new("/state"), ROOM_MIN - 1, &mut findings);
        let lines: Vec<String> = findings.lines().collect();
        assert!(lines[0].starts_with("ok") && lines[0].ends_with("/state has 512 MiB left"), "{lines:?}");
        assert!(lines[1].starts_with("warn") && lines[1].contains("511 MiB left - make room"), "{lines:?}");
    }
}
