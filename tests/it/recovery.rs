//! What a restore has lost comes back from the published log, and counts once.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use domain::Position;
use event_log::{Appended, Appender, Dedupe, NewFact, Options, SealedEvidence, Transmission};
use read_models::ReadModels;
use recovery::{Error, Published, missing, reimport};
use relay::{Relay, RelayHandle};
use serde_json::{Value, json};

use crate::binary::TempDir;
use crate::led_shop::{LedShop, append, applied, new_fact, quick};
use crate::published::{entries, policy, publish};

/// Facts of a small day: an order that is paid, overpaid and refunded, one that is refused, one that is cut off in the
/// middle, a payment that links late.
fn day() -> Vec<(&'static str, Value)> {
    let placed = |order: &str, qty: i64, paypal: Option<&str>| {
        let mut placed = json!({"order": order, "revision": 1, "buyer": "b1", "currency": "EUR", "total_minor": 500 * qty,
            "lines": [{"sku": "tea", "qty": qty, "unit_minor": 500}]});
        if let Some(paypal) = paypal {
            placed["paypal_order_id"] = paypal.into();
        }
        ("order.placed", placed)
    };
    let captured = |capture: &str, order: Option<&str>, minor: i64| {
        let mut captured =
            json!({"capture": capture, "amount_minor": minor, "currency": "EUR", "final": true});
        if let Some(order) = order {
            captured["order"] = order.into();
        }
        captured["paypal_order"] = format!("PP-{capture}").into();
        ("payment.captured", captured)
    };
    vec![
        ("stock.received", json!({"sku": "tea", "qty": 10})),
        placed("1", 2, None),
        captured("C1", Some("1"), 1000),
        placed("2", 100, None),
        captured("C2", None, 500),
        captured("C3", None, 500),
        placed("3", 1, Some("PP-C2")),
        (
            "payment.refunded",
            json!({"refund": "R1", "capture": "C1", "amount_minor": 1000, "currency": "EUR"}),
        ),
        ("stock.adjusted", json!({"sku": "tea", "on_hand": 0})),
        placed("4", 1, Some("PP-C3")),
    ]
}

fn facts() -> Vec<NewFact> {
    (0..).zip(day()).map(|(n, (type_name, data))| new_fact(n, type_name, &data)).collect()
}

/// Everything but when it was recorded, and where facts that came between stand.
async fn outcomes(log: &LedShop) -> Vec<String> {
    let client = log.client().await;
    let events = event_log::read_all(&client, &log.shop, Position(-1), 1000).await.unwrap();
    let outcomes = events.iter().filter(|event| event.cause.is_some());
    outcomes.map(|event| format!("{} {:?} {:?}", event.id, event.cause, event.data())).collect()
}

/// P1, P3, P6: whatever of the log was published, down to the middle of one fact's outcomes.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_published_log_ends_all_of_it_comes_back_and_counts_once() {
    let log = LedShop::create().await;
    let relay = log.lead();
    let facts = facts();
    for fact in &facts[..2] {
        let position = append(&log.appender, &log.shop, fact.clone()).await;
        applied(&relay, &log.shop, position).await;
    }
    relay.stop().await;
    let backup = log.test.back_up().await;
    let relay = log.lead();
    for fact in &facts[2..] {
        append(&log.appender, &log.shop, fact.clone()).await;
    }
    applied(&relay, &log.shop, last_fact(&log).await).await;
    relay.stop().await;
    let whole = entries(&log.test, &log.shop).await;
    let decided = outcomes(&log).await;
    log.assert_sound().await;

    let mut completed = 0;
    for size in 4..=whole.len() {
        log.test.restore(&backup).await;
        let dir = TempDir::new();
        publish(&whole[..size], dir.path());
        let published = Published::open(dir.path(), &policy()).unwrap();
        let owner = log.test.database_owner();
        let client = owner.client().await.unwrap();
        let lacks = missing(&client, &log.shop, &published).await.unwrap();
        drop(client);
        assert_eq!(lacks.count(), size as u64 - lacks.local);
        let came = reimport(&owner, &log.shop, &published).await.unwrap();
        assert!(came.through.0 >= i64::try_from(size).unwrap() - 1, "{came:?}");
        completed += came.completed;
        let now = entries(&log.test, &log.shop).await;
        assert_eq!(now[..size], whole[..size], "byte for byte");

        // The shop and PayPal send everything again, as they are told to.
        let (appender, relay) = restart(&log);
        let mut last = Position(0);
        for fact in &facts {
            last = last.max(append(&appender, &log.shop, fact.clone()).await);
        }
        applied(&relay, &log.shop, last).await;
        relay.stop().await;
        log.assert_sound().await;
        assert_eq!(outcomes(&log).await.len(), decided.len(), "size {size}");
        let facts_there = log.number("SELECT count(*) FROM counterfoil.events WHERE kind = 'fact'").await;
        assert_eq!(facts_there, i64::try_from(facts.len()).unwrap(), "size {size}: nothing counts twice");
        let unannounced = log
            .number("SELECT count(*) FROM counterfoil.events e LEFT JOIN counterfoil.outbox o USING (shop_id, position) WHERE o.id IS NULL")
            .await;
        assert_eq!(unannounced, 0);
    }
    assert!(completed > 0, "no end was between the outcomes of one fact");
}

