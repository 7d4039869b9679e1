//! Bodies that a genuine signature covers though PayPal never sent them (F35): a CRC-32 is no hash.

use http_api::Limits;
use serde_json::{Value, json};

use super::certificates::Signers;
use super::ground::{Transmission, changed, counters, receive_tea, tables};
use crate::served::{SHOP, Served, placement};
use crate::soundness::assert_sound;

/// Another body with the CRC of `genuine`: letters of its note are chosen until it fits. A CRC is linear, so each choice
/// adds a known difference, and which of them to take is a system of 32 equations.
fn forge(mut body: Value, genuine: &[u8]) -> Vec<u8> {
    body["summary"] = json!("a".repeat(64));
    let mut forged = body.to_string().into_bytes();
    let start = forged.windows(64).position(|w| w == [b'a'; 64]).unwrap();
    let other = |body: &mut Vec<u8>, letter: usize| body[start + letter] ^= b'a' ^ b'b';
    let base = paypal::crc32(&forged);
    // By their highest bit: differences, with the letters that they are made of.
    let mut basis: [Option<(u32, u64)>; 32] = [None; 32];
    let reduce = |basis: &[Option<(u32, u64)>; 32], mut left: (u32, u64)| {
        while left.0 != 0 {
            let Some((difference, letters)) = basis[left.0.ilog2() as usize] else { break };
            left = (left.0 ^ difference, left.1 ^ letters);
        }
        left
    };
    for letter in 0..64 {
        other(&mut forged, letter);
        let left = reduce(&basis, (paypal::crc32(&forged) ^ base, 1 << letter));
        other(&mut forged, letter);
        if left.0 != 0 {
            basis[left.0.ilog2() as usize] = Some(left);
        }
    }
    let (rest, letters) = reduce(&basis, (base ^ paypal::crc32(genuine), 0));
    assert_eq!(rest, 0, "64 letters reach every CRC");
    (0..64).filter(|letter| letters >> letter & 1 == 1).for_each(|letter| other(&mut forged, letter));
    assert_eq!(paypal::crc32(&forged), paypal::crc32(genuine));
    forged
}

fn forged(served: &Served, genuine: &[u8], order: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&served.captured(order, "10.00")).unwrap();
    change(&mut body);
    forge(body, genuine)
}

async fn fulfilment(served: &Served, order: &str) -> Value {
    served.settled().await;
    let (status, view) = served.get(&format!("/v1/orders/{order}"), &served.shop_key).await;
    assert_eq!(status, 200, "{view}");
    view["fulfilment"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_under_a_known_transmission_are_refused_though_their_crc_is_the_same() {
    let served = Served::start_trusting(Limits::default(), Signers::new().trusts(None)).await;
    receive_tea(&served).await;
    for order in ["cheap", "dear"] {
        assert_eq!(served.post("/v1/orders", &served.shop_key, &placement(order)).await.0, 200);
    }
    let genuine = served.captured("cheap", "10.00");
    let transmission = Transmission::new("CERT-good");
    assert_eq!(transmission.of(&genuine).send(&served, SHOP).await.status, 200);
    assert_eq!(fulfilment(&served, "cheap").await, "ship");
    let (before, conflicts) = (tables(&served).await, counters(&served).await["conflict"]);
    for (count, amount) in ["10.00", "2000.00", "0.01"].into_iter().enumerate() {
        let body =
            forged(&served, &genuine, "dear", |body| body["resource"]["amount"]["value"] = json!(amount));
        // The genuine signature, byte for byte.
        let callback = transmission.of(&genuine).with_body(body);
        let answer = callback.send(&served, SHOP).await;
        assert_eq!(answer.status, 400, "{}", answer.problem);
        assert_eq!(answer.problem["code"], "transmission_conflict");
        assert_eq!(counters(&served).await["conflict"], conflicts + count as u64 + 1);
    }
    assert_eq!(fulfilment(&served, "dear").await, "wait");
    // Hashes of the others are kept, and nothing else.
    assert_eq!(changed(&before, &tables(&served).await), ["conflicting_transmissions"]);
    assert_sound(&served.database, &domain::ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_body_under_a_signature_that_never_arrived_settles_no_order_that_it_does_not_fit() {
    let served = Served::start_trusting(Limits::default(), Signers::new().trusts(None)).await;
    receive_tea(&served).await;
    let (status, answer) = served.post("/v1/orders", &served.shop_key, &placement("dear")).await;
    assert_eq!(status, 200, "{answer}");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("less money", |body| body["resource"]["amount"]["value"] = json!("9.99")),
        ("no money", |body| body["resource"]["amount"]["value"] = json!("0.00")),
        ("money owed", |body| body["resource"]["amount"]["value"] = json!("-10.00")),
        ("other money", |body| body["resource"]["amount"]["currency_code"] = json!("EUR")),
        ("money to come", |body| body["resource"]["status"] = json!("PENDING")),
        ("another order", |body| body["resource"]["custom_id"] = json!("dearest")),
    ];
    for (number, (what, change)) in changes.into_iter().enumerate() {
        // What the attacker paid for, and had signed.
        let genuine = served.captured(&format!("own-{number}"), "0.01");
        let transmission = Transmission::new("CERT-good");
        let body = forged(&served, &genuine, "dear", |body| {
            body["id"] = json!(format!("WH-forged-{number}"));
            body["resource"]["id"] = json!(format!("CAP-forged-{number}"));
            change(body);
        });
        let before = served.events().await;
        let answer = transmission.of(&genuine).with_body(body.clone()).send(&served, SHOP).await;
        assert_eq!(answer.status, 200, "{what}: nobody can tell");
        assert_eq!(fulfilment(&served, "dear").await, "wait", "{what}");
        let kept = served.evidence(domain::Position(before + 1)).await;
        assert_eq!(kept.body, body, "{what}: kept byte for byte");
        // The genuine one comes too late, and tells.
        assert_eq!(transmission.of(&genuine).send(&served, SHOP).await.status, 400, "{what}");
    }
    assert_sound(&served.database, &domain::ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}
