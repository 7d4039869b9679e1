//! A forged amount under a genuine signature.

use domain::Fact;
use paypal::translate;
use serde_json::Value;

use super::api::AUTHORITY;
use super::{WEBHOOK_ID, at, parse, story, verifier};
use crate::{EventKind, NothingToForge, forge_amount, sign};

fn body(kind: EventKind, event_id: &str) -> Vec<u8> {
    serde_json::to_vec(&story().body(kind, event_id)).unwrap()
}

#[tokio::test]
async fn another_amount_is_covered_by_the_same_signature() {
    for (number, amount) in ["0.01", "48.51", "2000.00", "99999.00"].into_iter().enumerate() {
        for kind in [EventKind::CaptureCompleted, EventKind::CapturePending, EventKind::SaleCompleted] {
            let genuine = body(kind, &format!("WH-{number}"));
            let forged = forge_amount(&genuine, amount).unwrap();
            assert_eq!(paypal::crc32(&forged), paypal::crc32(&genuine));
            assert_ne!(forged, genuine);
            let headers = parse(&sign(&AUTHORITY, WEBHOOK_ID, &genuine, at()));
            verifier(&AUTHORITY).verify(&headers, &forged, at()).await.unwrap();
        }
    }
}

#[test]
fn it_is_the_same_event_but_for_the_amount_and_a_note() {
    let genuine = body(EventKind::CaptureCompleted, "WH-1");
    let forged = forge_amount(&genuine, "2000.00").unwrap();
    let Fact::PaymentCaptured(capture) = translate(&forged, &|_| String::new()).fact else { panic!() };
    assert_eq!(capture.amount_minor, 200_000);
    let mut value: Value = serde_json::from_slice(&forged).unwrap();
    let note = value["resource"].as_object_mut().unwrap().remove("note_to_payer").unwrap();
    assert!(note.as_str().unwrap().bytes().all(|letter| letter.eq_ignore_ascii_case(&b'a')));
    for pointer in ["/resource/amount/value", "/resource/seller_receivable_breakdown/gross_amount/value"] {
        *value.pointer_mut(pointer).unwrap() = "48.50".into();
    }
    assert_eq!(value, serde_json::from_slice::<Value>(&genuine).unwrap());
}

#[test]
fn what_has_no_amount_is_not_forged() {
    for wrong in [b"".to_vec(), b"{}".to_vec(), b"[]".to_vec(), body(EventKind::OrderApproved, "WH-1")] {
        assert_eq!(forge_amount(&wrong, "1.00"), Err(NothingToForge));
    }
}
