//! Certificates: the leaf that signed a callback, and the authorities that it must descend from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use domain::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

use crate::{Environment, der};

/// More than any download has needed; a bound on the work of building a chain.
const CERTIFICATES_MAX: usize = 8;
/// Far more leaves than are in use at a time.
const VERIFIED_MAX: usize = 64;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate in the text.
    #[error("no certificate in PEM form")]
    NotPem,
    /// There are more certificates than a leaf needs.
    #[error("more than {CERTIFICATES_MAX} certificates")]
    TooMany,
    /// A certificate's bytes are not understood.
    #[error("a malformed certificate")]
    Malformed,
    /// No root to descend from: nothing could ever be verified.
    #[error("no root certificate")]
    NoRoots,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Why a leaf is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untrusted {
    Chain(String),
    Name(String),
}

/// The span in which a chain holds, in seconds since 1970; both ends are included.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i64,
    to: i64,
}

impl Window {
    fn holds(self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// A certificate that signs callbacks, as it was downloaded.
#[derive(Debug)]
pub struct Leaf {
    pub(crate) der: CertificateDer<'static>,
    /// What came with it, and may stand between it and a root.
    intermediates: Vec<CertificateDer<'static>>,
    url: String,
    sha256: [u8; 32],
    facts: der::Facts,
    /// Its key, ready to verify; none when it is no RSA key of 2048 to 8192 bits.
    pub(crate) key: Option<ParsedPublicKey>,
    pub(crate) loaded_at: Instant,
}

fn parse_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        found.push(certificate.map_err(|_| CertificateError::NotPem)?);
    }
    if found.is_empty() { Err(CertificateError::NotPem) } else { Ok(found) }
}

impl Leaf {
    /// Takes a download: the first certificate is the leaf, others are only ever links of its chain.
    ///
    /// # Errors
    /// [`CertificateError`] says why the text is no certificate.
    pub fn from_pem(pem: &[u8], url: &str) -> Result<Self, CertificateError> {
        let mut found = parse_pem(pem)?;
        if found.len() > CERTIFICATES_MAX {
            return Err(CertificateError::TooMany);
        }
        let der = found.remove(0);
        let end = EndEntityCert::try_from(&der).map_err(|_| CertificateError::Malformed)?;
        // Made once: a callback must not pay for it.
        let key =
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, end.subject_public_key_info().as_ref()).ok();
        let facts = der::read(&der).ok_or(CertificateError::Malformed)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.as_ref());
        let loaded_at = Instant::now();
        Ok(Self { der, intermediates: found, url: url.to_owned(), sha256, facts, key, loaded_at })
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Where it came from.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Its serial number, upper-case hexadecimal.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.facts.serial
    }

    /// The first second in which it is valid, since 1970.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.facts.not_before
    }

    /// The last second in which it is valid, since 1970.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.facts.not_after
    }
}

/// The authorities that are believed: roots, and what may stand between them and a leaf.
///
/// PayPal serves its leaf alone, so the intermediate has to be known beforehand.
pub struct TrustAnchors {
    roots: Vec<TrustAnchor<'static>>,
    intermediates: Vec<CertificateDer<'static>>,
    /// Chains that were built, with the span in which all of their links are valid. Building one costs several RSA
    /// checks, and a callback must not pay for them.
    verified: Mutex<HashMap<([u8; 32], Environment), Window>>,
}

impl std::fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustAnchors")
            .field("roots", &self.roots.len())
            .field("intermediates", &self.intermediates.len())
            .finish_non_exhaustive()
    }
}

