//! Whose signatures are believed: roots and intermediates from a folder, or the system's.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use intake::Trust;
use paypal::{Certificates, Fetch, Sources, TrustAnchors};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::TrustArgs;
use crate::exit;

/// PayPal's trust, as the arguments say.
pub(crate) fn of_paypal(args: &TrustArgs) -> anyhow::Result<Trust> {
    let anchors = anchors(args.roots.as_deref())?;
    let sources =
        Sources { directory: args.certs.clone(), fetch: Some(Fetch::default()), ..Sources::default() };
    let certificates = Certificates::new(sources).context("certificates cannot be fetched")?;
    Ok(Trust { anchors: Arc::new(anchors), certificates })
}

/// Every PEM file of the folder: self-signed certificates are roots, others may stand between a leaf and a root. Without
/// a root in it, the system's are believed.
pub(crate) fn anchors(folder: Option<&Path>) -> anyhow::Result<TrustAnchors> {
    let (mut roots, mut intermediates) = (String::new(), String::new());
    if let Some(folder) = folder {
        for text in pem_files(folder)? {
            for block in blocks(&text) {
                let into = if is_self_signed(block)? { &mut roots } else { &mut intermediates };
                into.push_str(block);
                into.push('\n');
            }
        }
        if roots.is_empty() && intermediates.is_empty() {
            return Err(exit::config(format!("{} has no certificate in a PEM file", folder.display())));
        }
    }
    let anchors =
        if roots.is_empty() { TrustAnchors::system() } else { TrustAnchors::from_pem(roots.as_bytes()) };
    let unusable =
        |error: paypal::CertificateError| exit::config(format!("the roots cannot be used: {error}"));
    let anchors = anchors.map_err(unusable)?;
    if intermediates.is_empty() {
        return Ok(anchors);
    }
    anchors.with_intermediates(intermediates.as_bytes()).map_err(unusable)
}

/// Whether a certificate of the folder is this issuer's, or is of it.
pub(crate) fn names_issuer(folder: &Path, issuer: &str) -> anyhow::Result<bool> {
    let texts = pem_files(folder)?;
    Ok(texts.iter().flat_map(|text| blocks(text)).any(|block| {
        CertificateDer::from_pem_slice(block.as_bytes())
            .is_ok_and(|der| der.windows(issuer.len()).any(|window| window == issuer.as_bytes()))
    }))
}

fn pem_files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let unreadable =
        |error: std::io::Error| exit::config(format!("{} cannot be read: {error}", folder.display()));
    let mut paths = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    paths.sort();
    let is_pem = |path: &Path| {
        path.extension().is_some_and(|end| end.eq_ignore_ascii_case("pem") || end.eq_ignore_ascii_case("crt"))
    };
    let mut texts = Vec::new();
    for path in paths.iter().filter(|path| is_pem(path)) {
        let bytes = std::fs::read(path).map_err(unreadable)?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(texts)
}

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END).filter_map(|part| {
        let start = part.find("-----BEGIN CERTIFICATE-----")?;
        part.ends_with(END).then_some(&part[start..])
    })
}

fn is_self_signed(block: &str) -> anyhow::Result<bool> {
    let der = CertificateDer::from_pem_slice(block.as_bytes())
        .map_err(|_| exit::config("one of the PEM files holds a broken certificate"))?;
    // Old roots are of X.509 version 1, which cannot stand anywhere but at the end of a chain.
    Ok(webpki::EndEntityCert::try_from(&der).map_or(true, |parsed| parsed.issuer() == parsed.subject()))
}
