//! The development authority: a root that a developer's service believes, and the leaf that signs in PayPal's place.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use paypal::{CertificateError, Environment, Leaf, TrustAnchors};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

const ROOT_FILE: &str = "root.pem";
const KEY_FILE: &str = "leaf.key";

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its directory cannot be read or written.
    #[error("cannot use {path}")]
    Files {
        /// The file or directory.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Keys or certificates cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The stored certificates cannot be used: remove the directory, and they are made anew.
    #[error("the stored certificates cannot be used")]
    Stored(#[from] CertificateError),
    /// The stored key cannot be used, or there is none for the certificate.
    #[error("the stored key cannot be used: remove the directory, and it is made anew")]
    Key,
}

/// A root, and a leaf with its key.
pub struct Authority {
    root_pem: String,
    leaf_pem: String,
    key_pem: String,
    certificate_id: String,
    key: RsaKeyPair,
    /// Tells the transmissions of one authority from those of another.
    pub(crate) node: [u8; 6],
    pub(crate) transmissions: AtomicU64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate_id", &self.certificate_id).finish_non_exhaustive()
    }
}

fn params(common_name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    // It never leaves a developer's machine: one that expires would only be in the way.
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    Ok(params)
}

fn make() -> Result<(String, String, String), rcgen::Error> {
    let mut root = params("Counterfoil development root: trust it nowhere else", Vec::new())?;
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_key = KeyPair::generate()?;
    let root_certificate = root.self_signed(&root_key)?;

    let name = Environment::Dev.certificate_name();
    let mut leaf = params(name, vec![name.to_owned()])?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let leaf_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    // The root's key is not kept: nobody can sign another leaf with it.
    let leaf_certificate = leaf.signed_by(&leaf_key, &Issuer::from_params(&root, &root_key))?;
    Ok((root_certificate.pem(), leaf_certificate.pem(), leaf_key.serialize_pem()))
}

impl Authority {
    /// A new authority that lives as long as the value.
    ///
    /// # Errors
    /// Keys cannot be made.
    pub fn in_memory() -> Result<Self, AuthorityError> {
        let (root_pem, leaf_pem, key_pem) = make()?;
        Self::from_parts(root_pem, leaf_pem, key_pem)
    }

    /// The authority of a directory; an empty or missing directory gets a new one. Its files: `root.pem` to be believed,
    /// `CERT-<id>.pem` to be found by the certificate cache, `leaf.key`.
    ///
    /// # Errors
    /// The files cannot be read, written or used.
    pub fn load_or_create(directory: &Path) -> Result<Self, AuthorityError> {
        if directory.join(KEY_FILE).exists() {
            return Self::load(directory);
        }
        let authority = Self::in_memory()?;
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |source| AuthorityError::Files { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
        let certificate_file = format!("{}.pem", authority.certificate_id);
        // The key last: it is what says that the directory is complete.
        let files = [
            (ROOT_FILE, &authority.root_pem),
            (&certificate_file, &authority.leaf_pem),
            (KEY_FILE, &authority.key_pem),
        ];
        for (name, text) in files {
            let path = directory.join(name);
            write_private(&path, text).map_err(failed(&path))?;
        }
        Ok(authority)
    }

    fn load(directory: &Path) -> Result<Self, AuthorityError> {
        let read = |path: &Path| {
            fs::read_to_string(path)
                .map_err(|source| AuthorityError::Files { path: path.display().to_string(), source })
        };
        let root_pem = read(&directory.join(ROOT_FILE))?;
        let key_pem = read(&directory.join(KEY_FILE))?;
        let failed = |source| AuthorityError::Files { path: directory.display().to_string(), source };
        for entry in fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_leaf = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("CERT-") && name.ends_with(".pem"));
            if is_leaf
                && let Ok(authority) = Self::from_parts(root_pem.clone(), read(&path)?, key_pem.clone())
                && authority.is_own_key()?
            {
                return Ok(authority);
            }
        }
        Err(AuthorityError::Key)
    }

    /// Whether key and certificate belong together: a public key stands in its certificate byte for byte.
    fn is_own_key(&self) -> Result<bool, AuthorityError> {
        let leaf = Leaf::from_pem(self.leaf_pem.as_bytes(), "")?;
        let public = self.key.public_key().as_ref();
        Ok(leaf.der().windows(public.len()).any(|window| window == public))
    }

    fn from_parts(root_pem: String, leaf_pem: String, key_pem: String) -> Result<Self, AuthorityError> {
        let leaf = Leaf::from_pem(leaf_pem.as_bytes(), "")?;
        let hash: String = leaf.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        let certificate_id = format!("CERT-{}-{}-{}", &hash[..8], &hash[8..16], &hash[16..24]);
        let der = PrivatePkcs8KeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| AuthorityError::Key)?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| AuthorityError::Key)?;
        if key.public_modulus_len() != KeySize::Rsa2048.len() {
            return Err(AuthorityError::Key);
        }
        let mut node = [0; 6];
        aws_lc_rs::rand::fill(&mut node).map_err(|_| AuthorityError::Key)?;
        let transmissions = AtomicU64::new(0);
        Ok(Self { root_pem, leaf_pem, key_pem, certificate_id, key, node, transmissions })
    }

    /// What a developer's service is to believe.
    ///
    /// # Errors
    /// The root cannot be used.
    pub fn anchors(&self) -> Result<TrustAnchors, AuthorityError> {
        Ok(TrustAnchors::from_pem(self.root_pem.as_bytes())?)
    }

    /// The root, PEM.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The certificate that signs, PEM.
    #[must_use]
    pub fn leaf_pem(&self) -> &str {
        &self.leaf_pem
    }

    /// Its name, `CERT-..`: the file's name without `.pem`.
    #[must_use]
    pub fn certificate_id(&self) -> &str {
        &self.certificate_id
    }

    /// Its URL, as transmissions name it.
    #[must_use]
    pub fn certificate_url(&self) -> String {
        let host = Environment::Dev.certificate_hosts()[0];
        format!("https://{host}/v1/notifications/certs/{}", self.certificate_id)
    }

    pub(crate) fn next_transmission(&self) -> u64 {
        self.transmissions.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn sign_text(&self, text: &str) -> Vec<u8> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let mut signature = vec![0; self.key.public_modulus_len()];
        // It can only fail without memory; an empty signature is refused like any other wrong one.
        match self.key.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
        {
            Ok(()) => signature,
            Err(_) => Vec::new(),
        }
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