impl TrustAnchors {
    fn new(roots: &[CertificateDer<'_>], strict: bool) -> Result<Self, CertificateError> {
        let mut anchors = Vec::with_capacity(roots.len());
        for root in roots {
            match webpki::anchor_from_trusted_cert(root) {
                Ok(anchor) => anchors.push(anchor.to_owned()),
                Err(_) if strict => return Err(CertificateError::Malformed),
                Err(_) => {}
            }
        }
        if anchors.is_empty() {
            return Err(CertificateError::NoRoots);
        }
        Ok(Self { roots: anchors, intermediates: Vec::new(), verified: Mutex::default() })
    }

    /// Believes the roots in this PEM text alone.
    ///
    /// # Errors
    /// The text has no certificate, or a malformed one.
    pub fn from_pem(roots: &[u8]) -> Result<Self, CertificateError> {
        Self::new(&parse_pem(roots)?, true)
    }

    /// Believes the roots in this PEM file alone.
    ///
    /// # Errors
    /// The file cannot be read, has no certificate, or a malformed one.
    pub fn from_file(roots: &Path) -> Result<Self, CertificateError> {
        Self::from_pem(&read_file(roots)?)
    }

    /// Believes the roots of the operating system.
    ///
    /// # Errors
    /// There are none.
    pub fn system() -> Result<Self, CertificateError> {
        // A system's store may hold certificates that are too odd to be used: the others still count.
        Self::new(&rustls_native_certs::load_native_certs().certs, false)
    }

    /// Knows these certificates too: they may stand between a leaf and a root, and are not believed by themselves.
    ///
    /// # Errors
    /// The text has no certificate.
    pub fn with_intermediates(mut self, pem: &[u8]) -> Result<Self, CertificateError> {
        self.intermediates.extend(parse_pem(pem)?);
        Ok(self)
    }

    /// The same from a PEM file.
    ///
    /// # Errors
    /// The file cannot be read or has no certificate.
    pub fn with_intermediates_file(self, path: &Path) -> Result<Self, CertificateError> {
        self.with_intermediates(&read_file(path)?)
    }

    /// Checks the leaf at an instant: chain, validity and name. A chain that was built before is only checked for time.
    pub(crate) fn check(
        &self,
        leaf: &Leaf,
        environment: Environment,
        at: Timestamp,
    ) -> Result<(), Untrusted> {
        let seconds = at.as_datetime().timestamp();
        let key = (leaf.sha256, environment);
        let known = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if known.is_some_and(|window| window.holds(seconds)) {
            return Ok(());
        }
        let window = self.build_chain(leaf, seconds)?;
        check_name(leaf, environment)?;
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= VERIFIED_MAX {
            verified.clear();
        }
        verified.insert(key, window);
        Ok(())
    }

    fn build_chain(&self, leaf: &Leaf, seconds: i64) -> Result<Window, Untrusted> {
        let broken = |error: webpki::Error| Untrusted::Chain(error.to_string());
        let malformed = || Untrusted::Chain("a malformed certificate".to_owned());
        let end = EndEntityCert::try_from(&leaf.der).map_err(broken)?;
        let links: Vec<_> = self
            .intermediates
            .iter()
            .chain(&leaf.intermediates)
            .map(|link| CertificateDer::from_slice(link.as_ref()))
            .collect();
        let since_1970 = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let time = UnixTime::since_unix_epoch(since_1970);
        let usage = KeyUsage::server_auth();
        let path = end
            .verify_for_usage(ALL_VERIFICATION_ALGS, &self.roots, &links, time, usage, None, None)
            .map_err(broken)?;
        let mut window = Window { from: leaf.not_before(), to: leaf.not_after() };
        for link in path.intermediate_certificates() {
            let facts = der::read(&link.der()).ok_or_else(malformed)?;
            window.from = window.from.max(facts.not_before);
            window.to = window.to.min(facts.not_after);
        }
        Ok(window)
    }

    /// Whether the leaf descends from a root at an instant, for a report.
    pub(crate) fn check_chain(&self, leaf: &Leaf, at: Timestamp) -> Result<(), Untrusted> {
        self.build_chain(leaf, at.as_datetime().timestamp()).map(|_| ())
    }
}

/// Whether the leaf is for the name that signs in this environment.
pub(crate) fn check_name(leaf: &Leaf, environment: Environment) -> Result<(), Untrusted> {
    let expected = environment.certificate_name();
    let wrong = || Untrusted::Name(format!("the certificate is not for {expected}"));
    let name = ServerName::try_from(expected).map_err(|_| wrong())?;
    let end = EndEntityCert::try_from(&leaf.der).map_err(|_| wrong())?;
    end.verify_is_valid_for_subject_name(&name).map_err(|_| wrong())
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Read { path: path.display().to_string(), source })
}
