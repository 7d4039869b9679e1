//! TLS at the door: a certificate and its key from files, which are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOKED_AT: Duration = Duration::from_secs(2);
/// Neither a chain nor a key is as long.
const FILE_MAX: u64 = 256 * 1024;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{} has no {what} in PEM form", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What it should have.
        what: &'static str,
    },
    /// The two do not belong together, or are of a kind that cannot be used.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate that new connections are shown. Clones share it.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Without the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a chain, the leaf first, and the leaf's key; both PEM.
    ///
    /// # Errors
    /// [`TlsError`] says what to look at.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let loaded = load(certificate, key)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(loaded))));
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// TLS 1.2 and 1.3, with the cipher suites that rustls has, which are those that are not known to be weak.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let resolver = Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>;
        Ok(config.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Reads the files again when they change, until it is stopped. Connections that are open go on with what they have; a
    /// certificate that cannot be used is told, and the one before stays.
    pub(crate) async fn watch(self, stopping: CancellationToken) {
        let mut seen = self.stamps();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOKED_AT) => {}
                () = stopping.cancelled() => return,
            }
            let stamps = self.stamps();
            if stamps == seen {
                continue;
            }
            match load(&self.certificate, &self.key) {
                Ok(loaded) => {
                    *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                    seen = stamps;
                    tracing::info!(certificate = %self.certificate.display(), "new connections get the new certificate");
                }
                // Looked at again: the other file may be on its way.
                Err(error) => tracing::warn!(%error, "the certificate was changed, and the one before stays"),
            }
        }
    }

    /// What changes when the files do, also when they are links to others.
    fn stamps(&self) -> [Option<(std::time::SystemTime, u64, u64)>; 2] {
        [&self.certificate, &self.key].map(|path| {
            use std::os::unix::fs::MetadataExt;
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        })
    }
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let not_pem = |path: &Path, what| TlsError::NotPem { path: path.to_owned(), what };
    let pem = read(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| not_pem(certificate, "certificate"))?;
    let key_der = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| not_pem(key, "private key"))?;
    Ok(CertifiedKey::from_der(chain, key_der, &aws_lc_rs::default_provider())?)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_MAX {
        return Err(unreadable(std::io::Error::other("it is too large")));
    }
    std::fs::read(path).map_err(unreadable)
}
