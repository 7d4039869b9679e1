//! What PayPal lists and the log lacks is brought in, once, whatever trouble PayPal has.

use std::collections::BTreeSet;
use std::time::Duration;

use database::{Clock as _, SystemClock};
use domain::{Money, Timestamp};
use paypal_simulator::{Delivery, Endpoint, EventKind, Fault, Story};
use reconciliation::{Options, Reconciling};
use test_support::wait_until;

use crate::served::SHOP;

use super::ground::{Ground, PATIENCE, account, options};

#[expect(clippy::print_stdout, reason = "a test that fails has said its seed")]
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test that failed is run again with its seed")]
    let seed = std::env::var("COUNTERFOIL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(1);
    println!("COUNTERFOIL_SEED={seed}");
    seed
}

/// A hundredth of the deliveries never comes.
#[tokio::test(flavor = "multi_thread")]
async fn what_paypal_lost_for_good_is_found_and_the_log_is_complete() {
    let mut ground = Ground::start(options()).await;
    let mut happened = BTreeSet::new();
    let orders: Vec<String> = (0..220).map(|n| format!("A-{n}")).collect();
    for (n, order) in orders.iter().enumerate() {
        let story = ground.place(order, 1_000).await;
        let mut kinds = vec![EventKind::OrderApproved, EventKind::CaptureCompleted];
        if n % 3 == 0 {
            kinds.push(EventKind::OrderCompleted);
        }
        if n % 5 == 0 {
            kinds.push(EventKind::CaptureRefunded);
        }
        for kind in kinds {
            happened.insert(ground.paypal.happened(&story, kind).unwrap().id);
        }
    }
    assert!(happened.len() >= 500, "{}", happened.len());
    let delivery =
        Delivery { loses: 10, duplicates: 50, reorders_s: 600, at_once: 16, ..Delivery::seeded(seed()) };
    let delivered = ground.paypal.deliver(&delivery).await;
    let lost: BTreeSet<String> = delivered.lost.into_iter().collect();
    assert!(!lost.is_empty() && delivered.given_up.is_empty(), "some are lost: {}", lost.len());
    let before = ground.event_keys().await;
    assert_eq!(before, happened.difference(&lost).cloned().collect(), "the log lacks what was lost");

    let reconciling = ground.reconcile();
    ground.wait_for("all is found", |s| s.appended == i64::try_from(lost.len()).unwrap()).await;
    assert_eq!(ground.event_keys().await, happened);
    ground.assert_sound().await;
    for (n, order) in orders.iter().enumerate() {
        let row = ground.order(order).await;
        assert_eq!(row["state"], "paid", "{row}");
        assert_eq!(row["money"]["refunded_minor"], if n % 5 == 0 { 1_000 } else { 0 }, "{row}");
    }

    // Run again, it appends nothing.
    let (head, standing) = (ground.served.events().await, ground.standing().await.unwrap());
    ground.wait_for_another_listing().await;
    reconciling.stop().await;
    let again = ground.standing().await.unwrap();
    assert!(again.listed >= standing.listed + i64::try_from(happened.len()).unwrap());
    assert_eq!((ground.served.events().await, again.appended), (head, standing.appended));
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_paypal_has_trouble_callbacks_are_taken_and_the_cursor_stands_until_all_is_found() {
    let mut ground = Ground::start(options()).await;
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    ground.paypal.faults().set_everywhere(Fault::Unavailable);
    let reconciling = ground.reconcile();
    let failed = ground.wait_for("the outage is told", |s| s.error.is_some()).await;
    assert!(failed.listed_through.is_none() && failed.ran_age_ms.is_none(), "{failed:?}");
    // The door asks PayPal for nothing.
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.wait_for_state("A-1", "paid").await;
    ground.paypal.faults().clear_everywhere();
    let well = ground.wait_for("it goes on by itself", |s| s.error.is_none()).await;
    assert!(well.listed_through.is_some() && well.appended == 0, "{well:?}");
    reconciling.stop().await;
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_between_two_pages_leaves_the_cursor_and_the_next_one_finds_the_rest_once() {
    let backoff = (Duration::from_secs(600), Duration::from_secs(600));
    let mut ground = Ground::start(Options { backoff, ..options() }).await;
    for fault in [
        Fault::TooManyRequests { retry_after_s: 1 },
        Fault::InternalError,
        Fault::Unavailable,
        Fault::NotFound,
        Fault::Garbled,
        Fault::CutShort,
    ] {
        // Two pages at least.
        let before = ground.event_keys().await;
        let mut happened = before.clone();
        for n in 0..120 {
            let at = Timestamp::new(SystemClock.now());
            let order = format!("{n}");
            let story = Story::new(&mut ground.ids, &order, Money::parse("1.00", "USD").unwrap(), at);
            happened.insert(ground.paypal.happened(&story, EventKind::OrderApproved).unwrap().id);
        }
        let cursor = ground.standing().await.and_then(|standing| standing.listed_through);
        let faults = ground.paypal.faults();
        let asked = faults.requests(Endpoint::Events);
        faults.set(Endpoint::Events, Fault::Hangs);
        let reconciling = ground.reconcile();
        let hangs = wait_until(PATIENCE, async || faults.requests(Endpoint::Events) > asked);
        assert!(hangs.await, "it asks");
        // The first page is answered now, and the second meets the fault.
        faults.set_for(Endpoint::Events, 1, fault);
        let failed = ground.wait_for("the run fails", |s| s.error.is_some()).await;
        assert_eq!(failed.listed_through, cursor, "{fault:?}");
        reconciling.stop().await;
        let between = ground.event_keys().await;
        assert!(between.len() >= before.len() + 100 && between.len() < happened.len(), "{fault:?}");

        let reconciling = ground.reconcile();
        let well = ground.wait_for("the next run ends well", |s| s.error.is_none()).await;
        assert!(well.listed_through > cursor, "{fault:?}");
        reconciling.stop().await;
        assert_eq!(ground.event_keys().await, happened, "{fault:?}");
    }
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_between_two_pages_is_fetched_anew_once() {
    let mut ground = Ground::start(options()).await;
    for n in 0..120 {
        let at = Timestamp::new(SystemClock.now());
        let story = Story::new(&mut ground.ids, &format!("{n}"), Money::parse("1.00", "USD").unwrap(), at);
        ground.paypal.happened(&story, EventKind::OrderApproved).unwrap();
    }
    let faults = ground.paypal.faults();
    faults.set(Endpoint::Events, Fault::Hangs);
    let reconciling = ground.reconcile();
    assert!(wait_until(PATIENCE, async || faults.requests(Endpoint::Events) == 1).await, "it asks");
    ground.paypal.end_tokens();
    faults.clear(Endpoint::Events);
    let well = ground.wait_for("the run ends well", |s| s.listed_through.is_some()).await;
    reconciling.stop().await;
    assert_eq!(ground.event_keys().await.len(), 120, "{well:?}");
    assert_eq!(ground.paypal.faults().requests(Endpoint::Token), 2);
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_after_the_copy_is_kept_as_a_revision_and_counts_no_more() {
    let mut ground = Ground::start(options()).await;
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let reconciling = ground.reconcile();
    ground.wait_for_state("A-1", "paid").await;
    reconciling.stop().await;
    let head = ground.served.events().await;
    let delivered = ground.paypal.deliver(&Delivery::seeded(1)).await;
    assert_eq!(delivered.taken.len(), 1);
    assert_eq!(ground.served.facts_after(head).await, ["callback.revised"]);
    // And a second one adds nothing.
    let event = ground.paypal.happened(&story, EventKind::OrderApproved).unwrap();
    ground.paypal.deliver(&Delivery::seeded(1)).await;
    ground.served.settled().await;
    let head = ground.served.events().await;
    ground.served.callback(SHOP, &ground.served.sign(&event.body), event.body.to_vec()).await;
    assert_eq!(ground.served.events().await, head);
    assert_eq!(ground.order("A-1").await["money"]["captured_minor"], 1_000);
    ground.assert_sound().await;
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_reconcile_a_shop_once() {
    let mut ground = Ground::start(options()).await;
    let mut happened = BTreeSet::new();
    for n in 0..40 {
        let story = ground.place(&format!("A-{n}"), 1_000).await;
        happened.insert(ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    }
    let (first, beside) = (ground.reconcile(), {
        let reconciler = ground.served.reconciler_with(account(&ground.paypal), options());
        Reconciling::start(reconciler)
    });
    ground.wait_for("all is found", |s| s.appended == 40).await;
    // Whoever leads stops, and the other goes on.
    first.stop().await;
    let story = ground.place("LATE", 1_000).await;
    happened.insert(ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap().id);
    ground.wait_for_state("LATE", "paid").await;
    beside.stop().await;
    assert_eq!(ground.event_keys().await, happened);
    ground.assert_sound().await;
    let facts = ground.served.facts_after(-1).await;
    assert_eq!(facts.iter().filter(|fact| *fact == "payment.captured").count(), 41);
    ground.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_paypal_lists_only_when_the_cursor_has_passed_it_is_found_by_the_overlap() {
    let mut ground = Ground::start(options()).await;
    ground.paypal.faults().listed_after(3_600);
    let story = ground.place("A-1", 1_000).await;
    ground.paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let reconciling = ground.reconcile();
    ground.wait_for_another_listing().await;
    assert_eq!(ground.standing().await.unwrap().appended, 0, "the cursor is past it, and nothing was listed");
    ground.paypal.faults().listed_after(0);
    ground.wait_for_state("A-1", "paid").await;
    reconciling.stop().await;
    ground.assert_sound().await;
    ground.served.stop().await;
}
