//! Certificates with everything that can be wrong with one. All that have an RSA key have the same one, so that what is
//! wrong with a callback is its certificate and never its signature.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use intake::{Trust, Trusts};
use paypal::{Certificates, Fetch, Sources, TrustAnchors};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};

/// The name that signs in the sandbox and in development.
pub(super) const NAME: &str = "messageverificationcerts.sandbox.paypal.com";

/// The key of every certificate with an RSA key of its size.
pub(super) fn rsa_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap())
}

/// The key of those with a key of an elliptic curve.
pub(super) fn ec_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate().unwrap())
}

/// The modulus of an RSA key of 1024 bits, which no library makes any more; nobody has kept its private half.
const SMALL_MODULUS: &str = "da2348ed42e6c2fc880f815714c2abd025f9e400bbe35ac75a7dcc04002afb2193dce6730f2e73fc5d57ea27867a1db6\
    86c2abfa9d968e0bbd785eca9546d843a132217ee5e182c6ca86d759d2762ecd41e69874d004750bec537f0c44226630a5c05cd979aff5952dce289\
    2e83b54d661451d275ed72bb164580d17403acb6d";

/// It has signed this, as `CERT-small`: `small-key|2026-11-22T10:00:00Z|8PT597110X687430LKGECATA|2745614147`.
pub(super) const SMALL_SIGNATURE: &str = "OknmVN8zr8Fn3/YiCGA74N2u0e+axY5kKdi6N3HCiwBVh+ZW8O1Qq566VXwtFn+FwHTakZNKslFppKX\
    ABDiNB0gaMcWctOZ93HqlSVskT1JmIqp0qAFLiUY/tg0TKklhLdTZv76Ld55fuHWlQa9bRjix/5KmsmwtqV/sr/Db2Wk=";

struct SmallKey(Vec<u8>);

impl SmallKey {
    fn new() -> Self {
        let digits = SMALL_MODULUS.as_bytes().chunks(2);
        let modulus: Vec<u8> =
            digits.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 16).unwrap()).collect();
        assert_eq!(modulus.len(), 128);
        // RSAPublicKey of RFC 8017: a sequence of the modulus and 65537.
        let head = [0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        Self([&head[..], &modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat())
    }
}

impl PublicKeyData for SmallKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

fn ca_params(name: &str, until: i32) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

impl Ca {
    pub(super) fn root(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(ca_params(name, 2099), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one.
    fn below(&self, name: &str, until: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(ca_params(name, until), key, &self.0).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> String {
        params.signed_by(key, &self.0).unwrap().pem()
    }

    /// A certificate by which a server shows who it is.
    pub(super) fn server(&self, name: &str, key: &KeyPair) -> String {
        self.sign(&leaf(&[name], (2015, 2099)), key)
    }
}

fn leaf(names: &[&str], years: (i32, i32)) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

/// An authority, and its certificates by name: `CERT-good`, and those that are wrong as they are called.
pub(super) struct Signers {
    root: Ca,
    intermediate: Ca,
    pub(super) given: BTreeMap<&'static str, String>,
}

impl Signers {
    pub(super) fn new() -> Self {
        let root = Ca::root("Root of the tests");
        let known = root.below("Known intermediate", 2099);
        let unknown = root.below("Unknown intermediate", 2099);
        let ended = root.below("Ended intermediate", 2020);
        // Of the same name as the root that is believed.
        let (namesake, other) = (Ca::root("Root of the tests"), Ca::root("Another root"));
        let (now, key) = ((2015, 2099), rsa_key());
        let right = leaf(&[NAME], now);
        let named = |names: &[&str]| known.sign(&leaf(names, now), key);
        let good = known.sign(&right, key);
        let mut for_clients = leaf(&[NAME], now);
        for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // A leaf that signs another: it may not.
        let issuer =
            CertifiedIssuer::signed_by(right.clone(), KeyPair::generate().unwrap(), &known.0).unwrap();
        let by_a_leaf = Ca(issuer);
        let given = BTreeMap::from([
            ("CERT-good", good.clone()),
            ("CERT-live", named(&["messageverificationcerts.paypal.com"])),
            ("CERT-expired", known.sign(&leaf(&[NAME], (2015, 2020)), key)),
            ("CERT-future", known.sign(&leaf(&[NAME], (2090, 2099)), key)),
            ("CERT-selfsigned", right.self_signed(key).unwrap().pem()),
            ("CERT-othername", named(&["www.sandbox.paypal.com"])),
            ("CERT-suffix", named(&["messageverificationcerts.sandbox.paypal.com.evil.example"])),
            ("CERT-prefix", named(&["xmessageverificationcerts.sandbox.paypal.com"])),
            ("CERT-parent", named(&["sandbox.paypal.com"])),
            ("CERT-wildcard", named(&["*.paypal.com"])),
            ("CERT-noname", named(&[])),
            ("CERT-address", named(&["127.0.0.1"])),
            ("CERT-otherca", other.sign(&right, key)),
            ("CERT-namesake", namesake.sign(&right, key)),
            ("CERT-unlinked", unknown.sign(&right, key)),
            ("CERT-linked", unknown.sign(&right, key) + &unknown.pem()),
            ("CERT-wronglink", unknown.sign(&right, key) + &other.pem()),
            ("CERT-endedlink", ended.sign(&right, key) + &ended.pem()),
            ("CERT-byaleaf", by_a_leaf.sign(&right, key) + &by_a_leaf.pem()),
            ("CERT-forclients", known.sign(&for_clients, key)),
            ("CERT-small", known.sign(&right, &SmallKey::new())),
            ("CERT-curve", known.sign(&right, ec_key())),
            ("CERT-root", known.pem()),
            ("CERT-wrongfirst", other.sign(&right, key) + &good),
            ("CERT-many", good.repeat(9)),
            ("CERT-html", "<html>maintenance</html>".to_owned()),
            ("CERT-empty", String::new()),
            ("CERT-key", key.serialize_pem()),
            ("CERT-cut", good[..good.len() / 2].to_owned()),
            ("CERT-bytes", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
        ]);
        Self { root, intermediate: known, given }
    }

    /// Who believes this authority, with its certificates at hand or as they are fetched.
    pub(super) fn trusts(&self, fetch: Option<Fetch>) -> Trusts {
        let given = match &fetch {
            Some(_) => Default::default(),
            None => {
                self.given.iter().map(|(name, pem)| ((*name).to_owned(), pem.clone().into_bytes())).collect()
            }
        };
        let sources = Sources { given, fetch, ..Sources::default() };
        let anchors = TrustAnchors::from_pem(self.root.pem().as_bytes()).unwrap();
        let anchors = anchors.with_intermediates(self.intermediate.pem().as_bytes()).unwrap();
        let trust = Trust { anchors: Arc::new(anchors), certificates: Certificates::new(sources).unwrap() };
        Trusts { paypal: Some(trust.clone()), dev: Some(trust), postback: None }
    }
}
