//! Callbacks of the development CA, about orders: the ids at PayPal follow from the order's, so that a refund that is sent
//! later names the capture that was sent before.

use anyhow::Context;
use aws_lc_rs::digest;
use database::{Clock, SystemClock};
use domain::{Money, Timestamp};
use paypal_simulator::{Authority, EventKind, Ids, Story, override_value};

use crate::dev::WEBHOOK_ID;

/// Headers and body of one transmission.
pub(crate) type Transmission = (Vec<(String, String)>, Vec<u8>);

/// The story of an order: always the same ids for the same order.
pub(crate) fn story(order: &str, amount: Money) -> Story {
    Story::new(&mut Ids::seeded(seed(order)), order, amount, now())
}

/// A signed callback, with a new event id, and with parts of its body set to other values.
pub(crate) fn signed(
    authority: &Authority,
    story: &Story,
    kind: EventKind,
    overrides: &[String],
) -> anyhow::Result<Transmission> {
    let event_id = Ids::seeded(seed(&crate::verbs::random_id()?)).event();
    let mut body = story.body(kind, &event_id);
    for assignment in overrides {
        override_value(&mut body, assignment).with_context(|| assignment.clone())?;
    }
    Ok(paypal_simulator::signed(authority, WEBHOOK_ID, serde_json::to_vec(&body)?, now()))
}

fn now() -> Timestamp {
    Timestamp::new(SystemClock.now())
}

fn seed(text: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
