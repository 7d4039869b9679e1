//! Tests of the report on a callback.

use super::authority::{BODY, Ca, NOW, WEBHOOK_ID, headers, sign};
use crate::{Check, ExplainRequest, Report, TransmissionHeaders, TrustAnchors, explain};

fn pairs(headers: &TransmissionHeaders) -> Vec<(String, Vec<u8>)> {
    headers.pairs().iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn report(
    anchors: &TrustAnchors,
    leaf: Option<&str>,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
    webhook_id: &str,
) -> Report {
    let certificate = leaf.map(str::as_bytes);
    explain(&ExplainRequest { body, headers, webhook_id, environment: None, at: None, certificate, anchors })
}

fn failed(report: &Report) -> Vec<Check> {
    assert_eq!(report.steps.len(), 7);
    report.steps.iter().filter(|step| !step.ok).map(|step| step.name).collect()
}

#[test]
fn a_good_callback_passes_every_step() {
    let ca = Ca::root("Root");
    let headers = headers(BODY);
    let report = report(&ca.anchors(), Some(&ca.good_leaf()), &pairs(&headers), BODY, WEBHOOK_ID);
    assert_eq!(failed(&report), []);
    assert!(report.authentic);
    assert_eq!(report.crc32, crate::crc32(BODY));
    let text = format!("{}|{NOW}|{WEBHOOK_ID}|{}", headers.id, report.crc32);
    assert_eq!(report.signed_string, Some(text));
    assert!(report.notes.is_empty());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["steps"][2]["name"], "certificate_url");
    assert_eq!(json["environment"], "sandbox");
}

#[test]
fn the_other_steps_are_made_after_one_has_failed() {
    let ca = Ca::root("Root");
    let (good, leaf) = (pairs(&headers(BODY)), ca.good_leaf());
    let anchors = ca.anchors();
    let without = |index: usize| {
        let mut pairs = good.clone();
        pairs.remove(index);
        report(&anchors, Some(&leaf), &pairs, BODY, WEBHOOK_ID)
    };
    assert_eq!(failed(&without(0)), [Check::Headers, Check::Signature]);
    assert_eq!(failed(&without(1)), [Check::Headers, Check::Chain, Check::Signature]);
    assert_eq!(failed(&without(2)), [Check::Headers, Check::Signature]);
    assert_eq!(failed(&without(3)), [Check::Headers, Check::CertificateUrl, Check::Name]);
    assert_eq!(failed(&without(4)), [Check::Headers, Check::Algorithm]);
    let none = report(&anchors, None, &good, BODY, WEBHOOK_ID);
    assert_eq!(failed(&none), [Check::Certificate, Check::Chain, Check::Name, Check::Signature]);
    let other = report(&Ca::root("Other").anchors(), Some(&leaf), &good, BODY, WEBHOOK_ID);
    assert_eq!(failed(&other), [Check::Chain]);
    assert!(!other.authentic);
}

#[test]
fn common_mistakes_are_named() {
    let ca = Ca::root("Root");
    let leaf = ca.good_leaf();
    let saved = [BODY, b"\r\n"].concat();
    let line_end = report(&ca.anchors(), Some(&leaf), &pairs(&headers(BODY)), &saved, WEBHOOK_ID);
    assert_eq!(failed(&line_end), [Check::Signature]);
    assert!(line_end.notes[0].contains("line end"), "{:?}", line_end.notes);

    let mut simulated = headers(BODY);
    simulated.signature = sign(&simulated.id, &simulated.time, "WEBHOOK_ID", BODY);
    let wrong_id = report(&ca.anchors(), Some(&leaf), &pairs(&simulated), BODY, WEBHOOK_ID);
    assert_eq!(failed(&wrong_id), [Check::Signature]);
    assert!(wrong_id.notes[0].contains("WEBHOOK_ID"), "{:?}", wrong_id.notes);

    let right_id = report(&ca.anchors(), Some(&leaf), &pairs(&simulated), BODY, "WEBHOOK_ID");
    assert!(right_id.authentic);
    assert!(right_id.notes[0].contains("outside dev"), "{:?}", right_id.notes);
}
