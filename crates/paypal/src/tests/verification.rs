//! Tests of the verifier with certificates at hand.

use std::sync::Arc;

use rcgen::{KeyPair, PKCS_RSA_SHA256};

use super::at;
use super::authority::{BODY, Ca, NOW, WEBHOOK_ID, headers, holding, rsa_key, sign, verifier};
use crate::{
    Certificates, Check, Environment, Refused, Sources, TransmissionHeaders, TrustAnchors, Verifier,
};

const NAME: &str = "messageverificationcerts.sandbox.paypal.com";

async fn check(verifier: &Verifier, headers: &TransmissionHeaders, body: &[u8], now: &str) -> Option<Check> {
    match verifier.verify(headers, body, at(now)).await {
        Ok(authentic) => {
            assert_eq!(authentic.webhook_id, WEBHOOK_ID);
            None
        }
        Err(Refused::NotAuthentic { check, .. }) => Some(check),
        Err(Refused::Unavailable(why)) => panic!("{why}"),
    }
}

#[tokio::test]
async fn exactly_the_signed_bytes_are_authentic() {
    let ca = Ca::root("Root");
    let verifier = verifier(ca.anchors(), holding(ca.good_leaf()));
    let good = headers(BODY);
    assert_eq!(check(&verifier, &good, BODY, NOW).await, None);

    let mut flipped = BODY.to_vec();
    flipped[9] ^= 1;
    let with_line_end = [BODY, b"\n"].concat();
    let with_mark = [b"\xef\xbb\xbf", BODY].concat();
    for body in [&flipped[..], &with_line_end, &with_mark, b"", &BODY[1..]] {
        assert_eq!(check(&verifier, &good, body, NOW).await, Some(Check::Signature));
    }
}

#[tokio::test]
async fn a_body_of_any_bytes_is_verified_as_bytes() {
    let ca = Ca::root("Root");
    let verifier = verifier(ca.anchors(), holding(ca.good_leaf()));
    for body in [&b""[..], b"\xff\xfe\0", "{\"summary\":\"\u{20ac} 3\"}".as_bytes()] {
        assert_eq!(check(&verifier, &headers(body), body, NOW).await, None);
    }
}

#[tokio::test]
async fn each_wrong_header_is_refused_by_its_check() {
    let ca = Ca::root("Root");
    let verifier = verifier(ca.anchors(), holding(ca.good_leaf()));
    type Change = fn(&mut TransmissionHeaders);
    let cases: [(Check, Change); 11] = [
        (Check::Algorithm, |h| h.algorithm = "SHA1withRSA".to_owned()),
        (Check::Algorithm, |h| h.algorithm = "none".to_owned()),
        (Check::Algorithm, |h| h.algorithm = "sha256withrsa".to_owned()),
        (Check::CertificateUrl, |h| h.certificate_url = h.certificate_url.replace(".sandbox", "")),
        (Check::CertificateUrl, |h| h.certificate_url = h.certificate_url.replace("https", "http")),
        (Check::Signature, |h| h.signature = "not base64!".to_owned()),
        (Check::Signature, |h| h.signature.truncate(343)),
        (Check::Signature, |h| h.signature.truncate(340)),
        (Check::Signature, |h| h.signature = h.signature.to_lowercase()),
        (Check::Signature, |h| h.id.push('0')),
        (Check::Signature, |h| h.time = "2026-06-15T12:00:01Z".to_owned()),
    ];
    for (expected, change) in cases {
        let mut headers = headers(BODY);
        change(&mut headers);
        assert_eq!(check(&verifier, &headers, BODY, NOW).await, Some(expected), "{headers:?}");
    }
}

#[tokio::test]
async fn a_callback_for_another_webhook_is_not_ours() {
    let ca = Ca::root("Root");
    let verifier = verifier(ca.anchors(), holding(ca.good_leaf()));
    let mut headers = headers(BODY);
    headers.signature = sign(&headers.id, &headers.time, "WEBHOOK_ID", BODY);
    assert_eq!(check(&verifier, &headers, BODY, NOW).await, Some(Check::Signature));
}

#[tokio::test]
async fn without_webhook_ids_nothing_is_authentic() {
    let ca = Ca::root("Root");
    let none =
        Verifier::new(Environment::Sandbox, Vec::new(), ca.anchors(), holding(ca.good_leaf())).unwrap();
    assert_eq!(check(&none, &headers(BODY), BODY, NOW).await, Some(Check::Signature));
}

