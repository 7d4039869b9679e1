//! Commands for orders: place, revise, cancel, ship, resolve; and the hold that runs out.

use std::sync::Arc;

use super::moves::Parts;
use super::settlement::{Drafts, Step, finish};
use super::{Decision, Undecided};
use crate::{
    Cancellation, Expiry, Fulfilment, GivenBack, Key, Missing, Order, OrderAction, OrderFlags, OrderId,
    OrderMoney, OrderResolution, OrderState, OutcomeType, PaypalOrderId, Placement, Reason, Shipment,
    ShippedLine, Terms,
};

pub(super) fn because(code: &str, detail: impl Into<String>) -> Vec<Reason> {
    vec![Reason::new(code, detail)]
}

impl Decision<'_> {
    pub(super) fn order(&self, id: &OrderId) -> Result<Option<Order>, Undecided> {
        Ok(self.state.orders.read(id, || Missing::Order(id.clone()))?.cloned())
    }

    pub(super) fn reject_order(
        &mut self,
        order: &OrderId,
        command: &str,
        reasons: Vec<Reason>,
    ) -> Result<(), Undecided> {
        self.reject(OutcomeType::OrderRejected, Key::Order(order.clone()), command, reasons)
    }

    pub(super) fn terms(&self, placement: &Placement) -> Terms {
        Terms {
            revision: placement.revision,
            buyer: placement.buyer.clone(),
            lines: placement.lines.clone(),
            coupons: placement.coupons.clone(),
            points: placement.points,
            paypal_order_id: placement.paypal_order_id.clone(),
            ship_to: placement.ship_to.clone(),
            tracks: self.state.shop.settings.tracks,
            hold_s: placement.hold_s.unwrap_or(self.state.shop.settings.hold_s),
            placed_at: self.cx.fact_at,
        }
    }

    pub(crate) fn place(&mut self, placement: &Placement) -> Result<(), Undecided> {
        let id = &placement.order;
        if self.order(id)?.is_some() {
            return self.reject_order(id, "order.placed", because("order_exists", "revise it instead"));
        }
        let terms = self.terms(placement);
        let reasons = self.shortfalls(&terms, Parts::ALL, |_| 0)?;
        let kind = if reasons.is_empty() { OutcomeType::OrderPlaced } else { OutcomeType::OrderRefused };
        let order = self.new_order(placement, terms);
        self.take_terms(order, kind, reasons)
    }

    /// An order that holds nothing and of which nothing is paid.
    pub(super) fn new_order(&self, placement: &Placement, terms: Terms) -> Order {
        Order {
            order: placement.order.clone(),
            currency: placement.currency,
            total_minor: placement.total_minor,
            state: OrderState::Open,
            fulfilment: Fulfilment::Wait,
            reasons: Vec::new(),
            refusals: Vec::new(),
            flags: OrderFlags::default(),
            money: OrderMoney::default(),
            held_until: None,
            paid_at: None,
            given_back: GivenBack::default(),
            shipped: Vec::new(),
            terms: Some(Arc::new(terms)),
            position: self.cx.position,
            at: Some(self.cx.at),
        }
    }

    pub(crate) fn revise(&mut self, placement: &Placement) -> Result<(), Undecided> {
        let id = &placement.order;
        let Some(before) = self.order(id)? else {
            return self.reject_order(id, "order.revised", because("order_unknown", "place it first"));
        };
        let old = before.terms.clone();
        let revision = old.as_ref().map_or(0, |terms| terms.revision);
        let flags = &before.flags;
        let mut reasons = Vec::new();
        if placement.revision <= revision {
            reasons.extend(because("revision_stale", format!("revision {revision} is in force")));
        }
        if flags.live || before.paid_at.is_some() || before.money.captured_minor > 0 {
            reasons.extend(because("payment_under_way", "the first payment fixes an order"));
        }
        if flags.cancelled || flags.closed || flags.unfulfillable {
            reasons.extend(because("order_ended", "it was cancelled or closed"));
        }
        let terms = self.terms(placement);
        if self.state.shop.rules >= 2 && before.held_until.is_some() {
            reasons.extend(old.as_deref().and_then(|old| changed_buyer(old, &terms)));
        }
        if !reasons.is_empty() {
            return self.reject_order(id, "order.revised", reasons);
        }
        let mut step = Step::of(before.clone());
        if let (true, Some(old)) = (before.held_until.is_some(), &old) {
            step.moves.release(old);
        }
        let reasons = self.shortfalls_after(&step, &terms)?;
        if !reasons.is_empty() {
            return self.reject_order(id, "order.revised", reasons);
        }
        let order = Order {
            currency: placement.currency,
            total_minor: placement.total_minor,
            refusals: Vec::new(),
            flags: OrderFlags { refused: false, expired: false, ..before.flags },
            terms: Some(Arc::new(terms)),
            ..before
        };
        step.order = order;
        self.hold_and_advance(step, OutcomeType::OrderRevised)
    }

    /// What the new terms lack once the step's moves are made.
    fn shortfalls_after(&mut self, step: &Step, terms: &Terms) -> Result<Vec<Reason>, Undecided> {
        let moves = step.moves.to_change(self.state)?;
        let mark = self.state.mark();
        let made = self.state.apply_moves(&self.cx, &moves.stock, &moves.coupons, moves.points.as_ref());
        let reasons = made.and_then(|()| self.shortfalls(terms, Parts::ALL, |_| 0));
        self.state.roll_back(&mark);
        reasons
    }

    /// Holds all of it; or nothing, for these reasons.
    pub(super) fn take_terms(
        &mut self,
        order: Order,
        kind: OutcomeType,
        reasons: Vec<Reason>,
    ) -> Result<(), Undecided> {
        let mut step = Step::of(order);
        if reasons.is_empty() {
            return self.hold_and_advance(step, kind);
        }
        step.order.flags.refused = true;
        step.order.refusals = reasons;
        finish(&mut step.order);
        self.put_terms(step, kind)
    }

    fn hold_and_advance(&mut self, mut step: Step, kind: OutcomeType) -> Result<(), Undecided> {
        if let Some(terms) = step.order.terms.clone() {
            step.moves.hold(&terms);
            step.order.held_until = Some(self.deadline(&terms)?);
        }
        finish(&mut step.order);
        self.put_terms(step, kind)
    }

    /// Records what was agreed, then everything that waited for the order, as one set.
    fn put_terms(&mut self, step: Step, kind: OutcomeType) -> Result<(), Undecided> {
        let id = step.order.order.clone();
        let paypal_order = step.order.terms.as_ref().and_then(|terms| terms.paypal_order_id.clone());
        let mut change = crate::Change { order: Some(step.order), ..crate::Change::default() };
        step.moves.into_change(self.state, &mut change)?;
        self.emit(kind, Key::Order(id.clone()), change)?;
        self.link(&id, paypal_order.as_ref())
    }

    /// Applies all that waited under the order's ids.
    fn link(&mut self, id: &OrderId, paypal_order: Option<&PaypalOrderId>) -> Result<(), Undecided> {
        let mut drafts = Drafts::new();
        if let Some(paypal_order) = paypal_order {
            let mut row = self.paypal_order(&drafts, paypal_order)?;
            match &row.order {
                None => row.order = Some(id.clone()),
                Some(known) if known != id && row.other_order.is_none() => row.other_order = Some(id.clone()),
                Some(_) => {}
            }
            drafts.insert(row.id.clone(), row);
        }
        self.settle_links(drafts)?;
        // Also where the PayPal order is not named: captures that name the order itself have waited for it.
        match self.order(id)? {
            Some(order) => self.advance(Step::of(order), &mut Drafts::new()),
            None => Ok(()),
        }
    }

    pub(crate) fn cancel(&mut self, fact: &Cancellation) -> Result<(), Undecided> {
        let id = &fact.order;
        let Some(order) = self.order(id)? else {
            return self.reject_order(id, "order.cancelled", because("order_unknown", "no such order"));
        };
        let mut reasons = Vec::new();
        if !order.shipped.is_empty() {
            reasons.extend(because("shipped", "what has left cannot be cancelled"));
        }
        if order.flags.cancelled || order.flags.closed {
            reasons.extend(because("order_ended", "it was cancelled or closed before"));
        }
        if !reasons.is_empty() {
            return self.reject_order(id, "order.cancelled", reasons);
        }
        let mut step = Step { kind: Some(OutcomeType::OrderCancelled), ..Step::of(order) };
        step.order.flags.cancelled = true;
        release(&mut step);
        self.advance(step, &mut Drafts::new())
    }

    pub(crate) fn expire(&mut self, fact: &Expiry) -> Result<(), Undecided> {
        let Some(order) = self.order(&fact.order)? else { return Ok(()) };
        if order.held_until != Some(fact.deadline) || order.flags.live || order.paid_at.is_some() {
            return Ok(());
        }
        let mut step = Step { kind: Some(OutcomeType::OrderExpired), ..Step::of(order) };
        step.order.flags.expired = true;
        release(&mut step);
        self.advance(step, &mut Drafts::new())
    }

    pub(crate) fn ship(&mut self, fact: &Shipment) -> Result<(), Undecided> {
        let id = &fact.order;
        let Some(order) = self.order(id)? else {
            return self.reject_order(id, "order.shipped", because("order_unknown", "no such order"));
        };
        if order.fulfilment != Fulfilment::Ship {
            let mut reasons = order.reasons.clone();
            if reasons.is_empty() {
                reasons = because("shipped", "all of it has left");
            }
            return self.reject_order(id, "order.shipped", reasons);
        }
        let bought = order.terms.as_ref().map(|terms| terms.by_sku()).unwrap_or_default();
        let mut shipped = bought.clone();
        shipped.iter_mut().for_each(|(sku, qty)| *qty = order.shipped_of(sku));
        let mut reasons = Vec::new();
        match &fact.lines {
            None => shipped.clone_from(&bought),
            Some(lines) => {
                for line in lines {
                    let left =
                        bought.get(&line.sku).map_or(0, |qty| qty - shipped.get(&line.sku).unwrap_or(&0));
                    if line.qty > left {
                        let detail = format!("{}: {} shipped, {left} left to ship", line.sku, line.qty);
                        reasons.extend(because("more_than_ordered", detail));
                    } else if let Some(qty) = shipped.get_mut(&line.sku) {
                        *qty += line.qty;
                    }
                }
            }
        }
        if !reasons.is_empty() {
            return self.reject_order(id, "order.shipped", reasons);
        }
        let shipped =
            shipped.into_iter().filter(|(_, qty)| *qty > 0).map(|(sku, qty)| ShippedLine { sku, qty });
        let mut step = Step { kind: Some(OutcomeType::OrderShipped), ..Step::of(order) };
        step.order.shipped = shipped.collect();
        self.advance(step, &mut Drafts::new())
    }

    pub(crate) fn resolve_order(&mut self, fact: &OrderResolution) -> Result<(), Undecided> {
        let id = &fact.order;
        let Some(order) = self.order(id)? else {
            return self.reject_order(id, "order.resolved", because("order_unknown", "no such order"));
        };
        let (flags, settled) = (order.flags, order.paid_at.is_some());
        let reasons = match fact.action {
            _ if flags.closed => because("order_ended", "it was closed before"),
            OrderAction::Accept if settled => because("paid", "it is settled"),
            OrderAction::Accept if order.money.captured_minor == 0 => {
                because("unpaid", "there is no payment to accept")
            }
            OrderAction::Accept if flags.unfulfillable => because("unfulfillable", "retry it instead"),
            OrderAction::Accept | OrderAction::Retry if flags.cancelled => {
                because("cancelled", "the shop cancelled it")
            }
            OrderAction::Retry if !flags.unfulfillable => {
                because("not_unfulfillable", "there is nothing to try again")
            }
            _ => Vec::new(),
        };
        if !reasons.is_empty() {
            return self.reject_order(id, "order.resolved", reasons);
        }
        let mut step = Step::of(order);
        match fact.action {
            OrderAction::Accept => step.order.flags.accepted = true,
            OrderAction::Retry => {
                step.retry = true;
                step.order.flags.unfulfillable = !settled;
            }
            OrderAction::Close => {
                step.order.flags.closed = true;
                step.kind = Some(OutcomeType::OrderClosed);
                release(&mut step);
            }
        }
        self.advance(step, &mut Drafts::new())
    }
}

/// Gives back what is held.
fn release(step: &mut Step) {
    if let (Some(_), Some(terms)) = (step.order.held_until.take(), step.order.terms.clone()) {
        step.moves.release(&terms);
    }
}

/// One outcome moves the points of one buyer only, and what is held for one cannot become another's.
fn changed_buyer(old: &Terms, new: &Terms) -> Option<Reason> {
    let holds_coupons = old.tracks.coupons && !old.coupons.is_empty();
    let holds_points = old.tracks.points && old.points.is_some();
    let is_another = old.buyer != new.buyer && (holds_coupons || holds_points);
    is_another.then(|| {
        Reason::new(
            "buyer_changed",
            "coupons or points are held for another buyer: cancel it, and place a new one",
        )
    })
}
