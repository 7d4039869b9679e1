//! An authority of our own, with everything that can be wrong with one.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256, date_time_ymd,
};

use crate::{
    Certificates, Environment, Sources, TransmissionHeaders, TrustAnchors, Verifier, crc32, signed_string,
};

pub(super) const WEBHOOK_ID: &str = "5WH83421AB6677889";
pub(super) const URL: &str = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-0a1b-2c3d";
pub(super) const NOW: &str = "2026-06-15T12:00:00Z";
pub(super) const BODY: &[u8] = br#"{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}"#;

/// The key that signs in all tests: RSA keys take long to make.
pub(super) fn rsa_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap())
}

pub(super) struct Ca {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

impl Ca {
    pub(super) fn root(name: &str) -> Self {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { params, key, certificate }
    }

    /// An intermediate below this one; it ends before its leaves.
    pub(super) fn intermediate(&self) -> Self {
        let (mut params, key) = (ca_params("Intermediate"), KeyPair::generate().unwrap());
        params.not_after = date_time_ymd(2026, 7, 1);
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        Self { params, key, certificate }
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn leaf(&self, names: &[&str], years: (i32, i32), key: &KeyPair) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap().pem()
    }

    /// What signs in the sandbox when all is well.
    pub(super) fn good_leaf(&self) -> String {
        self.leaf(&[Environment::Sandbox.certificate_name()], (2026, 2027), rsa_key())
    }

    pub(super) fn anchors(&self) -> Arc<TrustAnchors> {
        Arc::new(TrustAnchors::from_pem(self.pem().as_bytes()).unwrap())
    }
}

pub(super) fn sign(id: &str, time: &str, webhook_id: &str, body: &[u8]) -> String {
    let key = RsaKeyPair::from_pkcs8(&rsa_key().serialize_der()).unwrap();
    let message = signed_string(id, time, webhook_id, crc32(body));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// Headers under which `body` is authentic.
pub(super) fn headers(body: &[u8]) -> TransmissionHeaders {
    let (id, time) = ("e1f0a9c0-68b1-11f1-8d2c-1d0f9a7b6c5d", NOW);
    TransmissionHeaders {
        id: id.to_owned(),
        time: time.to_owned(),
        signature: sign(id, time, WEBHOOK_ID, body),
        certificate_url: URL.to_owned(),
        algorithm: "SHA256withRSA".to_owned(),
    }
}

/// A certificate cache that knows this text under [`URL`] and never calls out.
pub(super) fn holding(pem: impl Into<Vec<u8>>) -> Certificates {
    let given = [("CERT-0a1b-2c3d".to_owned(), pem.into())].into();
    Certificates::new(Sources { given, ..Sources::default() }).unwrap()
}

pub(super) fn verifier(anchors: Arc<TrustAnchors>, certificates: Certificates) -> Verifier {
    let ids = vec!["0OTHER00000000000".to_owned(), WEBHOOK_ID.to_owned()];
    Verifier::new(Environment::Sandbox, ids, anchors, certificates).unwrap()
}
