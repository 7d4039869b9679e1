//! Links between ids: which order a payment belongs to, found through what names what.
//!
//! A refund or dispute points at its capture, a capture at its authorisation and its PayPal order, and any of them may
//! name the shop's order. An order that becomes known for one of them becomes known for all that hang on it, whichever
//! callback comes first. Ids that name two orders are never resolved by guessing: both are kept, and an operator decides.

use std::collections::{BTreeSet, VecDeque};

use super::settlement::{Drafts, Step};
use super::{Decision, Undecided};
use crate::{
    Change, Key, Missing, OrderId, OutcomeType, Payment, PaymentKey, PaymentKind, PaymentState, Position,
    Standing,
};

impl Payment {
    /// A row that others named, and about which nothing else is known.
    pub(crate) fn named(id: PaymentKey, kind: PaymentKind) -> Self {
        Self {
            id,
            kind,
            state: PaymentState::Named,
            standing: Standing::Matched,
            order: None,
            other_order: None,
            assigned: false,
            paypal_order: None,
            authorization: None,
            captures: BTreeSet::new(),
            amount_minor: 0,
            currency: None,
            fee_minor: None,
            net_minor: None,
            payee: None,
            is_final: false,
            outcome: None,
            position: Position(-1),
            at: None,
        }
    }

    /// The rows that this one hangs on, nearest first.
    fn parents(&self) -> Vec<(PaymentKey, PaymentKind)> {
        let captures = self.captures.iter().map(|id| (PaymentKey::Capture(id.clone()), PaymentKind::Capture));
        let authorization = self
            .authorization
            .iter()
            .map(|id| (PaymentKey::Authorization(id.clone()), PaymentKind::Authorization));
        let paypal_order = self
            .paypal_order
            .iter()
            .map(|id| (PaymentKey::PaypalOrder(id.clone()), PaymentKind::PaypalOrder));
        captures.chain(authorization).chain(paypal_order).filter(|(id, _)| *id != self.id).collect()
    }

    /// Takes the order it is told of; a second one is kept beside the first. Whether anything changed.
    fn learn_order(&mut self, order: &OrderId) -> bool {
        match &self.order {
            None => self.order = Some(order.clone()),
            Some(known) if known == order || self.assigned || self.other_order.is_some() => return false,
            Some(_) => self.other_order = Some(order.clone()),
        }
        true
    }
}

