//! The URL of a signing certificate: believed only when it is PayPal's, character by character.
//!
//! Anyone may send the header that names it, so everything that makes two URL parsers disagree is refused before the
//! URL is used, and what is fetched is put together from the parts that were checked.

use crate::Environment;

const SCHEME: &str = "https://";
const FOLDER: &str = "/v1/notifications/certs/";

/// A certificate URL that an environment believes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateUrl {
    url: String,
    id_start: usize,
}

/// Why a certificate URL is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificateUrl {
    /// It cannot be parsed, or has characters that parsers treat differently.
    #[error("not a plain URL")]
    NotPlain,
    /// Anything but https.
    #[error("not https")]
    NotHttps,
    /// A user name or password stands before the host.
    #[error("names a user")]
    User,
    /// A port other than 443.
    #[error("names a port")]
    Port,
    /// Another host than the environment's.
    #[error("not the host of this environment's certificates")]
    Host,
    /// Another path than that of a certificate.
    #[error("not the path of a certificate")]
    Path,
    /// A query or a fragment.
    #[error("has a query or a fragment")]
    Query,
}

impl CertificateUrl {
    /// Takes the value of `paypal-cert-url`.
    ///
    /// # Errors
    /// [`InvalidCertificateUrl`] says why it is not believed.
    pub fn parse(text: &str, environment: Environment) -> Result<Self, InvalidCertificateUrl> {
        use InvalidCertificateUrl as Invalid;
        if !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'%')) {
            return Err(Invalid::NotPlain);
        }
        let url = reqwest::Url::parse(text).map_err(|_| Invalid::NotPlain)?;
        if url.scheme() != "https" {
            return Err(Invalid::NotHttps);
        }
        // The parser also reads `https:host` and `https:///host`.
        let after_scheme = text.get(SCHEME.len()..).ok_or(Invalid::NotPlain)?;
        if !text[..SCHEME.len()].eq_ignore_ascii_case(SCHEME) || after_scheme.starts_with('/') {
            return Err(Invalid::NotPlain);
        }
        if text.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::User);
        }
        // The parser takes port 443 for no port at all.
        if url.port().is_some() {
            return Err(Invalid::Port);
        }
        let known = environment.certificate_hosts().iter().find(|host| url.host_str() == Some(**host));
        let host = known.ok_or(Invalid::Host)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Invalid::Query);
        }
        let path = url.path();
        let name = path.strip_prefix(FOLDER).and_then(|id| id.strip_prefix("CERT-")).ok_or(Invalid::Path)?;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // The parser resolves `..`: the text must have had none.
        if !plain || after_scheme.split_once('/').is_none_or(|(_, rest)| rest != &path[1..]) {
            return Err(Invalid::Path);
        }
        let url = format!("https://{host}{path}");
        let id_start = url.len() - name.len() - "CERT-".len();
        Ok(Self { url, id_start })
    }

    /// The URL, put together from what was checked.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The certificate's name at PayPal, `CERT-..`: letters, digits and hyphens only.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.url[self.id_start..]
    }
}
