//! Whether PayPal sent exactly these bytes to this shop.

use std::sync::Arc;

use domain::Timestamp;
use serde::Serialize;

use crate::certificate::Untrusted;
use crate::signature::{self, ALGORITHM};
use crate::{
    CertificateUrl, Certificates, Environment, ExplainRequest, Leaf, Report, SIMULATOR_WEBHOOK_ID,
    TransmissionHeaders, TrustAnchors, Unavailable, explain,
};

/// One of the checks that make a callback authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The five headers are there, once, in their form.
    Headers,
    /// The algorithm is the only one that PayPal uses.
    Algorithm,
    /// The certificate's URL is PayPal's.
    CertificateUrl,
    /// The certificate could be had.
    Certificate,
    /// It descends from a root that is believed, and is valid at that time.
    Chain,
    /// It is for the name that signs callbacks.
    Name,
    /// It made the signature over these bytes, for one of our webhook ids.
    Signature,
}

impl Check {
    /// The name as reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Algorithm => "algorithm",
            Self::CertificateUrl => "certificate_url",
            Self::Certificate => "certificate",
            Self::Chain => "chain",
            Self::Name => "name",
            Self::Signature => "signature",
        }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a callback is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not PayPal's, or not for us: refuse it for good.
    #[error("not authentic: {check}: {reason}")]
    NotAuthentic {
        /// The first check that failed.
        check: Check,
        /// Why it failed.
        reason: String,
    },
    /// It cannot be judged now: have PayPal send it again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A webhook id that must not be verified for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SIMULATOR_WEBHOOK_ID} is the simulator's: anyone can have callbacks signed for it")]
pub struct InvalidWebhookId;

/// What is known of an authentic callback.
#[derive(Clone, Debug)]
pub struct Authentic {
    /// Which of the configured webhook ids it was signed for.
    pub webhook_id: String,
    /// The certificate that signed it.
    pub certificate: Arc<Leaf>,
}

/// Verifies one shop's callbacks.
#[derive(Clone, Debug)]
pub struct Verifier {
    environment: Environment,
    webhook_ids: Vec<String>,
    anchors: Arc<TrustAnchors>,
    certificates: Certificates,
}

fn refuse(check: Check, reason: impl std::fmt::Display) -> Refused {
    Refused::NotAuthentic { check, reason: reason.to_string() }
}

impl Verifier {
    /// A verifier for these webhook ids. Anchors and certificates may be shared by all shops of an environment.
    ///
    /// # Errors
    /// [`InvalidWebhookId`] for the simulator's id outside `dev`.
    pub fn new(
        environment: Environment,
        webhook_ids: Vec<String>,
        anchors: Arc<TrustAnchors>,
        certificates: Certificates,
    ) -> Result<Self, InvalidWebhookId> {
        if environment != Environment::Dev && webhook_ids.iter().any(|id| id == SIMULATOR_WEBHOOK_ID) {
            return Err(InvalidWebhookId);
        }
        Ok(Self { environment, webhook_ids, anchors, certificates })
    }

    /// Whose signatures are believed.
    #[must_use]
    pub fn anchors(&self) -> Arc<TrustAnchors> {
        Arc::clone(&self.anchors)
    }

    /// What these checks say of a callback that was kept, at the time of its transmission. The certificate is PEM.
    #[must_use]
    pub fn explain(
        &self,
        body: &[u8],
        headers: &[(String, Vec<u8>)],
        webhook_id: &str,
        certificate: Option<&[u8]>,
    ) -> Report {
        explain(&ExplainRequest {
            body,
            headers,
            webhook_id,
            environment: Some(self.environment),
            at: None,
            certificate,
            anchors: &self.anchors,
        })
    }

    /// The same checks with another environment's names, for vectors that were signed for the simulator's id.
    #[cfg(test)]
    pub(crate) fn in_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Whether a callback with these headers can be verified, or refused, without calling out for its certificate.
    pub async fn is_at_hand(&self, headers: &TransmissionHeaders) -> bool {
        match CertificateUrl::parse(&headers.certificate_url, self.environment) {
            Ok(url) if headers.algorithm == ALGORITHM => self.certificates.is_at_hand(&url).await,
            // It is refused before its certificate is looked at.
            _ => true,
        }
    }

    /// Verifies a callback: the cheap checks first, and no call leaves before they have passed.
    ///
    /// # Errors
    /// [`Refused::NotAuthentic`] when it is not PayPal's or not for these webhook ids; [`Refused::Unavailable`] when the
    /// certificate cannot be had now.
    pub async fn verify(
        &self,
        headers: &TransmissionHeaders,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Authentic, Refused> {
        if headers.algorithm != ALGORITHM {
            return Err(refuse(Check::Algorithm, format_args!("not {ALGORITHM}")));
        }
        let url = CertificateUrl::parse(&headers.certificate_url, self.environment)
            .map_err(|error| refuse(Check::CertificateUrl, error))?;
        let signature =
            signature::decode(&headers.signature).ok_or_else(|| refuse(Check::Signature, "not base64"))?;
        let leaf = self.certificates.get_at(&url, now).await?;
        self.anchors.check(&leaf, self.environment, now).map_err(|error| match error {
            Untrusted::Chain(why) => refuse(Check::Chain, why),
            Untrusted::Name(why) => refuse(Check::Name, why),
        })?;
        signature::key(&leaf).map_err(|why| refuse(Check::Signature, why))?;
        let crc32 = signature::crc32(body);
        for webhook_id in &self.webhook_ids {
            let message = signature::signed_string(&headers.id, &headers.time, webhook_id, crc32);
            if signature::verify(&leaf, &message, &signature).is_ok() {
                return Ok(Authentic { webhook_id: webhook_id.clone(), certificate: leaf });
            }
        }
        Err(refuse(Check::Signature, "does not hold for any configured webhook id"))
    }
}