impl Decision<'_> {
    /// The row as it will be: the draft, else the stored one, else one that is only named.
    pub(crate) fn draft(
        &self,
        drafts: &Drafts,
        id: &PaymentKey,
        kind: PaymentKind,
    ) -> Result<Payment, Undecided> {
        let stored = match drafts.get(id) {
            Some(draft) => Some(draft),
            None => self.state.payments.read(id, || Missing::Payment(id.clone()))?,
        };
        Ok(stored.cloned().unwrap_or_else(|| Payment::named(id.clone(), kind)))
    }

    /// Lets every row that hangs together with the drafts know the order, until nothing changes any more.
    pub(super) fn spread(&self, drafts: &mut Drafts) -> Result<(), Undecided> {
        let mut queue: VecDeque<PaymentKey> = drafts.keys().cloned().collect();
        while let Some(id) = queue.pop_front() {
            let Some(mut row) = drafts.get(&id).cloned() else { continue };
            let mut changed = false;
            for (parent_id, kind) in row.parents() {
                let mut parent = self.draft(drafts, &parent_id, kind)?;
                let mut parent_changed = false;
                let is_money_back =
                    matches!(row.kind, PaymentKind::Refund | PaymentKind::Reversal | PaymentKind::Dispute);
                if let (Some(order), false) = (&row.order, is_money_back) {
                    parent_changed |= parent.order.is_none() && parent.learn_order(order);
                }
                if row.paypal_order.is_some()
                    && kind == PaymentKind::Authorization
                    && parent.paypal_order.is_none()
                {
                    parent.paypal_order.clone_from(&row.paypal_order);
                    parent_changed = true;
                }
                changed |= inherit(&mut row, &parent, is_money_back);
                // A PayPal order or authorisation gets a row as soon as something hangs on it, for links meet there; a
                // capture that a refund names gets one with its own callback.
                let new =
                    !is_money_back && parent.state == PaymentState::Named && !self.is_stored(&parent_id);
                if parent_changed || (new && !drafts.contains_key(&parent_id)) {
                    drafts.insert(parent_id.clone(), parent);
                    queue.push_back(parent_id);
                }
            }
            if changed {
                drafts.insert(id.clone(), row.clone());
                queue.push_back(id.clone());
            }
            for child_id in self.children(drafts, &id)? {
                let mut child = self.draft(drafts, &child_id, PaymentKind::Capture)?;
                let is_money_back =
                    matches!(child.kind, PaymentKind::Refund | PaymentKind::Reversal | PaymentKind::Dispute);
                if inherit(&mut child, &row, is_money_back) {
                    drafts.insert(child_id.clone(), child);
                    queue.push_back(child_id);
                }
            }
        }
        Ok(())
    }

    fn is_stored(&self, id: &PaymentKey) -> bool {
        self.state.payments.get(id).is_some()
    }

    fn children(&self, drafts: &Drafts, id: &PaymentKey) -> Result<Vec<PaymentKey>, Undecided> {
        let stored = match id {
            PaymentKey::PaypalOrder(p) => {
                self.state.by_paypal_order.read(p, || Missing::PaymentsOfPaypalOrder(p.clone()))?
            }
            PaymentKey::Authorization(a) => {
                self.state.by_authorization.read(a, || Missing::PaymentsOfAuthorization(a.clone()))?
            }
            PaymentKey::Capture(c) => {
                self.state.by_capture.read(c, || Missing::PaymentsOfCapture(c.clone()))?
            }
            PaymentKey::Refund(_) | PaymentKey::Dispute(_) => None,
        };
        let mut children: BTreeSet<PaymentKey> = stored.into_iter().flatten().cloned().collect();
        let hangs = |row: &&Payment| row.parents().iter().any(|(parent, _)| parent == id);
        children.extend(drafts.values().filter(hangs).map(|row| row.id.clone()));
        Ok(children.into_iter().collect())
    }

    /// Spreads the links of the drafts and takes every order concerned to where they put it. What belongs to no known
    /// order is recorded by itself, and waits for a link.
    pub(crate) fn settle_links(&mut self, mut drafts: Drafts) -> Result<(), Undecided> {
        self.spread(&mut drafts)?;
        drafts.retain(|id, row| self.state.payments.get(id) != Some(row));
        let (mut owners, mut others) = (BTreeSet::new(), BTreeSet::new());
        for row in drafts.values() {
            owners.extend(row.order.clone());
            others.extend(row.other_order.clone());
            others.extend(self.state.payments.get(&row.id).and_then(|stored| stored.order.clone()));
            for capture in &row.captures {
                let id = PaymentKey::Capture(capture.clone());
                others.extend(self.draft(&drafts, &id, PaymentKind::Capture)?.order);
            }
        }
        // Rows of no known order go first: what an order is decided over must be on record.
        self.record_unmatched(&mut drafts)?;
        for order in owners.iter().chain(others.difference(&owners)) {
            if let Some(row) = self.state.orders.read(order, || Missing::Order(order.clone()))?.cloned() {
                self.advance(Step::of(row), &mut drafts)?;
            }
        }
        Ok(())
    }

    fn record_unmatched(&mut self, drafts: &mut Drafts) -> Result<(), Undecided> {
        let mut rows = Vec::new();
        for row in drafts.values() {
            let known = match &row.order {
                Some(order) => self.state.orders.read(order, || Missing::Order(order.clone()))?.is_some(),
                None => false,
            };
            if !known {
                rows.push(self.unmatched(row.clone()));
            }
        }
        for row in &rows {
            drafts.remove(&row.id);
        }
        let Some(kind) = rows.iter().map(unmatched_name).max_by_key(|kind| weight(*kind)) else {
            return Ok(());
        };
        let key = rows.iter().find_map(|row| row.order.clone()).map_or_else(|| self.key.clone(), Key::Order);
        self.emit(kind, key, Change { payments: rows, ..Change::default() })
    }

    fn unmatched(&self, mut row: Payment) -> Payment {
        if matches!(row.kind, PaymentKind::Capture | PaymentKind::Tender)
            && row.standing != Standing::Dismissed
        {
            let prefix = self.state.shop.settings.order_prefix.as_deref().unwrap_or_default();
            row.standing = match &row.order {
                _ if row.other_order.is_some() => Standing::Mismatched,
                Some(order) if !order.as_str().starts_with(prefix) => Standing::Foreign,
                _ => Standing::Unmatched,
            };
        }
        row
    }
}

/// What a row learns from the one it hangs on. A refund goes wherever its capture goes.
fn inherit(child: &mut Payment, parent: &Payment, is_money_back: bool) -> bool {
    let mut changed = false;
    if child.paypal_order.is_none()
        && parent.kind == PaymentKind::Authorization
        && parent.paypal_order.is_some()
    {
        child.paypal_order.clone_from(&parent.paypal_order);
        changed = true;
    }
    if is_money_back {
        // A dispute about several captures keeps the first order that it learned.
        let may_move = child.order.is_none() || child.captures.len() <= 1;
        if parent.order.is_some() && child.order != parent.order && may_move {
            child.order.clone_from(&parent.order);
            changed = true;
        }
        return changed;
    }
    for order in parent.order.iter().chain(&parent.other_order) {
        changed |= child.learn_order(order);
    }
    changed
}

fn unmatched_name(row: &Payment) -> OutcomeType {
    match (row.state, row.standing) {
        (PaymentState::Captured, Standing::Mismatched) => OutcomeType::PaymentMismatched,
        (PaymentState::Captured, Standing::Foreign) => OutcomeType::PaymentForeign,
        (PaymentState::Captured, Standing::Unmatched) => OutcomeType::PaymentUnmatched,
        _ => OutcomeType::PaymentNoted,
    }
}

fn weight(kind: OutcomeType) -> u8 {
    match kind {
        OutcomeType::PaymentMismatched => 3,
        OutcomeType::PaymentUnmatched => 2,
        OutcomeType::PaymentForeign => 1,
        _ => 0,
    }
}