/// A new process, which remembers nothing.
fn restart(log: &LedShop) -> (Appender, RelayHandle) {
    let appender = Appender::start(log.test.database(), Options::default());
    (appender.clone(), Relay::start(log.test.database(), appender, ReadModels::default(), quick()))
}

async fn last_fact(log: &LedShop) -> Position {
    Position(log.number("SELECT max(position) FROM counterfoil.events WHERE kind = 'fact'").await)
}

/// P1, P3: PayPal sends callbacks again for three days.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_came_back_and_is_sent_again_brings_its_evidence_and_counts_once() {
    let log = LedShop::create().await;
    let backup = log.test.back_up().await;
    let relay = log.lead();
    log.append("stock.received", json!({"sku": "tea", "qty": 10})).await;
    let (placed, captured) = (day().swap_remove(1), day().swap_remove(2));
    log.append(placed.0, placed.1).await;
    let delivered = |transmission: &str, mac: u8| {
        let mut fact = new_fact(70, captured.0, &captured.1);
        let transmission = Transmission { id: transmission.to_owned(), headers: Vec::new() };
        fact.dedupe = Dedupe::Callback {
            event_key: "WH-70".to_owned(),
            body_mac: [mac; 32],
            transmission: Some(transmission),
        };
        fact.evidence = Some(Arc::new(SealedEvidence {
            bytes: vec![mac],
            wrapped_key: vec![1],
            kek_id: "k".to_owned(),
            sha256: digest(&SHA256, &[mac]).as_ref().try_into().unwrap(),
            commitment: [mac; 32],
        }));
        fact
    };
    let first = append(&log.appender, &log.shop, delivered("t1", 1)).await;
    applied(&relay, &log.shop, first).await;
    relay.stop().await;
    let dir = TempDir::new();
    publish(&entries(&log.test, &log.shop).await, dir.path());
    log.test.restore(&backup).await;
    let published = Published::open(dir.path(), &policy()).unwrap();
    reimport(&log.test.database_owner(), &log.shop, &published).await.unwrap();
    assert_eq!(log.number("SELECT count(*) FROM counterfoil.evidence").await, 0);

    let (appender, relay) = restart(&log);
    let again = appender.append(&log.shop, delivered("t1", 1)).await.unwrap();
    let Appended::Revised { position: revision, of } = again else { panic!("{again:?}") };
    assert_eq!(of, first);
    assert_eq!(log.number("SELECT count(*) FROM counterfoil.evidence").await, 1);
    for transmission in ["t1", "t2"] {
        let known = appender.append(&log.shop, delivered(transmission, 1)).await.unwrap();
        assert_eq!(known, Appended::Known { position: revision });
    }
    applied(&relay, &log.shop, revision).await;
    relay.stop().await;
    assert_eq!(log.number("SELECT captured_minor FROM counterfoil.orders").await, 1000);
    assert_eq!(log.number("SELECT settled FROM counterfoil.stock").await, 2);
    // A command's id keeps its content, as before.
    let other = new_fact(0, "stock.received", &json!({"sku": "tea", "qty": 11}));
    assert!(matches!(appender.append(&log.shop, other).await.unwrap(), Appended::Conflict { .. }));
    log.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_and_damaged_files_are_named_and_nothing_is_written() {
    let log = LedShop::create().await;
    let backup = log.test.back_up().await;
    for n in 0..300 {
        append(&log.appender, &log.shop, new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1})))
            .await;
    }
    let whole = entries(&log.test, &log.shop).await;
    log.test.restore(&backup).await;
    let (owner, dir) = (log.test.database_owner(), TempDir::new());
    publish(&whole, dir.path());
    let published = || Published::open(dir.path(), &policy());

    // Somebody has gone on from the backup.
    append(
        &Appender::start(log.test.database(), Options::default()),
        &log.shop,
        new_fact(400, "stock.received", &json!({"sku": "tea", "qty": 1})),
    )
    .await;
    let error = reimport(&owner, &log.shop, &published().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::OtherHistory(Position(0))), "{error}");
    assert_eq!(entries(&log.test, &log.shop).await.len(), 1);
    log.test.restore(&backup).await;

    let edit = |path: &str, from: &str, to: &str| {
        let text = String::from_utf8_lossy(&std::fs::read(dir.path().join(path)).unwrap()).into_owned();
        assert!(text.contains(from));
        std::fs::write(dir.path().join(path), text.replacen(from, to, 1)).unwrap();
    };
    let last = "tile/entries/001.p/44";
    edit(last, "\"qty\":1", "\"qty\":9");
    let error = reimport(&owner, &log.shop, &published().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
    std::fs::remove_file(dir.path().join(last)).unwrap();
    let error = reimport(&owner, &log.shop, &published().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains(last), "{error}");
    edit("checkpoint", "300\n", "299\n");
    let error = published().unwrap_err();
    assert!(error.to_string().contains("cannot be believed"), "{error}");
    assert_eq!(entries(&log.test, &log.shop).await.len(), 0, "nothing was written");

    publish(&whole, dir.path());
    reimport(&owner, &log.shop, &published().unwrap()).await.unwrap();
    assert_eq!(entries(&log.test, &log.shop).await, whole);
}
