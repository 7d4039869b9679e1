//! PayPal's own word on a callback.

use std::sync::Arc;

use database::{Clock as _, SystemClock};
use domain::Timestamp;
use intake::When;
use paypal_simulator::{Authority, Endpoint, EventKind, Fault, PayPal, Webhook, sign};

use crate::served::{SHOP, Served, WEBHOOK_ID};

use super::ground::{Ground, account, options};

#[tokio::test(flavor = "multi_thread")]
async fn paypals_own_word_stands_in_for_a_certificate_that_cannot_be_had() {
    let mut ground = Ground::start_asking(options(), Some(When::WithoutCertificate)).await;
    let other = Arc::new(Authority::in_memory().unwrap());
    // At PayPal they know a certificate that cannot be had here.
    let now = || Timestamp::new(SystemClock.now());
    let elsewhere = PayPal::start(Arc::clone(&other), 7, now).unwrap();
    elsewhere.subscribe(Webhook::new(WEBHOOK_ID, "http://127.0.0.1:9/")).unwrap();
    let story = ground.place("A-1", 1_000).await;
    let body = elsewhere.happened(&story, EventKind::CaptureCompleted).unwrap().body.to_vec();
    let headers = sign(&other, WEBHOOK_ID, &body, now());
    let deliver =
        async |body: &[u8]| ground.served.callback(SHOP, &headers, body.to_vec()).await.status().as_u16();
    let head = ground.served.events().await;
    // The account's own PayPal has not sent it.
    assert_eq!(deliver(&body).await, 401);
    ground.paypal.faults().set(Endpoint::VerifySignature, Fault::Unavailable);
    assert_eq!(deliver(&body).await, 503, "without an answer it is to come again");
    assert_eq!(ground.served.events().await, head);
    ground.served.stop().await;

    let served = Served::start_at_paypal(
        Arc::new(Authority::in_memory().unwrap()),
        account(&elsewhere),
        options(),
        Some(When::WithoutCertificate),
    )
    .await;
    let text = String::from_utf8(body.clone()).unwrap();
    for (other, status) in [(text.replacen(':', ": ", 1), 401), (format!("{text} "), 503)] {
        let answer = served.callback(SHOP, &headers, other.into_bytes()).await;
        assert_eq!(answer.status().as_u16(), status, "not these bytes");
    }
    assert_eq!(served.callback(SHOP, &headers, body.clone()).await.status().as_u16(), 200);
    assert_eq!(served.facts_after(-1).await, ["payment.captured"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opinion_refuses_what_paypal_has_not_sent_and_is_not_waited_for_when_it_cannot_be_had() {
    let mut ground = Ground::start_asking(options(), Some(When::Always)).await;
    let story = ground.place("A-1", 1_000).await;
    let event = ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    // A webhook that PayPal does not know any more: by the signature alone it would be taken.
    ground.paypal.unsubscribe(WEBHOOK_ID);
    let headers = ground.served.sign(&event.body);
    let deliver =
        async || ground.served.callback(SHOP, &headers, event.body.to_vec()).await.status().as_u16();
    assert_eq!(deliver().await, 401);
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    assert_eq!(deliver().await, 200);
    ground.wait_for_state("A-1", "paid").await;
    ground.assert_sound().await;
    ground.served.stop().await;
}
