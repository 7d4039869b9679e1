//! What belongs to a buyer: orders, payments, and the facts that rest on evidence about them.
//!
//! A fact belongs to the buyer that names them, one of their orders, or a payment of such an order; and so does the cause of
//! every outcome about these. Payments are linked as the relay links them: a refund names its capture, a capture its
//! authorisation and PayPal order, each perhaps the order. A link may come long after what it links, so a log is traced
//! again until nothing new is found: twice, as a rule.
//!
//! Never further than that: a fact that names another buyer's order as well is the buyer's, but the other order is not; and
//! a dispute about several captures says nothing of whose the others are.

use std::collections::BTreeSet;

use domain::{BuyerId, Fact, Key, OrderId, PaymentKey, Position};
use event_log::{Event, Kind};

use crate::Take;

/// What was found of a buyer so far. Takes a log from its beginning, as often as it has [grown](Trace::size).
#[derive(Clone, Debug)]
pub struct Trace {
    buyer: BuyerId,
    pub(super) orders: BTreeSet<OrderId>,
    pub(super) payments: BTreeSet<PaymentKey>,
    facts: BTreeSet<Position>,
    pub(super) sealed: BTreeSet<Position>,
    /// Orders of others that the buyer's facts name too.
    touched: BTreeSet<OrderId>,
    /// Whoever ever was the buyer of one of all these orders.
    pub(super) buyers: BTreeSet<BuyerId>,
    /// Callbacks of which the log does not know whom they are about.
    pub(super) unnamed: BTreeSet<Position>,
}

impl Trace {
    /// Nothing is known yet but the buyer.
    #[must_use]
    pub fn of(buyer: BuyerId) -> Self {
        Self {
            buyers: BTreeSet::from([buyer.clone()]),
            buyer,
            orders: BTreeSet::new(),
            payments: BTreeSet::new(),
            facts: BTreeSet::new(),
            sealed: BTreeSet::new(),
            touched: BTreeSet::new(),
            unnamed: BTreeSet::new(),
        }
    }

    /// How much was found.
    #[must_use]
    pub fn size(&self) -> usize {
        let orders = self.orders.len() + self.touched.len();
        orders + self.payments.len() + self.facts.len() + self.sealed.len() + self.buyers.len()
    }

    /// Whether the log knows anything of the buyer.
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The fact at this position is about the buyer, though the log does not say so.
    pub(super) fn add(&mut self, position: Position) {
        self.unnamed.remove(&position);
        self.facts.insert(position);
    }

    fn has(&self, key: &Key) -> bool {
        match key {
            Key::Order(order) => self.orders.contains(order),
            Key::Buyer(buyer) => *buyer == self.buyer,
            key => payment_of(key).is_some_and(|payment| self.payments.contains(&payment)),
        }
    }

    fn take_fact(&mut self, event: &Event) {
        let fact = event.fact().ok();
        let retranslated = match &fact {
            Some(Fact::CallbackRetranslated(inner)) => inner.fact().ok(),
            _ => None,
        };
        let read = retranslated.as_ref().or(fact.as_ref());
        if let Some(Fact::OrderPlaced(placement) | Fact::OrderRevised(placement)) = read {
            self.take_placement(&placement.order, placement.buyer.as_ref());
        }
        if let Some(Fact::OrderImported(opening)) = read {
            self.take_placement(&opening.placement.order, opening.placement.buyer.as_ref());
        }
        let (mut keys, payments) = read.map(Fact::names).unwrap_or_default();
        keys.push(event.key.clone());
        let of = fact.as_ref().and_then(about_another);
        let belongs = self.facts.contains(&event.position)
            || keys.iter().any(|key| self.has(key))
            || payments.iter().any(|payment| self.payments.contains(payment))
            || of.is_some_and(|of| self.facts.contains(&of));
        if !belongs {
            if matches!(fact, Some(Fact::CallbackIgnored(_) | Fact::CallbackUnreadable(_)))
                && event.evidence().is_some()
            {
                self.unnamed.insert(event.position);
            }
            return;
        }
        self.facts.insert(event.position);
        if event.evidence().is_some() {
            self.sealed.insert(event.position);
        }
        if retranslated.is_some() {
            self.facts.extend(of);
        }
        self.link(read, keys, payments);
    }

    /// What a fact of the buyer's names is the buyer's too, but for orders.
    fn link(&mut self, fact: Option<&Fact>, keys: Vec<Key>, mut payments: Vec<PaymentKey>) {
        if let Some(Fact::DisputeOpened(f) | Fact::DisputeUpdated(f) | Fact::DisputeResolved(f)) = fact
            && f.captures.len() > 1
        {
            payments.retain(|payment| matches!(payment, PaymentKey::Dispute(_)));
        } else if fact.is_none() {
            payments.extend(keys.iter().filter_map(payment_of));
        }
        self.payments.extend(payments);
        for key in keys {
            if let Key::Order(order) = key
                && !self.orders.contains(&order)
            {
                self.touched.insert(order);
            }
        }
    }

    fn take_placement(&mut self, order: &OrderId, buyer: Option<&BuyerId>) {
        if buyer == Some(&self.buyer) {
            self.orders.insert(order.clone());
        }
        if self.orders.contains(order) || self.touched.contains(order) {
            self.buyers.extend(buyer.cloned());
        }
    }

    fn take_outcome(&mut self, event: &Event) {
        let answered = event.cause.into_iter().chain(event.answers);
        if !self.has(&event.key) {
            if let Key::Order(order) = &event.key
                && answered.into_iter().any(|fact| self.facts.contains(&fact))
            {
                self.touched.insert(order.clone());
            }
            return;
        }
        self.facts.extend(answered);
        let Ok(outcome) = event.outcome() else { return };
        for payment in outcome.change.payments {
            if payment.order.as_ref().is_some_and(|order| self.orders.contains(order)) {
                self.payments.insert(payment.id);
            }
        }
    }
}

impl Take for Trace {
    fn take(&mut self, event: Event) {
        match event.kind {
            Kind::Fact => self.take_fact(&event),
            Kind::Outcome => self.take_outcome(&event),
            Kind::Note => {}
        }
    }
}

/// The event that this one is about, where it is about one.
fn about_another(fact: &Fact) -> Option<Position> {
    match fact {
        Fact::CallbackRevised(f) => Some(f.of),
        Fact::CallbackRetranslated(f) => Some(f.of),
        Fact::EventDismissed(f) => Some(f.of),
        Fact::EventRedriven(f) => Some(f.of),
        _ => None,
    }
}

fn payment_of(key: &Key) -> Option<PaymentKey> {
    match key {
        Key::PaypalOrder(id) => Some(PaymentKey::PaypalOrder(id.clone())),
        Key::Capture(id) => Some(PaymentKey::Capture(id.clone())),
        _ => None,
    }
}
