//! Signing certificates by their URL: bounded, and fetched once however many callbacks wait for the same one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use moka::future::Cache;
use tokio::sync::Semaphore;

use crate::{CertificateUrl, Leaf};

const FOUND_MAX: u64 = 64;
/// URLs that could not be had. They stand apart, so that no flood of invented ones drives a genuine certificate out.
const FAILED_MAX: u64 = 1024;
/// Downloads at a time: whoever names one URL after the other cannot have us flood PayPal.
const DOWNLOADS_MAX: usize = 8;
/// A download is a few kilobytes.
const DOWNLOAD_MAX: usize = 64 * 1024;
/// The URL is no hash of the contents: PayPal has served another leaf under the same one.
const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Long enough to keep a flood of forged URLs off PayPal, short enough for its retries.
const FAILED_FOR: Duration = Duration::from_secs(30);

/// A certificate cannot be had now: trouble with the infrastructure, which says nothing about the callback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate unavailable: {0}")]
pub struct Unavailable(pub Arc<str>);

/// How certificates are fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The most time that a download may take.
    pub timeout: Duration,
    /// Believe only these roots (PEM) for the connection, instead of the system's.
    pub roots: Option<Vec<u8>>,
    /// Addresses that are used for hosts instead of asking the DNS.
    pub resolve: Vec<(String, SocketAddr)>,
}

impl Default for Fetch {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), roots: None, resolve: Vec::new() }
    }
}

/// Where certificates come from, in this order.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Given beforehand: PEM text by the certificate's name, `CERT-..`.
    pub given: HashMap<String, Vec<u8>>,
    /// A directory with files `CERT-...pem`, for installations that may not call out.
    pub directory: Option<PathBuf>,
    /// By HTTPS from PayPal; `None` never calls out.
    pub fetch: Option<Fetch>,
}

struct Inner {
    given: HashMap<String, Vec<u8>>,
    directory: Option<PathBuf>,
    client: Option<reqwest::Client>,
    found: Cache<String, Arc<Leaf>>,
    failed: Cache<String, Unavailable>,
    downloads: Semaphore,
}

/// The certificates in use. Cheap to clone; shops share one.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

fn client(fetch: &Fetch) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        // A proxy named by the environment would see, and could hold up, what decides about money.
        .no_proxy()
        .timeout(fetch.timeout)
        .user_agent("counterfoil");
    if let Some(roots) = &fetch.roots {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(roots)?);
    }
    for (host, address) in &fetch.resolve {
        builder = builder.resolve(host, *address);
    }
    builder.build()
}

fn unavailable(why: impl std::fmt::Display) -> Unavailable {
    Unavailable(why.to_string().into())
}

impl Certificates {
    /// Certificates from these sources.
    ///
    /// # Errors
    /// The HTTPS client cannot be set up.
    pub fn new(sources: Sources) -> Result<Self, Unavailable> {
        let client = sources.fetch.as_ref().map(client).transpose().map_err(|error| unavailable(&error))?;
        let found = Cache::builder().max_capacity(FOUND_MAX).time_to_live(FOUND_FOR).build();
        let failed = Cache::builder().max_capacity(FAILED_MAX).time_to_live(FAILED_FOR).build();
        let Sources { given, directory, .. } = sources;
        let downloads = Semaphore::new(DOWNLOADS_MAX);
        Ok(Self(Arc::new(Inner { given, directory, client, found, failed, downloads })))
    }

    /// The certificate of a URL. Those who ask for the same one at the same time share one download.
    ///
    /// # Errors
    /// [`Unavailable`] when no source has it now. That is remembered for half a minute.
    pub async fn get(&self, url: &CertificateUrl) -> Result<Arc<Leaf>, Unavailable> {
        if let Some(leaf) = self.0.found.get(url.as_str()).await {
            return Ok(leaf);
        }
        if let Some(why) = self.0.failed.get(url.as_str()).await {
            return Err(why);
        }
        let load = async { self.load(url).await.map(Arc::new) };
        match self.0.found.try_get_with_by_ref(url.as_str(), load).await {
            Ok(leaf) => Ok(leaf),
            Err(why) => {
                let why = Unavailable::clone(&why);
                self.0.failed.insert(url.as_str().to_owned(), why.clone()).await;
                Err(why)
            }
        }
    }

    /// Whether [`Self::get`] would answer without calling out.
    pub(crate) async fn is_at_hand(&self, url: &CertificateUrl) -> bool {
        self.0.client.is_none()
            || self.0.found.contains_key(url.as_str())
            || self.0.failed.contains_key(url.as_str())
            || matches!(self.stored(url).await, Ok(Some(_)))
    }

    /// The certificate of a URL; one that has ended is looked for anew, for PayPal may have renewed it in its place.
    pub(crate) async fn get_at(
        &self,
        url: &CertificateUrl,
        now: Timestamp,
    ) -> Result<Arc<Leaf>, Unavailable> {
        let leaf = self.get(url).await?;
        if now.as_datetime().timestamp() <= leaf.not_after() || leaf.loaded_at.elapsed() < FAILED_FOR {
            return Ok(leaf);
        }
        self.0.found.invalidate(url.as_str()).await;
        self.get(url).await
    }

    async fn load(&self, url: &CertificateUrl) -> Result<Leaf, Unavailable> {
        let pem = match self.stored(url).await? {
            Some(pem) => pem,
            None => self.fetch(url).await?,
        };
        Leaf::from_pem(&pem, url.as_str()).map_err(|error| unavailable(&error))
    }

    async fn stored(&self, url: &CertificateUrl) -> Result<Option<Vec<u8>>, Unavailable> {
        if let Some(pem) = self.0.given.get(url.id()) {
            return Ok(Some(pem.clone()));
        }
        let Some(directory) = &self.0.directory else { return Ok(None) };
        // The id has only letters, digits and hyphens, so it cannot lead out of the directory.
        match tokio::fs::read(directory.join(format!("{}.pem", url.id()))).await {
            Ok(pem) => Ok(Some(pem)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn fetch(&self, url: &CertificateUrl) -> Result<Vec<u8>, Unavailable> {
        let client = self.0.client.as_ref().ok_or_else(|| unavailable("it is not stored here"))?;
        let _one_of_few = self.0.downloads.acquire().await.map_err(unavailable)?;
        let mut response =
            client.get(url.as_str()).send().await.map_err(|error| unavailable(with_causes(&error)))?;
        // Also a redirect: only the host that was checked may answer.
        if response.status() != reqwest::StatusCode::OK {
            return Err(unavailable(format!("PayPal answered {}", response.status().as_u16())));
        }
        let mut pem = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(with_causes(&error)))? {
            if pem.len() + chunk.len() > DOWNLOAD_MAX {
                return Err(unavailable("the download is too large"));
            }
            pem.extend_from_slice(&chunk);
        }
        Ok(pem)
    }
}

/// The HTTP client's own text leaves out why: the certificate, the name, the time-out.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
