//! Which ids a fact names: through them it belongs to an order, and others belong to it.

use crate::{Confirmation, Fact, Key, OrderId, PaymentKey, Refutation};

impl Fact {
    /// Every id that a fact names, and the payment rows through which its order may be found. An order's articles, coupons
    /// and buyer are not among them: a parked article holds back only facts about itself. What is about its own key alone
    /// names nothing here.
    #[must_use]
    pub fn names(&self) -> (Vec<Key>, Vec<PaymentKey>) {
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        let order = |keys: &mut Vec<Key>, id: &Option<OrderId>| keys.extend(id.clone().map(Key::Order));
        match self {
            Self::PaymentApproved(f) => {
                order(&mut keys, &f.order);
                keys.push(Key::PaypalOrder(f.paypal_order.clone()));
                rows.push(PaymentKey::PaypalOrder(f.paypal_order.clone()));
            }
            Self::PaymentAuthorized(f) => {
                order(&mut keys, &f.order);
                keys.extend(f.paypal_order.clone().map(Key::PaypalOrder));
                rows.extend(f.paypal_order.clone().map(PaymentKey::PaypalOrder));
                rows.push(PaymentKey::Authorization(f.authorization.clone()));
            }
            Self::PaymentVoided(f) => {
                order(&mut keys, &f.order);
                keys.extend(f.paypal_order.clone().map(Key::PaypalOrder));
                rows.extend(f.paypal_order.clone().map(PaymentKey::PaypalOrder));
                rows.extend(f.authorization.clone().map(PaymentKey::Authorization));
            }
            Self::PaymentPending(f) | Self::PaymentCaptured(f) | Self::PaymentDenied(f) => {
                order(&mut keys, &f.order);
                keys.extend(f.paypal_order.clone().map(Key::PaypalOrder));
                keys.push(Key::Capture(f.capture.clone()));
                rows.push(PaymentKey::Capture(f.capture.clone()));
                rows.extend(f.paypal_order.clone().map(PaymentKey::PaypalOrder));
                rows.extend(f.authorization.clone().map(PaymentKey::Authorization));
            }
            Self::PaymentRefunded(f) | Self::PaymentReversed(f) => {
                order(&mut keys, &f.order);
                keys.push(Key::Capture(f.capture.clone()));
                rows.push(PaymentKey::Capture(f.capture.clone()));
                rows.push(PaymentKey::Refund(f.refund.clone()));
            }
            Self::DisputeOpened(f) | Self::DisputeUpdated(f) | Self::DisputeResolved(f) => {
                order(&mut keys, &f.order);
                keys.extend(f.captures.iter().cloned().map(Key::Capture));
                rows.extend(f.captures.iter().cloned().map(PaymentKey::Capture));
                rows.push(PaymentKey::Dispute(f.dispute.clone()));
            }
            Self::OrderPlaced(f) | Self::OrderRevised(f) => {
                keys.push(Key::Order(f.order.clone()));
                keys.extend(f.paypal_order_id.clone().map(Key::PaypalOrder));
                rows.extend(f.paypal_order_id.clone().map(PaymentKey::PaypalOrder));
            }
            Self::PaymentRecorded(f) => {
                keys.push(Key::Order(f.order.clone()));
                if let Ok(capture) = f.capture() {
                    keys.push(Key::Capture(capture.clone()));
                    rows.push(PaymentKey::Capture(capture));
                }
            }
            Self::PaymentResolved(f) => {
                order(&mut keys, &f.assign);
                keys.push(Key::Capture(f.capture.clone()));
                rows.push(PaymentKey::Capture(f.capture.clone()));
            }
            Self::CaptureConfirmed(Confirmation { capture, .. })
            | Self::CaptureRefuted(Refutation { capture, .. }) => {
                keys.push(Key::Capture(capture.clone()));
                rows.push(PaymentKey::Capture(capture.clone()));
            }
            Self::OrderImported(f) => {
                keys.push(Key::Order(f.placement.order.clone()));
                keys.extend(f.placement.paypal_order_id.clone().map(Key::PaypalOrder));
                rows.extend(f.placement.paypal_order_id.clone().map(PaymentKey::PaypalOrder));
                for capture in &f.captures {
                    keys.extend(capture.paypal_order.clone().map(Key::PaypalOrder));
                    rows.extend(capture.paypal_order.clone().map(PaymentKey::PaypalOrder));
                    rows.extend(capture.authorization.clone().map(PaymentKey::Authorization));
                }
                let tenders = f.tenders.iter().filter_map(|tender| tender.capture().ok());
                for capture in f.captures.iter().map(|capture| capture.capture.clone()).chain(tenders) {
                    keys.push(Key::Capture(capture.clone()));
                    rows.push(PaymentKey::Capture(capture));
                }
                rows.extend(f.refunds.iter().map(|refund| PaymentKey::Refund(refund.refund.clone())));
            }
            // The rest is about its own key alone.
            _ => {}
        }
        (keys, rows)
    }
}