#[test]
fn the_simulators_webhook_id_is_for_development_alone() {
    let ca = Ca::root("Root");
    for (environment, allowed) in
        [(Environment::Live, false), (Environment::Sandbox, false), (Environment::Dev, true)]
    {
        let ids = vec![WEBHOOK_ID.to_owned(), "WEBHOOK_ID".to_owned()];
        let verifier = Verifier::new(environment, ids, ca.anchors(), holding(ca.good_leaf()));
        assert_eq!(verifier.is_ok(), allowed, "{environment}");
    }
}

#[tokio::test]
async fn only_a_valid_leaf_of_the_right_name_under_the_right_root_counts() {
    let (ca, other) = (Ca::root("Root"), Ca::root("Root"));
    let other_rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let elliptic = KeyPair::generate().unwrap();
    let live_name = "messageverificationcerts.paypal.com";
    let cases = [
        (None, ca.good_leaf()),
        (None, ca.leaf(&[live_name, NAME], (2020, 2040), rsa_key())),
        (Some(Check::Chain), ca.leaf(&[NAME], (2024, 2026), rsa_key())),
        (Some(Check::Chain), ca.leaf(&[NAME], (2027, 2028), rsa_key())),
        (Some(Check::Chain), other.good_leaf()),
        (Some(Check::Chain), other.pem()),
        (Some(Check::Name), ca.leaf(&[live_name], (2026, 2027), rsa_key())),
        (Some(Check::Name), ca.leaf(&["api.sandbox.paypal.com"], (2026, 2027), rsa_key())),
        (Some(Check::Name), ca.leaf(&[], (2026, 2027), rsa_key())),
        (Some(Check::Signature), ca.leaf(&[NAME], (2026, 2027), &other_rsa)),
        (Some(Check::Signature), ca.leaf(&[NAME], (2026, 2027), &elliptic)),
        // Only the first certificate is the leaf: a good one behind it does not help.
        (Some(Check::Chain), format!("{}{}", other.good_leaf(), ca.good_leaf())),
    ];
    for (expected, pem) in cases {
        let verifier = verifier(ca.anchors(), holding(pem.clone()));
        assert_eq!(check(&verifier, &headers(BODY), BODY, NOW).await, expected, "{pem}");
    }
}

#[tokio::test]
async fn validity_is_judged_at_use_and_not_only_when_the_chain_was_built() {
    let ca = Ca::root("Root");
    let verifier = verifier(ca.anchors(), holding(ca.good_leaf()));
    for (now, expected) in [
        ("2026-01-01T00:00:00Z", None),
        (NOW, None),
        ("2025-12-31T23:59:59Z", Some(Check::Chain)),
        ("2027-01-01T00:00:00Z", None),
        ("2027-01-01T00:01:00Z", Some(Check::Chain)),
        (NOW, None),
        ("1969-01-01T00:00:00Z", Some(Check::Chain)),
    ] {
        assert_eq!(check(&verifier, &headers(BODY), BODY, now).await, expected, "{now}");
    }
}

#[tokio::test]
async fn an_intermediate_may_be_known_or_come_with_the_leaf_and_its_own_end_counts() {
    let root = Ca::root("Root");
    let middle = root.intermediate();
    let leaf = middle.good_leaf();
    let headers = headers(BODY);
    let alone = verifier(root.anchors(), holding(leaf.clone()));
    assert_eq!(check(&alone, &headers, BODY, NOW).await, Some(Check::Chain));

    let known = TrustAnchors::from_pem(root.pem().as_bytes()).unwrap();
    let known = known.with_intermediates(middle.pem().as_bytes()).unwrap();
    let known = verifier(Arc::new(known), holding(leaf.clone()));
    let together = verifier(root.anchors(), holding(format!("{leaf}{}", middle.pem())));
    for verifier in [known, together] {
        assert_eq!(check(&verifier, &headers, BODY, NOW).await, None);
        assert_eq!(check(&verifier, &headers, BODY, "2026-07-02T00:00:00Z").await, Some(Check::Chain));
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_had_is_no_forgery() {
    let ca = Ca::root("Root");
    let nowhere = Certificates::new(Sources::default()).unwrap();
    let many = ca.good_leaf().repeat(9);
    let html = "<html><body>Service unavailable</body></html>";
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for certificates in [nowhere, holding(html), holding(damaged), holding(many), holding("")] {
        let verifier = verifier(ca.anchors(), certificates);
        let refused = verifier.verify(&headers(BODY), BODY, at(NOW)).await.unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    }
}
