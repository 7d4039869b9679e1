//! The log's side: what the fold of its outcomes has of captures, refunds and reversals, and when each was first recorded.

use std::collections::HashMap;

use domain::{Fact, Payment, PaymentKey, PaymentKind, PaymentState, Position, Timestamp};
use event_log::{Event, Kind};
use packed_rows::PackedRows;

use crate::{Fold, Mismatch, Take};

/// Takes a log and keeps its books.
#[derive(Debug, Default)]
pub struct Books {
    fold: Fold,
    recorded: HashMap<PaymentKey, Recorded>,
    as_of: Option<Position>,
}

/// Where money was first said to have moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) position: Position,
    pub(super) at: Timestamp,
    /// It was said by whoever imported the order: the money moved at any time before.
    pub(super) is_imported: bool,
}

/// Books that are closed.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) rows: PackedRows,
    pub(super) mismatches: Vec<Mismatch>,
    pub(super) recorded: HashMap<PaymentKey, Recorded>,
    pub(super) as_of: Position,
}

impl Take for Books {
    fn take(&mut self, event: Event) {
        // Notes change nothing: as of a log that has only gained notes since, the comparison is the same one.
        if event.kind != Kind::Note {
            self.as_of = Some(event.position);
        }
        if event.kind == Kind::Fact {
            let is_imported = event.type_name == IMPORTED;
            let recorded = Recorded { position: event.position, at: event.at, is_imported };
            for key in moved(&event) {
                self.recorded.entry(key).or_insert(recorded);
            }
        }
        self.fold.push(event);
    }
}

impl Books {
    pub(super) fn close(self) -> Closed {
        let (rows, mismatches) = self.fold.finish();
        Closed { rows, mismatches, recorded: self.recorded, as_of: self.as_of.unwrap_or(Position(-1)) }
    }
}

impl Closed {
    /// Payments that PayPal must list: other tenders are not its.
    pub(super) fn payments(&self) -> impl Iterator<Item = Payment> {
        self.rows.payments().filter(moved_money)
    }
}

/// Whether money came in or went back, at PayPal.
pub(super) fn moved_money(payment: &Payment) -> bool {
    match payment.kind {
        PaymentKind::Capture => payment.state == PaymentState::Captured,
        PaymentKind::Refund | PaymentKind::Reversal => payment.state == PaymentState::Refunded,
        _ => false,
    }
}

const IMPORTED: &str = "order.imported";

/// What the fact says has moved money. Facts of other types are not even read.
fn moved(event: &Event) -> Vec<PaymentKey> {
    const TYPES: [&str; 5] =
        ["payment.captured", "payment.refunded", "payment.reversed", "callback.retranslated", IMPORTED];
    if !TYPES.contains(&event.type_name.as_str()) {
        return Vec::new();
    }
    match event.fact() {
        Ok(Fact::CallbackRetranslated(inner)) => inner.fact().map(|fact| keys_of(&fact)).unwrap_or_default(),
        Ok(fact) => keys_of(&fact),
        Err(_) => Vec::new(),
    }
}

fn keys_of(fact: &Fact) -> Vec<PaymentKey> {
    match fact {
        Fact::PaymentCaptured(capture) => vec![PaymentKey::Capture(capture.capture.clone())],
        Fact::PaymentRefunded(refund) | Fact::PaymentReversed(refund) => {
            vec![PaymentKey::Refund(refund.refund.clone())]
        }
        Fact::OrderImported(opening) => {
            let captures = opening.captures.iter().filter(|capture| !capture.pending);
            let captures = captures.map(|capture| PaymentKey::Capture(capture.capture.clone()));
            let refunds = opening.refunds.iter().map(|refund| PaymentKey::Refund(refund.refund.clone()));
            captures.chain(refunds).collect()
        }
        _ => Vec::new(),
    }
}
