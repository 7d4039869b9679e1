//! Captures above the amount that the shop has confirmed.

use domain::Money;
use paypal_simulator::{Delivery, EventKind, Story, forge_amount};
use serde_json::json;

use crate::served::SHOP;

use super::ground::{Ground, options};

/// A callback whose amount was forged under an equal CRC32, above the confirmation amount, settles nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_amount_above_the_confirmation_amount_is_never_settled() {
    let mut ground = Ground::start(options()).await;
    ground.confirms_above(5_000, "USD").await;
    let forged = forge(&mut ground, "FORGED", 90_000).await;
    let small = forge(&mut ground, "SMALL", 4_000).await;
    let honest = ground.place("HONEST", 90_000).await;
    ground.paypal.happened(&honest, EventKind::CaptureCompleted).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.served.settled().await;
    // The control: what nobody asks about settles by the signature alone.
    assert_eq!(ground.order("SMALL").await["state"], "paid");
    for order in ["FORGED", "HONEST"] {
        let row = ground.order(order).await;
        assert_eq!((&row["state"], &row["fulfilment"]), (&json!("open"), &json!("wait")), "{row}");
        assert_eq!(row["reasons"][0]["code"], "awaiting_confirmation", "{row}");
    }

    let reconciling = ground.reconcile();
    ground.wait_for_state("HONEST", "paid").await;
    ground.wait_for("one is refuted", |s| (s.confirmed, s.refuted, s.awaiting) == (1, 1, 0)).await;
    ground.wait_for_another_listing().await;
    reconciling.stop().await;
    let row = ground.order("FORGED").await;
    assert_eq!((&row["state"], &row["fulfilment"]), (&json!("open"), &json!("wait")), "{row}");
    assert_eq!(row["money"]["captured_minor"], 0, "{row}");
    assert!(row["flags"].to_string().contains("mismatched"), "{row}");
    let key = ground.served.viewer_key.clone();
    let (_, payments) = ground.served.get("/v1/payments?standing=refuted", &key).await;
    assert!(payments.to_string().contains(&forged.capture), "{payments}");
    assert!(!payments.to_string().contains(&small.capture), "{payments}");
    let facts = ground.served.facts_after(-1).await;
    assert_eq!(facts.iter().filter(|fact| *fact == "capture.confirmed").count(), 1, "{facts:?}");
    assert_eq!(facts.iter().filter(|fact| *fact == "capture.refuted").count(), 1, "{facts:?}");
    ground.assert_sound().await;
    ground.served.stop().await;
}

/// A buyer pays one dollar; on its way to us the callback's amount becomes the order's, under PayPal's own signature.
async fn forge(ground: &mut Ground, order: &str, minor: i64) -> Story {
    let mut story = ground.place(order, minor).await;
    story.amount = Money::parse("1.00", "USD").unwrap();
    story.fee_minor = 0;
    let genuine = ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().body.to_vec();
    let forged = forge_amount(&genuine, &format!("{}.{:02}", minor / 100, minor % 100)).unwrap();
    assert_eq!(paypal::crc32(&forged), paypal::crc32(&genuine));
    let answer = ground.served.callback(SHOP, &ground.served.sign(&genuine), forged).await;
    assert_eq!(answer.status().as_u16(), 200, "the signature holds");
    story
}
